"""What may be published: executed notebooks that are whole, current and not contradicted by their own claims.

Sphinx builds a page from a notebook full of errors without a word. A run passes the same judgement before its result is
kept; here it is passed once more on what lies there now, beside what only a page must satisfy.
"""

from __future__ import annotations

import re
from pathlib import Path

from ibkit.book.cache import read_sealed
from ibkit.book.errors import InputError
from ibkit.book.notebook import Notebook, read_notebook, source_form, where
from ibkit.book.verdict import judge

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
    except InputError as error:
        return f"{chapter}: {error}"
    if source_form(before) != source_form(after):
        return f"{chapter}: its executed notebook is stale: the notebook is not what was run; run it again"
    if read_sealed(executed.read_text(encoding="utf-8")) is None:
        # Its outputs would stand in the page as they are: HTML and scripts included.
        return f"{chapter}: its executed notebook was not made here, or was changed since; run it again"
    verdict = judge(after)
    if verdict.problems:
        return f"{chapter}: {verdict.problems[0]}"
    if not verdict.claims:
        return f"{chapter}: its executed notebook holds no claim"
    problem = _page_problem(after)
    return f"{chapter}: {problem}" if problem else None


def _page_problem(notebook: Notebook) -> str | None:
    for index, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = data.get("text/html", "")
            if WIDGET_MIME in data and not text:
                return f"{where(notebook, index)} shows a widget without a static form; it would be dead on the page"
            if _FOREIGN.search(text if isinstance(text, str) else "".join(text)):
                return f"{where(notebook, index)} shows an output that loads something from another site"
    return None
