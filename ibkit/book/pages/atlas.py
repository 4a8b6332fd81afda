"""The atlas: which model, loss and update rule end up where, with the claim that checked it.

Drawn from ``metadata.ibkit.atlas`` of the chapters, a list of entries with five texts each::

    {"model": "linear classifier", "loss": "cross-entropy", "rule": "spectral descent",
     "limit": "largest margin in the spectral norm", "claim": "diag"}

``claim`` is the id of a claim of the same chapter. An entry may say more, for the table of its part's page
(`ibkit.book.pages.part_table`): ``norm``, ``architecture``, ``classes``, ``parameterisation``. Nothing here is typed by
hand: an entry whose claim the run did not make stops the build.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from ibkit.book.errors import InputError
from ibkit.book.ledger import Ledger
from ibkit.book.mathematics import inline_math
from ibkit.book.pages.bits import page_of, state_sign

FIELDS = ("model", "loss", "rule", "limit", "claim")
MORE = ("norm", "architecture", "classes", "parameterisation")


class AtlasError(InputError):
    """A chapter's atlas entry breaks its contract; the message names chapter and entry."""


@dataclass(frozen=True)
class Place:
    """One result: where a rule ends up, the claim's state and address; ``more`` holds what only some entries say."""

    part: str
    model: str
    loss: str
    rule: str
    limit: str
    claim: str
    chapter: str
    state: str
    address: str
    citation: str
    more: dict[str, str]

    def text(self, column: str) -> str | None:
        """Return what the entry says in a column, or ``None``."""
        return self.more.get(column) if column in MORE else getattr(self, column)


def read_atlas(ledger: Ledger) -> list[Place]:
    """Collect the atlas from the chapters that exist, in the book's order.

    Args:
        ledger: the ledger; its entries carry the chapters' metadata.

    Raises:
        AtlasError: an entry lacks a text, holds another, or names a claim that the chapter does not make.
    """
    places = []
    for entry in ledger.present:
        states = {claim.id: claim.state for claim in entry.claims}
        for number, given in enumerate(entry.atlas, start=1):
            if problem := atlas_problem(given, set(states)):
                raise AtlasError(f"{entry.part}/{entry.slug}: metadata.ibkit.atlas, entry {number}: {problem}")
            address = f"{page_of(entry)}#claim-{given['claim']}"
            said = {name: given[name] for name in FIELDS}
            more = {name: given[name] for name in MORE if name in given}
            found = {"part": entry.part, "chapter": entry.title, "state": states[given["claim"]], "address": address}
            places.append(Place(**said, **found, citation=entry.citation, more=more))
    return places


def atlas_problem(given: Any, claims: set[str]) -> str | None:
    """Say what is wrong with one entry of a chapter's metadata.

    Args:
        given: the entry.
        claims: ids of the chapter's claims.

    Returns:
        Words, or ``None``.

    Example:
        >>> atlas_problem({"model": "linear", "loss": "logistic"}, {"diag"})
        'expected the texts model, loss, rule, limit, claim (and perhaps norm, ...), got model, loss'
        >>> atlas_problem(dict.fromkeys(FIELDS, "x"), {"diag"})
        "the chapter makes no claim 'x'; it makes diag"
    """
    if not isinstance(given, dict) or not set(FIELDS) <= set(given) <= {*FIELDS, *MORE}:
        got = ", ".join(map(str, given)) if isinstance(given, dict) else repr(given)
        return f"expected the texts {', '.join(FIELDS)} (and perhaps {', '.join(MORE)}), got {got}"
    empty = [name for name in given if not isinstance(given[name], str) or not given[name].strip()]
    if empty:
        return f"{empty[0]} must be a text that says something, got {given[empty[0]]!r}"
    if given["claim"] not in claims:
        return f"the chapter makes no claim {given['claim']!r}; it makes {', '.join(sorted(claims))}"
    return None


def atlas_page(places: list[Place]) -> str:
    """Write the atlas as a Markdown page: a table for each model, a row for each rule, a column for each loss."""
    lines = [
        "# The atlas",
        "",
        "Where does training end up? It depends on the model, on the loss, and on the update rule. Each cell below is",
        "one result of the book; its sign says whether the claim that checks it held, and its words lead there. The",
        "tables are drawn from the chapters' own metadata and from what their last run measured.",
    ]
    for model in dict.fromkeys(place.model for place in places):
        here = [place for place in places if place.model == model]
        lines += ["", f"## {model[0].upper()}{model[1:]}", "", _table(here)]
    if not places:
        lines += ["", "No chapter has entered a result yet."]
    return "\n".join(lines) + "\n"


def _table(places: list[Place]) -> str:
    losses = list(dict.fromkeys(place.loss for place in places))
    rules = list(dict.fromkeys(place.rule for place in places))
    head = "".join(f'<th scope="col">{inline_math(loss)}</th>' for loss in losses)
    rows = []
    for rule in rules:
        cells = "".join(_cell([p for p in places if (p.rule, p.loss) == (rule, loss)], loss) for loss in losses)
        rows.append(f'<tr><th scope="row">{inline_math(rule)}</th>{cells}</tr>')
    return (
        f'<div class="ibkit-atlas" role="region" aria-label="{escape(places[0].model, quote=True)}">'
        f'<table><thead><tr><th scope="col">Update rule</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(places: list[Place], loss: str) -> str:
    if not places:
        return '<td class="ibkit-empty"></td>'
    inside = "".join(
        f'<p><a href="{escape(place.address, quote=True)}">{inline_math(place.limit)}</a><br>'
        f"{state_sign(place.state, place.state)} <small>{escape(place.citation)}</small></p>"
        for place in places
    )
    return f'<td data-label="{escape(loss, quote=True)}">{inside}</td>'
