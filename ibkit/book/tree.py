"""Where the book is, and which chapters it has."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from ibkit.book.errors import InputError


@dataclass(frozen=True, order=True)
class Chapter:
    """One notebook to run.

    Args:
        part: the part of the book it belongs to; empty for a notebook that stands alone.
        slug: its name, the file's name without `.ipynb`.
        path: the notebook's source.
    """

    part: str
    slug: str
    path: Path

    @property
    def name(self) -> str:
        """`part/slug`, or the slug alone for a notebook outside the book."""
        return f"{self.part}/{self.slug}" if self.part else self.slug

    @property
    def file(self) -> str:
        """Where its executed notebook lies, relative to an output folder."""
        return f"{self.name}.ipynb"


@dataclass(frozen=True)
class Tree:
    """A book on disk: a folder with `_config.yml` and `chapters/<part>/<slug>.ipynb`."""

    root: Path

    def __fspath__(self) -> str:
        return str(self.root)

    @property
    def build(self) -> Path:
        """Everything that is made, never written by hand: `_build`."""
        return self.root / "_build"

    @property
    def executed(self) -> Path:
        """Whole, passing notebooks, run with their default parameters: what the site shows."""
        return self.build / "executed"

    def chapters(self) -> list[Chapter]:
        """Return all chapters, by part and slug."""
        found = (self.root / "chapters").glob("*/*.ipynb")
        return sorted(Chapter(path.parent.name, path.stem, path) for path in found if not path.name.startswith("."))

    def prune_executed(self) -> list[Path]:
        """Remove executed notebooks whose chapter is no longer in the book, and return their paths."""
        known = {self.executed / chapter.file for chapter in self.chapters()}
        gone = sorted(set(self.executed.rglob("*.ipynb")) - known)
        for path in gone:
            path.unlink()
        return gone


def find_tree(root: Path | str | None = None, start: Path | None = None) -> Tree | None:
    """Find the book: the folder named, or the nearest one above `start`.

    Args:
        root: the book's folder; when given it must be one.
        start: where to begin looking upwards, the current folder if not given.

    Returns:
        The book, or None when no folder above `start` is one (and `root` was not given).

    Raises:
        InputError: `root` is not a book.
    """
    if root is not None:
        folder = Path(root).resolve()
        if not _is_book(folder):
            raise InputError(f"{root}: not a book: expected a folder with _config.yml and chapters/")
        return Tree(folder)
    here = (start or Path.cwd()).resolve()
    return next((Tree(folder) for folder in (here, *here.parents) if _is_book(folder)), None)


def need_tree(root: Path | str | None = None) -> Tree:
    """Find the book as `find_tree` does, and insist on it.

    Raises:
        InputError: there is none.
    """
    tree = find_tree(root)
    if tree is None:
        raise InputError(f"not in a book: no folder with _config.yml and chapters/ at or above {Path.cwd()}")
    return tree


def find_chapter(name: str, tree: Tree | None) -> Chapter:
    """Find the chapter that a person means.

    Args:
        name: a slug, `part/slug`, or the path of any notebook, which need not be in a book.
        tree: the book to look in, None outside a book.

    Returns:
        The chapter.

    Raises:
        InputError: there is no such chapter, or the slug stands in several parts.
    """
    chapters = tree.chapters() if tree else []
    if name.endswith(".ipynb"):
        path = Path(name).resolve()
        known = next((chapter for chapter in chapters if chapter.path.resolve() == path), None)
        if known:
            return known
        if not path.is_file():
            raise InputError(f"unknown chapter {name!r}: no such file{_near(path.stem, chapters)}")
        return Chapter("", path.stem, path)
    found = [chapter for chapter in chapters if name in (chapter.slug, chapter.name)]
    if len(found) > 1:
        raise InputError(f"chapter {name!r} is in several parts: {', '.join(chapter.name for chapter in found)}")
    if not found:
        place = f"in {tree.root}" if tree else "outside a book; give the path of a notebook"
        raise InputError(f"unknown chapter {name!r} {place}{_near(name, chapters)}")
    return found[0]


def near_matches(name: str, known: list[str]) -> str:
    """Return `; did you mean a, b?`, or nothing when no known name is like it."""
    # A slug is often remembered by one word of it, which no edit distance finds.
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
    close += [other for other in known if len(name) > 2 and name in other and other not in close]
    return f"; did you mean {', '.join(close[:3])}?" if close else ""


def _near(name: str, chapters: list[Chapter]) -> str:
    return near_matches(name.rsplit("/", 1)[-1], [chapter.slug for chapter in chapters])


def _is_book(folder: Path) -> bool:
    return (folder / "_config.yml").is_file() and (folder / "chapters").is_dir()
