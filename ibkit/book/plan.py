"""Before a kernel starts: what is to be run, with which values, where it goes, and whether it still stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibkit.book.cache import read_sealed, run_key
from ibkit.book.errors import InputError
from ibkit.book.notebook import Notebook, parse_notebook, read_notebook
from ibkit.book.parameters import Value, bind_parameters, read_parameters, resolve_parameters
from ibkit.book.report import Result
from ibkit.book.store import Folder, LocalFolder, open_folder
from ibkit.book.tree import Chapter, Tree
from ibkit.book.verdict import DRY, judge

#: Seconds that a chapter of the quick profile may take in all, many times what it should.
QUICK_TIMEOUT = 300.0
#: Megabytes that a chapter of the quick profile may use, twice what it should.
QUICK_MEMORY = 4096.0


@dataclass
class Plan:
    """One chapter, checked and ready to run.

    Args:
        chapter: the chapter.
        notebook: its source, with its parameters bound.
        values: a value for every parameter.
        key: what identifies the run, see `ibkit.book.cache.run_key`.
        folder: where its executed notebook goes.
        timeout: seconds for the whole chapter; None for no limit.
        memory_mb: megabytes that it may use; None for no limit.
        cells: how many code cells it has.
        expected: seconds that it took when it last ran, else its own hint, else infinity.
    """

    chapter: Chapter
    notebook: Notebook
    values: dict[str, Value]
    key: str
    folder: Folder
    timeout: float | None
    memory_mb: float | None
    cells: int
    expected: float = float("inf")


def plan_runs(
    chapters: Sequence[Chapter],
    tree: Tree | None,
    given: Mapping[str, Value],
    out: str | Path | None,
    timeout: float | None,
    base: Path,
    memory_mb: float | None = None,
) -> list[Plan]:
    """Check every chapter and parameter of a run; nothing is run or written.

    Args:
        chapters: what to run; named twice counts once.
        tree: the book that they belong to, None outside a book.
        given: parameters to set.
        out: output folder or address; where it belongs if None.
        timeout: seconds a chapter; by profile if None.
        base: the folder of everything made, `_build`.
        memory_mb: megabytes a chapter; by profile if None.

    Returns:
        One plan a chapter.

    Raises:
        InputError: a notebook or a parameter is wrong, or two notebooks would be written to one place.
    """
    plans: dict[str, Plan] = {}
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
        limits = limits_of(values, timeout, memory_mb)
        cells = sum(cell["cell_type"] == "code" for cell in nb["cells"])
        bound = bind_parameters(nb, values, chapter.name)
        plans[chapter.file] = Plan(chapter, bound, values, run_key(nb, values, tree), folder, *limits, cells)
    return list(plans.values())


def limits_of(
    values: Mapping[str, Value], timeout: float | None = None, memory_mb: float | None = None
) -> tuple[float | None, float | None]:
    """Return the seconds and the megabytes that a run may use.

    Args:
        values: the run's parameters.
        timeout: seconds if they were asked for.
        memory_mb: megabytes if they were asked for.

    Returns:
        What was asked for, else what the quick profile may use, else None for no limit.

    Raises:
        InputError: a limit that is not positive.
    """
    for name, limit in (("timeout", timeout), ("memory", memory_mb)):
        if limit is not None and not limit > 0:
            raise InputError(f"{name} must be positive, got {limit:g}")
    quick = values.get("profile", "quick") != "full"
    return timeout or (QUICK_TIMEOUT if quick else None), memory_mb or (QUICK_MEMORY if quick else None)


def _label(changed: Mapping[str, Value]) -> str:
    text = ",".join(f"{name}={value}" for name, value in changed.items())
    safe = all(char.isalnum() or char in "=,.+-_" for char in text) and len(text) <= 100
    if safe:
        return text
    import hashlib

    return hashlib.sha256(repr(sorted(changed.items())).encode()).hexdigest()[:16]


def unchanged(plan: Plan) -> Result | None:
    """Return the result of an earlier run if it still stands; note in the plan how long that one took."""
    text = plan.folder.read(plan.chapter.file)
    run = read_sealed(text)
    hint = run or plan.notebook["metadata"].get("ibkit", {})
    known = hint.get("kernel_seconds", hint.get("seconds"))
    plan.expected = float(known) if isinstance(known, int | float) else float("inf")
    if text is None or run is None or run.get("key") != plan.key:
        return None
    verdict = judge(parse_notebook(text, plan.chapter.name), decide=run.get("profile") != DRY)
    if verdict.problems:
        return None
    return Result(
        plan.chapter,
        "unchanged",
        *(verdict.count(state) for state in ("held", "open", "red")),
        seconds=run["seconds"],
        kernel_seconds=run["kernel_seconds"],
        address=f"{plan.folder}/{plan.chapter.file}",
    )


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
