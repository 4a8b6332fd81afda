"""What may be published: executed notebooks that are whole, current and not contradicted by their own claims.

Sphinx builds a page from a notebook full of errors without a word, so this gate is the only one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ibkit.book.ledger import LedgerError, joined, read_claims, read_notebook

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
_FOREIGN = re.compile(
    r"""<(?:script|img|link|iframe|video|audio|source)\b[^>]*\b(?:src|href)\s*=\s*["']?(?:https?:)?//"""
)


def chapter_problem(chapter: str, source: Path, executed: Path) -> str | None:
    """Say why a chapter must not be published.

    Args:
        chapter: its name, for the message.
        source: the notebook in the book's tree, without outputs.
        executed: the same notebook after its run.

    Returns:
        One line, or ``None`` if the chapter may be published.
    """
    if not source.is_file():
        return f"{chapter}: stands in the table of contents, but {source} does not exist"
    if not executed.is_file():
        return f"{chapter}: has no executed notebook (expected {executed}); run it first"
    try:
        before, after = read_notebook(source), read_notebook(executed)
        claims = read_claims(after)
    except LedgerError as error:
        return f"{chapter}: {error}"
    if _sources(before) != _sources(after):
        return f"{chapter}: its executed notebook is stale: the notebook was changed after its run; run it again"
    problem = _output_problem(after)
    if problem:
        return f"{chapter}: {problem}"
    if not claims:
        return f"{chapter}: its executed notebook holds no claim"
    for claim in claims:
        if claim.state == "red":
            return f"{chapter}: red claim {claim.id!r}: {claim.statement}"
    return None


def _sources(notebook: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind and text of every cell, less those that papermill injects."""
    return [
        (cell["cell_type"], cell["source"])
        for cell in notebook["cells"]
        if "injected-parameters" not in cell.get("metadata", {}).get("tags", [])
    ]


def _output_problem(notebook: dict[str, Any]) -> str | None:
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] != "code" or not cell["source"].strip():
            continue
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                return f"cell {number} ended with {output.get('ename', 'an error')}: {output.get('evalue', '')}"
            data = output.get("data", {})
            if WIDGET_MIME in data and "text/html" not in data:
                return f"cell {number} shows a widget without a static form; it would be dead on the page"
            if _FOREIGN.search(joined(data.get("text/html", ""))):
                return f"cell {number} shows an output that loads something from another site"
        if cell.get("execution_count") is None:
            return f"cell {number} was not executed"
    return None
