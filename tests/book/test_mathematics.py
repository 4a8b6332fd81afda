"""Formulas typeset when the book is built."""

from __future__ import annotations

import re

import pytest

from ibkit.book.mathematics import MathError, Typesetter, inline_math


@pytest.fixture(scope="module")
def typesetter() -> Typesetter:
    return Typesetter({"R": r"\mathbb{R}"})


def text(mathml: str) -> str:
    return re.sub(r"<[^>]*>|\s|[\u2061-\u2064]", "", mathml)


def test_macros_of_the_book_are_known(typesetter: Typesetter) -> None:
    assert text(typesetter.inline(r"x \in \R^d")) == "x∈ℝd"
    with pytest.raises(MathError, match="unknown"):
        typesetter.inline(r"\unknown{x}")


@pytest.mark.parametrize("bad", [r"\frac{1}{", r"x^a^b", r"\left( x", r"\begin{pmatrix} a"])
def test_a_formula_that_cannot_be_read_is_refused_and_quoted(typesetter: Typesetter, bad: str) -> None:
    with pytest.raises(MathError) as caught:
        typesetter.inline(bad)
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize(
    ("tex", "rows"),
    [
        (r"a &= b \\ &= c", 2),
        (r"\begin{align} a &= b \\ c &= d \end{align}", 2),
        (r"\begin{aligned} a &= b \\ c &= d \\ e &= f \end{aligned}", 3),
        ("a = b\n\nc = d", 2),
        ("a = b", 0),
        (r"f(x) = \begin{cases} 1 & x > 0 \\ 0 & x \le 0 \end{cases}", 2),
    ],
)
def test_formulas_of_several_lines_keep_their_lines(typesetter: Typesetter, tex: str, rows: int) -> None:
    mathml = typesetter.display(tex)
    assert mathml.count("<mtr>") == rows
    assert 'display="block"' in mathml
    assert "tml-eqn" not in mathml  # numbers are Sphinx's


def test_generated_html_is_typeset_where_it_says_so(typesetter: Typesetter) -> None:
    page = typesetter.page(inline_math("at least $1 < \\gamma$ & more, for $5 each"))
    assert page.count("<math>") == 1
    assert "&amp; more, for $5 each" in page
    assert "\\(" not in page


def test_sized_brackets_are_set_without_gaps(typesetter: Typesetter) -> None:
    for bracket in re.findall(r"<mo[^>]*minsize[^>]*>", typesetter.inline(r"\bigl(x\bigr)")):
        assert 'lspace="0em" rspace="0em"' in bracket
