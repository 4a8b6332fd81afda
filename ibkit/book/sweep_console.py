"""How a sweep looks in a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from ibkit.book.sweep import Result, SweepListener, SweepPlan


class SweepConsole(SweepListener):
    """Show how a sweep goes on: a bar where someone watches, else a line now and then."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.done = self.total = 0
        self.counts = {"held": 0, "red": 0, "failed": 0}
        self.last = time.monotonic()

    def started(self, plan: SweepPlan, workers: int) -> None:
        """Say how much is to be run, and begin the bar."""
        self.total = len(plan.missing)
        kept = f", {len(plan.kept)} are there already" if plan.kept else ""
        print(f"Running {self.total} settings of {plan.chapter.name} on {workers} workers{kept}", flush=True)
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, unit="run", leave=False, dynamic_ncols=True, file=sys.stderr)

    def finished(self, result: Result) -> None:
        """Count a run."""
        self.done += 1
        self.counts[result["state"]] += 1
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        if self.bar is not None:
            self.bar.set_postfix_str(counts, refresh=False)
            self.bar.update()
        elif time.monotonic() - self.last > 10 and self.done < self.total:
            self.last = time.monotonic()
            print(f"{self.done} of {self.total}: {counts}", flush=True)

    def said(self, line: str) -> None:
        """Print a line about something that was lost."""
        if self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
