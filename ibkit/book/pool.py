"""Who runs what: jobs handed to as many worker processes as are wanted, whose kernels one nursery forks."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ibkit.book.nursery import Nursery, available, imported_modules
from ibkit.book.processes import scratch_folder
from ibkit.book.seat import Seat

Event = tuple[int, str, Any]


class Pool:
    """Run jobs on worker processes, as many at once as there are workers.

    Args:
        jobs: keyword arguments of `ibkit.book.execute.execute`, in the order in which to start them.
        workers: how many processes at most.
        warm: whether kernels are forked from a process that has imported what the notebooks need, where that can be.
    """

    def __init__(self, jobs: list[dict[str, Any]], workers: int, warm: bool = True) -> None:
        self._waiting = deque(enumerate(jobs))
        self._left = len(jobs)
        self._events: queue.Queue[Event] = queue.Queue()
        self._scratch = scratch_folder()
        folder = Path(self._scratch.name)
        self._nursery: Nursery | None = None
        if warm and available():
            modules = set().union(*(imported_modules(job["notebook"]) for job in jobs))
            with suppress(OSError):  # without it kernels are started cold
                self._nursery = Nursery(folder, sorted(modules))
        self._seats = [Seat(folder, str(number)) for number in range(min(workers, len(jobs)))]
        self._threads = [threading.Thread(target=self._serve, args=(seat,), daemon=True) for seat in self._seats]
        for thread in self._threads:
            thread.start()

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
        self._waiting.clear()
        for seat in self._seats:
            seat.leave()
        for thread in self._threads:
            thread.join()
        if self._nursery is not None:
            self._nursery.close()
        self._scratch.cleanup()

    def _serve(self, seat: Seat) -> None:
        while (taken := self._next_job()) is not None:
            job, arguments = taken
            if self._nursery is not None:
                arguments = {**arguments, "nursery": self._nursery.address}
            last = seat.ask(arguments, lambda event, value, job=job: self._events.put((job, event, value)))
            self._events.put((job, *last))
        seat.close()

    def _next_job(self) -> tuple[int, dict[str, Any]] | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None
