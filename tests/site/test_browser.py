"""The built pages in a real browser, from a server and from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PAGES = (
    "chapters/index.html",
    "chapters/margins/index.html",
    "chapters/margins/spectral-descent.html",
    "ledger.html",
    "bibliography.html",
)
KNOWN_ERRORS = ("THEBE_JS_URL has already been declared",)
MATHEMATICS = """() => ({
  formulas: document.querySelectorAll('.math').length,
  typeset: document.querySelectorAll('.math mjx-container').length,
  errors: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
})"""


def visit(browser: Any, base: str, page: str, width: int = 1280, dark: bool = False) -> dict[str, Any]:
    """Load a page, wait for its mathematics, and report what went out and what went wrong."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    if dark:
        context.add_init_script("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    seen: dict[str, Any] = {"requests": [], "problems": []}
    tab = context.new_page()
    tab.on("request", lambda request: seen["requests"].append(request.url))
    tab.on("requestfailed", lambda request: seen["problems"].append(f"not loaded: {request.url}"))
    tab.on("response", lambda response: seen["problems"].append(response.url) if response.status >= 400 else None)
    tab.on("pageerror", lambda error: seen["problems"].append(str(error)))
    tab.on("console", lambda line: seen["problems"].append(line.text) if line.type == "error" else None)
    tab.goto(base + page)
    if tab.locator(".math").count():
        tab.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
        tab.evaluate("MathJax.startup.promise")
    tab.wait_for_timeout(100)  # for requests that scripts start once the page stands
    seen["mathematics"] = tab.evaluate(MATHEMATICS)
    seen["explorers"] = tab.locator(".ibkit-explorer").count()
    seen["drawn"] = tab.locator(".ibkit-explorer:has(input[type=range])").count()
    seen["overflow"] = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    seen["theme"] = tab.evaluate("document.documentElement.dataset.theme")
    context.close()
    seen["problems"] = [text for text in seen["problems"] if not any(known in text for known in KNOWN_ERRORS)]
    return seen


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("way", "width"), [("file", 390), ("http", 1280)])
def test_page_is_whole(browser: Any, html: Path, server: str, way: str, width: int, page: str) -> None:
    base = f"{html.as_uri()}/" if way == "file" else server
    seen = visit(browser, base, page, width)
    outside = [url for url in seen["requests"] if not url.startswith((base, "data:", "blob:"))]
    assert outside == []
    assert seen["problems"] == []
    assert seen["mathematics"]["typeset"] == seen["mathematics"]["formulas"]
    assert seen["mathematics"]["errors"] == 0
    assert seen["overflow"] <= 0
    assert seen["explorers"] == seen["drawn"]


def test_chapter_has_mathematics_and_an_explorer(browser: Any, server: str) -> None:
    seen = visit(browser, server, PAGES[2])
    assert seen["mathematics"]["typeset"] >= 3
    assert seen["drawn"] == 1


def test_dark_mode_is_dark(browser: Any, server: str) -> None:
    assert visit(browser, server, PAGES[0], dark=True)["theme"] == "dark"


def test_a_request_to_elsewhere_would_be_seen(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<img src="http://127.0.0.1:9/x.png">', encoding="utf-8")
    seen = visit(browser, f"{tmp_path.as_uri()}/", "page.html")
    assert "http://127.0.0.1:9/x.png" in seen["requests"]
    assert seen["problems"]
