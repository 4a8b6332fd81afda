"""The ledger as a page: every paper by part, claims folded below their chapter.

The page is the whole list. A small script (``_assets/ledger.js``) adds filters by part, kind and state; what it reads
stands in the elements' ``data-`` attributes.
"""

from __future__ import annotations

from html import escape
from typing import Any

from ibkit.book.catalogue import PARTS
from ibkit.book.ledger import STATES, ClaimRecord, Ledger, LedgerEntry
from ibkit.book.mathematics import inline_math
from ibkit.book.pages.bits import badge, counts_text, measured_text, page_of, seconds_text, seeds_text, state_sign


def ledger_page(ledger: Ledger) -> str:
    """Write the ledger as a Markdown page."""
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
        f"<li>{state_sign('held', 'held')} the bound is satisfied, and the plain method does not satisfy it</li>"
        f"<li>{state_sign('open', 'open')} measured, but not decidable at this scale; the chapter says why</li>"
        f"<li>{state_sign('red', 'red')} the bound is not satisfied</li>"
        f"<li>{state_sign('planned', 'planned')} no chapter yet</li></ul>",
        "",
        '<div class="ibkit-filters" data-ibkit-ledger></div>',
    ]
    for part in PARTS.values():
        rows = "".join(_row(entry) for entry in ledger.part(part.name))
        lines += ["", f"## {part.title}", "", f'<ul class="ibkit-ledger" data-part="{escape(part.title)}">{rows}</ul>']
    return "\n".join(lines) + "\n"


def _row(entry: LedgerEntry) -> str:
    # A link to what stands inside <details> opens it, so the claims have an anchor of their own.
    head = f'<span class="ibkit-title">{escape(entry.title)}</span> <span>{escape(entry.citation)}</span>'
    if entry.state == "planned":
        return f'<li id="{entry.slug}" data-states="planned">{badge(entry)} {head}</li>'
    made = [seconds_text(entry.seconds)] if entry.seconds is not None else []
    made += [f"{entry.profile} profile"] if entry.profile else []
    made += [f"ibkit {entry.ibkit}"] if entry.ibkit else []
    made += [f"commit {entry.commit}"] if entry.commit else []
    made += [f"{name} {version}" for name, version in entry.versions.items()]
    claims = "".join(_claim(claim, entry.verified) for claim in entry.claims)
    states = " ".join(state for state in STATES if entry.counts[state])
    return (
        f'<li id="{entry.slug}" data-states="{states}"><details><summary>{badge(entry)} {head}</summary>'
        f'<p><a href="{page_of(entry)}">Read the chapter</a> <span>{escape(", ".join(made))}</span></p>'
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
    rows = "".join(f"<div><dt>{inline_math(name)}</dt><dd>{inline_math(value)}</dd></div>" for name, value in facts)
    return (
        f'<li data-state="{claim.state}" data-kind="{escape(claim.kind)}">{state_sign(claim.state, claim.state)} '
        f"{inline_math(claim.statement)}<dl>{rows}</dl></li>"
    )
