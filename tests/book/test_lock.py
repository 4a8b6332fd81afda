"""Two builds at once in the same book: one goes on, the other says why it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ibkit.book.environment import worker_environment
from ibkit.book.lock import BusyError, hold

from .conftest import make_book, notebook, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no lock on folders")


def test_builds_are_alone_and_runs_go_on_beside_each_other(tmp_path: Path) -> None:
    for first, second, said in (
        (False, True, "another ibkit is at work in"),
        (True, False, "at work"),
        (True, True, "at work"),
    ):
        with hold(tmp_path, exclusive=first), pytest.raises(BusyError, match=said), hold(tmp_path, exclusive=second):
            pass
    with hold(tmp_path, exclusive=False), hold(tmp_path, exclusive=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_second_build_in_the_same_book(tmp_path: Path, call) -> None:
    mark = tmp_path / "running"
    tree = make_book(
        tmp_path / "book", slow=notebook(f"open({str(mark)!r}, 'w').close()\nimport time\ntime.sleep(1000)")
    )
    first = subprocess.Popen(
        [sys.executable, "-m", "ibkit", "build", "--root", tree.root],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=worker_environment(),
    )
    try:
        assert wait_for(mark.exists)
        for command in ("build", "run"):
            code, out, err = call(command, "--root", tree.root)
            assert code == 2
            assert out == ""
            assert err.startswith(f"ibkit: another ibkit is at work in {tree.root}")
            if sys.platform == "linux":
                assert f"process {first.pid}: " in err
        os.kill(first.pid, signal.SIGKILL)  # whatever way it ends, its lock ends with it
        first.wait()
        with hold(tree.root, exclusive=True):
            pass
    finally:
        first.kill()
        first.wait()
