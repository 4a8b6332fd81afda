"""Small books to run: notebooks of a few cells, made anew for each book."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from ibkit.book.run import Report, Result, run_chapters
from ibkit.book.tree import Tree

PARAMETERS = """\
seed: int = 0  # random seed
profile: str = "quick"  # quick | full
rate: float = 0.5  # step size
label: str = "plain"  # a name
exact: bool = False"""


def claim_code(identity: str, state: str = "held", measured: str = "seed") -> str:
    """Code that emits a claim as `ibkit.claims` does, without needing it."""
    return f"""
from IPython.display import display
value = {measured}
numbers = {{"values": [value], "median": value, "low": value, "high": value, "satisfied": 1.0}}
bundle = {{"schema": 1, "id": "{identity}", "state": "{state}", "bound": "≤ 3", "measured": numbers}}
display({{"text/plain": "{identity}", "application/vnd.ibkit.claim+json": bundle}}, raw=True)
"""


def notebook(*codes: str, parameters: str | None = PARAMETERS, **metadata: Any) -> dict[str, Any]:
    """A notebook: a title, the parameters cell, a heading, then the codes."""

    def cell(kind: str, source: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        made: dict[str, Any] = {"cell_type": kind, "source": source, "metadata": {"tags": list(tags)} if tags else {}}
        return {**made, "outputs": [], "execution_count": None} if kind == "code" else made

    cells = [cell("markdown", "# A chapter")]
    cells += [cell("code", parameters, ("parameters",))] if parameters is not None else []
    cells += [cell("markdown", "## Experiments"), *(cell("code", code) for code in codes)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel, **metadata}, "nbformat": 4, "nbformat_minor": 5}


def write(path: Path, nb: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(nb), encoding="utf-8")
    return path


def make_book(root: Path, **chapters: dict[str, Any]) -> Tree:
    """A book whose chapters all stand in the part `part`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "_config.yml").touch()
    (root / "chapters" / "part").mkdir(parents=True, exist_ok=True)
    for slug, nb in chapters.items():
        write(root / "chapters" / "part" / f"{slug}.ipynb", nb)
    return Tree(root)


def outputs(nb: dict[str, Any]) -> str:
    """All that a notebook's cells printed."""
    streams = (o for c in nb["cells"] for o in c.get("outputs", []) if o["output_type"] == "stream")
    return "".join("".join(o["text"]) for o in streams)


def gone(pid: int, seconds: float = 15.0) -> bool:
    """Whether a process has ended; one that ended but is not waited for yet counts as gone."""

    def ended() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return wait_for(ended, seconds)


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Wait until something is so; how long is only a limit."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


GOOD = notebook(
    claim_code("one"),
    claim_code("two", state="open"),
    "print(seed, profile, rate, label, exact)\nprint({'b', 'a', 'c'})",
    "import os\nprint(os.listdir('.'), os.environ['OMP_NUM_THREADS'])",
    ibkit={"slug": "good", "part": "part", "seconds": 1},
)


@dataclass
class Wide:
    """A run of a book in which nearly everything goes wrong once."""

    tree: Tree
    report: Report
    results: dict[str, Result]

    def kept(self, slug: str) -> dict[str, Any]:
        return json.loads(Path(self.results[slug].address).read_text())


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Wide:
    root = tmp_path_factory.mktemp("wide")
    tree = make_book(
        root,
        good=GOOD,
        red=notebook(claim_code("first"), claim_code("slow", "red", "7.0"), "print('after the claim')"),
        raises=notebook("print('before')", "x = 1\n1 / 0", "print('after')"),
        killed=notebook("print('before')", "import os\nos.kill(os.getpid(), 9)", "print('after')"),
        exits=notebook("raise SystemExit(0)", "print('after')"),
        noisy=notebook("import sys\nprint('odd', file=sys.stderr)", "print('after')"),
        twice=notebook(claim_code("same"), claim_code("same", measured="1.0")),
        murder=notebook("import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(100)"),
        brood=notebook(
            "import subprocess\np = subprocess.Popen(['sleep', '1000'])\nprint(p.pid)", "bytearray(200_000_000)[0]"
        ),
    )
    for slug in ("red", "raises"):  # left by an earlier run, when they still passed
        write(tree.executed / "part" / f"{slug}.ipynb", notebook())
    write(tree.build / "failed" / "part" / "good.ipynb", notebook())
    report = run_chapters(tree.chapters(), tree=tree, jobs=2)
    return Wide(tree, report, {result.chapter.slug: result for result in report.results})


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any attempt to start a worker fail the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("ibkit.book.run.Pool", refuse)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call the command line; return its exit code, stdout and stderr."""
    from ibkit.book.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return run
