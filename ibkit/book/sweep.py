"""One chapter at many settings, on Dask: what is missing is run, what has been run is kept, and nothing is run twice.

Every run is stored under the key of what it was made from, as a small record (claims, numbers, seconds, provenance) and
the executed notebook beside it. The client alone writes, so that any folder that it can reach will do, and a lost
worker or scheduler costs no more than the runs that were under way.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibkit
from ibkit.book.cache import run_key, seal_json, unseal_json
from ibkit.book.cluster import Cluster, SweepError, local_cluster, remote_cluster
from ibkit.book.errors import InputError
from ibkit.book.notebook import Notebook, read_notebook
from ibkit.book.parameters import Parameter, Value, bind_parameters, jsonable, read_parameters
from ibkit.book.plan import limits_of
from ibkit.book.processes import available_cores, scratch_folder, stoppable
from ibkit.book.remote import software
from ibkit.book.run import commit_of
from ibkit.book.settings import Setting, expand
from ibkit.book.store import Folder, open_folder
from ibkit.book.tree import Chapter, Tree

__all__ = ["Result", "SweepError", "SweepListener", "SweepPlan", "SweepReport", "plan_sweep", "run_sweep"]

Result = dict[str, Any]
RUNS = "runs"
#: How often a run is tried whose worker process died under it.
_TRIES = 2
_READERS = 16
#: Seconds between two looks whether something was lost.
_LOOK = 0.5


@dataclass(frozen=True)
class SweepPlan:
    """A sweep, checked, before anything has run.

    Args:
        chapter: the chapter.
        notebook: its source.
        parameters: what it declares.
        settings: a value for every parameter, for each run, by the run's key.
        folder: where everything goes.
        kept: results of earlier runs that still stand, by key.
    """

    chapter: Chapter
    notebook: Notebook
    parameters: dict[str, Parameter]
    settings: dict[str, Setting]
    folder: Folder
    kept: dict[str, Result] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The keys of the settings that have to be run, in their order."""
        return [key for key in self.settings if key not in self.kept]


@dataclass
class SweepReport:
    """What a sweep found.

    Args:
        plan: what was asked for.
        results: by key, those kept from earlier included; in the order of the plan once all is done.
        seconds: wall-clock time.
        busy: seconds that workers spent on runs, from being given one to giving it back.
        workers: how many threads of workers there were at the end.
    """

    plan: SweepPlan
    results: dict[str, Result]
    seconds: float = 0.0
    busy: float = 0.0
    workers: int = 0

    def count(self, state: str) -> int:
        """Return how many runs ended so: `held`, `red` or `failed`."""
        return sum(result["state"] == state for result in self.results.values())


class SweepListener:
    """Hears how a sweep goes on; override what is of interest."""

    def started(self, plan: SweepPlan, workers: int) -> None:
        """Hear, before the first run, what is planned and on how many workers."""

    def finished(self, result: Result) -> None:
        """Hear the result of a run, once it is stored."""

    def said(self, line: str) -> None:
        """Hear that something was lost and is made good again."""


def plan_sweep(
    chapter: Chapter,
    products: Mapping[str, Sequence[Value]],
    rows: Sequence[Mapping[str, Any]] = ({},),
    *,
    tree: Tree | None = None,
    out: str | Path | None = None,
    force: bool = False,
) -> SweepPlan:
    """Check a sweep and see what of it has been run; nothing is run or written.

    Args:
        chapter: the chapter.
        products: values by parameter, of which all combinations are run.
        rows: explicit settings, each combined with all of the product.
        tree: the book that the chapter belongs to, None outside a book.
        out: a folder or fsspec address; `_build/sweeps/<slug>` of the book or of the current folder if None.
        force: run again what has been run.

    Returns:
        The plan.

    Raises:
        InputError: a notebook, a parameter or the folder is wrong.
    """
    nb = read_notebook(chapter.path)
    parameters = read_parameters(nb, chapter.name)
    settings = {run_key(nb, values, tree): values for values in expand(parameters, products, rows, chapter.name)}
    usual = (tree.build if tree else Path.cwd() / "_build") / "sweeps" / chapter.slug
    plan = SweepPlan(chapter, nb, parameters, settings, open_folder(usual if out is None else out))
    if not force:
        plan.kept.update(_read_kept(plan))
    return plan


def run_sweep(
    plan: SweepPlan,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    memory_mb: float | None = None,
    warm: bool = True,
    notebooks: bool = True,
    patience: float = 120.0,
    listener: SweepListener | None = None,
) -> SweepReport:
    """Run what a sweep is missing.

    Args:
        plan: from `plan_sweep`.
        scheduler: the address of a running Dask scheduler; local worker processes if None.
        workers: how many local worker processes; all cores if None.
        timeout: seconds a run may take; if None, 300 unless the profile is full.
        memory_mb: megabytes a run may use; if None, 4096 unless the profile is full.
        warm: fork kernels from a process that has done the imports, where the system can.
        notebooks: keep every executed notebook; else only those of runs that broke off.
        patience: seconds to wait for a scheduler that is gone, or for the first worker.
        listener: hears how the sweep goes on.

    Returns:
        The report.

    Raises:
        InputError: a limit is wrong, the folder cannot be written, or no scheduler answers at the address.
        SweepError: the cluster is gone or unfit, or results cannot be stored any more; what is finished is kept.
        Interrupted: Ctrl-C or SIGTERM came; local workers and kernels are gone, finished runs are kept.
    """
    listener = listener or SweepListener()
    begun = time.monotonic()
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    for values in plan.settings.values():
        limits_of(values, timeout, memory_mb)
    plan.folder.check_writable()
    report = SweepReport(plan, dict(plan.kept))
    missing = plan.missing
    if missing:
        commit = commit_of(plan.chapter.path.parent)
        with stoppable(report), scratch_folder() as scratch:
            count = min(workers or available_cores(), len(missing))
            opened = remote_cluster(scheduler, patience) if scheduler else local_cluster(count, Path(scratch), patience)
            with opened as cluster:
                run = _Run(plan, cluster, report, listener, (timeout, memory_mb), warm, notebooks, commit)
                run.all(missing)
    report.results = {key: report.results[key] for key in plan.settings}
    report.seconds = time.monotonic() - begun
    return report


class _Run:
    """The sweep while it goes on: a window of jobs under way, each result stored as it comes."""

    def __init__(
        self,
        plan: SweepPlan,
        cluster: Cluster,
        report: SweepReport,
        listener: SweepListener,
        limits: tuple[float | None, float | None],
        warm: bool,
        notebooks: bool,
        commit: str | None,
    ) -> None:
        self.plan, self.cluster, self.report, self.listener = plan, cluster, report, listener
        self.limits, self.warm, self.notebooks, self.commit = limits, warm, notebooks, commit
        self.software = software()
        self.tries: dict[str, int] = {}

    def all(self, keys: list[str]) -> None:
        """Run the settings of these keys."""
        self.listener.started(self.plan, self.cluster.workers())
        waiting, under_way, look = list(reversed(keys)), 0, 0.0
        while waiting or under_way:
            # A few more than there are workers, so that none waits for the next; not all, or the scheduler would hold
            # every notebook of the sweep.
            while waiting and under_way < 2 * max(1, self.cluster.workers()) + 2:
                self.cluster.submit(waiting[-1], self._job(waiting.pop()))
                under_way += 1
            if time.monotonic() > look:
                look = time.monotonic() + _LOOK
                lost = self.cluster.look_after(self.listener.said)
                waiting += lost
                under_way -= len(lost)
            try:
                key, answer = self.cluster.next(timeout=_LOOK)
            except queue.Empty:
                continue
            under_way -= 1
            if not self._take(key, answer):
                waiting.append(key)
        self.report.workers = self.cluster.workers()

    def _job(self, key: str) -> dict[str, Any]:
        values = self.plan.settings[key]
        timeout, memory_mb = limits_of(values, *self.limits)
        run = {
            "ibkit": ibkit.__version__,
            "commit": self.commit,
            "parameters": jsonable(values),
            "profile": values.get("profile"),
            "key": key,
        }
        arguments = {
            "notebook": bind_parameters(self.plan.notebook, values, self.plan.chapter.name),
            "run": run,
            "timeout": timeout,
            "memory_mb": memory_mb,
        }
        return {"software": self.software, "warm": self.warm, "arguments": arguments}

    def _take(self, key: str, answer: dict[str, Any]) -> bool:
        """Store the answer of a worker; False if the run has to be tried again."""
        self.report.busy += answer.get("seconds", 0.0)
        if answer["state"] == "unfit":
            raise SweepError(answer["problem"])
        if answer["state"] == "lost":
            self.tries[key] = self.tries.get(key, 0) + 1
            if self.tries[key] < _TRIES:
                self.listener.said(f"{answer['problem']}; its run is tried again")
                return False
        result = _result(self.plan, key, answer)
        text = answer["outcome"]["text"] if answer["state"] == "done" else None
        try:
            if text is not None and (self.notebooks or result["state"] == "failed"):
                self.plan.folder.write(f"{RUNS}/{key}.ipynb", text)
            self.plan.folder.write(f"{RUNS}/{key}.json", seal_json(result))
        except Exception as error:  # a full disk, or whatever a remote file system raises
            with suppress(Exception):
                self.plan.folder.remove(f"{RUNS}/{key}.ipynb")
            said = " ".join(str(error).split())
            raise SweepError(f"results cannot be written to {self.plan.folder} any more: {said}") from error
        self.report.results[key] = result
        self.listener.finished(result)
        return True


def _result(plan: SweepPlan, key: str, answer: dict[str, Any]) -> Result:
    """Return what is kept of a run, as plain JSON."""
    outcome = answer.get("outcome", {})
    measured = outcome.get("measured", {"claims": [], "records": []})
    problems = outcome["problems"] if outcome else [answer["problem"]]
    whole = bool(outcome) and outcome["whole"]
    red = any(claim["state"] == "red" for claim in measured["claims"])
    return {
        "schema": 1,
        "key": key,
        "chapter": plan.chapter.name,
        "parameters": jsonable(plan.settings[key]),
        "state": "failed" if not whole else "red" if red else "held",
        "error": None if whole and red else (problems or [None])[0],
        "seconds": round(outcome.get("seconds", 0.0), 3),
        "kernel_seconds": round(outcome.get("kernel_seconds", 0.0), 3),
        "peak_mb": outcome.get("peak_mb"),
        **measured,
        "run": outcome.get("run", {}),
    }


def _read_kept(plan: SweepPlan) -> dict[str, Result]:
    """Read the results that still stand: whole records of runs that came to their end."""
    there = plan.folder.names(RUNS)
    keys = [key for key in plan.settings if f"{key}.json" in there]
    with ThreadPoolExecutor(_READERS) as readers:  # addresses may be far away
        texts = list(readers.map(lambda key: plan.folder.read(f"{RUNS}/{key}.json"), keys))
    results = {key: unseal_json(text) for key, text in zip(keys, texts, strict=True)}
    return {
        key: result
        for key, result in results.items()
        if result and result["key"] == key and result["state"] != "failed"
    }
