"""A lighter site: what no page uses is cut out of the theme's files after the build.

The theme brings style rules for every component it knows, two thousand icons and scripts for every kind of page: two
megabytes where a chapter needs a tenth. Nothing is rewritten by hand here: rules, glyphs and script tags are dropped
when nothing on the site names them, so that a new version of the theme, or a page that uses more of it, needs none.
"""

from __future__ import annotations

from pathlib import Path

from ibkit.book.slim.icons import slim_icons
from ibkit.book.slim.pages import slim_page
from ibkit.book.slim.styles import coloured_tokens, slim_styles, words_in_use

__all__ = ["slim_site"]


def slim_site(html: Path) -> None:
    """Cut out of a built site what none of its pages uses.

    Args:
        html: the site's folder; its files are changed.
    """
    pages = sorted(path for path in html.rglob("*.html") if "_static" not in path.parts)
    tokens = coloured_tokens(html / "_static" / "pygments.css")
    for path in pages:
        text = path.read_text(encoding="utf-8")
        path.write_text(slim_page(text, path.name == "search.html", tokens), encoding="utf-8")
    slim_styles(html / "_static", words_in_use(html))
    slim_icons(html / "_static")
    for leftover in (html / "_static").rglob("*.map"):
        leftover.unlink()
