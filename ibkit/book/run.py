"""Run many chapters: check everything first, run what changed in parallel, keep only what passed.

Example:
    >>> from ibkit.book.tree import need_tree
    >>> tree = need_tree("book")  # doctest: +SKIP
    >>> run_chapters(tree.chapters(), tree=tree).ok  # doctest: +SKIP
    True
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import ibkit
from ibkit.book.cache import read_sealed, run_key, seal
from ibkit.book.errors import InputError, Interrupted
from ibkit.book.notebook import Notebook, parse_notebook, read_notebook
from ibkit.book.parameters import Value, bind_parameters, jsonable, read_parameters, resolve_parameters
from ibkit.book.pool import Pool
from ibkit.book.store import Folder, LocalFolder, open_folder
from ibkit.book.tree import Chapter, Tree
from ibkit.book.verdict import judge

#: Seconds that a chapter of the quick profile may take in all, many times what it should.
QUICK_TIMEOUT = 300.0


@dataclass(frozen=True)
class Result:
    """What became of one chapter.

    Args:
        chapter: the chapter.
        status: `passed`, `unchanged` (it passed before and nothing it depends on changed), or `failed`.
        held: claims held.
        open: claims that the scale of this run cannot show.
        red: claims that failed.
        seconds: time in cells.
        kernel_seconds: from the kernel's start to its end.
        problems: why it failed, one line each.
        address: where its notebook lies, the broken-off one when it failed; None when it could not be kept.
    """

    chapter: Chapter
    status: Literal["passed", "unchanged", "failed"]
    held: int = 0
    open: int = 0
    red: int = 0
    seconds: float = 0.0
    kernel_seconds: float = 0.0
    problems: tuple[str, ...] = ()
    address: str | None = None


@dataclass
class Report:
    """The results of a run, in the order in which chapters finished.

    Args:
        results: one a chapter.
        seconds: wall-clock time of the whole run.
    """

    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether no chapter failed."""
        return not self.failed

    @property
    def failed(self) -> list[Result]:
        """The results of the chapters that failed."""
        return [result for result in self.results if result.status == "failed"]


class Listener:
    """Hears how a run goes on; override what is of interest."""

    def started(self, chapters: int, workers: int, cells: int) -> None:
        """Hear, once what must run is known, how many chapters, on how many workers, with how many code cells."""

    def cell(self, chapter: Chapter) -> None:
        """Hear that a code cell of a chapter is done."""

    def finished(self, result: Result) -> None:
        """Hear what became of a chapter."""


@dataclass
class _Plan:
    """One chapter, checked and ready."""

    chapter: Chapter
    notebook: Notebook
    values: dict[str, Value]
    key: str
    folder: Folder
    timeout: float | None
    cells: int
    expected: float = float("inf")


def run_chapters(
    chapters: Sequence[Chapter],
    *,
    tree: Tree | None = None,
    parameters: Mapping[str, Value] | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    timeout: float | None = None,
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
    if timeout is not None and not timeout > 0:
        raise InputError(f"timeout must be a positive number of seconds, got {timeout:g}")
    base = tree.build if tree else Path.cwd() / "_build"
    plans = _plan(chapters, tree, parameters or {}, out, timeout, base)
    for folder in {str(plan.folder): plan.folder for plan in plans}.values():
        folder.check_writable()
    report = Report()
    waiting = []
    for plan in plans:
        result = _unchanged(plan)
        if result is None or force:
            waiting.append(plan)
        else:
            _finish(report, result, listener)
    if waiting:
        waiting.sort(key=lambda plan: -plan.expected)
        _execute(waiting, min(jobs or available_cores(), len(waiting)), LocalFolder(base / "failed"), report, listener)
    report.seconds = time.monotonic() - begun
    return report


def check_fresh(chapter: Chapter, tree: Tree) -> dict[str, Any] | None:
    """Say whether the book holds a passing notebook of the chapter as it is now, with default parameters.

    Args:
        chapter: a chapter of the book.
        tree: the book.

    Returns:
        What its executed notebook says of its run; None when it has none, or one that is stale or damaged.

    Raises:
        InputError: the source is not a notebook, or its parameters cell cannot be read.
    """
    nb = read_notebook(chapter.path)
    values = resolve_parameters(read_parameters(nb, chapter.name), {}, chapter.name)
    run = read_sealed(LocalFolder(tree.executed).read(chapter.file))
    return run if run and run.get("key") == run_key(nb, values, tree) else None


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(
    chapters: Sequence[Chapter],
    tree: Tree | None,
    given: Mapping[str, Value],
    out: str | Path | None,
    timeout: float | None,
    base: Path,
) -> list[_Plan]:
    plans: dict[str, _Plan] = {}
    for chapter in chapters:
        if chapter.file in plans:
            other = plans[chapter.file].chapter.path
            if other == chapter.path:
                continue
            raise InputError(f"{other} and {chapter.path} would both be written to {chapter.file}")
        nb = read_notebook(chapter.path)
        declared = read_parameters(nb, chapter.name)
        values = resolve_parameters(declared, given, chapter.name)
        changed = {name: value for name, value in values.items() if value != declared[name].default}
        usual = base / "runs" / _label(changed) if changed else base / "executed"
        folder = open_folder(usual if out is None else out)
        limit = timeout or (QUICK_TIMEOUT if values.get("profile", "quick") == "quick" else None)
        cells = sum(cell["cell_type"] == "code" for cell in nb["cells"])
        bound = bind_parameters(nb, values, chapter.name)
        plans[chapter.file] = _Plan(chapter, bound, values, run_key(nb, values, tree), folder, limit, cells)
    return list(plans.values())


def _label(changed: Mapping[str, Value]) -> str:
    text = ",".join(f"{name}={value}" for name, value in changed.items())
    safe = all(char.isalnum() or char in "=,.+-_" for char in text) and len(text) <= 100
    if safe:
        return text
    import hashlib

    return hashlib.sha256(repr(sorted(changed.items())).encode()).hexdigest()[:16]


def _unchanged(plan: _Plan) -> Result | None:
    """Return the result of an earlier run that still stands; else note how long that one took."""
    text = plan.folder.read(plan.chapter.file)
    run = read_sealed(text)
    hint = run or plan.notebook["metadata"].get("ibkit", {})
    known = hint.get("kernel_seconds", hint.get("seconds"))
    plan.expected = float(known) if isinstance(known, int | float) else float("inf")
    if text is None or run is None or run.get("key") != plan.key:
        return None
    verdict = judge(parse_notebook(text, plan.chapter.name))
    if verdict.problems:
        return None
    return Result(
        plan.chapter,
        "unchanged",
        *(verdict.count(state) for state in ("held", "open", "red")),
        seconds=run["seconds"],
        kernel_seconds=run["kernel_seconds"],
        address=_address(plan.folder, plan.chapter.file),
    )


def _execute(plans: list[_Plan], workers: int, failed: LocalFolder, report: Report, listener: Listener) -> None:
    commit = _commit(plans[0].chapter.path.parent)
    requests = [
        {
            "notebook": plan.notebook,
            "timeout": plan.timeout,
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
    with _stoppable(report), _open_pool(requests, workers) as pool:
        for job, event, value in pool.events():
            plan = plans[job]
            if event == "cell":
                listener.cell(plan.chapter)
            elif event == "done":
                _finish(report, _keep(plan, value, failed), listener)
            elif event == "lost":
                outcome = {"text": seal(_bare(plan, requests[job]["run"])), "problems": [value]}
                _finish(report, _keep(plan, outcome, failed), listener)


def _keep(plan: _Plan, outcome: dict[str, Any], failed: LocalFolder) -> Result:
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


def _bare(plan: _Plan, run: dict[str, Any]) -> Notebook:
    """Return the notebook as it was sent to a worker that never gave it back."""
    nb = {**plan.notebook, "metadata": {**plan.notebook["metadata"]}}
    nb["metadata"]["ibkit"] = {**nb["metadata"].get("ibkit", {}), "run": run}
    return nb


@contextmanager
def _open_pool(requests: list[dict[str, Any]], workers: int) -> Iterator[Pool]:
    pool = Pool(requests, workers)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def _stoppable(report: Report) -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into an orderly end, and ignore those that come while it goes on."""
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


def _address(folder: Folder, file: str) -> str:
    return f"{folder}/{file}"


def _commit(folder: Path) -> str | None:
    """Return the commit that the sources are at, marked when files differ from it; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=7"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
