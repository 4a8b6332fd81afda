"""What the theme's and the extensions' HTML lacks for readers who do not see the page, put right after the build."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

# The words on the button name it; another name confuses who speaks to the page.
_SEARCH_BUTTON = re.compile(r'(<button class="btn search-button-field[^>]*?)\s+aria-label="[^"]*"')
# A triangle in the sidebar that opens a list must say which.
_TOGGLE = re.compile(r'(<a class="[^"]*" href="[^"]*">\s*)([^<]*)(\s*</a><details[^>]*><summary)>')
# Roles that were given up, and a list whose anchors are no items.
_ENTRY_ROLE = re.compile(r' role="doc-biblioentry"')
_LIST_ROLE = re.compile(r'<div role="list" class="citation-list">')
# A file whose name holds its hash gets a second one, but only if it was there before: not in a first build.
_HASHED_TWICE = re.compile(r"(\.[0-9a-f]{64}\.css)\?v=[0-9a-f]+")
# The sidebar's lists that are closed: with them every page would carry the names of all 181 chapters.
_CLOSED = re.compile(
    r"(<li class=\"toctree-l1)( has-children)?([^>]*>\s*<a[^>]*>[^<]*</a>)<details><summary.*?</details>", re.DOTALL
)


def mend_site(html: Path) -> None:
    """Mend every page of a built site.

    Args:
        html: the site's folder; its files are changed.
    """
    for path in html.rglob("*.html"):
        if "_static" not in path.parts:
            path.write_text(mend_page(path.read_text(encoding="utf-8")), encoding="utf-8")


def mend_page(text: str) -> str:
    """Mend one page.

    Example:
        >>> mend_page('<a class="reference" href="x.html">Margins</a><details open="open"><summary>')
        '<a class="reference" href="x.html">Margins</a><details open="open"><summary aria-label="Pages of Margins">'
        >>> mend_page('<div role="doc-biblioentry" class="citation">')
        '<div class="citation">'
        >>> mend_page("x." + 64 * "0" + ".css?v=12ab")[-8:]
        '0000.css'
    """
    text = _SEARCH_BUTTON.sub(r"\1", text)
    text = _HASHED_TWICE.sub(r"\1", text)
    text = _LIST_ROLE.sub('<div class="citation-list">', _ENTRY_ROLE.sub("", text))

    def named(match: re.Match[str]) -> str:
        name = unescape(match[2]).strip().replace('"', "'").replace("&", "&amp;")
        return f'{match[1]}{match[2]}{match[3]} aria-label="Pages of {name}">'

    return _TOGGLE.sub(named, _CLOSED.sub(r"\1\3", text))
