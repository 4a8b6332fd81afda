"""A place for a worker process: started when there is work, replaced when it dies, gone when the seat is left."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ibkit.book.environment import worker_environment
from ibkit.book.processes import kill_group

#: Seconds that a worker may take beyond a chapter's time-out before it counts as stuck itself.
_GRACE = 30.0


class Seat:
    """One place for a worker, which does one job at a time.

    A plain process with pipes, not `multiprocessing`: nothing of the parent is inherited, a script needs no
    `if __name__ == "__main__"`, and the death of one worker touches no other.

    Args:
        folder: where kernels work and the worker's log lies; a short path, since it holds the kernels' sockets.
        name: of the log.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._worker: subprocess.Popen[str] | None = None
        self._kernel: int | None = None
        self._started: list[subprocess.Popen[str]] = []
        self.left = False
        self._lock = threading.Lock()

    def ask(self, job: dict[str, Any], on_event: Callable[[str, Any], None] = lambda event, value: None) -> Any:
        """Have the worker do a job, and wait for it.

        Args:
            job: keyword arguments of `ibkit.book.execute.execute`.
            on_event: hears the events that `execute` sends.

        Returns:
            `("done", outcome as a dict)`, or `("lost", a line that says how the worker died)`.
        """
        try:
            return self._ask(job, on_event)
        except Exception as error:  # no process could be started, say; who asked must hear of it and go on
            return "lost", f"no worker process could run it: {' '.join(str(error).split())}"

    def leave(self) -> None:
        """End the worker and its kernel at once, and start none any more."""
        self.left = True
        self._stop()

    def close(self) -> None:
        """Leave, and let go of every pipe; only when no job is being done."""
        self.leave()
        for done in self._started:
            with suppress(OSError):
                done.stdout.close()  # type: ignore[union-attr]

    def _ask(self, job: dict[str, Any], on_event: Callable[[str, Any], None]) -> tuple[str, Any]:
        worker = self._start()
        backstop = None
        if job.get("timeout"):
            backstop = threading.Timer(job["timeout"] + _GRACE, worker.kill)
            backstop.daemon = True
            backstop.start()
        try:
            with suppress(OSError):
                worker.stdin.write(json.dumps({**job, "scratch": str(self.folder)}) + "\n")  # type: ignore[union-attr]
                worker.stdin.flush()  # type: ignore[union-attr]
            for line in worker.stdout:  # type: ignore[union-attr]
                message = json.loads(line)
                if message["event"] == "done":
                    self._kernel = None
                    return "done", message["outcome"]
                if message["event"] == "kernel":
                    self._kernel = message["value"]
                on_event(message["event"], message["value"])
        finally:
            if backstop:
                backstop.cancel()
        # Its output ended: the worker is dead, and its kernel must not outlive it.
        code = worker.wait()
        self._stop()
        return "lost", f"the worker process died ({_how(code)}){self._last_words()}"

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            if self.left:
                raise RuntimeError("the run is being stopped")
            if self._worker is None or self._worker.poll() is not None:
                with self.log.open("ab") as log:
                    self._worker = subprocess.Popen(
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
                    self._started.append(self._worker)
            return self._worker

    def _stop(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
            kernel, self._kernel = self._kernel, None
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

    def _last_words(self) -> str:
        """Return the last line of the worker's log, which tells most when it died on an exception of its own."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
