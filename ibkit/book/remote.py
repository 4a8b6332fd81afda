"""What a Dask worker does for a sweep: one run at a time in each of its threads, in worker processes of its own.

The Dask worker itself stays light and responsive: papermill and the kernel live in a process beside it (a seat), whose
end it survives, and which ends when it does.
"""

from __future__ import annotations

import os
import platform
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ibkit.book.cache import library_hash
from ibkit.book.nursery import Nursery, available, imported_modules
from ibkit.book.processes import scratch_folder
from ibkit.book.seat import Seat

_lock = threading.Lock()
_free: list[Seat] = []
_busy: dict[Seat, str] = {}
_home: tempfile.TemporaryDirectory[str] | None = None
_nursery: Nursery | None = None


def software() -> dict[str, str]:
    """Return what must be the same on every machine of a sweep: ibkit's sources and Python."""
    return {"ibkit": library_hash(), "python": platform.python_version()}


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Run one notebook here.

    Args:
        job: `sweep` (which sweep it belongs to), `software` (what that has), `warm`, `arguments` of
            `ibkit.book.execute.execute`, and `home`, a folder to work in (None for one of this process's own).

    Returns:
        `{"state": "done", "outcome": ...}`; or `{"state": "lost" | "unfit", "problem": one line}`, when the worker
        process died, or this machine has other software than the sweep.
    """
    here = software()
    if here != job["software"]:
        what = next(name for name in here if here[name] != job["software"].get(name))
        return {"state": "unfit", "problem": f"a worker on {platform.node()} has another {what} than the sweep"}
    arguments = {**job["arguments"]}
    home = Path(job["home"] or _own_home())
    seat = _take(job["sweep"], home)
    try:
        if job["warm"]:
            arguments["nursery"] = _nursery_for(arguments["notebook"], home)
        state, value = seat.ask(arguments)
    finally:
        _give_back(seat)
    return {"state": "done", "outcome": value} if state == "done" else {"state": "lost", "problem": value}


def stop(sweep: str) -> None:
    """End at once whatever runs here for a sweep; its jobs count as lost."""
    with _lock:
        seats = [seat for seat, owner in _busy.items() if owner == sweep]
    for seat in seats:
        seat.leave()


def _own_home() -> str:
    global _home
    with _lock:
        if _home is None:
            _home = scratch_folder()
        return _home.name


def _take(sweep: str, home: Path) -> Seat:
    with _lock:
        seat = _free.pop() if _free else Seat(home, f"{os.getpid()}-{threading.get_ident()}")
        _busy[seat] = sweep
    return seat


def _give_back(seat: Seat) -> None:
    with _lock:
        del _busy[seat]
        if seat.left:
            seat.close()
        else:
            _free.append(seat)


def _nursery_for(notebook: dict[str, Any], home: Path) -> str | None:
    """Return the address of this process's nursery, started at the first job, and again should it have died."""
    global _nursery
    if not available():
        return None
    with _lock, suppress(OSError):
        if _nursery is None or _nursery.process.poll() is not None:
            folder = Path(tempfile.mkdtemp(prefix="n", dir=home))
            _nursery = Nursery(folder, sorted(imported_modules(notebook)))
        return _nursery.address
    return None
