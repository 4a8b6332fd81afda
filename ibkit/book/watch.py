"""The eye on one kernel: its time, its memory, its end. Runs in the worker, beside the notebook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ibkit.book.processes import kill_group

_EVERY = 0.1
#: What the kernel started is looked up once in so many looks: it means going through all processes of the machine.
_FAMILY = 5


@dataclass
class Watch:
    """The eye on one kernel.

    Durations are read from the monotonic clock alone, so a system clock that is set meanwhile changes nothing.

    Args:
        timeout: seconds from the kernel's start after which it is ended.
        memory_mb: megabytes that it may use with all that it starts; beyond, an allocation fails in the kernel itself
            where the system can do that, else it is ended.
        on_event: hears `kernel` (its process id) and `cell` (the index of a cell that is done).
    """

    timeout: float | None = None
    memory_mb: float | None = None
    on_event: Callable[[str, int], None] = lambda event, value: None
    nb: Any = None
    cell: int | None = None
    seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    ended_because: str | None = None
    peak: int = 0
    process: Any = None
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def kernel_started(self, process: Any) -> None:
        """Begin to watch the kernel's process."""
        self.process = process
        self.on_event("kernel", process.pid)
        if self.memory_mb is not None and hasattr(psutil, "RLIMIT_DATA"):
            # Linux counts private memory by this limit: an allocation that goes beyond fails with a traceback that
            # names the line, where without it the system would pick a process and kill it.
            limit = int(self.memory_mb * 1e6)
            with suppress(psutil.Error, OSError, ValueError):
                psutil.Process(process.pid).rlimit(psutil.RLIMIT_DATA, (limit, limit))
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def take_peak(self) -> None:
        """Take the kernel's highest memory so far; the system's own figure where it keeps one."""
        with suppress(psutil.Error, OSError):
            self.peak = max(self.peak, psutil.Process(self.process.pid).memory_info().rss)
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            marks = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
            self.peak = max([self.peak, *(1024 * kib for kib in marks)])  # none for a kernel that has just ended

    def end(self) -> None:
        """Stop watching, and see that nothing of the kernel is left."""
        self._done.set()
        if self.process is not None:
            kill_group(self.process.pid)
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        looks = 0
        while not self._done.wait(_EVERY):
            self.take_peak()
            looks += 1
            if self.timeout is not None and time.monotonic() - self.started > self.timeout:
                return self._end(f"the chapter's time is over ({self.timeout:g} s)")
            if self.memory_mb is not None and looks % _FAMILY == 0:
                used = self._family_mb("rss")
                # Pages that processes share count for each of them there; the fair share takes longer to find out.
                if used > self.memory_mb and (used := self._family_mb("pss")) > self.memory_mb:
                    return self._end(f"it used {used:.0f} MB of memory, and a run may use {self.memory_mb:g} MB")

    def _end(self, reason: str) -> None:
        self.ended_because = reason
        kill_group(self.process.pid)

    def _family_mb(self, kind: str) -> float:
        """Return the memory of the kernel and its descendants: resident (`rss`), or its fair share (`pss`)."""
        used = 0
        with suppress(psutil.Error):
            kernel = psutil.Process(self.process.pid)
            for process in (kernel, *kernel.children(recursive=True)):
                with suppress(psutil.Error, OSError):
                    info = process.memory_info() if kind == "rss" else process.memory_full_info()
                    used += getattr(info, kind, info.rss)
        return used / 1e6
