"""The command line: exit codes, one line each, nothing run or written on bad input."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from ibkit.book.environment import worker_environment

from .conftest import GOOD, Wide, make_book, notebook, outputs, write
from .test_run import copy  # noqa: F401  (a fixture)


def _files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "gopd"], "unknown chapter 'gopd'"),
        (["run", "part/nothing"], "unknown chapter"),
        (["run", "missing.ipynb"], "no such file"),
        (
            ["run", "good", "-p", "sed", "1"],
            "unknown parameter 'sed'; did you mean seed?; its parameters: seed: int = 0",
        ),
        (["run", "good", "-p", "seed", "banana"], "parameter 'seed' must be int, got 'banana'; its parameters: seed"),
        (["run", "good", "--profile", "huge"], "must be one of quick | full, got 'huge'"),
        (["run", "good", "--profile", "full", "-p", "profile", "quick"], "given twice"),
        (["run", "good", "-j", "0"], "'-j'"),
        (["run", "good", "-j", "many"], "'-j'"),
        (["run", "good", "--timeout", "0"], "'--timeout'"),
        (["run", "good", "--out", "_config.yml/inside"], "cannot be written"),
        (["run", "good", "--out", "/proc/nothing"], "cannot be written"),
        (["run", "good", "--out", "nosuch://place"], "nosuch"),
        (["run", "text.ipynb"], "not JSON"),
        (["run", "list.ipynb"], "not a notebook"),
        (["run", "old.ipynb"], "notebook format 3"),
        (["run", "good", "--root", "chapters"], "not a book"),
        (["run", "-p", "seed"], "-p"),
        (["build", "-j", "0"], "'-j'"),
        (["nonsense"], "No such command"),
    ],
)
def test_bad_input(copy, call, no_kernels, monkeypatch, arguments: list[str], said: str) -> None:  # noqa: F811
    monkeypatch.chdir(copy.root)
    Path("text.ipynb").write_text("not json")
    Path("list.ipynb").write_text("[]")
    Path("old.ipynb").write_text('{"nbformat": 3, "metadata": {}, "cells": []}')
    before = _files(copy.root)
    code, out, err = call(*arguments)
    assert code == 2
    assert err.startswith("ibkit: ")
    assert err.count("\n") == 1
    assert said in err
    assert out == ""
    assert _files(copy.root) == before


@pytest.mark.parametrize("command", ["run", "build", "list"])
def test_outside_a_book(tmp_path: Path, call, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(command)
    assert code == 2
    assert "not in a book" in err


def test_notebook_alone_and_values_that_look_like_code(tmp_path: Path, call, monkeypatch) -> None:
    """One notebook outside any book, given a text that would run if it were code."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "alone.ipynb", notebook("print(repr(label), seed)"))
    evil = f'"; open({str(tmp_path / "pwned")!r}, "w"); "\'\'\'\n\\'
    code, out, err = call("run", "alone.ipynb", "-p", "label", evil, "-p", "seed", "3")
    assert (code, err) == (0, "")
    assert "alone" in out
    (kept,) = (tmp_path / "_build").rglob("*.ipynb")
    assert outputs(json.loads(kept.read_text())).strip() == f"{evil!r} 3"
    assert kept.parent.parent.name == "runs"  # not where a book's site is made from
    assert not (tmp_path / "pwned").exists()


def test_run_failing(tmp_path: Path, call) -> None:
    tree = make_book(tmp_path, bad=notebook("1 / 0"))
    code, out, err = call("run", "bad", "--root", tree.root)
    assert code == 1
    assert "FAILED cell 4 (Experiments: 1 / 0): ZeroDivisionError: division by zero" in out
    assert (
        err
        == "ibkit: 1 of 1 chapters failed: part/bad cell 4 (Experiments: 1 / 0): ZeroDivisionError: division by zero\n"
    )


def test_list(wide: Wide, call, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = call("list", "--root", wide.tree.root)
    states = {line.split()[0]: line.split()[1] for line in out.splitlines()}
    assert code == 0
    assert states["part/good"] == "passed"
    assert states["part/red"] == "failed"
    assert "seed: int = 0" in out
    code, out, _ = call("list", "--json", "--root", wide.tree.root)
    good = next(entry for entry in json.loads(out) if entry["slug"] == "good")
    assert good["parameters"][1] == {
        "name": "profile", "type": "str", "help": "", "default": "quick", "choices": ["quick", "full"],
    }  # fmt: skip


def _site(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Put a site builder in place that only notes what it was asked for."""
    built: list[Path] = []
    module = types.ModuleType("ibkit.book.site")
    module.build_site = lambda root: built.append(root) or root / "_build" / "html"
    monkeypatch.setitem(sys.modules, "ibkit.book.site", module)
    return built


def test_build_without_changes(copy, call, no_kernels, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    built = _site(monkeypatch)
    gone = write(copy.executed / "part" / "gone.ipynb", GOOD)
    code, out, err = call("build", "--root", copy.root)
    assert (code, err, built) == (0, "", [copy.root])
    assert "unchanged" in out
    assert not gone.exists()  # its chapter left the book


def test_build_publishes_nothing_while_a_chapter_fails(copy, call, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    built = _site(monkeypatch)
    write(copy.root / "chapters" / "part" / "bad.ipynb", notebook("1 / 0"))
    code, _, err = call("build", "--root", copy.root)
    assert code == 1
    assert built == []
    assert "the site is not built" in err
    assert "part/bad cell 4" in err


def test_nothing_heavy_is_imported_when_nothing_is_to_be_done(copy) -> None:  # noqa: F811
    script = (
        "import sys, types\n"
        "site = types.ModuleType('ibkit.book.site'); site.build_site = lambda root: root\n"
        "sys.modules['ibkit.book.site'] = site\n"
        "from ibkit.book.cli import main\n"
        "try: main(['build'])\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code\n"
        "print(sorted({'papermill', 'nbformat', 'nbclient', 'torch', 'fsspec', 'psutil'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=copy.root,
        env=worker_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr
