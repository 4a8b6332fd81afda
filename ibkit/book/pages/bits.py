"""What the pages are put together from: states as words, numbers as readers want them, links, authors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from ibkit.book.catalogue import Paper
from ibkit.book.ledger import LedgerEntry

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
        return state_sign("planned", "planned")
    worst = next((state for state in ("red", "open") if entry.counts[state]), "held")
    return state_sign(worst, counts_text(entry.counts))


def state_sign(state: str, text: str) -> str:
    """Write a state: sign, words and colour together."""
    return (
        f'<span class="ibkit-state ibkit-{state}"><span aria-hidden="true">{SIGNS[state]}</span> {escape(text)}</span>'
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


def page_of(entry: LedgerEntry) -> str:
    """Return the address of a chapter's page, from the site's root."""
    return f"chapters/{entry.part}/{entry.slug}.html"


def link(url: str, text: str) -> str:
    """Write a link."""
    return f'<a href="{escape(url, quote=True)}">{escape(text)}</a>'
