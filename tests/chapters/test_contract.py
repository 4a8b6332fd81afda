"""Every chapter keeps its contract, and every check of the contract can fail."""

import copy
import json
import tomllib
from pathlib import Path

import contract
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(ROOT.glob("chapters/*/*.ipynb"))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_its_contract(path, check):
    assert list(check(read(path))) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_metadata_agrees_with_the_place_and_the_catalogue(path):
    from ibkit.book.catalogue import load_catalogue

    about = read(path)["metadata"]["ibkit"]
    assert (about["part"], about["slug"]) == (path.parent.name, path.stem)
    paper = load_catalogue(ROOT)[path.stem]
    assert paper.part == about["part"]
    title = contract.source(read(path)["cells"][0]).splitlines()[0]
    assert title == f"# {paper.title}"


def test_every_set_up_cell_is_the_same_and_names_the_repository():
    cells = {contract.source(read(path)["cells"][1]) for path in CHAPTERS}
    assert len(cells) == 1
    with open(ROOT / "pyproject.toml", "rb") as file:
        repository = tomllib.load(file)["project"]["urls"]["Repository"]
    assert f'"git+{repository}"' in cells.pop()
    assert yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"] == repository


@pytest.fixture
def sound():
    return read(CHAPTERS[0])


def claim_cells(notebook):
    return [cell for cell in contract.code_cells(notebook) if "claim(" in contract.source(cell)]


def set_source(cell, text):
    cell["source"] = text.splitlines(keepends=True)


def append_code(notebook, text):
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "extra",
        "metadata": {},
        "outputs": [],
        "source": [text],
    }
    notebook["cells"].append(cell)


def drop_contrasts(notebook):
    for cell in contract.code_cells(notebook):
        set_source(cell, contract.source(cell).replace("contrast=", "share=").replace("contrast_label=", "abs="))


def after_heading(notebook, heading, text):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and f"\n## {heading}\n" in f"\n{contract.source(cell)}\n":
            set_source(cell, contract.source(cell) + "\n\n" + text)
            return


def swap_sections(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            set_source(cell, contract.source(cell).replace("## Setup", "## Preliminaries"))


def figure_cells(notebook):
    return [cell for cell in contract.code_cells(notebook) if "figure" in cell["metadata"].get("mystnb", {})]


MUTANTS = {
    "outputs": (lambda n: contract.code_cells(n)[0].update(execution_count=1), "stripped"),
    "another section": (swap_sections, "sections_in_order"),
    "no citation": (lambda n: set_source(n["cells"][0], "# A title"), "begins_as_agreed"),
    "untagged parameters": (lambda n: n["cells"][2]["metadata"].clear(), "begins_as_agreed"),
    "a parameter without help": (
        lambda n: set_source(n["cells"][2], contract.source(n["cells"][2]) + "\nrate: float = 0.1"),
        "begins_as_agreed",
    ),
    "a profile of its own way": (
        lambda n: append_code(n, "if profile == 'full':\n    pass"),
        "profiles_differ_in_sizes_alone",
    ),
    "no dry profile": (
        lambda n: [
            set_source(c, contract.source(c).replace('"dry": dict(', '"tiny": dict(')) for c in contract.code_cells(n)
        ],
        "profiles_differ_in_sizes_alone",
    ),
    "a profile with another name": (
        lambda n: [
            set_source(c, contract.source(c).replace('"dry": dict(', '"dry": dict(odd=1, '))
            for c in contract.code_cells(n)
        ],
        "profiles_differ_in_sizes_alone",
    ),
    "no sentence": (lambda n: n["metadata"]["ibkit"].pop("sentence"), "metadata_is_whole"),
    "a result that no claim checks": (
        lambda n: n["metadata"]["ibkit"].update(
            atlas=[dict.fromkeys(("model", "loss", "rule", "limit", "claim"), "x")]
        ),
        "atlas_is_whole",
    ),
    "a result without its rule": (
        lambda n: n["metadata"]["ibkit"].update(atlas=[{"model": "linear", "loss": "logistic", "claim": "diag"}]),
        "atlas_is_whole",
    ),
    "no contrast": (drop_contrasts, "has_claims"),
    "claims shown twice": (lambda n: claim_cells(n)[0]["metadata"].clear(), "has_claims"),
    "no alt text": (lambda n: figure_cells(n)[0]["metadata"]["mystnb"]["image"].clear(), "has_figures"),
    "no caption": (lambda n: figure_cells(n)[0]["metadata"]["mystnb"].pop("figure"), "has_figures"),
    "no explorer": (
        lambda n: [set_source(c, contract.source(c).replace("explore(", "print(")) for c in contract.code_cells(n)],
        "has_an_explorer",
    ),
    "a private name": (lambda n: append_code(n, "from ibkit.norms import _require_matrix"), "imports_are_public"),
    "the book's machinery": (lambda n: append_code(n, "from ibkit.book.run import run_chapters"), "imports_are_public"),
    "a foreign package": (lambda n: append_code(n, "import pandas"), "imports_are_public"),
    "a long cell": (lambda n: append_code(n, "x = 1\n" * 41), "cells_are_short"),
    "a file": (lambda n: append_code(n, "text = open('README.md').read()"), "reads_no_file"),
    "a typed result": (
        lambda n: after_heading(n, "Experiments", "It reached 97 % of the margin."),
        "result_prose_holds_no_typed_numbers",
    ),
    "a typed decimal in mathematics": (
        lambda n: after_heading(n, "Claims", "It reached $0.97$."),
        "result_prose_holds_no_typed_numbers",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_check_can_fail(name, sound):
    break_it, check = MUTANTS[name]
    broken = copy.deepcopy(sound)
    break_it(broken)
    assert broken != sound
    failing = [c.__name__ for c in contract.CHECKS if list(c(broken))]
    assert check in failing


def test_two_claims_are_too_few(sound):
    kept = claim_cells(sound)[:1]
    for cell in claim_cells(sound)[1:]:
        set_source(cell, "pass")
    set_source(kept[0], 'claim("a", "b", measured=1, at_least=0, source="s", kind="theorem", contrast=-1)')
    assert any("at least three claims" in problem for problem in contract.has_claims(sound))


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_a_chapter_fresh_from_the_template_keeps_the_contract(check):
    from ibkit.book.catalogue import load_catalogue
    from ibkit.book.template import chapter_notebook

    fresh = chapter_notebook(load_catalogue(ROOT)["mirror-descent"])
    assert fresh["metadata"]["ibkit"]["slug"] == "mirror-descent"
    assert "{{" not in json.dumps(fresh["metadata"])
    assert list(check(fresh)) == []
