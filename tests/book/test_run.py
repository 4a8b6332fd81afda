"""What becomes of chapters that pass, fail, die, or are not needed."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import psutil
import pytest

from ibkit.book.cache import read_sealed
from ibkit.book.errors import InputError
from ibkit.book.plan import check_fresh, plan_runs
from ibkit.book.run import Listener, Result, _keep, run_chapters
from ibkit.book.store import LocalFolder
from ibkit.book.tree import find_chapter

from .conftest import GOOD, Wide, gone, make_book, notebook, outputs, write


class Heard(Listener):
    """Remembers who was run."""

    def __init__(self) -> None:
        self.ran = 0
        self.results: list[Result] = []

    def started(self, chapters: int, workers: int, cells: int) -> None:
        self.ran = chapters

    def finished(self, result: Result) -> None:
        self.results.append(result)


def test_good_chapter_is_kept_whole(wide: Wide) -> None:
    good = wide.results["good"]
    assert (good.status, good.held, good.open, good.red, good.problems) == ("passed", 1, 1, 0, ())
    nb = wide.kept("good")
    assert "0 quick 0.5 plain False" in outputs(nb)
    assert "[] 1" in outputs(nb)  # an empty working folder, one thread
    run = nb["metadata"]["ibkit"]["run"]
    assert run["parameters"] == {"seed": 0, "profile": "quick", "rate": 0.5, "label": "plain", "exact": False}
    assert run["profile"] == "quick"
    assert run["commit"] is None  # the book is in no repository
    assert 0 < run["seconds"] < run["kernel_seconds"]
    assert run["peak_mb"] > 20
    assert {"python", "numpy"} <= set(run["versions"])
    assert not (wide.tree.build / "failed" / "part" / "good.ipynb").exists()


def test_page_shows_the_source_and_nothing_of_the_tools(wide: Wide) -> None:
    nb = wide.kept("good")
    assert "papermill" not in json.dumps(nb)
    assert [("".join(c["source"]), c["metadata"]) for c in nb["cells"]] == [
        (c["source"], c["metadata"]) for c in GOOD["cells"]
    ]
    assert [c["execution_count"] for c in nb["cells"] if c["cell_type"] == "code"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        (
            "red",
            "cell 5 (Experiments: from IPython.display import display): "
            "the claim 'slow' is red: measured 7, claimed ≤ 3",
        ),
        ("raises", "cell 5 (Experiments: x = 1): ZeroDivisionError: division by zero"),
        ("killed", "cell 5 (Experiments: import os): the kernel was killed by signal 9"),
        ("exits", "cell 4 (Experiments: raise SystemExit(0)): SystemExit: 0"),
        ("noisy", "cell 4 (Experiments: import sys): wrote to stderr: odd"),
        ("twice", "cell 5 (Experiments: from IPython.display import display): the claim 'same' is made twice"),
        ("murder", "cell 4 (Experiments: import os): the kernel was killed by signal 9"),
    ],
)
def test_failure_names_the_cell_and_keeps_the_notebook_aside(wide: Wide, slug: str, said: str) -> None:
    result = wide.results[slug]
    assert result.status == "failed"
    assert result.problems[0].startswith(said)
    assert Path(result.address) == wide.tree.build / "failed" / "part" / f"{slug}.ipynb"
    assert not (wide.tree.executed / "part" / f"{slug}.ipynb").exists()


def test_broken_off_notebook_holds_what_ran(wide: Wide) -> None:
    for slug in ("raises", "killed"):
        assert outputs(wide.kept(slug)) == "before\n"
    assert "after the claim" in outputs(wide.kept("red"))  # a red claim stops nothing


def test_executed_tree_holds_whole_passing_notebooks_only(wide: Wide) -> None:
    files = [path for path in wide.tree.executed.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["brood.ipynb", "good.ipynb"]
    assert all(read_sealed(path.read_text()) for path in files)
    assert not list(wide.tree.build.rglob("*.tmp"))
    assert not wide.report.ok
    assert len(wide.report.failed) == 7


def test_nothing_that_a_kernel_started_outlives_it(wide: Wide) -> None:
    assert gone(int(outputs(wide.kept("brood"))))
    assert wide.kept("brood")["metadata"]["ibkit"]["run"]["peak_mb"] > 200
    assert not psutil.Process().children(recursive=True)


def test_unchanged_is_not_run_again(wide: Wide, no_kernels: None) -> None:
    chapter = find_chapter("good", wide.tree)
    before = (wide.tree.executed / chapter.file).read_bytes()
    report = run_chapters([chapter, chapter], tree=wide.tree, parameters={"seed": "0"})
    (result,) = report.results
    assert (result.status, result.held, result.open) == ("unchanged", 1, 1)
    assert (wide.tree.executed / chapter.file).read_bytes() == before
    assert check_fresh(chapter, wide.tree)


def test_a_worker_that_is_killed_costs_its_chapter_only(tmp_path: Path) -> None:
    """Without a nursery the worker is the kernel's parent."""
    tree = make_book(tmp_path, murder=notebook("import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(100)"), one=GOOD)
    report = run_chapters(tree.chapters(), tree=tree, jobs=1, warm=False)
    results = {result.chapter.slug: result for result in report.results}
    assert results["murder"].problems == ("the worker process died (killed by signal 9)",)
    assert results["one"].status == "passed"
    assert not psutil.Process().children(recursive=True)


def _runs(tree, monkeypatch: pytest.MonkeyPatch, **options) -> bool:
    """Whether a run of the chapter `good` would start a kernel."""

    class Started(Exception):  # noqa: N818
        pass

    def start(*_: object) -> None:
        raise Started

    monkeypatch.setattr("ibkit.book.run.Pool", start)
    try:
        run_chapters([find_chapter("good", tree)], tree=tree, **options)
    except Started:
        return True
    return False


@pytest.fixture
def copy(wide: Wide, tmp_path: Path):
    """Another book with the good chapter and its executed notebook."""
    tree = make_book(tmp_path / "copy", good=GOOD)
    target = tree.executed / "part" / "good.ipynb"
    target.parent.mkdir(parents=True)
    target.write_bytes((wide.tree.executed / "part" / "good.ipynb").read_bytes())
    return tree


def test_what_makes_a_chapter_run_again(copy, monkeypatch: pytest.MonkeyPatch) -> None:
    source, executed = copy.root / "chapters" / "part" / "good.ipynb", copy.executed / "part" / "good.ipynb"
    assert not _runs(copy, monkeypatch)
    assert _runs(copy, monkeypatch, force=True)
    assert _runs(copy, monkeypatch, parameters={"seed": 1})

    nb = json.loads(source.read_text())
    nb["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    nb["metadata"]["language_info"] = {"name": "python"}
    write(source, nb)
    assert not _runs(copy, monkeypatch)  # outputs and tools' metadata are no part of the source
    nb["cells"][-1]["source"] += " "
    write(source, nb)
    assert _runs(copy, monkeypatch)
    assert check_fresh(find_chapter("good", copy), copy) is None
    write(source, GOOD)

    (copy.root / "requirements.lock").write_text("numpy==2.0.0\n")
    assert _runs(copy, monkeypatch)
    (copy.root / "requirements.lock").unlink()

    whole = executed.read_text()
    executed.write_text(whole.replace("0 quick", "9 quick"))
    assert _runs(copy, monkeypatch)  # still JSON, but not what was written
    executed.write_text(whole[: len(whole) // 2])
    assert _runs(copy, monkeypatch)
    executed.write_bytes(b"\xff\xfe")
    assert _runs(copy, monkeypatch)
    executed.write_text(whole)
    monkeypatch.setattr("ibkit.book.cache.library_hash", lambda: "another library")
    assert _runs(copy, monkeypatch)


def test_remote_folder_and_same_bytes(wide: Wide) -> None:
    chapter = find_chapter("good", wide.tree)
    heard = Heard()
    report = run_chapters([chapter], tree=wide.tree, out="memory://runs", listener=heard)
    assert report.ok
    assert heard.ran == 1
    files = fsspec.filesystem("memory").find("runs")
    assert [name.lstrip("/") for name in files] == ["runs/part/good.ipynb"]  # no temporary file is left
    remote = json.loads(fsspec.filesystem("memory").cat_file(files[0]))
    assert json.dumps(remote["cells"]) == json.dumps(wide.kept("good")["cells"])
    again = run_chapters([chapter], tree=wide.tree, out="memory://runs", listener=heard)
    assert [result.status for result in again.results] == ["unchanged"]


def test_time_out_is_for_the_whole_chapter(tmp_path: Path) -> None:
    cells = [
        "import time\nprint('one', flush=True)",
        "time.sleep(3)",
        "time.sleep(3)",
        "time.sleep(3)",
        "time.sleep(3)",
    ]
    tree = make_book(tmp_path, slow=notebook(*cells))
    report = run_chapters(tree.chapters(), tree=tree, timeout=5.0)
    (result,) = report.results
    assert result.status == "failed"
    assert result.problems[0].endswith("the chapter's time is over (5 s)")
    assert result.problems[0].startswith("cell ")
    assert "one" in outputs(json.loads(Path(result.address).read_text()))
    assert result.kernel_seconds < 11


def test_longest_first(copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for slug, seconds in {"short": 2, "long": 90, "middle": 30}.items():
        write(copy.root / "chapters" / "part" / f"{slug}.ipynb", notebook("1", ibkit={"seconds": seconds}))
    write(copy.root / "chapters" / "part" / "unknown.ipynb", notebook("1"))
    order: list[str] = []

    def take(plans, *_: object) -> None:
        order.extend(plan.chapter.slug for plan in plans)

    monkeypatch.setattr("ibkit.book.run._execute", take)
    run_chapters(copy.chapters(), tree=copy, force=True)
    assert order[:3] == ["unknown", "long", "middle"]
    assert set(order[3:]) == {"short", "good"}


def test_full_disk_is_a_failure_of_the_chapter(copy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written whole is not written, and what it would have replaced is gone."""
    (plan,) = plan_runs([find_chapter("good", copy)], copy, {}, None, None, copy.build)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    result = _keep(plan, {"text": "x" * 100, "problems": []}, LocalFolder(copy.build / "failed"))
    assert result.status == "failed"
    assert "No space left on device" in result.problems[0]
    assert not [path for path in copy.build.rglob("*") if path.is_file()]


def test_no_worker_can_be_started(copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("ibkit.book.seat.subprocess.Popen", refuse)
    report = run_chapters(copy.chapters(), tree=copy, force=True)
    assert "Resource temporarily unavailable" in report.failed[0].problems[0]


@pytest.mark.parametrize("wrong", [{"jobs": 0}, {"timeout": 0.0}, {"timeout": float("nan")}, {"out": "nosuch://x"}])
def test_wrong_options(copy, no_kernels: None, wrong: dict) -> None:
    with pytest.raises(InputError):
        run_chapters(copy.chapters(), tree=copy, **wrong)
