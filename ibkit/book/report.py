"""What a run has to say: a result a chapter, the report of all, and who listens while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ibkit.book.tree import Chapter


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
