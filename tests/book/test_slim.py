"""What is cut out of the theme's files, and what must stay."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from matplotlib import font_manager

from ibkit.book.slim.icons import subset_font
from ibkit.book.slim.pages import slim_page
from ibkit.book.slim.styles import coloured_tokens, slim_sheet, slim_styles, words_in_use


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        ("p{a:b}", "p{a:b}"),
        (".used .gone{a:b}", ""),
        (".used:not(.gone){a:b}", ".used:not(.gone){a:b}"),
        (".used:is(.gone,.used) p{a:b}", ".used:is(.gone,.used) p{a:b}"),
        ("#gone,#used{a:b}", "#used{a:b}"),
        ('a[href="x{.gone}"]{a:b}', 'a[href="x{.gone}"]{a:b}'),
        ("@media (min-width: 3px){.gone{a:b}}", ""),
        ("@media print{.gone{a:b} .used{c:d}}", "@media print{.used{c:d}}"),
        ("@font-face{font-family:x;src:url(y)}", "@font-face{font-family:x;src:url(y)}"),
        ("@keyframes gone{from{a:b} to{a:c}}", "@keyframes gone{from{a:b} to{a:c}}"),
        ("@import url(x.css);p{a:b}", "@import url(x.css);p{a:b}"),
        ('.used:before{content:"} .gone {"}', '.used:before{content:"} .gone {"}'),
        ("/* .used { */ .gone{a:b} /* } */ .used{c:d}", ".used{c:d}"),
        (r".used-1\.5{a:b}", r".used-1\.5{a:b}"),
    ],
)
def test_a_rule_stays_when_all_that_it_names_is_in_use(css: str, kept: str) -> None:
    assert slim_sheet(css, {"used", "used-1.5"}) == kept


def test_words_come_from_pages_and_scripts(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p class=\"one two\" id='three'>four</p>", encoding="utf-8")
    (tmp_path / "b.js").write_text("node.classList.add('five')", encoding="utf-8")
    (tmp_path / "bootstrap.js").write_text("'carousel'", encoding="utf-8")
    words = words_in_use(tmp_path)
    assert {"one", "two", "three", "five", "show"} <= words
    assert not {"four", "carousel"} & words
    (tmp_path / "c.css").write_text(".one{a:b}.four{a:b}", encoding="utf-8")
    assert slim_styles(tmp_path, words) == len(".four{a:b}")


def test_scripts_stay_on_the_pages_that_need_them() -> None:
    search = '<script src="../searchindex.js"></script>'
    assert slim_page(search, True, set()) == search
    assert slim_page(search, False, set()) == ""
    toggle = '<script src="_static/togglebutton.js?v=1"></script>'
    proof = '<div class="dropdown admonition">x</div>'
    assert slim_page(toggle + proof, False, set()) == toggle + proof
    assert slim_page(toggle + "<p>x</p>", False, set()) == "<p>x</p>"
    other = '<script src="_static/scripts/pydata-sphinx-theme.js"></script>'
    assert slim_page(other, False, set()) == other


def test_code_keeps_its_text_and_its_colours(tmp_path: Path) -> None:
    sheet = tmp_path / "pygments.css"
    sheet.write_text(
        ".highlight { background: #fff; color: #080808 }\n.highlight .n { color: #080808 } /* Name */\n"
        ".highlight .k { color: #6730C5 }\n.highlight .gs { font-weight: bold }",
        encoding="utf-8",
    )
    coloured = coloured_tokens(sheet)
    assert coloured == {"k", "gs"}
    code = '<div class="highlight"><pre><span></span><span class="k">if</span> '
    code += '<span class="n">a</span>\n\n\n\nb</pre></div>'
    assert slim_page(code, False, coloured) == (
        '<div class="highlight"><pre><span class="k">if</span> a\n\n\n\nb</pre></div>'
    )


def test_a_font_keeps_the_glyphs_in_use_alone() -> None:
    from fontTools.ttLib import TTFont

    whole = Path(font_manager.findfont("DejaVu Sans")).read_bytes()
    small = subset_font(whole, {ord("a"), ord("→"), 0xF0000})
    assert set(TTFont(BytesIO(small)).getBestCmap()) == {ord("a"), ord("→")}
    assert len(small) < len(whole) / 20
