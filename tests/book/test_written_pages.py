"""The pages that the machine writes: atlas, related chapters, cards, thumbnails, reference, meta tags."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ibkit.book.catalogue import PARTS, Paper
from ibkit.book.ledger import ClaimRecord, Ledger, LedgerEntry
from ibkit.book.pages import api
from ibkit.book.pages.api import api_pages, kept_api_pages, public_modules
from ibkit.book.pages.atlas import AtlasError, atlas_page, read_atlas
from ibkit.book.pages.chapter import chapter_footer, related
from ibkit.book.pages.extras import missing_page, page_meta, social_card
from ibkit.book.pages.landing import landing_explorer, margins
from ibkit.book.pages.lists import LANDING_CARDS, chosen_chapters, landing_chapters, part_list
from ibkit.book.pages.part_table import part_table
from ibkit.book.pages.thumbnails import SIZE, thumbnail

RESULT = {"model": "linear", "loss": "logistic", "rule": "descent", "limit": "the $L_2$ margin", "claim": "diag"}


def entry(slug: str, part: str = "margins", **more: Any) -> LedgerEntry:
    claims = (ClaimRecord("diag", "It goes there", "theorem", "Theorem 1", "held", "≥ 1", {}),)
    return LedgerEntry(slug, part, f"Title of {slug}", "Author, 2025", "present", claims=claims, **more)


def test_the_atlas_leads_from_a_cell_to_its_claim() -> None:
    ledger = Ledger((entry("one", atlas=(RESULT,)), entry("two", atlas=({**RESULT, "rule": "Adam", "loss": "hinge"},))))
    page = atlas_page(read_atlas(ledger))
    assert page.count("## Linear") == 1
    assert 'href="chapters/margins/one.html#claim-diag"' in page
    assert page.count('class="ibkit-empty"') == 2  # two rules, two losses, two results
    assert "✓" in page


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({**RESULT, "claim": "other"}, "no claim 'other'; it makes diag"),
        ({"model": "linear"}, "expected the texts"),
        ({**RESULT, "limit": " "}, "limit must be a text"),
        ("linear", "expected the texts"),
    ],
)
def test_a_result_that_no_claim_checks_stops_the_build(broken: Any, words: str) -> None:
    with pytest.raises(AtlasError, match=f"margins/one: .*{re.escape(words)}"):
        read_atlas(Ledger((entry("one", atlas=(broken,)),)))


def test_a_parts_table_has_its_own_columns_and_leads_to_claims() -> None:
    here, there = {**RESULT, "norm": "$L_2$"}, {**RESULT, "norm": "other", "rule": "of another part"}
    ledger = Ledger(
        (
            entry("one", atlas=(here, {**RESULT, "rule": "no norm"}, {**here, "loss": "in no column"})),
            entry("two", "collapse", atlas=(there,)),
        )
    )
    table = part_table(ledger, "margins", read_atlas(ledger), 'rule="Update rule" norm="Norm" limit="Limit"', "../../")
    assert re.findall(r'<th scope="col">(.*?)</th>', table) == ["Update rule", "Norm", "Limit", "Checked by"]
    assert table.count('<th scope="row">') == 1
    assert 'href="../../chapters/margins/one.html#claim-diag"' in table
    assert "no norm" not in table
    assert "another part" not in table
    assert part_table(ledger, "attention", read_atlas(ledger), 'rule="Rule"', "") == ""


def test_a_chapter_without_a_row_and_an_unknown_column_stop_the_build() -> None:
    ledger = Ledger((entry("one", atlas=(RESULT,)),))
    with pytest.raises(AtlasError, match=r"margins/one: .*must hold an entry with rule, norm"):
        part_table(ledger, "margins", read_atlas(ledger), 'rule="Rule" norm="Norm"', "")
    with pytest.raises(AtlasError, match=r"chapters/margins/index.md: .*got 'colour'"):
        part_table(ledger, "margins", read_atlas(ledger), 'rule="Rule" colour="Colour"', "")
    with pytest.raises(AtlasError, match="got none"):
        part_table(ledger, "margins", read_atlas(ledger), "", "")


def test_related_chapters_share_concepts_and_rare_ones_count_more() -> None:
    common = ("optimization",)
    ledger = Ledger(
        (
            entry("one", concepts=(*common, "Max margin")),
            entry("two", concepts=common),
            entry("three", concepts=(*common, "max-margin")),
            entry("four", concepts=("attention",)),
        )
    )
    found = related(ledger.entries[0], ledger)
    assert [(other.slug, shared) for other, shared in found] == [
        ("three", ["optimization", "Max margin"]),
        ("two", ["optimization"]),
    ]
    assert "three.html" in chapter_footer(ledger.entries[0], ledger, "../../")
    assert "Related" not in chapter_footer(ledger.entries[3], ledger, "../../")
    assert chapter_footer(entry("five"), ledger, "") == ""


def test_the_landing_page_shows_a_dozen_chapters_of_all_parts() -> None:
    many = tuple(entry(f"{part}-{i}", part) for part in list(PARTS)[:5] for i in range(6))
    chosen = chosen_chapters(Ledger(many), LANDING_CARDS)
    assert len(chosen) == LANDING_CARDS
    assert {each.part for each in chosen} == set(list(PARTS)[:5])
    text = landing_chapters(Ledger(many), set())
    assert text.count('class="ibkit-card"') == LANDING_CARDS
    assert "18 more stand in their parts" in text


def test_planned_papers_have_a_heading_each_that_markdown_leaves_as_it_is() -> None:
    paper = Paper("p", "margins", "Learning *fast* in [0, 1] at $5", ("A. One", "B. Two"), False, 2024, arxiv="2401.1")
    planned = LedgerEntry("p", "margins", paper.title, paper.citation, "planned")
    text = part_list(Ledger((planned,)), "margins", {"p": paper}, set())
    assert "### Learning \\*fast\\* in \\[0, 1\\] at \\$5" in text
    assert "A. One, B. Two · 2024 · [arXiv 2401.1](https://arxiv.org/abs/2401.1)" in text
    assert "## Chapters" not in text


def test_thumbnails_have_one_shape_and_few_bytes() -> None:
    rng = np.random.default_rng(0)
    for shape in ((900, 300, 3), (100, 1200, 4)):
        out = BytesIO()
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(out, "PNG")
        small = thumbnail(out.getvalue())
        assert Image.open(BytesIO(small)).size == SIZE
        assert small == thumbnail(out.getvalue())


def test_the_reference_names_all_that_chapters_import() -> None:
    pages = {page.name: page.text for page in api_pages()}
    assert "ibkit.book" not in public_modules()
    assert ".. autofunction:: ibkit.losses.cross_entropy" in pages["losses"]
    assert ".. autoclass:: ibkit.show.Lines" in pages["show"]
    for name in pages:
        assert name == "index" or f"<{name}>`" in pages["index"]


def test_pictures_for_elsewhere_need_a_whole_address() -> None:
    known = page_meta('A "title"', "S.", "chapters/margins/x.html", "https://example.org/book/")
    assert 'property="og:image" content="https://example.org/book/_static/card.png"' in known
    assert 'content="A &quot;title&quot;"' in known
    assert 'property="og:type" content="article"' in known
    unknown = page_meta("T", "S.", "ledger.html", "")
    assert "og:image" not in unknown
    assert 'property="og:title" content="T"' in unknown


def test_the_card_is_a_picture_of_the_right_size() -> None:
    card = social_card()
    assert Image.open(BytesIO(card)).size == (1200, 630)
    assert len(card) < 200_000
    assert card == social_card()


def test_the_missing_page_stands_alone() -> None:
    page = missing_page("https://example.org/book/")
    assert 'root="/book/"' in page
    assert not re.search(r'(?:src|href)="(?!index|search|ledger|data:)', page)


def test_the_landing_explorer_shows_margins_that_are_right() -> None:
    point = np.array([[3.0, 4.0]])
    assert margins(point, 2).max() == pytest.approx(5, rel=1e-4)  # the dual norm of the point
    assert margins(point, 1).max() == pytest.approx(4, rel=1e-4)
    assert margins(point, np.inf).max() == pytest.approx(7, rel=1e-2)
    assert len(landing_explorer().to_html()) < 60_000


def test_the_reference_is_written_anew_only_when_the_library_changed(tmp_path, monkeypatch):
    store = tmp_path / "api-pages.json"
    pages = kept_api_pages(store)
    assert pages == api_pages()
    monkeypatch.setattr(api, "api_pages", lambda: [])
    assert kept_api_pages(store) == pages
    store.write_text("{broken")
    assert kept_api_pages(store) == []
    monkeypatch.setattr(api, "library_hash", lambda: "another")
    monkeypatch.setattr(api, "api_pages", lambda: pages[:1])
    assert kept_api_pages(store) == pages[:1]
