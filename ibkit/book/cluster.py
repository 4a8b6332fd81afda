"""The Dask cluster of a sweep: a scheduler and workers on this machine, or a scheduler elsewhere that is made to last.

A local cluster listens on the loopback interface only. Losses are looked for, not waited for: a local worker that died
is replaced, a scheduler that went away is connected to again, and the jobs that were under way are given back.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ibkit.book.environment import worker_environment
from ibkit.book.errors import InputError

LOOPBACK = "127.0.0.1"


class SweepError(RuntimeError):
    """A sweep cannot go on; what is finished is kept."""


class Cluster:
    """A connection to a scheduler, with the jobs under way.

    Args:
        address: the scheduler's.
        patience: seconds to wait for a scheduler that is gone, and for the first worker.
        crew: the local workers, None when workers are somebody else's.
    """

    def __init__(self, address: str, patience: float, crew: Crew | None = None) -> None:
        self.address, self.patience, self.crew = address, patience, crew
        self.sweep = uuid.uuid4().hex
        self._answers: queue.Queue[tuple[Any, str]] = queue.Queue()
        self._under_way: dict[Any, str] = {}
        self._handed_out = 0
        self._workers = (0.0, 0)
        self._client = self._connect(5.0)
        self._wait_for_workers()

    def workers(self) -> int:
        """Return how many runs can go on at once, as of a second ago."""
        if self.crew is not None:
            return self.crew.count
        if time.monotonic() - self._workers[0] > 1.0:
            count = self._workers[1]
            with suppress(Exception):
                count = sum(self._client.nthreads().values())
            self._workers = (time.monotonic(), count)
        return self._workers[1]

    def submit(self, key: str, job: dict[str, Any]) -> None:
        """Hand a job to the scheduler."""
        from ibkit.book.remote import run_job

        name = f"ibkit-{key[:16]}-{uuid.uuid4().hex[:8]}"
        self._handed_out += 1
        job = {**job, "sweep": self.sweep, "home": str(self.crew.scratch) if self.crew else None}
        # Without priorities, what is handed out within a tenth of a second is run in no set order.
        future = self._client.submit(timed, run_job, job, key=name, pure=False, priority=-self._handed_out)
        self._under_way[future.key] = key
        future.add_done_callback(lambda done: self._answers.put((done, done.key)))

    def next(self, timeout: float) -> tuple[str, dict[str, Any]]:
        """Wait for the next job that is done; return its key and the worker's answer.

        Raises:
            queue.Empty: none within the time, in seconds.
        """
        while True:
            future, name = self._answers.get(timeout=timeout)
            if name not in self._under_way or future.status in {"cancelled", "lost"}:
                continue  # of a connection that is gone: `look_after` gives its job back
            key = self._under_way.pop(name)
            try:
                return key, future.result(timeout=30)
            except Exception as error:  # KilledWorker, or whatever went wrong between here and there
                said = " ".join(str(error).split())[:300]
                return key, {"state": "lost", "problem": f"{type(error).__name__}: {said}"}

    def look_after(self, say: Callable[[str], None]) -> list[str]:
        """Make good what was lost.

        Args:
            say: hears a line for each loss.

        Returns:
            The keys of jobs that have to be handed out again.

        Raises:
            SweepError: the scheduler did not come back, or local workers keep dying.
        """
        if self.crew is not None:
            self.crew.replace_the_dead(say)
        if self._client.status == "running" and not self._forgotten():
            return []
        say(f"the scheduler at {self.address} is gone; waiting up to {self.patience:g} s for it")
        self._leave()
        lost = list(self._under_way.values())
        self._under_way.clear()
        end = time.monotonic() + self.patience
        while True:
            try:
                self._client = self._connect(2.0)
                break
            except InputError:
                if time.monotonic() > end:
                    raise SweepError(f"the scheduler at {self.address} did not come back") from None
                time.sleep(0.5)
        self._wait_for_workers()
        say(f"the scheduler at {self.address} is back; {len(lost)} runs are handed out again")
        return lost

    def close(self) -> None:
        """End what still runs for this sweep, and leave the scheduler."""
        from ibkit.book.remote import stop

        if self._under_way:
            with suppress(Exception):
                self._client.cancel(list(self._under_way), force=True)
            with suppress(Exception):
                self._client.run(stop, self.sweep, wait=False)
                time.sleep(0.2)
        self._leave()

    def _forgotten(self) -> bool:
        """Whether futures were cancelled under us, as they are when the scheduler goes away for a moment."""
        states = [self._client.futures[name].status for name in self._under_way if name in self._client.futures]
        return len(states) < len(self._under_way) or any(state in {"cancelled", "lost"} for state in states)

    def _connect(self, timeout: float) -> Any:
        from distributed import Client

        try:
            return Client(self.address, timeout=timeout, set_as_default=False, name="ibkit-sweep")
        except (OSError, ValueError, TimeoutError) as error:
            said = " ".join(str(error).split())
            raise InputError(f"no Dask scheduler answers at {self.address}: {said}") from None

    def _leave(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=10)  # sockets that a slow machine has no time to close are left lying

    def _wait_for_workers(self) -> None:
        end = time.monotonic() + self.patience
        while not self._client.nthreads():
            if time.monotonic() > end:
                raise SweepError(f"the scheduler at {self.address} has had no worker for {self.patience:g} s")
            time.sleep(0.02)
            if self.crew is not None:
                self.crew.replace_the_dead(lambda line: None)
        self._workers = (0.0, 0)


def timed(function: Callable[[Any], dict[str, Any]], job: dict[str, Any]) -> dict[str, Any]:
    """Call a function on a worker, and add to its answer how long it took, in seconds."""
    begun = time.monotonic()
    answer = function(job)
    return {**answer, "seconds": time.monotonic() - begun}


class Crew:
    """The worker processes of a local cluster, replaced when they die.

    Args:
        address: the scheduler's.
        count: how many.
        scratch: where they keep what is of no use after them.
    """

    def __init__(self, address: str, count: int, scratch: Path) -> None:
        self.address, self.scratch = address, scratch
        self.count = count
        self._deaths = 0
        self._log = scratch / "workers.log"
        self._processes = [self._start() for _ in range(count)]

    def replace_the_dead(self, say: Callable[[str], None]) -> None:
        """Start a worker in the place of each that has died.

        Raises:
            SweepError: so many died that it is no accident.
        """
        for place, process in enumerate(self._processes):
            if (code := process.poll()) is not None:
                self._deaths += 1
                if self._deaths > 10 + 2 * len(self._processes):
                    words = self._log.read_text(errors="replace").strip().splitlines()
                    raise SweepError(f"workers keep dying; the last said: {words[-1] if words else 'nothing'}")
                say(
                    f"a worker died ({f'signal {-code}' if code < 0 else f'exit code {code}'}); another takes its place"
                )
                self._processes[place] = self._start()

    def close(self) -> None:
        """End every worker with all that it has started."""
        import psutil

        family: list[psutil.Process] = []
        for process in self._processes:
            with suppress(psutil.Error):
                family += psutil.Process(process.pid).children(recursive=True)
            process.kill()
        for child in family:
            with suppress(psutil.Error):
                child.kill()
        for process in self._processes:
            process.wait()
        psutil.wait_procs(family, timeout=5)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ibkit.book.local_worker", self.address, str(self.scratch)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.scratch,
                env=worker_environment(),
                # Ctrl-C in a terminal reaches every process of the group; here only the parent decides.
                start_new_session=True,
            )


@contextmanager
def remote_cluster(address: str, patience: float) -> Iterator[Cluster]:
    """Use a cluster that runs elsewhere.

    Args:
        address: such as `tcp://host:8786`.
        patience: seconds to wait for a scheduler that is gone, and for the first worker.

    Raises:
        InputError: nothing answers there.
        SweepError: it has no worker.
    """
    _quiet()
    cluster = Cluster(address, patience)
    try:
        yield cluster
    finally:
        cluster.close()


@contextmanager
def local_cluster(count: int, scratch: Path, patience: float) -> Iterator[Cluster]:
    """Run a scheduler and worker processes on this machine, reachable from nowhere else.

    Args:
        count: how many workers.
        scratch: a folder for what is of no use after the sweep.
        patience: seconds to wait for the first worker.

    Raises:
        SweepError: the scheduler could not be started, or no worker came.
    """
    _quiet()
    import dask
    from distributed import LocalCluster

    dask.config.set({"temporary-directory": str(scratch)})
    # In a thread of this process: it goes when this process goes, and its workers go when they lose it.
    scheduler = LocalCluster(n_workers=0, processes=True, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0")
    crew = cluster = None
    try:
        crew = Crew(scheduler.scheduler_address, count, scratch)
        cluster = Cluster(scheduler.scheduler_address, patience, crew)
        yield cluster
    finally:
        if cluster is not None:
            cluster.close()
        if crew is not None:
            crew.close()
        with suppress(Exception):
            scheduler.close(timeout=10)


def _quiet() -> None:
    """Keep Dask from logging what is no news here: connections that end, workers that leave."""
    import dask

    for name in ("distributed", "distributed.client", "distributed.scheduler", "distributed.core", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    dask.config.set({"distributed.logging.distributed": "critical"})
