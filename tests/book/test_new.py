"""A chapter begun from the template: entered in the book, never over another, and it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ibkit.book.notebook import read_notebook
from ibkit.book.parameters import read_parameters
from ibkit.book.tree import Tree, find_chapter

pytest.importorskip("ibkit.book.catalogue")
pytest.importorskip("ibkit.book.toc")

BIBLIOGRAPHY = """
@article{spectral-descent, title = {Margins of "Spectral" \\& {Muon} Descent}, author = {Fan, Chen and Schmidt, Mark},
  year = {2025}, keywords = {margins}, eprint = {2502.04664}, archiveprefix = {arXiv}}
@article{imbalance-seli, title = {Imbalance Trouble}, author = {Thrampoulidis, Christos}, year = {2022},
  keywords = {collapse}}
"""


@pytest.fixture
def book(tmp_path: Path) -> Tree:
    (tmp_path / "chapters" / "margins").mkdir(parents=True)
    (tmp_path / "_config.yml").touch()
    (tmp_path / "references.bib").write_text(BIBLIOGRAPHY)
    return Tree(tmp_path)


def test_new_chapter(book: Tree, call) -> None:
    code, out, err = call("new", "spectral-descent", "--root", book.root)
    assert (code, err) == (0, "")
    assert "ibkit run spectral-descent" in out
    chapter = find_chapter("margins/spectral-descent", book)
    nb = read_notebook(chapter.path)
    assert "{{" not in json.dumps(nb["cells"])
    assert nb["metadata"]["ibkit"]["slug"] == "spectral-descent"
    assert nb["metadata"]["ibkit"]["part"] == "margins"
    title = nb["cells"][0]["source"]
    assert title.startswith("# Margins of ")
    assert "{cite:t}`spectral-descent`" in title
    assert list(read_parameters(nb))[:3] == ["seed", "profile", "device"]
    headings = [line for c in nb["cells"] for line in c["source"].splitlines() if line.startswith("## ")]
    assert [heading.removeprefix("## ") for heading in headings] == [
        "In one picture", "The question", "Setup", "Derivation", "Experiments", "Explore", "Claims", "Limits", "Try it",
    ]  # fmt: skip
    assert "chapters/margins/spectral-descent" in (book.root / "_toc.yml").read_text()


def test_new_refuses(book: Tree, call) -> None:
    assert call("new", "spectral-descent", "--root", book.root)[0] == 0
    path = find_chapter("spectral-descent", book).path
    path.write_text("mine")
    toc = (book.root / "_toc.yml").read_text()
    code, _, err = call("new", "spectral-descent", "--root", book.root)
    assert code == 2
    assert "exists already" in err
    assert path.read_text() == "mine"
    code, _, err = call("new", "spectral-desent", "--root", book.root)
    assert code == 2
    assert "did you mean spectral-descent?" in err
    (book.root / "references.bib").write_text("@article{broken")
    code, _, err = call("new", "imbalance-seli", "--root", book.root)
    assert (code, err.count("\n")) == (2, 1)
    assert (book.root / "_toc.yml").read_text() == toc
    assert not (book.root / "chapters" / "collapse").exists()


def test_new_chapter_runs_and_claims_nothing(book: Tree, call) -> None:
    pytest.importorskip("ibkit.claims")
    pytest.importorskip("ibkit.show.explorer")
    call("new", "spectral-descent", "--root", book.root)
    code, out, err = call("run", "spectral-descent", "--root", book.root)
    assert code == 0, out + err
    assert "0 held  3 open  0 red" in out
