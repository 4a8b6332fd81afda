"""How a run looks in a terminal: one line a chapter, and a progress bar where someone watches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ibkit.book.report import Listener, Report, Result
from ibkit.book.tree import Chapter


class Console(Listener):
    """Print a line as each chapter finishes; on a terminal, draw a bar over all code cells below them.

    Args:
        width: of the column of chapters' names.
        bar: whether to draw the bar; if not given, when stderr is a terminal.
    """

    def __init__(self, width: int, bar: bool | None = None) -> None:
        self.width = width
        self.wanted = sys.stderr.isatty() if bar is None else bar
        self.bar: Any = None
        self.running: dict[str, int] = {}

    def started(self, chapters: int, workers: int, cells: int) -> None:
        """Say how much is to be run, and begin the bar."""
        print(f"Running {plural(chapters, 'chapter')} on {plural(workers, 'worker')}", flush=True)
        if self.wanted:
            from tqdm import tqdm

            self.bar = tqdm(total=cells, unit="cell", leave=False, dynamic_ncols=True, file=sys.stderr)

    def cell(self, chapter: Chapter) -> None:
        """Move the bar by one cell."""
        self.running[chapter.name] = self.running.get(chapter.name, 0) + 1
        if self.bar is not None:
            self.bar.set_postfix_str(" ".join(self.running), refresh=False)
            self.bar.update()

    def finished(self, result: Result) -> None:
        """Print the chapter's line."""
        self.running.pop(result.chapter.name, None)
        text = "\n".join(result_lines(result, self.width))
        if self.bar is not None:
            self.bar.write(text, file=sys.stdout)
            sys.stdout.flush()
        else:
            print(text, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


def result_lines(result: Result, width: int = 0) -> list[str]:
    """Return the line of a chapter; when it failed for several reasons, the others follow, indented."""
    name = result.chapter.name.ljust(width)
    claims = f"{result.held:3d} held {result.open:2d} open {result.red:2d} red"
    line = f"{name}  {claims}  {result.seconds:6.1f} s"
    if result.status == "unchanged":
        return [f"{line}  unchanged"]
    if result.status == "passed":
        return [line]
    kept = [f"    kept in {shown(result.address)}"] if result.address else []
    first, *others = result.problems
    return [f"{line}  FAILED {first}", *(f"    {problem}" for problem in others), *kept]


def summary(report: Report, total: int) -> str:
    """Return the last line of a run: what failed, or that nothing did."""
    done = len(report.results)
    states = {state: sum(getattr(result, state) for result in report.results) for state in ("held", "open", "red")}
    claims = ", ".join(f"{count} {state}" for state, count in states.items())
    unchanged = sum(result.status == "unchanged" for result in report.results)
    line = f"{plural(done, 'chapter')} in {report.seconds:.1f} s: claims {claims}"
    if unchanged:
        line += f"; {unchanged} unchanged"
    return line if done == total else f"{line}; {total - done} not finished"


def shown(address: str) -> str:
    """Return an address as short as it can be said from here."""
    path = Path(address)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else address


def plural(count: int, noun: str) -> str:
    """Return `1 chapter`, `2 chapters`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
