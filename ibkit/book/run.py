"""Run many chapters: check everything first, run what changed in parallel, keep only what passed.

Example:
    >>> from ibkit.book.tree import need_tree
    >>> tree = need_tree("book")  # doctest: +SKIP
    >>> run_chapters(tree.chapters(), tree=tree).ok  # doctest: +SKIP
    True
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ibkit
from ibkit.book.cache import seal
from ibkit.book.errors import InputError
from ibkit.book.notebook import Notebook
from ibkit.book.parameters import Value, jsonable
from ibkit.book.plan import Plan, plan_runs, unchanged
from ibkit.book.pool import Pool
from ibkit.book.processes import available_cores, stoppable
from ibkit.book.report import Listener, Report, Result
from ibkit.book.store import LocalFolder
from ibkit.book.tree import Chapter, Tree

__all__ = ["Listener", "Report", "Result", "run_chapters"]


def run_chapters(
    chapters: Sequence[Chapter],
    *,
    tree: Tree | None = None,
    parameters: Mapping[str, Value] | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    timeout: float | None = None,
    memory_mb: float | None = None,
    warm: bool = True,
    force: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Run chapters in parallel, each in a fresh kernel, and keep those that pass.

    A notebook that fails, holds a red claim or is broken off goes to `_build/failed`, and what an earlier run of it
    left in the output folder is removed: an output folder holds whole, passing notebooks only.

    Args:
        chapters: what to run.
        tree: the book that they belong to; None for notebooks that stand alone.
        parameters: values to set in every chapter, as text or as values; the rest keep their defaults.
        jobs: how many chapters run at once; all cores if not given.
        out: output folder or fsspec address. If not given, `_build/executed` of the book (or of the current folder),
            and for values other than the defaults `_build/runs/NAME=VALUE`, so that the site shows defaults only.
        timeout: seconds a chapter may take in all; if not given, 300 for the quick profile and no limit otherwise.
        memory_mb: megabytes a chapter may use with all that it starts; if not given, 4096 for the quick profile and no
            limit otherwise.
        warm: fork kernels from a process that has done the imports, where the system can; they give the same bytes.
        force: run chapters that are unchanged too.
        listener: hears how the run goes on.

    Returns:
        The report.

    Raises:
        InputError: a notebook, a parameter, `jobs`, `timeout` or `out` is wrong; nothing has run or been written then.
        Interrupted: Ctrl-C or SIGTERM came; workers and kernels are gone, finished chapters are kept.
    """
    listener = listener or Listener()
    begun = time.monotonic()
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be at least 1, got {jobs}")
    base = tree.build if tree else Path.cwd() / "_build"
    plans = plan_runs(chapters, tree, parameters or {}, out, timeout, base, memory_mb)
    for folder in {str(plan.folder): plan.folder for plan in plans}.values():
        folder.check_writable()
    report = Report()
    waiting = []
    for plan in plans:
        result = unchanged(plan)
        if result is None or force:
            waiting.append(plan)
        else:
            _finish(report, result, listener)
    if waiting:
        waiting.sort(key=lambda plan: -plan.expected)
        workers = min(jobs or available_cores(), len(waiting))
        _execute(waiting, workers, warm, LocalFolder(base / "failed"), report, listener)
    report.seconds = time.monotonic() - begun
    return report


def _execute(
    plans: list[Plan], workers: int, warm: bool, failed: LocalFolder, report: Report, listener: Listener
) -> None:
    commit = commit_of(plans[0].chapter.path.parent)
    requests = [
        {
            "notebook": plan.notebook,
            "timeout": plan.timeout,
            "memory_mb": plan.memory_mb,
            "run": {
                "ibkit": ibkit.__version__,
                "commit": commit,
                "parameters": jsonable(plan.values),
                "profile": plan.values.get("profile"),
                "key": plan.key,
            },
        }
        for plan in plans
    ]
    listener.started(len(plans), workers, sum(plan.cells for plan in plans))
    with stoppable(report), _open_pool(requests, workers, warm) as pool:
        for job, event, value in pool.events():
            plan = plans[job]
            if event == "cell":
                listener.cell(plan.chapter)
            elif event == "done":
                _finish(report, _keep(plan, value, failed), listener)
            elif event == "lost":
                outcome = {"text": seal(_bare(plan, requests[job]["run"])), "problems": [value]}
                _finish(report, _keep(plan, outcome, failed), listener)


def _keep(plan: Plan, outcome: dict[str, Any], failed: LocalFolder) -> Result:
    """Write a notebook where it belongs, and take away what it outdates."""
    file, claims, problems = plan.chapter.file, outcome.get("claims", {}), list(outcome["problems"])
    address = None
    if not problems:
        try:
            address = plan.folder.write(file, outcome["text"])
        except Exception as error:  # a full disk, or whatever a remote file system raises
            problems = [f"its notebook could not be written to {plan.folder}: {' '.join(str(error).split())}"]
    if problems:
        with suppress(Exception):
            plan.folder.remove(file)
        with suppress(OSError):
            address = failed.write(file, outcome["text"])
    else:
        with suppress(OSError):
            failed.remove(file)
    return Result(
        plan.chapter,
        "failed" if problems else "passed",
        *(claims.get(state, 0) for state in ("held", "open", "red")),
        seconds=outcome.get("seconds", 0.0),
        kernel_seconds=outcome.get("kernel_seconds", 0.0),
        problems=tuple(problems),
        address=address,
    )


def _finish(report: Report, result: Result, listener: Listener) -> None:
    report.results.append(result)
    listener.finished(result)


def _bare(plan: Plan, run: dict[str, Any]) -> Notebook:
    """Return the notebook as it was sent to a worker that never gave it back."""
    nb = {**plan.notebook, "metadata": {**plan.notebook["metadata"]}}
    nb["metadata"]["ibkit"] = {**nb["metadata"].get("ibkit", {}), "run": run}
    return nb


@contextmanager
def _open_pool(requests: list[dict[str, Any]], workers: int, warm: bool) -> Iterator[Pool]:
    pool = Pool(requests, workers, warm)
    try:
        yield pool
    finally:
        pool.close()


def commit_of(folder: Path) -> str | None:
    """Return the commit that the sources are at, marked when files differ from it; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=7"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
