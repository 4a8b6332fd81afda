"""What a page refers to, read from its text without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

_CSS_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
# A link that only says where the page is, or what is near it; nothing is fetched.
_NAMING = {"canonical", "next", "prev", "index", "search"}
_LOADING = {"src", "srcset", "data", "poster", "background"}


class Page(HTMLParser):
    """Collects what a browser would load, where links lead, and which anchors there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        kinds = set((dict(attributes).get("rel") or "").split())
        for name, value in attributes:
            value = value or ""
            if name == "id":
                self.anchors.add(value)
            elif name == "style":
                self.loads += css_loads(value)
            elif name == "href" and tag == "a":
                self.links.append(value)
            elif name in _LOADING or (name == "href" and tag == "link" and not kinds & _NAMING):
                self.loads.append(value)

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.loads += css_loads(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def css_loads(text: str) -> list[str]:
    """Addresses that a style sheet loads."""
    return [first or second for first, second in _CSS_URL.findall(text)]


def is_foreign(address: str) -> bool:
    """Whether an address leaves the site."""
    return bool(re.match(r"(?:https?:)?//", address.strip()))


def foreign_loads(folder: Path) -> list[str]:
    """Everything in a built site that a browser would fetch from another site."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        found += [f"{path.name}: {load}" for load in Page(path.read_text(encoding="utf-8")).loads if is_foreign(load)]
    for path in sorted(folder.rglob("*.css")):
        found += [f"{path.name}: {load}" for load in css_loads(path.read_text(encoding="utf-8")) if is_foreign(load)]
    networks = re.compile(r"[\w.-]*(?:googleapis|gstatic|jsdelivr|unpkg|cdnjs|cloudflare|skypack|esm\.sh)[\w./-]*")
    for path in sorted([*folder.rglob("*.js"), *folder.rglob("*.html")]):
        found += [f"{path.name}: {hit}" for hit in networks.findall(path.read_text(encoding="utf-8", errors="replace"))]
    return found


def broken_links(folder: Path) -> list[str]:
    """Internal links, images and scripts that lead nowhere."""
    texts = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.html") if "_static" not in path.parts}
    pages = {path: Page(text) for path, text in texts.items()}
    found = []
    for path, page in pages.items():
        for address in page.links + page.loads:
            if is_foreign(address) or re.match(r"(?:data|mailto|javascript):", address):
                continue
            place, _, anchor = address.partition("#")
            target = (path.parent / place.split("?")[0]).resolve() if place else path
            if not target.is_file():
                found.append(f"{path.relative_to(folder)}: {address}")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                found.append(f"{path.relative_to(folder)}: {address} (no such anchor)")
    return found
