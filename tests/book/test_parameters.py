"""Parameters are read, checked and written back as data, without a kernel."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkit.book.errors import InputError
from ibkit.book.parameters import bind_parameters, read_parameters, resolve_parameters

from .conftest import PARAMETERS, notebook


def _read(source: str):
    return read_parameters(notebook(parameters=source))


def test_declared_parameters_are_read() -> None:
    found = _read(PARAMETERS + "\np = 2  # 1 | 2 | 3: norm\nlimit: float = float('inf')\nshift: float = -1")
    assert [str(parameter) for parameter in found.values()] == [
        "seed: int = 0",
        'profile: str = "quick" (quick | full)',
        "rate: float = 0.5",
        'label: str = "plain"',
        "exact: bool = False",
        "p: int = 2 (1 | 2 | 3)",
        'limit: float = float("inf")',
        "shift: float = -1.0",
    ]
    assert found["seed"].help == "random seed"
    assert found["p"].help == "norm"
    assert found["p"].choices == (1, 2, 3)
    assert read_parameters(notebook(parameters=None)) == {}


@pytest.mark.parametrize(
    "source",
    [
        "x: int = 1 +",
        "x: int = 1.5",
        "x: list = []",
        "x: int = f()",
        "x: bool = 1",
        'x: str = "c"  # a | b',
        "x: int = True",
    ],
)
def test_cells_that_break_the_contract(source: str) -> None:
    with pytest.raises(InputError):
        _read(source)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "3", 3),
        ("seed", "-3", -3),
        ("rate", "3", 3.0),
        ("rate", "1e-3", 0.001),
        ("rate", "inf", float("inf")),
        ("exact", "true", True),
        ("exact", "False", False),
        ("label", "3", "3"),
        ("label", "", ""),
        ("profile", "full", "full"),
        ("rate", 2, 2.0),
    ],
)
def test_right_values(name: str, text: object, value: object) -> None:
    got = resolve_parameters(_read(PARAMETERS), {name: text})[name]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("seed", "banana"),
        ("seed", "1.0"),
        ("seed", "1_000"),
        ("seed", "٣"),
        ("seed", " 1"),
        ("seed", ""),
        ("seed", "True"),
        ("seed", 1.0),
        ("seed", True),
        ("rate", "nan"),
        ("rate", "1e999"),
        ("rate", "0x10"),
        ("rate", float("nan")),
        ("exact", "1"),
        ("exact", "yes"),
        ("exact", 1),
        ("label", 3),
        ("label", "\udc80"),
        ("profile", "huge"),
        ("profile", "Quick"),
        ("sed", "1"),
    ],
)
def test_wrong_values_are_one_line_that_lists_the_parameters(name: str, given: object) -> None:
    with pytest.raises(InputError) as error:
        resolve_parameters(_read(PARAMETERS), {name: given}, "part/slug")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("part/slug: ")
    assert "seed: int = 0, profile" in str(error.value)


def test_bound_cell_shows_value_and_default() -> None:
    nb = notebook(parameters=PARAMETERS)
    bound = bind_parameters(nb, {"seed": 2, "profile": "full", "rate": 0.5, "label": "plain", "exact": True})
    assert bound["cells"][1]["source"].split("\n") == [
        "seed: int = 2  # random seed (default 0)",
        'profile: str = "full"  # quick | full (default "quick")',
        "rate: float = 0.5  # step size",
        'label: str = "plain"  # a name',
        "exact: bool = True  # default False",
    ]
    assert nb["cells"][1]["source"] == PARAMETERS


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    label=st.text() | st.sampled_from(['"; import os #', "'''", '"""', "\\", "\n", "{seed}", "%s", "\u2028", "\x0c"])
)
def test_text_stays_data(label: str) -> None:
    """Whatever the text, the cell holds the same five assignments of literals, and the text comes back."""
    nb = notebook(parameters='é: str = "ö"; ' + PARAMETERS)
    try:
        values = resolve_parameters(read_parameters(nb), {"label": label})
    except InputError:
        assert any("\ud800" <= char <= "\udfff" for char in label)
        return
    cell = bind_parameters(nb, values)["cells"][1]["source"]
    scope: dict = {}
    exec(compile(cell, "cell", "exec"), {"__builtins__": {"int": int, "str": str, "float": float, "bool": bool}}, scope)
    assert scope["label"] == label
    assert all(
        isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) for node in ast.parse(cell).body
    )
