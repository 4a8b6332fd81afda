"""The built pages in a real browser, from a server and from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_page import FRAMES, inspect, open_page, violations

PAGES = (
    "chapters/index.html",
    "chapters/margins/index.html",
    "chapters/margins/spectral-descent.html",
    "ledger.html",
    "atlas.html",
    "bibliography.html",
    "api/index.html",
    "api/losses.html",
    "search.html",
    "404.html",
)
CHAPTER = PAGES[2]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("way", "width", "dark"), [("file", 390, True), ("http", 1280, False)])
def test_page_is_whole(browser: Any, html: Path, server: str, way: str, width: int, dark: bool, page: str) -> None:
    base = f"{html.as_uri()}/" if way == "file" else server
    assert inspect(browser, base + page, width, dark).complaints(base) == []


def test_chapter_has_mathematics_and_an_explorer(browser: Any, server: str) -> None:
    seen = inspect(browser, server + CHAPTER, axe=False)
    assert seen.mathematics["typeset"] >= 3
    assert seen.explorers == 1


def test_dark_mode_is_dark(browser: Any, server: str) -> None:
    assert inspect(browser, server + PAGES[0], dark=True, play=False, axe=False).theme == "dark"


def test_what_a_page_must_not_have_is_seen(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<html><body><img src="http://127.0.0.1:9/x.png"><div style="width:3000px">wide</div>'
        '<span class="math">\\(x\\)</span><div class="ibkit-explorer" aria-label="dead"><input type="range"></div>',
        encoding="utf-8",
    )
    base = f"{tmp_path.as_uri()}/"
    complaints = " ".join(inspect(browser, base + page.name).complaints(base))
    for words in (
        "leaves the site",
        "not loaded",
        "not typeset",
        "hang over",
        "nothing is drawn anew",
        "axe image-alt",
    ):
        assert words in complaints, words


def test_equations_have_numbers_that_references_show_on_the_page_and_in_print(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + CHAPTER)
    for media in ("screen", "print"):
        tab.emulate_media(media=media)
        number = tab.locator(".math .eqno").first
        assert number.is_visible()
        assert number.inner_text().strip().rstrip("#").strip() == "(1)"
        reference = tab.locator("a[href='#equation-eq-margin-spectral-descent']").first
        assert reference.is_visible()
        assert reference.inner_text() == "(1)"
    tab.context.close()


def test_proofs_fold_and_open_by_keyboard(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + CHAPTER)
    words = tab.get_by_text("Whatever stands in a proof")
    assert not words.is_visible()
    tab.locator(".admonition.dropdown button.toggle-button").press("Enter")
    words.wait_for(state="visible", timeout=2000)
    tab.context.close()
    tab, _ = open_page(browser, server + CHAPTER, java_script_enabled=False)
    assert tab.get_by_text("Whatever stands in a proof").is_visible()
    tab.context.close()


def test_folded_code_takes_little_room(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + CHAPTER)
    places = tab.locator("div.cell:has(> details.hide:not([open]))").evaluate_all(
        "cells => cells.map(cell => cell.getBoundingClientRect().height - "
        "(cell.querySelector(':scope > .cell_output')?.getBoundingClientRect().height || 0))"
    )
    assert places
    assert max(places) < 60
    tab.locator("details.hide summary").first.press("Enter")
    assert tab.locator("details.hide[open] pre").first.is_visible()
    tab.context.close()


def test_search_finds_papers_by_title_author_and_concept(browser: Any, server: str) -> None:
    for words, page in (
        ("Mirror Descent Maximizes", "margins/index.html"),
        ("Thrampoulidis", "margins/index.html"),
        ("Schmidt", "margins/spectral-descent.html"),
        ("steepest", "margins/spectral-descent.html"),
    ):
        tab, seen = open_page(browser, f"{server}search.html?q={words}")
        found = tab.locator(f"#search-results li a[href*='{page}']").first
        found.wait_for(state="attached", timeout=5000)
        assert seen.problems == [], words
        tab.context.close()


def test_the_ledger_is_filtered_by_part_kind_and_state(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + "ledger.html")
    shown = "() => [...document.querySelectorAll('.ibkit-ledger > li')].filter(row => row.checkVisibility()).length"
    assert tab.evaluate(shown) == 181
    tab.get_by_label("State").select_option("open")
    assert tab.evaluate(shown) == 2
    assert tab.locator(".ibkit-claim-list > li:visible").count() == 2
    tab.get_by_label("Part").select_option("Margins")
    assert tab.evaluate(shown) == 1
    tab.get_by_label("Kind of claim").select_option("theorem")
    assert tab.evaluate(shown) == 1
    tab.get_by_label("State").select_option("red")
    assert tab.evaluate(shown) == 0
    tab.get_by_role("button", name="Show all").click()
    tab.wait_for_function(f"({shown})() === 181", timeout=2000)
    tab.context.close()
    tab, _ = open_page(browser, server + "ledger.html", java_script_enabled=False)
    assert tab.locator(".ibkit-ledger > li").count() == 181
    assert tab.locator(".ibkit-filters").inner_text() == ""
    tab.context.close()


def test_a_link_to_claims_opens_them(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + "ledger.html#spectral-descent-claims")
    tab.evaluate(FRAMES)
    assert tab.locator("#spectral-descent-claims").is_visible()
    tab.context.close()


def test_a_parts_table_leads_to_the_claim(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + "chapters/margins/index.html")
    tab.click(".ibkit-atlas tbody tr:first-child td[data-label='Checked by'] a")
    tab.wait_for_url("**/chapters/margins/spectral-descent.html#claim-diag")


def test_the_atlas_leads_to_the_claim(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + "atlas.html")
    tab.get_by_role("link", name="the largest margin").click()
    assert tab.url.endswith("spectral-descent.html#claim-diag")
    tab.locator("#claim-diag").wait_for(timeout=20_000)  # fails where it does not become visible
    tab.context.close()


def test_what_scrolls_sideways_can_be_reached_by_keyboard(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + CHAPTER, width=390)
    tab.wait_for_function("document.querySelector('.ibkit-formula[tabindex]')", timeout=2000)
    assert violations(tab) == []
    tab.set_viewport_size({"width": 1600, "height": 900})
    tab.wait_for_function("!document.querySelector('.ibkit-formula[tabindex]')", timeout=2000)
    tab.context.close()


def test_sliders_stay_in_sight_on_a_phone(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + CHAPTER, width=390)
    tab.set_viewport_size({"width": 390, "height": 290})
    bottom = "element => scrollTo(0, element.getBoundingClientRect().bottom + scrollY - innerHeight)"
    tab.locator(".ibkit-explorer .ibx-panel").last.evaluate(bottom)
    tab.evaluate(FRAMES)
    controls, plot = tab.locator(".ibx-controls").bounding_box(), tab.locator(".ibx-plot").last.bounding_box()
    assert plot["y"] < controls["y"] + controls["height"]  # the plot has gone below the sliders
    assert 40 <= controls["y"] < 80  # which stand under the page's own bar
    tab.context.close()


def test_pictures_keep_their_shape_on_a_phone(browser: Any, server: str) -> None:
    tab, _ = open_page(browser, server + CHAPTER, width=390)
    shapes = tab.locator("article .cell_output img:visible").evaluate_all(
        "pictures => pictures.map(p => (p.width / p.height) / (p.naturalWidth / p.naturalHeight))"
    )
    assert shapes
    assert all(0.97 < shape < 1.03 for shape in shapes)
    tab.context.close()


def test_pages_are_light(browser: Any, server: str, html: Path) -> None:
    """A chapter loads at most 1 MB, at most 500 KB of it scripts and fonts, without any compression."""
    tab, seen = open_page(browser, "about:blank")
    weights: dict[str, int] = {}
    tab.on("response", lambda answer: weights.__setitem__(answer.url, len(answer.body())))
    tab.goto(server + CHAPTER, wait_until="networkidle")
    active = sum(size for url, size in weights.items() if url.split("?")[0].endswith((".js", ".woff", ".woff2")))
    assert active <= 500_000
    assert sum(weights.values()) <= 1_000_000
    assert not any("searchindex" in url for url in seen.requests)
    tab.context.close()
