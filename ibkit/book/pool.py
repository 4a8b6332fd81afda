"""Worker processes and who runs what: started as needed, replaced when they die, gone when the pool closes."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ibkit.book.processes import kill_group

#: Seconds that a worker may take beyond a chapter's time-out before it counts as stuck itself.
_GRACE = 30.0

Event = tuple[int, str, Any]


class Pool:
    """Run jobs on worker processes, as many at once as there are workers.

    A plain process with pipes, not `multiprocessing`: nothing of the parent is inherited, a script needs no
    `if __name__ == "__main__"`, and the death of one worker touches no other.

    Args:
        jobs: keyword arguments of `ibkit.book.execute.execute`, in the order in which to start them.
        workers: how many processes at most.
    """

    def __init__(self, jobs: list[dict[str, Any]], workers: int) -> None:
        self._waiting = deque(enumerate(jobs))
        self._left = len(jobs)
        self._events: queue.Queue[Event] = queue.Queue()
        self._closing = False
        # Short names: the kernels' sockets lie here, and their paths are limited to about 100 characters.
        self._scratch = tempfile.TemporaryDirectory(prefix="ibkit-", ignore_cleanup_errors=True)
        self._seats = [_Seat(self, number) for number in range(min(workers, len(jobs)))]
        for seat in self._seats:
            seat.thread.start()

    def events(self) -> Iterator[Event]:
        """Yield `(job, event, value)` until every job is done.

        Events are `kernel` and `cell` as `execute` sends them, then once a job `done` with its outcome as a dict,
        or `lost` with a line that says how the worker died.
        """
        while self._left:
            # A wait without limit would not notice signals on every system.
            try:
                event = self._events.get(timeout=1.0)
            except queue.Empty:
                continue
            self._left -= event[1] in {"done", "lost"}
            yield event

    def close(self) -> None:
        """Stop every worker and kernel, at once, and remove the scratch folder."""
        self._closing = True
        self._waiting.clear()
        for seat in self._seats:
            seat.stop()
        for seat in self._seats:
            seat.thread.join()
        self._scratch.cleanup()

    def next_job(self) -> tuple[int, dict[str, Any]] | None:
        """Take the next job, None when there is none."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


class _Seat:
    """One place for a worker, with the thread that feeds it."""

    def __init__(self, pool: Pool, number: int) -> None:
        self.pool = pool
        self.folder = Path(pool._scratch.name)
        self.log = self.folder / f"{number}.log"
        self.worker: subprocess.Popen[str] | None = None
        self.kernel: int | None = None
        self.started: list[subprocess.Popen[str]] = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self) -> None:
        """Run jobs until there are none."""
        while (taken := self.pool.next_job()) is not None:
            job, arguments = taken
            if self.pool._closing:
                break
            try:
                last = self.ask(job, arguments)
            except Exception as error:  # no process could be started, say; the run must hear of it and go on
                last = ("lost", f"no worker process could run it: {' '.join(str(error).split())}")
            self.pool._events.put((job, *last))
        self.stop()
        for done in self.started:
            with suppress(OSError):
                done.stdout.close()  # type: ignore[union-attr]

    def ask(self, job: int, arguments: dict[str, Any]) -> tuple[str, Any]:
        """Have the worker do a job and pass its events on; return the last."""
        worker = self.start()
        backstop = None
        if arguments.get("timeout"):
            backstop = threading.Timer(arguments["timeout"] + _GRACE, worker.kill)
            backstop.daemon = True
            backstop.start()
        try:
            with suppress(OSError):
                worker.stdin.write(json.dumps({**arguments, "scratch": str(self.folder)}) + "\n")  # type: ignore[union-attr]
                worker.stdin.flush()  # type: ignore[union-attr]
            for line in worker.stdout:  # type: ignore[union-attr]
                message = json.loads(line)
                if message["event"] == "done":
                    self.kernel = None
                    return "done", message["outcome"]
                if message["event"] == "kernel":
                    self.kernel = message["value"]
                self.pool._events.put((job, message["event"], message["value"]))
        finally:
            if backstop:
                backstop.cancel()
        # Its output ended: the worker is dead, and its kernel must not outlive it.
        code = worker.wait()
        self.stop()
        return "lost", f"the worker process died ({_how(code)}){self.last_words()}"

    def start(self) -> subprocess.Popen[str]:
        """Return the seat's worker, started if there is none that lives."""
        with self.lock:
            if self.pool._closing:
                raise RuntimeError("the run is being stopped")
            if self.worker is None or self.worker.poll() is not None:
                with self.log.open("ab") as log:
                    self.worker = subprocess.Popen(
                        [sys.executable, "-m", "ibkit.book.worker"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        text=True,
                        encoding="utf-8",
                        cwd=self.folder,
                        env=worker_environment(),
                        # Ctrl-C in a terminal reaches every process of the group; here only the parent decides.
                        start_new_session=True,
                    )
                    self.started.append(self.worker)
            return self.worker

    def stop(self) -> None:
        """End the worker and its kernel."""
        with self.lock:
            worker, self.worker = self.worker, None
            kernel, self.kernel = self.kernel, None
        if worker is None:
            return
        with suppress(OSError):
            worker.stdin.close()  # type: ignore[union-attr]
        if worker.poll() is None:
            worker.terminate()
            try:
                worker.wait(3)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        if kernel is not None:
            kill_group(kernel)

    def last_words(self) -> str:
        """Return the last line of the worker's log, which tells most when it died on an exception of its own."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""


def worker_environment() -> dict[str, str]:
    """Return the environment of workers, in which the ibkit that is imported here is the one that runs."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    package = str(Path(__file__).resolve().parents[2])
    # An ibkit run from its sources without being installed would not be found from another folder.
    if package not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *paths}:
        paths.append(package)
    # The environment's own kernel, not one of the same name that the user installed elsewhere.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "JUPYTER_PREFER_ENV_PATH": "1"}


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
