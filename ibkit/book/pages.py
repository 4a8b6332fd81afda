"""The pieces of pages that the machine writes: the ledger, lists of chapters, a chapter's header line.

All are small HTML fragments: they stand in Markdown pages, take their colours from the theme, and need no script. Links
are relative, so that the site reads the same from a server and from a folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from ibkit.book.catalogue import PARTS, Paper
from ibkit.book.ledger import ClaimRecord, Ledger, LedgerEntry

# A state is a word and a sign, never a colour alone.
SIGNS = {"held": "✓", "open": "○", "red": "✗", "planned": "·"}


@dataclass(frozen=True)
class Repository:
    """Where the book's source is public: for the links that open a chapter on a machine with a kernel."""

    url: str
    branch: str

    def binder(self, document: str) -> str:
        """Return the address that opens a notebook on Binder."""
        return f"https://mybinder.org/v2/gh/{self._name}/{self.branch}?urlpath=lab/tree/{document}.ipynb"

    def colab(self, document: str) -> str:
        """Return the address that opens a notebook on Colab."""
        return f"https://colab.research.google.com/github/{self._name}/blob/{self.branch}/{document}.ipynb"

    @property
    def _name(self) -> str:
        return self.url.removeprefix("https://github.com/").strip("/")


def counts_text(counts: dict[str, int]) -> str:
    """Say counts of claims in words.

    Example:
        >>> counts_text({"held": 4, "open": 1, "red": 0})
        '4 of 5 claims held, 1 open'
        >>> counts_text({"held": 1, "open": 0, "red": 0})
        '1 of 1 claim held'
    """
    total = sum(counts.values())
    rest = [f"{counts[state]} {state}" for state in ("open", "red") if counts[state]]
    return ", ".join([f"{counts['held']} of {total} {'claim' if total == 1 else 'claims'} held", *rest])


def badge(entry: LedgerEntry) -> str:
    """Sum a chapter's claims up in one short sign."""
    if entry.state == "planned":
        return _state("planned", "planned")
    worst = next((state for state in ("red", "open") if entry.counts[state]), "held")
    return _state(worst, counts_text(entry.counts))


def _state(state: str, text: str) -> str:
    return (
        f'<span class="ibkit-state ibkit-{state}"><span aria-hidden="true">{SIGNS[state]}</span> {escape(text)}</span>'
    )


def chapter_header(paper: Paper, about: dict[str, Any], entry: LedgerEntry, repository: Repository, depth: str) -> str:
    """Write the line under a chapter's title: where to read, open and get it, and what made it.

    Args:
        paper: the chapter's paper.
        about: the executed notebook's ``metadata.ibkit``.
        entry: the chapter in the ledger.
        repository: for Binder and Colab.
        depth: the way from the page to the site's root, such as ``../../``.

    Returns:
        HTML.
    """
    document = f"chapters/{paper.part}/{paper.slug}"
    links = []
    if paper.url:
        label = f"arXiv {paper.arxiv}" if paper.arxiv else "Paper"
        links.append(_link(paper.url, f"Paper ({label})" if paper.arxiv else label))
    if paper.code:
        links.append(_link(paper.code, "Authors' code"))
    links += [
        _link(repository.binder(document), "Binder"),
        _link(repository.colab(document), "Colab"),
        f'<a href="{depth}_sources/{document}.ipynb" download>Notebook</a>',
        f'<a href="{depth}ledger.html#{paper.slug}-claims">Claims in the ledger</a>',
    ]
    run = about.get("run", {})
    made = [f"ibkit {run['ibkit']}"] if run.get("ibkit") else []
    made += [f"commit {run['commit']}"] if run.get("commit") else []
    made += [f"{run['profile']} profile"] if run.get("profile") else []
    made += [seconds_text(run["seconds"])] if run.get("seconds") is not None else []
    items = "".join(f"<li>{link}</li>" for link in links)
    return (
        f'<div class="ibkit-header"><p>{escape(authors_text(paper))}</p><ul>{items}</ul>'
        f"<p>{badge(entry)} <span>made by {escape(', '.join(made))}</span></p></div>"
    )


def authors_text(paper: Paper) -> str:
    """All known authors, venue and year."""
    names = list(paper.authors)
    people = ", ".join(names) + (" and others" if paper.others else "")
    dated = paper.venue and re.search(r"\b\d{4}$", paper.venue)
    return " · ".join(filter(None, [people, paper.venue, None if dated else str(paper.year)]))


def seconds_text(seconds: float) -> str:
    """Seconds as a reader wants them.

    Example:
        >>> seconds_text(11.62), seconds_text(0.84)
        ('12 s', '0.8 s')
    """
    return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"


def chapter_cards(entries: tuple[LedgerEntry, ...], depth: str) -> str:
    """Chapters that exist, one card each: title, citation, sentence, claims."""
    cards = []
    for entry in entries:
        sentence = f"<p>{inline(entry.sentence)}</p>" if entry.sentence else ""
        cards.append(
            f'<li class="ibkit-card"><h3><a href="{depth}{_page(entry)}">{escape(entry.title)}</a></h3>{sentence}'
            f"<p><span>{escape(entry.citation)}</span> {badge(entry)}</p></li>"
        )
    return f'<ul class="ibkit-cards">{"".join(cards)}</ul>'


def part_list(ledger: Ledger, part: str, papers: dict[str, Paper], depth: str) -> str:
    """List a part's papers as Markdown: cards for chapters that exist, a plain list of those planned."""
    here = ledger.part(part)
    present = tuple(entry for entry in here if entry.state == "present")
    planned = [entry for entry in here if entry.state == "planned"]
    blocks = [chapter_cards(present, depth)] if present else []
    if planned:
        items = "".join(f"<li>{_planned(papers[entry.slug])}</li>" for entry in planned)
        blocks.append(f'<p class="ibkit-label">Planned</p><ul class="ibkit-planned">{items}</ul>')
    return "\n\n".join(blocks)


def _planned(paper: Paper) -> str:
    title = _link(paper.url, paper.title) if paper.url else escape(paper.title)
    return f"{title} <span>{escape(paper.citation)}</span>"


def landing_chapters(ledger: Ledger) -> str:
    """List for the landing page the chapters that exist, then every part with how far it is."""
    rows = []
    for part in PARTS.values():
        entries = ledger.part(part.name)
        present = sum(entry.state == "present" for entry in entries)
        rows.append(
            f'<li><a href="{part.name}/index.html">{escape(part.title)}</a> '
            f'<span class="ibkit-count">{present} of {len(entries)}</span> <span>{escape(part.sentence)}</span></li>'
        )
    cards = chapter_cards(ledger.present, "../") if ledger.present else "<p>No chapter has been executed yet.</p>"
    return (
        f"## Chapters to play with now\n\n{cards}\n\n## The {len(PARTS)} parts\n\n"
        f'<ul class="ibkit-parts">{"".join(rows)}</ul>'
    )


def ledger_page(ledger: Ledger) -> str:
    """Write the ledger as a Markdown page: all papers by part, claims folded below their chapter."""
    present, total = len(ledger.present), len(ledger.entries)
    lines = [
        "# The ledger",
        "",
        f"{present} of {total} papers have a chapter; {counts_text(ledger.counts)}. A claim's rule, its number of runs "
        "and its stopping point are written down before the run; the machine compares, and nobody edits what it finds. "
        "The same data for programs: "
        '<a href="ledger.json" download>ledger.json</a>.',
        "",
        '<ul class="ibkit-legend">'
        f"<li>{_state('held', 'held')} the bound is satisfied, and the plain method does not satisfy it</li>"
        f"<li>{_state('open', 'open')} measured, but not decidable at this scale; the chapter says why</li>"
        f"<li>{_state('red', 'red')} the bound is not satisfied</li>"
        f"<li>{_state('planned', 'planned')} no chapter yet</li></ul>",
    ]
    for part in PARTS.values():
        rows = "".join(_row(entry) for entry in ledger.part(part.name))
        lines += ["", f"## {part.title}", "", f'<ul class="ibkit-ledger">{rows}</ul>']
    return "\n".join(lines) + "\n"


def _row(entry: LedgerEntry) -> str:
    # A link to what stands inside <details> opens it, so the claims have an anchor of their own.
    head = f'<span class="ibkit-title">{escape(entry.title)}</span> <span>{escape(entry.citation)}</span>'
    if entry.state == "planned":
        return f'<li id="{entry.slug}">{badge(entry)} {head}</li>'
    made = [seconds_text(entry.seconds)] if entry.seconds is not None else []
    made += [f"{entry.profile} profile"] if entry.profile else []
    made += [f"ibkit {entry.ibkit}"] if entry.ibkit else []
    made += [f"commit {entry.commit}"] if entry.commit else []
    made += [f"{name} {version}" for name, version in entry.versions.items()]
    claims = "".join(_claim(claim, entry.verified) for claim in entry.claims)
    return (
        f'<li id="{entry.slug}"><details><summary>{badge(entry)} {head}</summary>'
        f'<p><a href="{_page(entry)}">Read the chapter</a> <span>{escape(", ".join(made))}</span></p>'
        f'<ul class="ibkit-claim-list" id="{entry.slug}-claims">{claims}</ul></details></li>'
    )


def _claim(claim: ClaimRecord, verified: dict[str, Any] | None = None) -> str:
    facts = [("bound", claim.bound), ("measured", measured_text(claim.measured))]
    if claim.contrast:
        facts.append((claim.contrast.get("label") or "contrast", measured_text(claim.contrast)))
    if verified and claim.seeds:
        facts.append((f"over {verified['seeds']} seeds", seeds_text(claim.seeds, verified["confidence"])))
    facts.append((claim.kind, claim.source or ""))
    if claim.open_because:
        facts.append(("open because", claim.open_because))
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{inline(value)}</dd></div>" for name, value in facts)
    return f"<li>{_state(claim.state, claim.state)} {inline(claim.statement)}<dl>{rows}</dl></li>"


def seeds_text(shares: dict[str, Any], confidence: float) -> str:
    """Say at how many seeds a claim held, and how sure its share is.

    Example:
        >>> seeds_text({"held": 19, "red": 1, "open": 0, "low": 0.7513, "high": 0.9987}, 0.95)
        'held at 19 of 20; 95 % interval of the share: 0.751 to 0.999'
        >>> seeds_text({"held": 0, "red": 0, "open": 20, "low": None, "high": None}, 0.95)
        'open at all 20'
    """
    decided = shares["held"] + shares["red"]
    if not decided:
        return f"open at all {shares['open']}"
    still_open = f", open at {shares['open']} more" if shares["open"] else ""
    low, high = shares["low"], shares["high"]
    interval = f"{100 * confidence:g} % interval of the share: {low:.3g} to {high:.3g}"
    return f"held at {shares['held']} of {decided}{still_open}; {interval}"


def measured_text(measured: dict[str, Any]) -> str:
    """Median and range of what was measured; one number where there is one run.

    Example:
        >>> measured_text({"values": [0.5, 0.75, 1.0], "median": 0.75, "low": 0.5, "high": 1.0})
        '0.75 [0.5, 1], 3 runs'
        >>> measured_text({"values": [None], "median": None, "low": None, "high": None})
        'not a number'
    """
    median, low, high = (_number(measured.get(name)) for name in ("median", "low", "high"))
    runs = len(measured.get("values") or ())
    return f"{median} [{low}, {high}], {runs} runs" if runs > 1 else median


def _number(value: float | None) -> str:
    if value is None:
        return "not a number"
    return f"{value:.3g}"


def inline(text: str) -> str:
    r"""Escape text for HTML and mark ``$...$`` as mathematics for MathJax.

    Example:
        >>> inline("at least $1/2$ & more")
        'at least <span class="math notranslate nohighlight">\\(1/2\\)</span> &amp; more'
    """
    pieces = re.split(r"\$([^$]+)\$", text)
    return "".join(
        f'<span class="math notranslate nohighlight">\\({escape(piece)}\\)</span>' if i % 2 else escape(piece)
        for i, piece in enumerate(pieces)
    )


def _page(entry: LedgerEntry) -> str:
    return f"chapters/{entry.part}/{entry.slug}.html"


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url, quote=True)}">{escape(text)}</a>'
