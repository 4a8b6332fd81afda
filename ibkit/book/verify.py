"""How often a chapter's claims hold: at many seeds, with the exact interval of the share.

A claim counts as held at a seed when its run came to the claim and found it held; red when it found it red, or broke
off before. An open claim decides nothing and has no interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ibkit.book.cache import run_key, seal_json, unseal_json
from ibkit.book.errors import InputError
from ibkit.book.interval import binomial_interval
from ibkit.book.notebook import read_notebook
from ibkit.book.parameters import read_parameters, resolve_parameters
from ibkit.book.store import LocalFolder
from ibkit.book.sweep import SweepPlan, plan_sweep
from ibkit.book.tree import Chapter, Tree

FOLDER = "verified"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """How often one claim held.

    Args:
        id: the claim.
        statement: what it says.
        held: at how many seeds it held.
        red: at how many it did not, or the run broke off before it.
        open: at how many it was open.
        low: lower end of the interval for the probability that it holds; None if it was open at every seed.
        high: upper end.
    """

    id: str
    statement: str
    held: int
    red: int
    open: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verification:
    """What became of a chapter's claims over the seeds.

    Args:
        chapter: the chapter.
        key: of its run with the default parameters, which says what it was made from.
        seeds: the seeds.
        broken: at how many of them the run broke off.
        confidence: of the intervals.
        claims: one a claim.
    """

    chapter: str
    key: str
    seeds: tuple[int, ...]
    broken: int
    confidence: float
    claims: tuple[Share, ...]

    def record(self) -> dict[str, Any]:
        """Return what is stored, as plain JSON."""
        return {"schema": 1, **asdict(self)}


def plan_verification(
    chapter: Chapter, seeds: Sequence[int], *, tree: Tree | None = None, force: bool = False
) -> SweepPlan:
    """Plan the runs of a chapter with its default parameters at several seeds.

    Args:
        chapter: the chapter.
        seeds: the seeds.
        tree: the book that it belongs to.
        force: run again what has been run.

    Returns:
        A plan for `ibkit.book.sweep.run_sweep`.

    Raises:
        InputError: the chapter has no parameter `seed`, or no seed is given.
    """
    declared = read_parameters(read_notebook(chapter.path), chapter.name)
    if "seed" not in declared or declared["seed"].type != "int":
        raise InputError(f"{chapter.name}: it has no parameter `seed: int`, which a verification varies")
    if not seeds:
        raise InputError("a verification needs at least one seed")
    return plan_sweep(chapter, {"seed": list(seeds)}, tree=tree, force=force)


def count_claims(
    plan: SweepPlan, results: Mapping[str, Mapping[str, Any]], tree: Tree | None = None, confidence: float = CONFIDENCE
) -> Verification:
    """Count over the seeds how often each claim held.

    Args:
        plan: from `plan_verification`.
        results: the runs' results, by key.
        tree: the book that the chapter belongs to.
        confidence: of the intervals.

    Returns:
        The verification.
    """
    runs = [results[key] for key in plan.settings]
    found = {claim["id"]: claim.get("statement", "") for run in runs for claim in run["claims"]}
    states = {name: [_state(run, name) for run in runs] for name in found}
    shares = []
    for name, statement in found.items():
        held, still_open = states[name].count("held"), states[name].count("open")
        decided = len(runs) - still_open
        low, high = binomial_interval(held, decided, confidence) if decided else (None, None)
        shares.append(Share(name, statement, held, decided - held, still_open, low, high))
    defaults = resolve_parameters(plan.parameters, {})
    seeds = tuple(int(setting["seed"]) for setting in plan.settings.values())
    broken = sum(run["state"] == "failed" for run in runs)
    key = run_key(plan.notebook, defaults, tree)
    return Verification(plan.chapter.name, key, seeds, broken, confidence, tuple(shares))


def keep_verification(verification: Verification, build: Path) -> Path:
    """Store a verification for the ledger, unless one over more seeds of the same chapter stands there.

    Args:
        verification: what was counted.
        build: the book's folder of everything made.

    Returns:
        The file.
    """
    folder = LocalFolder(build / FOLDER)
    name = f"{verification.chapter}.json"
    before = read_verification(build, verification.chapter)
    larger = before and before["key"] == verification.key and len(before["seeds"]) > len(verification.seeds)
    if not larger:
        folder.write(name, seal_json(verification.record()))
    return folder.path / name


def read_verification(build: Path, chapter: str) -> dict[str, Any] | None:
    """Return the stored verification of a chapter, if there is one.

    Args:
        build: the book's folder of everything made.
        chapter: its name, `part/slug`.

    Returns:
        What `Verification.record` gave; None when there is none, or it is damaged or was made elsewhere.
    """
    return unseal_json(LocalFolder(build / FOLDER).read(f"{chapter}.json"))


def _state(run: Mapping[str, Any], name: str) -> str | None:
    return next((claim["state"] for claim in run["claims"] if claim["id"] == name), None)
