"""Sweeps on real Dask processes that are killed under them: nothing is lost, nothing is left behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ibkit.book.environment import worker_environment
from ibkit.book.sweep import SweepListener, plan_sweep, run_sweep

from .conftest import claim_code, gone, make_book, notebook, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class Dask:
    """A scheduler and workers as a cluster has them: processes that are started, and that can be killed."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.address = folder, f"tcp://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, workers: int) -> None:
        options = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = self._run("scheduler", "--port", str(self.port), *options)
        self.workers = [self.start_worker() for _ in range(workers)]

    def start_worker(self) -> subprocess.Popen[bytes]:
        options = ["--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--host", "127.0.0.1"]
        return self._run("worker", self.address, *options, "--dashboard-address", "127.0.0.1:0")

    def stop(self) -> None:
        for process in [self.scheduler, *self.workers]:
            if process is not None:
                process.kill()
                process.wait()

    def _run(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "dask.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**worker_environment(), "TMPDIR": str(self.folder)},
                start_new_session=True,
            )


@pytest.fixture
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    made = Dask(tmp_path_factory.mktemp("dask"))
    made.start(2)
    yield made
    made.stop()


class Act(SweepListener):
    """Does something once, when so many runs are finished."""

    def __init__(self, after: int, act: Callable[[], None]) -> None:
        self.left, self.act = after, act
        self.keys: list[str] = []
        self.lines: list[str] = []

    def finished(self, result: dict[str, Any]) -> None:
        self.keys.append(result["key"])
        self.left -= 1
        if self.left == 0:
            self.act()

    def said(self, line: str) -> None:
        self.lines.append(line)


SLOW = notebook(claim_code("one", measured="1.0"), "import time\ntime.sleep(0.3)", "import os\nprint(os.getpid())")


def test_a_worker_is_killed_and_the_scheduler_restarted(tmp_path: Path, dask: Dask) -> None:
    """First a worker dies in the middle of a run; then the scheduler, with both workers, and all come back."""
    tree = make_book(tmp_path, slow=SLOW)
    family = []

    def kill_worker() -> None:
        family.extend(psutil.Process(dask.workers[0].pid).children(recursive=True))
        dask.workers[0].kill()
        dask.workers[0].wait()

    def restart() -> None:
        def later() -> None:
            dask.stop()
            dask.start(2)

        threading.Thread(target=later).start()

    first = plan_sweep(tree.chapters()[0], {"seed": list(range(8))}, tree=tree)
    heard = Act(2, kill_worker)
    report = run_sweep(first, scheduler=dask.address, listener=heard)
    assert report.count("held") == 8
    assert sorted(heard.keys) == sorted(first.settings)  # each once, though one was begun twice
    assert family
    assert all(gone(process.pid) for process in family)

    dask.workers[0] = dask.start_worker()
    second = plan_sweep(tree.chapters()[0], {"seed": list(range(14))}, tree=tree)
    assert len(second.missing) == 6
    heard = Act(1, restart)
    report = run_sweep(second, scheduler=dask.address, listener=heard, patience=60)
    assert report.count("held") == 14
    assert any("is gone; waiting" in line for line in heard.lines)
    assert any("is back" in line for line in heard.lines)
    assert plan_sweep(tree.chapters()[0], {"seed": list(range(14))}, tree=tree).missing == []


def test_a_worker_with_other_sources_is_refused(tmp_path: Path, dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    from ibkit.book.sweep import SweepError

    monkeypatch.setattr("ibkit.book.sweep.software", lambda: {"ibkit": "another", "python": "3.11"})
    tree = make_book(tmp_path, slow=SLOW)
    with pytest.raises(SweepError, match="has another ibkit than the sweep"):
        run_sweep(plan_sweep(tree.chapters()[0], {"seed": [0]}, tree=tree), scheduler=dask.address)


def test_a_local_worker_is_killed(tmp_path: Path) -> None:
    tree = make_book(tmp_path, slow=SLOW)

    def kill() -> None:
        workers = [p for p in psutil.Process().children() if "ibkit.book.local_worker" in p.cmdline()]
        assert len(workers) == 2
        workers[0].kill()

    plan = plan_sweep(tree.chapters()[0], {"seed": list(range(8))}, tree=tree)
    heard = Act(2, kill)
    report = run_sweep(plan, workers=2, listener=heard)
    assert report.count("held") == 8
    assert heard.lines == ["a worker died (signal 9); another takes its place"]
    assert not psutil.Process().children(recursive=True)


def test_a_run_that_kills_its_worker_is_tried_twice(tmp_path: Path) -> None:
    mark = tmp_path / "tries"
    murder = f"open({str(mark)!r}, 'a').write('x')\nimport os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(100)"
    tree = make_book(tmp_path / "book", murder=notebook(f"if seed == 1:\n    {murder!r}\n    exec({murder!r})"))
    heard = Act(9, lambda: None)
    plan = plan_sweep(tree.chapters()[0], {"seed": [0, 1, 2]}, tree=tree)
    report = run_sweep(plan, workers=1, warm=False, listener=heard)
    assert [report.count(state) for state in ("held", "failed")] == [2, 1]
    assert mark.read_text() == "xx"
    assert len(heard.lines) == 1
    (failed,) = (r for r in report.results.values() if r["state"] == "failed")
    assert failed["error"] == "the worker process died (killed by signal 9)"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)], ids=["ctrl-c", "kill"])
def test_stopped_sweep(tmp_path: Path, signum: signal.Signals, code: int) -> None:
    mark = tmp_path / "mark"
    wait = f"if seed > 1:\n    open({str(mark)!r} + str(seed), 'w').close()\n    import time\n    time.sleep(1000)"
    tree = make_book(tmp_path / "book", one=notebook(claim_code("one", measured="1.0"), wait))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-m", "ibkit", "sweep", "one", "-p", "seed", "0:6", "-j", "2", "--root", tree.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**worker_environment(), "TMPDIR": str(scratch)},
    )
    folder = tree.build / "sweeps" / "one" / "runs"

    def waiting() -> bool:
        done = len(list(folder.glob("*.json"))) if folder.is_dir() else 0
        return done == 2 and len(list(tmp_path.glob("mark*"))) == 2

    assert wait_for(waiting, 60)
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signum)
    _, err = run.communicate(timeout=60)
    assert run.returncode == code
    assert all(gone(process.pid, 30) for process in family)
    names = sorted(path.name for path in tree.build.rglob("*") if path.is_file())
    assert len(names) == 4
    assert not [name for name in names if name.endswith(".tmp")]
    if signum == signal.SIGINT:
        assert err.splitlines()[-1] == "ibkit: stopped by Ctrl-C; 2 runs are kept"
        assert list(scratch.iterdir()) == []
    seeds = {"seed": list(range(6))}
    assert len(plan_sweep(tree.chapters()[0], seeds, tree=tree).missing) == 4
