"""Run one notebook with papermill, watched: its time, its memory, its death.

A papermill engine of our own starts the kernel in a folder of its own with single-threaded maths, and hands the
kernel's process to a watch, which ends it when the chapter's time is over. Everything here runs in a worker process.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from ibkit.book.cache import seal
from ibkit.book.clean import name_cells, with_outputs
from ibkit.book.environment import kernel_environment
from ibkit.book.kernels import provisioner_for
from ibkit.book.notebook import Notebook, where
from ibkit.book.processes import available_cores
from ibkit.book.verdict import DRY, Verdict, judge
from ibkit.book.watch import Watch

_OUT_OF_MEMORY = re.compile(r"MemoryError|allocate|out of memory|bad_alloc", re.IGNORECASE)
_REPORTED = ("torch", "numpy", "scipy", "scikit-learn", "cvxpy", "matplotlib")


@dataclass
class Outcome:
    """What became of one notebook.

    Args:
        text: the executed notebook as the text of its file, sealed; broken off where it failed.
        problems: what is wrong with it, one line each; empty when it may be published.
        claims: how many claims are held, open and red.
        seconds: time spent in cells.
        kernel_seconds: from the kernel's start to its end.
        peak_mb: the kernel's highest resident memory, in MB; None when it was never seen.
        whole: whether every cell ran to its end.
        measured: the claims and the recorded numbers, as the notebook emitted them.
        run: the provenance that the notebook carries, less the seal.
    """

    text: str
    problems: list[str]
    claims: dict[str, int]
    seconds: float
    kernel_seconds: float
    peak_mb: float | None
    whole: bool
    measured: dict[str, list[dict[str, Any]]]
    run: dict[str, Any]


def execute(
    notebook: Notebook,
    run: dict[str, Any] | None = None,
    *,
    timeout: float | None = None,
    scratch: str | None = None,
    nursery: str | None = None,
    memory_mb: float | None = None,
    on_event: Callable[[str, int], None] = lambda event, value: None,
) -> Outcome:
    """Run one notebook in a fresh kernel, whatever happens in it.

    Args:
        notebook: the source, its parameters already bound.
        run: provenance to keep in `metadata.ibkit.run`, to which times, memory and versions are added.
        timeout: seconds for the whole chapter; None for no limit.
        scratch: where the kernel's working folder is made; a temporary folder if not given.
        nursery: the socket of an `ibkit.book.nursery` that forks the kernel; it is started cold if None.
        memory_mb: megabytes that the kernel and all that it starts may use; None for no limit.
        on_event: called with `("kernel", process id)` and `("cell", index)` as the run goes on.

    Returns:
        The outcome; a failure inside the notebook is an outcome, not an exception.
    """
    source = name_cells(notebook)
    watch = Watch(timeout=timeout, memory_mb=memory_mb, on_event=on_event)
    problem = None
    with tempfile.TemporaryDirectory(prefix="k", dir=scratch, ignore_cleanup_errors=True) as folder:
        try:
            papermill.execute_notebook(
                nbformat.from_dict({**source, "nbformat_minor": 5}),
                None,
                engine_name="ibkit",
                kernel_name="python3",
                language="python",
                progress_bar=False,
                watch=watch,
                folder=folder,
                nursery=nursery,
            )
        except PapermillExecutionError:
            pass  # the error output is in the notebook, where the gate finds it
        except Exception as error:
            problem = _died(watch, error)
        finally:
            kernel_seconds = time.monotonic() - watch.started
            watch.end()
    executed = with_outputs(source, watch.nb or source)
    verdict = judge(executed, decide=(run or {}).get("profile") != DRY)
    reason = watch.ended_because or problem
    if reason:
        place = where(executed, watch.cell) if watch.cell is not None else "before the first cell"
        verdict = Verdict(verdict.claims, [f"{place}: {reason}"], verdict.records, whole=False)
    elif memory_mb and not verdict.whole and _OUT_OF_MEMORY.search(verdict.problems[0]):
        verdict.problems[0] += f" (a run may use {memory_mb:g} MB)"
    peak = round(watch.peak / 1e6, 1) if watch.peak else None
    provenance = {
        **(run or {}),
        "seconds": round(watch.seconds, 3),
        "kernel_seconds": round(kernel_seconds, 3),
        "peak_mb": peak,
        "host": dict(host_kind()),
        "versions": dict(versions()),
    }
    executed["metadata"].setdefault("ibkit", {})["run"] = dict(provenance)
    claims = {state: verdict.count(state) for state in ("held", "open", "red")}
    measured = {"claims": verdict.claims, "records": verdict.records}
    text = seal(executed)
    return Outcome(
        text, verdict.problems, claims, watch.seconds, kernel_seconds, peak, verdict.whole, measured, provenance
    )


@cache
def host_kind() -> dict[str, Any]:
    """Return what kind of machine this is, as far as results and times depend on it; nothing that names the machine."""
    kind: dict[str, Any] = {"system": platform.system(), "machine": platform.machine(), "cores": available_cores()}
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind["processor"] = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    with suppress(OSError):
        cards = (file.read_text() for file in Path("/proc/driver/nvidia/gpus").glob("*/information"))
        kind["gpus"] = [line.split(":", 1)[1].strip() for text in cards for line in text.splitlines()[:1]]
    return {name: value for name, value in kind.items() if value}


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


class _Client(PapermillNotebookClient):
    """papermill's client, which tells the watch what it does."""

    def __init__(self, nb_man: Any, watch: Watch, folder: str, nursery: str | None, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self._watch = watch
        self._folder = folder
        self._nursery = nursery

    def create_kernel_manager(self) -> Any:
        manager = super().create_kernel_manager()
        manager.client_class = "ibkit.book.kernels.ReadyClient"
        manager.provisioner = provisioner_for(manager, self._nursery)
        if os.name == "posix":
            # Sockets in a folder of our own: TCP ports are picked by each process alone, and two can pick the same.
            manager.transport = "ipc"
            manager.connection_file = os.path.join(self._folder, "k.json")
        return manager

    def start_new_kernel(self, **options: Any) -> None:
        self._watch.started = time.monotonic()
        work = os.path.join(self._folder, "work")
        os.mkdir(work)
        # Kernels find no file of the repository: they start in an empty folder.
        super().start_new_kernel(env=kernel_environment(), cwd=work, stdin=subprocess.DEVNULL, **options)
        self._watch.kernel_started(self.km.provisioner.process)

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        watch = self._watch
        watch.cell = cell_index
        begun = time.monotonic()
        try:
            return super().execute_cell(cell, cell_index, **options)
        finally:
            watch.seconds += time.monotonic() - begun
            if cell.cell_type == "code":
                watch.on_event("cell", cell_index)

    async def _async_cleanup_kernel(self) -> None:
        # Jupyter ends kernels too, but looks only every tenth of a second whether they are gone.
        provisioner = self.km.provisioner if self.km is not None else None
        if provisioner is not None and provisioner.has_process:
            with suppress(OSError):
                await provisioner.kill()
            await provisioner.wait()
        await super()._async_cleanup_kernel()

    _cleanup_kernel = run_sync(_async_cleanup_kernel)

    def papermill_execute_cells(self) -> None:
        try:
            super().papermill_execute_cells()
        finally:
            self._watch.take_peak()


class _Engine(NBClientEngine):
    """papermill's engine, with the client above."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        watch: Watch = options["watch"]
        watch.nb = nb_man.nb
        client = _Client(
            nb_man,
            watch,
            options["folder"],
            options["nursery"],
            kernel_name=kernel_name,
            log=papermill.log.logger,
            timeout=None,
            startup_timeout=120,
            # A busy machine may be slow to deliver outputs; the chapter's own time-out is the limit.
            iopub_timeout=60,
            record_timing=False,
            coalesce_streams=True,
            shutdown_kernel="immediate",
        )
        return client.execute()


papermill_engines.register("ibkit", _Engine)


def _died(watch: Watch, error: Exception) -> str:
    """Say how a run ended that did not end by an error in a cell."""
    code = None
    if watch.process is not None:
        with suppress(Exception):
            code = watch.process.poll()
    memory = f", peak memory {watch.peak / 1e6:.0f} MB" if watch.peak else ""
    if code is not None and code < 0 and "died" in str(error).lower():
        hint = "; the system may have run out of memory" if code == -signal.SIGKILL else ""
        return f"the kernel was killed by signal {-code}{memory}{hint}"
    if "died" in str(error).lower():
        return f"the kernel died{f' with exit code {code}' if code else ''}{memory}"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
