"""What state each chapter is in, for `ibkit list`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ibkit.book.notebook import read_notebook
from ibkit.book.parameters import Parameter, jsonable, read_parameters
from ibkit.book.plan import check_fresh
from ibkit.book.tree import Chapter, Tree


@dataclass(frozen=True)
class ChapterState:
    """A chapter and how it stands.

    Args:
        chapter: the chapter.
        parameters: what it declares.
        state: `passed` (run as it is now), `failed` (its last run was), `stale` (changed since) or `new` (never run).
    """

    chapter: Chapter
    parameters: tuple[Parameter, ...]
    state: Literal["passed", "failed", "stale", "new"]

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        parameters = [{"name": p.name, "type": p.type, "help": p.help, **_values(p)} for p in self.parameters]
        return {
            "part": self.chapter.part,
            "slug": self.chapter.slug,
            "path": str(self.chapter.path),
            "state": self.state,
            "parameters": parameters,
        }


def chapter_states(tree: Tree) -> list[ChapterState]:
    """Return the state of every chapter of the book.

    Args:
        tree: the book.

    Returns:
        One a chapter, by part and slug.

    Raises:
        InputError: a file among the chapters is not a notebook.
    """
    states = []
    for chapter in tree.chapters():
        parameters = tuple(read_parameters(read_notebook(chapter.path), chapter.name).values())
        states.append(ChapterState(chapter, parameters, _state(chapter, tree)))
    return states


def _state(chapter: Chapter, tree: Tree) -> Literal["passed", "failed", "stale", "new"]:
    if check_fresh(chapter, tree) is not None:
        return "passed"
    if (tree.executed / chapter.file).exists():
        return "stale"
    return "failed" if (tree.build / "failed" / chapter.file).exists() else "new"


def _values(parameter: Parameter) -> dict[str, Any]:
    choices = [jsonable({"value": choice})["value"] for choice in parameter.choices]
    return {**jsonable({"default": parameter.default}), "choices": choices}
