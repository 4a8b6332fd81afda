"""Processes and signals: end what was started, and be ended in order."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ibkit.book.errors import Interrupted

_LONGEST = 60


def kill_group(pid: int) -> None:
    """End a process that leads a group, and the whole group; kernels and workers lead groups of their own.

    Args:
        pid: the process; nothing happens when it is already gone.
    """
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for the sockets of kernels, whose paths are limited to about 100 characters.

    Returns:
        The folder, in the usual place for temporary files unless that has too long a path.
    """
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= _LONGEST or not os.access("/tmp", os.W_OK) else "/tmp"
    return tempfile.TemporaryDirectory(prefix="ibkit-", dir=place, ignore_cleanup_errors=True)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def stoppable(report: object) -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into an orderly end, and ignore those that come while it goes on.

    Args:
        report: what the `Interrupted` that is raised carries.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = [kind for name in ("SIGINT", "SIGTERM", "SIGHUP") if (kind := getattr(signal, name, None)) is not None]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    caught = {kind: old for kind, old in before.items() if old not in (signal.SIG_IGN, None)}

    def stop(signum: int, frame: object) -> None:
        for kind in caught:
            signal.signal(kind, signal.SIG_IGN)
        raise Interrupted(signum, report)

    for kind in caught:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        for kind, old in caught.items():
            signal.signal(kind, old)
