"""The built pages, without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from fixture_book import REPOSITORY, TITLES
from references import broken_links, foreign_loads

from ibkit.book.catalogue import PARTS, load_catalogue
from ibkit.book.pages.bits import SIGNS
from ibkit.claims import SYMBOLS


def read(html: Path, page: str) -> str:
    return (html / page).read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(html: Path) -> None:
    assert foreign_loads(html) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://example.org/x.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//example.org/x.css">'),
        ("a.html", "<style>@import 'https://example.org/x.css';</style>"),
        ("a.html", "<p style=\"background: url('https://example.org/x.png')\">"),
        ("a.css", "@font-face { src: url(https://fonts.gstatic.com/x.woff2) }"),
        ("a.js", 'load("https://cdn.jsdelivr.net/npm/x")'),
    ],
)
def test_a_load_from_elsewhere_is_found(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert foreign_loads(tmp_path)


def test_a_plain_link_is_no_load(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="https://example.org">there</a>', encoding="utf-8")
    assert foreign_loads(tmp_path) == []


def test_internal_links_lead_somewhere(html: Path) -> None:
    assert broken_links(html) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html">x</a> <a href="#nowhere">y</a>', encoding="utf-8")
    assert len(broken_links(tmp_path)) == 2


def test_ledger_lists_every_paper_by_part(html: Path) -> None:
    page = read(html, "ledger.html")
    catalogue = load_catalogue(REPOSITORY)
    assert len(catalogue) == 181
    assert [slug for slug in catalogue if f'<li id="{slug}" data-states=' not in page] == []
    headings = re.findall(r"<h2>([^<]+)<a", page)
    assert headings == [part.title for part in PARTS.values()]
    assert page.count("planned</span>") == 181 - len(TITLES) + 1  # and once in the legend


def test_ledger_json_agrees(html: Path) -> None:
    ledger = json.loads(read(html, "ledger.json"))
    assert ledger["summary"] == {"papers": 181, "present": 2, "held": 2, "open": 2, "red": 0}


def test_ledger_links_to_chapters_and_shows_their_claims(html: Path) -> None:
    page = read(html, "ledger.html")
    assert 'href="chapters/margins/spectral-descent.html"' in page
    assert "0.99 [0.98, 1], 3 runs" in page
    assert "0.45 [0.4, 0.5], 2 runs" in page
    assert "plain descent" in page
    assert "a longer run is needed" in page


def test_chapter_header_says_what_made_the_page(html: Path) -> None:
    page = read(html, "chapters/margins/spectral-descent.html")
    header = page[page.index('class="ibkit-header"') :][:2500]
    for piece in (
        "arxiv.org/abs/2502.04664",
        "mybinder.org",
        "colab.research",
        "ibkit 0.1.0",
        "commit abc1234",
        "12 s",
    ):
        assert piece in header
    assert "1 of 2 claims held, 1 open" in header


def test_figures_are_numbered_by_page(html: Path) -> None:
    for chapter in TITLES:
        page = read(html, f"chapters/{chapter}.html")
        assert 'caption-number">Fig. 1 ' in page
        assert ">Fig. 1<" in page.replace('<span class="std std-numref">', "")


def test_claim_records_and_widget_states_stay_out_of_pages_and_downloads(html: Path) -> None:
    for path in [*html.rglob("*.html"), *html.rglob("_sources/**/*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        assert "vnd.ibkit.claim" not in text, path
        assert "widget-state" not in text, path


def test_signs_of_states_are_the_claims_own() -> None:
    assert {state: sign for state, sign in SIGNS.items() if state != "planned"} == SYMBOLS


def test_explorer_keeps_its_static_form_and_its_script(html: Path) -> None:
    chapter, other = read(html, "chapters/margins/spectral-descent.html"), read(html, "ledger.html")
    assert 'class="ibkit-explorer"' in chapter
    assert "explorer.js" in chapter
    assert "explorer.js" not in other


def test_part_pages_name_planned_papers(html: Path) -> None:
    page = read(html, "chapters/margins/index.html")
    assert 'href="../../chapters/margins/spectral-descent.html"' in page
    assert "Mirror Descent Maximizes Generalized Margin" in page
    assert "Haoyuan Sun" in page


def test_bibliography_lists_every_paper_once(html: Path) -> None:
    assert read(html, "bibliography.html").count('<div class="citation"') == 181


def test_scripts_and_styles_are_light(html: Path) -> None:
    assert not (html / "_static/scripts/fontawesome.js").exists()
    assert (html / "_static/styles/pydata-sphinx-theme.css").stat().st_size < 150_000
    fonts = list((html / "_static/vendor").rglob("*.woff*"))
    assert fonts
    assert sum(font.stat().st_size for font in fonts) < 20_000


def test_every_part_has_its_page_with_its_title() -> None:
    for part in PARTS.values():
        page = (REPOSITORY / "chapters" / part.name / "index.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {part.title}\n")
        assert "<!-- ibkit: chapters -->" in page


def test_config_keeps_everything_at_home() -> None:
    config = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf-8"))
    assert config["execute"]["execute_notebooks"] == "off"
    assert config["sphinx"]["config"]["html_static_path"] == ["_assets"]
    assert config["sphinx"]["recursive_update"] is True
    assert not (REPOSITORY / "_static").exists()
