"""Stopping a run from outside: no process, no half-written file, and no finished work lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ibkit.book.cache import read_sealed
from ibkit.book.environment import worker_environment

from .conftest import make_book, notebook, wait_for


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["ctrl-c", "term", "kill"],
)
def test_stopped_run(tmp_path: Path, signum: signal.Signals, code: int) -> None:
    marks = [tmp_path / "one", tmp_path / "two"]
    sleepers = [notebook(f"open({str(mark)!r}, 'w').close()\nimport time\ntime.sleep(1000)") for mark in marks]
    tree = make_book(tmp_path / "book", quick=notebook("print(1)"), one=sleepers[0], two=sleepers[1])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-m", "ibkit", "run", "quick", "one", "two", "-j", "3", "--root", tree.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**worker_environment(), "TMPDIR": str(scratch)},
    )
    finished = tree.executed / "part" / "quick.ipynb"
    assert wait_for(lambda: finished.exists() and all(mark.exists() for mark in marks))
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) >= 4  # two workers, two kernels
    run.send_signal(signum)
    _, err = run.communicate(timeout=30)
    assert run.returncode == code
    assert wait_for(lambda: not any(_alive(process) for process in family), 15)
    assert [path.name for path in tree.build.rglob("*") if path.is_file()] == ["quick.ipynb"]
    assert read_sealed(finished.read_text())
    if signum != signal.SIGKILL:
        assert "1 chapter finished and kept: part/quick" in err
        assert err.count("\n") == 1
        assert list(scratch.iterdir()) == []


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
