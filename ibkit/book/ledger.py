"""What the book claims, and whether it held: read back from executed notebooks, for all 181 papers.

A claim is stored by the notebook that measured it, as a display output of its own MIME type. The ledger only
collects: it measures nothing and judges nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ibkit.book.catalogue import PARTS, Paper, load_catalogue
from ibkit.book.errors import InputError
from ibkit.book.notebook import read_notebook
from ibkit.book.verdict import CLAIM_MIME
from ibkit.book.verify import read_verification

STATES = ("held", "open", "red")


class LedgerError(InputError):
    """An executed notebook holds something that is not a claim record; the message names notebook and cell."""


@dataclass(frozen=True)
class ClaimRecord:
    """One claim as its notebook stored it."""

    id: str
    statement: str
    kind: str
    source: str | None
    state: str
    bound: str
    measured: dict[str, Any]
    rule: dict[str, Any] = field(default_factory=dict)
    share: float = 1.0
    contrast: dict[str, Any] | None = None
    open_because: str | None = None
    seeds: dict[str, Any] | None = None  # from `ibkit verify`: held, red, open, low, high


@dataclass(frozen=True)
class LedgerEntry:
    """One paper: its chapter's claims and what made them, or the word that it is planned."""

    slug: str
    part: str
    title: str
    citation: str
    state: str
    sentence: str | None = None
    concepts: tuple[str, ...] = ()
    seconds: float | None = None
    profile: str | None = None
    ibkit: str | None = None
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    verified: dict[str, Any] | None = None  # by `ibkit verify`: seeds (how many), broken, confidence
    atlas: tuple[Any, ...] = ()  # as the notebook says it; checked where it is drawn
    claims: tuple[ClaimRecord, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many claims are held, open and red."""
        counted = Counter(claim.state for claim in self.claims)
        return {state: counted[state] for state in STATES}


@dataclass(frozen=True)
class Ledger:
    """Every paper of the catalogue, by part; within a part chapters in reading order, then papers by year and slug."""

    entries: tuple[LedgerEntry, ...]

    def part(self, name: str) -> tuple[LedgerEntry, ...]:
        """Return the entries of one part, chapters that exist first."""
        here = [entry for entry in self.entries if entry.part == name]
        return tuple(sorted(here, key=lambda entry: entry.state == "planned"))

    @property
    def present(self) -> tuple[LedgerEntry, ...]:
        """The chapters that exist."""
        return tuple(entry for entry in self.entries if entry.state == "present")

    @property
    def counts(self) -> dict[str, int]:
        """How many claims of the whole book are held, open and red."""
        return {state: sum(entry.counts[state] for entry in self.entries) for state in STATES}

    def to_json(self) -> str:
        """Write the ledger as JSON: the same entries give the same bytes."""
        papers = []
        for entry in self.entries:
            record = asdict(entry)
            claims = record.pop("claims")
            papers.append({**record, "counts": entry.counts, "claims": claims})
        summary = {"papers": len(papers), "present": len(self.present), **self.counts}
        return json.dumps({"schema": 1, "summary": summary, "papers": papers}, indent=1, ensure_ascii=False) + "\n"


def read_claims(notebook: Path | dict[str, Any]) -> list[ClaimRecord]:
    """Read the claims that an executed notebook stored, in the order of the page.

    Args:
        notebook: the executed notebook, or its path.

    Returns:
        One record a claim. A claim that a cell stored twice under one id counts once, as it was last.

    Raises:
        InputError: not a notebook.
        LedgerError: a claim record without its fields or of an unknown state.
    """
    name = "notebook" if isinstance(notebook, dict) else str(notebook)
    content = notebook if isinstance(notebook, dict) else read_notebook(notebook)
    claims: dict[str, ClaimRecord] = {}
    for number, cell in enumerate(content["cells"], start=1):
        for output in cell.get("outputs", []):
            stored = output.get("data", {}).get(CLAIM_MIME)
            if stored is not None:
                record = _record(stored, f"{name}, cell {number}")
                claims[record.id] = record
    return list(claims.values())


def _record(stored: Any, where: str) -> ClaimRecord:
    known = set(ClaimRecord.__dataclass_fields__) - {"seeds"}
    try:
        record = ClaimRecord(**{key: value for key, value in dict(stored).items() if key in known})
    except (TypeError, ValueError) as error:
        raise LedgerError(f"{where}: expected a claim record, {error}") from error
    if record.state not in STATES:
        raise LedgerError(f"{where}: claim {record.id!r} has the state {record.state!r}, expected one of {STATES}")
    return record


def build_ledger(root: Path, executed: Path | None = None, reading: Sequence[str] = ()) -> Ledger:
    """Collect the whole book's claims.

    Args:
        root: the book's folder (``references.bib``).
        executed: the folder of executed notebooks, ``_build/executed`` unless told otherwise.
        reading: chapters in the order in which they are read, such as ``margins/spectral-descent``.

    Returns:
        An entry for each paper; a paper without an executed chapter stands as planned.

    Raises:
        CatalogueError: the bibliography is broken.
        InputError: an executed notebook is broken.
    """
    executed = Path(root) / "_build" / "executed" if executed is None else Path(executed)
    order, place = list(PARTS), {chapter: number for number, chapter in enumerate(reading)}

    def rank(paper: Paper) -> tuple[int, int, int, str]:
        listed = place.get(f"{paper.part}/{paper.slug}", len(place))
        return order.index(paper.part), listed, paper.year, paper.slug

    papers = sorted(load_catalogue(root).values(), key=rank)
    build = Path(root) / "_build"
    return Ledger(tuple(_entry(paper, executed / paper.path, build) for paper in papers))


def _entry(paper: Paper, path: Path, build: Path) -> LedgerEntry:
    basics = {"slug": paper.slug, "part": paper.part, "title": paper.title, "citation": paper.citation}
    if not path.is_file():
        return LedgerEntry(**basics, state="planned")
    notebook = read_notebook(path)
    about = notebook.get("metadata", {}).get("ibkit", {})
    run = about.get("run", {})
    verified, shares = _verified(build, f"{paper.part}/{paper.slug}", run.get("key"))
    claims = (replace(claim, seeds=shares.get(claim.id)) for claim in read_claims(notebook))
    return LedgerEntry(
        **basics,
        state="present",
        sentence=about.get("sentence"),
        concepts=tuple(about.get("concepts", ())),
        seconds=run.get("seconds"),
        profile=run.get("profile"),
        ibkit=run.get("ibkit"),
        commit=run.get("commit"),
        versions=dict(sorted(run.get("versions", {}).items())),
        verified=verified,
        atlas=tuple(about.get("atlas", ())),
        claims=tuple(claims),
    )


def _verified(build: Path, chapter: str, key: str | None) -> tuple[dict[str, Any] | None, dict[str, dict[str, Any]]]:
    """Return what `ibkit verify` found, if it was of the chapter as it is shown: in all, and for each claim."""
    found = read_verification(build, chapter)
    if not found or found["key"] != key:
        return None, {}
    names = ("held", "red", "open", "low", "high")
    shares = {claim["id"]: {name: claim[name] for name in names} for claim in found["claims"]}
    return {"seeds": len(found["seeds"]), "broken": found["broken"], "confidence": found["confidence"]}, shares
