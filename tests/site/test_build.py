"""When the site is built, refused, or left alone."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fixture_book import TITLES, code, display, made_claim
from PIL import Image, ImageOps

from ibkit.book import site
from ibkit.book.cache import seal
from ibkit.book.layout import clean
from ibkit.book.notebook import parse_notebook
from ibkit.book.site import SiteError, build_site

CHAPTER = "margins/spectral-descent"


@pytest.fixture
def copy(book: Path, tmp_path: Path) -> Path:
    """The built fixture book, to be spoilt."""
    return Path(shutil.copytree(book, tmp_path / "book"))


@pytest.fixture
def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, kept: Path, html: Path, reach: str) -> None:
        raise AssertionError("Jupyter Book was started")

    monkeypatch.setattr(site, "run_jupyter_book", refuse)


def executed(root: Path) -> Path:
    return root / "_build" / "executed" / f"{CHAPTER}.ipynb"


def source(root: Path) -> Path:
    return root / "chapters" / f"{CHAPTER}.ipynb"


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    text = json.dumps(notebook)
    run = "run" in notebook["metadata"].get("ibkit", {})
    path.write_text(seal(parse_notebook(text, path.name)) if run else text, encoding="utf-8")


def edit_both(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edit(executed(root), change)
    edit(source(root), change)


@pytest.mark.usefixtures("no_build")
def test_nothing_changed_builds_nothing(copy: Path) -> None:
    assert build_site(copy) == copy / "_build" / "html"


@pytest.mark.usefixtures("no_build")
@pytest.mark.parametrize("name", ["_config.yml", "references.bib", "chapters/margins/index.md", "_assets/book.css"])
def test_any_changed_input_builds_again(copy: Path, name: str) -> None:
    with (copy / name).open("a", encoding="utf-8") as file:
        file.write("\n\n")
    with pytest.raises(AssertionError, match="was started"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
def test_a_chapter_run_again_builds_again(copy: Path) -> None:
    edit(executed(copy), lambda notebook: notebook["metadata"]["ibkit"]["run"].update(seconds=9.0))
    with pytest.raises(AssertionError, match="was started"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
def test_missing_chapter_is_refused(copy: Path) -> None:
    executed(copy).unlink()
    with pytest.raises(SiteError, match=f"{CHAPTER}: has no executed notebook"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
def test_stale_chapter_is_refused(copy: Path) -> None:
    edit(source(copy), lambda notebook: notebook["cells"][0].update(source="# Another title"))
    with pytest.raises(SiteError, match=f"{CHAPTER}: .*stale"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
def test_red_claim_is_refused_and_named(copy: Path) -> None:
    red = code("claim('false')", [display(made_claim("false", "It never fails", (0.5,)).bundle())])
    edit_both(copy, lambda notebook: notebook["cells"].append(red))
    with pytest.raises(SiteError, match=f"{CHAPTER}: cell 15 .*the claim 'false' is red"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            code("1/0", [{"output_type": "error", "ename": "ZeroDivisionError", "evalue": "x"}]),
            "ZeroDivisionError: x",
        ),
        ({**code("x = 1"), "execution_count": None}, r"cell 15 \(Claims: x = 1\): was not executed"),
        (
            code("w", [display({"application/vnd.jupyter.widget-view+json": {}})]),
            r"cell 15 \(Claims: w\) shows a widget without",
        ),
        (code("w", [display({"text/html": '<img src="https://example.org/x.png">'})]), "from another site"),
    ],
)
def test_bad_output_is_refused_with_its_cell(copy: Path, cell: dict[str, Any], message: str) -> None:
    edit_both(copy, lambda notebook: notebook["cells"].append(cell))
    with pytest.raises(SiteError, match=f"{CHAPTER}: .*{message}"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
def test_chapter_without_claims_is_refused(copy: Path) -> None:
    def drop(notebook: dict[str, Any]) -> None:
        notebook["cells"] = [cell for cell in notebook["cells"] if not cell["source"].startswith("claim(")]

    edit_both(copy, drop)
    with pytest.raises(SiteError, match="holds no claim"):
        build_site(copy)


@pytest.mark.usefixtures("no_build")
def test_unlisted_and_unknown_chapters_are_refused_together(copy: Path) -> None:
    shutil.copyfile(source(copy), copy / "chapters" / "margins" / "mirror-descent.ipynb")
    toc = copy / "_toc.yml"
    toc.write_text(toc.read_text(encoding="utf-8").replace("next-token-margin", "no-such-paper"), encoding="utf-8")
    with pytest.raises(SiteError) as caught:
        build_site(copy)
    assert "next-token/no-such-paper: references.bib knows no such paper" in str(caught.value)
    assert "margins/mirror-descent: exists, but _toc.yml does not list it" in str(caught.value)


def test_a_warning_keeps_the_old_site_and_is_shown(copy: Path) -> None:
    before = (copy / "_build" / "html" / "chapters" / "index.html").read_bytes()
    with (copy / "chapters" / "index.md").open("a", encoding="utf-8") as file:
        file.write("\n\nSee {ref}`no-such-label`.\n")
    with pytest.raises(SiteError, match="no-such-label"):
        build_site(copy)
    assert (copy / "_build" / "html" / "chapters" / "index.html").read_bytes() == before


def test_clean_drops_only_what_pages_do_not_show() -> None:
    bundle = made_claim("diag", "x").bundle()
    outputs = [display({**bundle, "application/vnd.jupyter.widget-view+json": {"model_id": "m"}})]
    notebook = {"cells": [code("claim()", outputs)], "metadata": {"widgets": {}, "kernelspec": {"name": "python3"}}}
    original = json.dumps(notebook)
    result = clean(notebook)
    assert json.dumps(notebook) == original
    assert set(result["cells"][0]["outputs"][0]["data"]) == {"text/plain", "text/html"}
    assert result["metadata"] == {"kernelspec": {"name": "python3"}}


def contents(html: Path) -> dict[str, bytes]:
    return {str(path.relative_to(html)): path.read_bytes() for path in sorted(html.rglob("*")) if path.is_file()}


def test_a_build_that_reuses_pages_gives_the_bytes_of_one_that_does_not(copy: Path) -> None:
    """Text, figure, claim and title of a chapter change, one after the other; then all is built from nothing."""
    indexed = copy / "chapters" / "index.md"
    indexed.write_text(
        indexed.read_text(encoding="utf-8") + "\n```{index} single: implicit bias; of rules\n```\n\nAn entry.\n"
    )
    build_site(copy)

    def new_text_and_figure(notebook: dict[str, Any]) -> None:
        words = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
        words[-1]["source"] += "\n\nOne more sentence, with $x^2$."
        for cell in (cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
            cell["outputs"] = [other_picture(output) for output in cell["outputs"]]

    def new_title(notebook: dict[str, Any]) -> None:
        first = notebook["cells"][0]
        first["source"] = first["source"].replace(TITLES[CHAPTER], "Another title")

    written = []
    for change in (new_title, new_text_and_figure):
        edit_both(copy, change)
        stamps = {path: path.stat().st_mtime_ns for path in pages_as_written(copy)}
        build_site(copy)
        written.append(sum(path.stat().st_mtime_ns != stamps.get(path) for path in pages_as_written(copy)))
    assert written[1] <= 6 < len(stamps) < written[0] + 5, "a text reaches few pages, a title all but generated ones"
    reused = contents(copy / "_build" / "html")
    shutil.rmtree(copy / "_build" / "sphinx")
    shutil.rmtree(copy / "_build" / "html")
    anew = contents(build_site(copy))
    assert reused.keys() == anew.keys()
    assert [name for name in anew if anew[name] != reused[name]] == []
    assert b"Another title" in anew["chapters/margins/index.html"]
    assert b'"implicit bias"' in anew["searchindex.js"]


def test_a_build_that_failed_or_was_cut_off_leaves_no_memory(copy: Path) -> None:
    page = copy / "chapters" / "index.md"
    good = page.read_text(encoding="utf-8")
    page.write_text(good + "\n\nSee {ref}`no-such-label`.\n", encoding="utf-8")
    for _ in range(2):  # Sphinx alone would warn the first time only
        with pytest.raises(SiteError, match="no-such-label"):
            build_site(copy)
        assert not (copy / "_build" / "sphinx").exists()


def pages_as_written(root: Path) -> list[Path]:
    return sorted((root / "_build" / "sphinx" / "_build" / "html").rglob("*.html"))


def other_picture(output: dict[str, Any]) -> dict[str, Any]:
    """The output with its picture in other colours."""
    if "image/png" not in output.get("data", {}):
        return output
    image = Image.open(io.BytesIO(base64.b64decode("".join(output["data"]["image/png"]))))
    changed = io.BytesIO()
    ImageOps.invert(image.convert("RGB")).save(changed, format="PNG")
    output["data"]["image/png"] = base64.b64encode(changed.getvalue()).decode()
    return output
