"""What Sphinx must be told beyond ``_config.yml``: the header line, figure numbers, and which scripts a page needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEADERS = "_headers.json"
# Starting a kernel inside the page would need scripts from elsewhere; Binder and Colab are links instead.
_UNUSED = ("sphinx-thebe", "thebe_selector", "thebelab")


def setup(app: Any) -> dict[str, bool]:
    """Register the hooks; Sphinx calls this."""
    app.connect("env-get-updated", _number_figures_by_page, priority=900)
    app.connect("builder-inited", _read_headers)
    app.connect("html-page-context", _announce_mathematics, priority=100)
    app.connect("html-page-context", _finish_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _number_figures_by_page(app: Any, env: Any) -> list[str]:
    """Count the figures of every page from 1.

    Sphinx counts through the whole book unless sections are numbered, and a new chapter would renumber all others.
    """
    for by_type in env.toc_fignumbers.values():
        for numbers in by_type.values():
            for position, label in enumerate(numbers, start=1):
                numbers[label] = (position,)
    return []


def _read_headers(app: Any) -> None:
    path = Path(app.srcdir) / HEADERS
    app.ibkit_headers = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _announce_mathematics(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Have MathJax loaded where generated HTML holds mathematics; Sphinx looks at its own nodes only."""
    if 'class="math ' in context.get("body", ""):
        app.env.get_domain("math").data.setdefault("has_equations", {})[pagename] = True


def _finish_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    body = context.get("body", "")
    header = app.ibkit_headers.get(pagename)
    if header and "</h1>" in body:
        context["body"] = body.replace("</h1>", f"</h1>\n{header}", 1)
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if _needed(file, body)]


def _needed(file: Any, body: str) -> bool:
    text = f"{getattr(file, 'filename', '') or ''} {getattr(file, 'attributes', {}).get('body', '')}"
    if any(word in text for word in _UNUSED):
        return False
    return "ibkit-explorer" in body if "explorer.js" in text else True
