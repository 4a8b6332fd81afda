"""Which settings a sweep runs: ranges, lists, products, files, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibkit.book.errors import InputError
from ibkit.book.parameters import Parameter
from ibkit.book.settings import expand, parse_values, read_settings, swept

PARAMETERS = {
    "seed": Parameter("seed", "int", 0),
    "rate": Parameter("rate", "float", 0.5),
    "label": Parameter("label", "str", "plain"),
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3", ["3"]),
        ("0:3", ["0", "1", "2"]),
        ("-1:2", ["-1", "0", "1"]),
        ("3:0:-1", ["3", "2", "1"]),
        ("0, 0.5,10:20:5", ["0", "0.5", "10", "15"]),
        ("a:b,c", ["a:b", "c"]),
    ],
)
def test_values(text: str, values: list[str]) -> None:
    assert parse_values(text) == values


@pytest.mark.parametrize("text", ["", "1,,2", "3:0", "0:5:0", "0:10000000"])
def test_values_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        parse_values(text)


def test_product_runs_the_last_fastest_and_each_setting_once() -> None:
    settings = expand(PARAMETERS, {"seed": ["0", "1"], "rate": ["0.1", "1", "1.0"]})
    assert [(s["seed"], s["rate"]) for s in settings] == [(0, 0.1), (0, 1.0), (1, 0.1), (1, 1.0)]
    assert swept(settings) == ["seed", "rate"]
    assert all(s["label"] == "plain" for s in settings)


def test_files_mean_the_same_settings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("rate,label\n0.1,x\n0.2,\n")
    (tmp_path / "a.yaml").write_text("- {rate: 0.1, label: x}\n- {rate: 0.2}\n")
    rows = [expand(PARAMETERS, {"seed": [0, 1]}, read_settings(tmp_path / f"a.{kind}")) for kind in ("csv", "yaml")]
    assert rows[0] == rows[1]
    assert [(s["rate"], s["label"], s["seed"]) for s in rows[0]] == [
        (0.1, "x", 0), (0.1, "x", 1), (0.2, "plain", 0), (0.2, "plain", 1),
    ]  # fmt: skip
    (tmp_path / "b.yaml").write_text("seed: [0, 1]\nrate: [1, 2]\nlabel: x\n")
    assert len(read_settings(tmp_path / "b.yaml")) == 4


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "rate,rate\n1,2\n", "distinct parameter names"),
        ("a.csv", "rate\n1,2\n", "line 2: expected 1 cells, got 2"),
        ("a.csv", "", "at least one setting|header"),
        ("a.yaml", "3", "a list of mappings"),
        ("a.yaml", "- rate: [1]", "must be an int, float, str or bool"),
        ("a.yaml", "{", "not YAML"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "not YAML"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        read_settings(tmp_path / name)


@pytest.mark.parametrize(
    ("products", "row", "said"),
    [
        ({"sed": ["1"]}, {}, "unknown parameter 'sed'; did you mean seed"),
        ({"seed": ["one"]}, {}, "'seed' must be int, got 'one'"),
        ({"seed": ["1"]}, {"seed": 2}, "given both by -p and in the settings file"),
        ({}, {"seed": 0.5}, "'seed' must be int"),
    ],
)
def test_settings_are_checked_before_anything_runs(products: dict, row: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        expand(PARAMETERS, products, [row])
