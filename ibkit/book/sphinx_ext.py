"""What Sphinx must be told beyond ``_config.yml``: headers and footers, figure numbers, meta tags, scripts."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from html import unescape
from pathlib import Path
from typing import Any

from ibkit.book import mathematics
from ibkit.book.pages.extras import SENTENCE, page_meta

PIECES = "_pieces.json"
# Starting a kernel inside the page would need scripts from elsewhere; Binder and Colab are links instead.
_BOUNDARY = re.compile(r"(</(?:a|code|dd|div|dt|h[1-6]|li|p|small|span|strong|summary|td|th)>)(?=<)")
_UNUSED = ("sphinx-thebe", "thebe_selector", "thebelab")


def setup(app: Any) -> dict[str, bool]:
    """Register the hooks; Sphinx calls this."""
    mathematics.setup(app)
    app.connect("builder-inited", _read_pieces)
    app.connect("env-get-outdated", _pages_with_new_pieces)
    app.connect("env-updated", _pages_to_write)
    app.connect("env-updated", _recall_index_entries)
    app.connect("build-finished", _drop_old_images)
    app.connect("doctree-read", _add_pieces)
    app.connect("doctree-read", _part_words, priority=900)
    app.connect("env-get-updated", _recall_counts, priority=100)
    app.connect("env-get-updated", _number_figures_by_page, priority=900)
    app.connect("html-page-context", _finish_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _recall_counts(app: Any, env: Any) -> list[str]:
    """Put Sphinx's own counts back before it counts again: it writes every page anew whose counts differ."""
    env.toc_fignumbers = getattr(env, "ibkit_fignumbers", env.toc_fignumbers)
    return []


def _number_figures_by_page(app: Any, env: Any) -> list[str]:
    """Count the figures of every page from 1.

    Sphinx counts through the whole book unless sections are numbered, and a new chapter would renumber all others.
    """
    env.ibkit_fignumbers = deepcopy(env.toc_fignumbers)
    for by_type in env.toc_fignumbers.values():
        for numbers in by_type.values():
            for position, label in enumerate(numbers, start=1):
                numbers[label] = (position,)
    return []


def _read_pieces(app: Any) -> None:
    path = Path(app.srcdir) / PIECES
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    app.ibkit_pieces, app.ibkit_site = stored.get("pages", {}), stored.get("site", "")


def _pages_with_new_pieces(app: Any, env: Any, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Say which pages must be read again though their files did not change: header, footer or sentence did."""
    before, env.ibkit_pieces = getattr(env, "ibkit_pieces", {}), app.ibkit_pieces
    return [name for name, pieces in app.ibkit_pieces.items() if before.get(name) != pieces and name in env.found_docs]


def _pages_to_write(app: Any, env: Any) -> list[str]:
    """Say which pages must be written again though they were not read: all of them, once any title changed.

    Sidebars and the links to the next page hold titles, and Sphinx keeps no account of those.
    """
    titles = {name: title.astext() for name, title in env.titles.items()}
    before, env.ibkit_titles = getattr(env, "ibkit_titles", titles), titles
    return [] if titles == before else sorted(env.found_docs)


def _recall_index_entries(app: Any, env: Any) -> None:
    """Give the search its index entries of the pages that are not written again; it reads back all else itself."""
    from sphinx.search import js_index

    path = Path(app.outdir) / "searchindex.js"
    if app.builder.format != "html" or not path.is_file():
        return
    index = js_index.loads(path.read_text(encoding="utf-8"))
    recalled: dict[str, list[tuple[str, str, str]]] = {}
    for entry, places in index["indexentries"].items():
        for page, target, main in places:
            recalled.setdefault(index["docnames"][page], []).append((entry, target, "main" if main else ""))
    # The memory holds some of them, from builds before the last.
    env._search_index_index_entries.clear()
    env._search_index_index_entries.update({page: recalled[page] for page in sorted(recalled.keys() & env.found_docs)})


def _drop_old_images(app: Any, error: Exception | None) -> None:
    """Remove the pictures of an earlier build that no page shows any more."""
    if error is None and app.builder.format == "html":
        shown = {name for _, name in app.env.images.values()}
        for path in (Path(app.outdir) / app.builder.imagedir).glob("*"):
            if path.name not in shown:
                path.unlink()


def _add_pieces(app: Any, doctree: Any) -> None:
    """Set a chapter's header below its title and its footer at its end: in the document, where the search reads."""
    from docutils import nodes

    pieces = app.ibkit_pieces.get(app.env.docname)
    section = next(iter(doctree.findall(nodes.section)), None) if pieces else None
    if section is None:
        return
    section.insert(1, nodes.raw("", pieces["header"], format="html"))
    if pieces["footer"]:
        section.append(nodes.raw("", pieces["footer"], format="html"))


def _part_words(app: Any, doctree: Any) -> None:
    """Set blanks between the elements of generated HTML: the search strips tags, and would join words."""
    from docutils import nodes

    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        if node.get("format") == "html" and "<script" not in text:
            node.replace_self(nodes.raw("", _BOUNDARY.sub(r"\1 ", text), format="html"))


def _finish_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if body := context.get("body"):
        body = app.ibkit_typesetter.page(body)
        # The button's own words name it; a label that says something else only confuses who speaks to the page.
        context["body"] = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    title = unescape(re.sub(r"<[^>]*>", "", context.get("title", "")))
    sentence = app.ibkit_pieces.get(pagename, {}).get("sentence") or SENTENCE
    address = app.ibkit_site
    meta = page_meta(title, re.sub(r"[$\\]", "", sentence), f"{pagename}.html", address)
    context["metatags"] = context.get("metatags", "") + meta
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if _needed(file)]


def _needed(file: Any) -> bool:
    text = f"{getattr(file, 'filename', '') or ''} {getattr(file, 'attributes', {}).get('body', '')}"
    return not any(word in text for word in _UNUSED)
