"""The small pieces: finding chapters, judging outputs, cleaning pages, folders that write whole."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from ibkit.book.cache import read_sealed, seal
from ibkit.book.clean import with_outputs
from ibkit.book.errors import InputError
from ibkit.book.store import LocalFolder, RemoteFolder
from ibkit.book.tree import Tree, find_chapter, find_tree
from ibkit.book.verdict import CLAIM_MIME, judge

from .conftest import make_book, notebook, write


def test_finding_the_book_and_its_chapters(tmp_path: Path) -> None:
    tree = make_book(tmp_path, one=notebook(), two=notebook())
    write(tmp_path / "chapters" / "other" / "two.ipynb", notebook())
    write(tmp_path / "chapters" / "part" / ".ipynb_checkpoints" / "one-checkpoint.ipynb", notebook())
    assert find_tree(start=tmp_path / "chapters" / "part") == tree
    assert [chapter.name for chapter in tree.chapters()] == ["other/two", "part/one", "part/two"]
    assert find_chapter("one", tree) == find_chapter(str(tmp_path / "chapters" / "part" / "one.ipynb"), tree)
    with pytest.raises(InputError, match="several parts: other/two, part/two"):
        find_chapter("two", tree)
    assert find_chapter("other/two", tree).part == "other"
    with pytest.raises(InputError, match=r"did you mean one\?"):
        find_chapter("onne", tree)


def _executed(*outputs: dict) -> dict:
    nb = notebook("work()")
    for count, cell in enumerate(cell for cell in nb["cells"] if cell["cell_type"] == "code"):
        cell["execution_count"] = count + 1
    nb["cells"][-1]["outputs"] = list(outputs)
    return nb


def _claim(**claim: object) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {CLAIM_MIME: claim}}


def test_judge_counts_claims() -> None:
    red = {"id": "r", "state": "red", "bound": "≥ 1", "measured": {"median": None, "low": 0.5, "high": 1.5}}
    held = {"id": "h", "state": "held"}
    verdict = judge(_executed(_claim(**held), _claim(**held), _claim(**red), _claim(id="o", state="open")))
    assert [verdict.count(state) for state in ("held", "open", "red")] == [1, 1, 1]
    (problem,) = verdict.problems
    assert problem.endswith("the claim 'r' is red: measured nan [0.5, 1.5], claimed ≥ 1")


@pytest.mark.parametrize("claim", [{}, {"id": "a"}, {"id": "a", "state": "green"}, {"id": "", "state": "held"}])
def test_judge_refuses_claims_it_cannot_read(claim: dict) -> None:
    assert "claim without an id and a state" in judge(_executed(_claim(**claim))).problems[0]


def test_judge_wants_every_cell_executed() -> None:
    nb = _executed()
    assert judge(nb).problems == []
    nb["cells"][-1]["execution_count"] = None
    assert judge(nb).problems == ["cell 4 (Experiments: work()): was not executed"]
    nb["cells"][-1]["source"] = "  \n"
    assert judge(nb).problems == []


def test_widget_views_give_way_to_their_html() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "random"}}
    both = {"output_type": "display_data", "metadata": {}, "data": {**view, "text/html": "<p>"}}
    alone = {"output_type": "display_data", "metadata": {}, "data": dict(view)}
    state = {"application/vnd.jupyter.widget-state+json": {}}
    for output, kept in ((both, {"text/html": "<p>"}), (alone, view)):
        source = notebook("work()")
        ran = copy.deepcopy(source)
        for index, cell in enumerate(ran["cells"]):
            cell["id"] = f"cell-{index + 1}"
            cell["metadata"]["papermill"] = {"duration": 1.0}
        ran["cells"].insert(0, {"cell_type": "markdown", "id": "x", "source": "An Exception", "metadata": {}})
        ran["cells"][-1]["outputs"] = [output]
        ran["metadata"] |= {"widgets": state, "papermill": {}}
        page = with_outputs(source, ran)
        assert page["cells"][-1]["outputs"][0]["data"] == kept
        assert ("widgets" in page["metadata"]) == (kept == view)
        assert "papermill" not in str(page)
        assert len(page["cells"]) == len(source["cells"])


def test_seal_notices_any_change() -> None:
    nb = notebook("print('ü')\nprint('\"digest\": \"0\"')")
    nb["metadata"]["ibkit"] = {"run": {"key": "k"}}
    text = seal(nb)
    assert read_sealed(text)["key"] == "k"
    for position in range(0, len(text), 7):
        changed = text[:position] + ("x" if text[position] != "x" else "y") + text[position + 1 :]
        assert read_sealed(changed) is None
    assert read_sealed(None) is None
    assert read_sealed("[]") is None


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> LocalFolder | RemoteFolder:
    if request.param == "local":
        return LocalFolder(tmp_path / "out")
    return RemoteFolder(f"memory://{tmp_path.name}")


def test_folders(folder: LocalFolder | RemoteFolder) -> None:
    folder.check_writable()
    assert folder.read("a/b.ipynb") is None
    address = folder.write("a/b.ipynb", "one é")
    assert address.endswith("a/b.ipynb")
    folder.write("a/b.ipynb", "two")
    assert folder.read("a/b.ipynb") == "two"
    folder.remove("a/b.ipynb")
    folder.remove("a/b.ipynb")
    assert folder.read("a/b.ipynb") is None


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LocalFolder(tmp_path)
    folder.write("a.ipynb", "old")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        folder.write("a.ipynb", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]
    assert folder.read("a.ipynb") == "old"


def test_checking_a_folder_makes_none(tmp_path: Path) -> None:
    LocalFolder(tmp_path / "a" / "b").check_writable()
    assert list(tmp_path.iterdir()) == []


def test_prune(tmp_path: Path) -> None:
    tree = make_book(tmp_path, one=notebook())
    for name in ("part/one", "part/gone", "elsewhere/one"):
        write(tree.executed / f"{name}.ipynb", notebook())
    assert [path.stem for path in Tree(tmp_path).prune_executed()] == ["one", "gone"]
    assert [path.stem for path in tree.executed.rglob("*.ipynb")] == ["one"]
