"""Every page of the whole built book in a real browser: ``make check-site``.

Not collected with the other tests; run by name, on the site named by ``IBKIT_SITE`` or on ``_build/html``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from fixture_book import REPOSITORY
from inspect_page import inspect
from references import broken_links, foreign_loads

SITE = Path(os.environ.get("IBKIT_SITE") or REPOSITORY / "_build" / "html").resolve()
FOUND = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
FORWARDING = re.compile(r'http-equiv="Refresh" content="0; url=([^"]+)"')
PAGES = [page.relative_to(SITE).as_posix() for page in FOUND if not FORWARDING.search(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="session")
def html() -> Path:
    """The whole book's site, in the place of the fixture's."""
    return SITE


def test_there_is_a_site() -> None:
    assert PAGES, f"{SITE} holds no page: run make book first"


def test_links_and_loads() -> None:
    assert broken_links(SITE) == []
    assert foreign_loads(SITE) == []


def test_the_front_door_leads_in() -> None:
    door = FORWARDING.search((SITE / "index.html").read_text(encoding="utf-8"))
    assert door
    assert (SITE / door[1]).is_file()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("way", "width", "dark"), [("file", 390, True), ("http", 1280, False)])
def test_page_is_whole(browser: Any, html: Path, server: str, way: str, width: int, dark: bool, page: str) -> None:
    base = f"{html.as_uri()}/" if way == "file" else server
    assert inspect(browser, base + page, width, dark).complaints(base) == []
