"""What stands above and below a chapter: where to read, open and get it, what made it, and what to read next."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from ibkit.book.catalogue import PARTS, Paper
from ibkit.book.ledger import Ledger, LedgerEntry
from ibkit.book.mathematics import inline_math
from ibkit.book.pages.bits import Repository, authors_text, badge, link, page_of, seconds_text

_MOST_RELATED = 4


def chapter_header(paper: Paper, about: dict[str, Any], entry: LedgerEntry, repository: Repository, depth: str) -> str:
    """Write the lines under a chapter's title: where to read, open and get it, and what made it.

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
        links.append(link(paper.url, f"Paper (arXiv {paper.arxiv})" if paper.arxiv else "Paper"))
    if paper.code:
        links.append(link(paper.code, "Authors' code"))
    links += [
        link(repository.binder(document), "Binder"),
        link(repository.colab(document), "Colab"),
        f'<a href="{depth}_sources/{document}.ipynb" download>Download notebook</a>',
        f'<a href="{depth}ledger.html#{paper.slug}-claims">Claims in the ledger</a>',
    ]
    run = about.get("run", {})
    made = [f"ibkit {run['ibkit']}"] if run.get("ibkit") else []
    made += [f"commit {run['commit']}"] if run.get("commit") else []
    made += [f"{run['profile']} profile"] if run.get("profile") else []
    made += [seconds_text(run["seconds"])] if run.get("seconds") is not None else []
    items = "".join(f"<li>{each}</li>" for each in links)
    return (
        f'<div class="ibkit-header"><p>{escape(authors_text(paper))}</p><ul>{items}</ul>'
        f"<p>{badge(entry)} <span>made by {escape(', '.join(made))}</span></p></div>"
    )


def related(entry: LedgerEntry, ledger: Ledger) -> list[tuple[LedgerEntry, list[str]]]:
    """Find the chapters that share most concepts with one; rare concepts count for more.

    Args:
        entry: the chapter.
        ledger: all chapters.

    Returns:
        At most four chapters, each with the concepts shared; the nearest first, then in the book's order.
    """
    spread = Counter(concept for other in ledger.present for concept in {_key(each) for each in other.concepts})
    own = {_key(concept): concept for concept in entry.concepts}
    found = []
    for place, other in enumerate(ledger.present):
        shared = [own[_key(concept)] for concept in other.concepts if _key(concept) in own]
        if other.slug != entry.slug and shared:
            weight = sum(1 / spread[_key(concept)] for concept in shared)
            found.append((-weight, place, other, shared))
    return [(other, shared) for _, _, other, shared in sorted(found, key=lambda each: each[:2])[:_MOST_RELATED]]


def chapter_footer(entry: LedgerEntry, ledger: Ledger, depth: str) -> str:
    """Write what stands below a chapter: its concepts, and the chapters that share some of them.

    Args:
        entry: the chapter.
        ledger: all chapters.
        depth: the way from the page to the site's root.

    Returns:
        HTML; nothing for a chapter without concepts.
    """
    if not entry.concepts:
        return ""
    concepts = "".join(f"<li>{escape(concept)}</li>" for concept in entry.concepts)
    rows = "".join(
        f'<li><a href="{depth}{page_of(other)}">{escape(other.title)}</a> <span>{escape(PARTS[other.part].title)} · '
        f"{inline_math(', '.join(shared))}</span></li>"
        for other, shared in related(entry, ledger)
    )
    chapters = f'<p class="ibkit-label">Related chapters</p><ul class="ibkit-planned">{rows}</ul>' if rows else ""
    return (
        '<div class="ibkit-footer" role="group" aria-label="Concepts and related chapters">'
        f'<p class="ibkit-label">Concepts</p><ul class="ibkit-concepts">{concepts}</ul>{chapters}</div>'
    )


def _key(concept: str) -> str:
    return concept.casefold().replace("-", " ")
