"""Lists of chapters: cards on part pages and on the landing page, and the papers still to come."""

from __future__ import annotations

import re
from html import escape

from ibkit.book.catalogue import PARTS, Paper
from ibkit.book.ledger import Ledger, LedgerEntry
from ibkit.book.mathematics import inline_math
from ibkit.book.pages.bits import authors_text, badge, counts_text, page_of

LANDING_CARDS = 12
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>$#|])")


def chapter_cards(entries: tuple[LedgerEntry, ...], depth: str, pictures: set[str], level: int = 3) -> str:
    """Write chapters that exist, one card each: first figure, title, citation, sentence, claims.

    Args:
        entries: the chapters.
        depth: the way from the page to the site's root.
        pictures: slugs of the chapters that have a thumbnail.
        level: the heading's level.
    """
    cards = []
    for entry in entries:
        sentence = f"<p>{inline_math(entry.sentence)}</p>" if entry.sentence else ""
        picture = (
            f'<img src="{depth}_static/thumbnails/{entry.slug}.png" alt="" loading="lazy" width="480" height="270">'
            if entry.slug in pictures
            else ""
        )
        cards.append(
            f'<li class="ibkit-card">{picture}'
            f'<h{level}><a href="{depth}{page_of(entry)}">{escape(entry.title)}</a></h{level}>'
            f"{sentence}<p><span>{escape(entry.citation)}</span> {badge(entry)}</p></li>"
        )
    return f'<ul class="ibkit-cards">{"".join(cards)}</ul>'


def part_list(ledger: Ledger, part: str, papers: dict[str, Paper], pictures: set[str]) -> str:
    """List a part's papers as Markdown: cards for chapters that exist, a heading each for those planned.

    The headings make the search find a planned paper by its title, and its authors stand below.
    """
    here = ledger.part(part)
    present = tuple(entry for entry in here if entry.state == "present")
    planned = [papers[entry.slug] for entry in here if entry.state == "planned"]
    blocks = [f"## Chapters\n\n{chapter_cards(present, '../../', pictures)}"] if present else []
    if planned:
        blocks.append("## Planned\n\nThese papers belong here; their chapters are still to be written.")
        blocks += [_planned(paper) for paper in planned]
    return "\n\n".join(blocks)


def _planned(paper: Paper) -> str:
    where = f" · [{'arXiv ' + paper.arxiv if paper.arxiv else 'Paper'}]({paper.url})" if paper.url else ""
    return f"### {_plain(paper.title)}\n\n{_plain(authors_text(paper))}{where}"


def _plain(text: str) -> str:
    r"""Keep Markdown from reading signs of a title.

    Example:
        >>> _plain("A*-search in [0, 1]")
        'A\\*-search in \\[0, 1\\]'
    """
    return _MARKDOWN.sub(r"\\\1", text)


def landing_chapters(ledger: Ledger, pictures: set[str]) -> str:
    """List for the landing page some chapters of every part, then every part with how far it is."""
    rows = []
    for part in PARTS.values():
        entries = ledger.part(part.name)
        present = sum(entry.state == "present" for entry in entries)
        rows.append(
            f'<li><a href="{part.name}/index.html">{escape(part.title)}</a> '
            f'<span class="ibkit-count">{present} of {len(entries)}</span> <span>{escape(part.sentence)}</span></li>'
        )
    chosen = chosen_chapters(ledger, LANDING_CARDS)
    cards = chapter_cards(chosen, "../", pictures) if chosen else "<p>No chapter has been executed yet.</p>"
    more = len(ledger.present) - len(chosen)
    rest = f"\n\n{more} more {'stands' if more == 1 else 'stand'} in their parts below." if more else ""
    return (
        f"## Chapters\n\n{len(ledger.present)} of {len(ledger.entries)} chapters are here; "
        f"{counts_text(ledger.counts)}."
        f'\n\n{cards}{rest}\n\n## The {len(PARTS)} parts\n\n<ul class="ibkit-parts">{"".join(rows)}</ul>'
    )


def chosen_chapters(ledger: Ledger, most: int) -> tuple[LedgerEntry, ...]:
    """Choose chapters for the landing page: one of each part in turn, until there are enough, in the book's order."""
    by_part = [[entry for entry in ledger.part(name) if entry.state == "present"] for name in PARTS]
    longest = max(map(len, by_part), default=0)
    turns = [entries[turn] for turn in range(longest) for entries in by_part if turn < len(entries)]
    kept = {entry.slug for entry in turns[:most]}
    return tuple(entry for entry in ledger.present if entry.slug in kept)
