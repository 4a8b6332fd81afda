"""The table of contents: which chapters the book has, and in which order.

``_toc.yml`` stands in the repository and is read by Sphinx and by everything here. Its shape is fixed: the parts in the
catalogue's order, each part's page with its chapters below it; then the pages where things are looked up.
"""

from __future__ import annotations

from pathlib import Path

from ibkit.book.catalogue import PARTS, Paper
from ibkit.book.errors import InputError

TOC = "_toc.yml"
REFERENCE_PAGES = ("atlas", "ledger", "bibliography", "api/index")
_CHAPTERS = "chapters/"


class TocError(InputError):
    """``_toc.yml`` and the chapters do not fit together; the message names the chapter."""


def read_toc(root: Path) -> list[str]:
    """List the chapters of ``_toc.yml`` in reading order.

    Args:
        root: the book's folder.

    Returns:
        Paths relative to ``chapters/``, without suffix, such as ``margins/spectral-descent``.

    Raises:
        TocError: the file is missing or is not a table of contents.
    """
    import yaml

    path = Path(root) / TOC
    if not path.is_file():
        raise TocError(f"{TOC}: expected in {Path(root)}, not found")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        files = [
            section["file"]
            for block in content["parts"]
            for page in block["chapters"]
            for section in page.get("sections", [])
            if page["file"].startswith(_CHAPTERS)
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise TocError(f"{TOC}: expected parts with chapters and sections, got {error!r}") from error
    chapters = [file.removeprefix(_CHAPTERS).removesuffix(".ipynb") for file in files]
    doubled = sorted({chapter for chapter in chapters if chapters.count(chapter) > 1})
    if doubled:
        raise TocError(f"{TOC}: {doubled[0]} stands twice")
    return chapters


def existing_chapters(root: Path) -> list[str]:
    """List the chapters whose notebooks exist, by path relative to ``chapters/``, without suffix."""
    folder = Path(root) / "chapters"
    found = (path.relative_to(folder) for path in folder.glob("*/*.ipynb"))
    return sorted(path.with_suffix("").as_posix() for path in found)


def write_toc(root: Path, catalogue: dict[str, Paper]) -> bool:
    """Bring ``_toc.yml`` in line with the chapters that exist.

    The order within a part is kept as it stands; a new chapter goes behind the last one that is not younger than it.

    Args:
        root: the book's folder.
        catalogue: the papers, for their years.

    Returns:
        Whether the file changed.
    """
    path = Path(root) / TOC
    known = read_toc(root) if path.is_file() else []
    exist = existing_chapters(root)
    chapters = [chapter for chapter in known if chapter in exist]
    for chapter in sorted(set(exist) - set(known), key=lambda chapter: _year(chapter, catalogue)):
        older = [i for i, other in enumerate(chapters) if _year(other, catalogue) <= _year(chapter, catalogue)]
        chapters.insert(older[-1] + 1 if older else 0, chapter)
    text = toc_text(chapters)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def toc_text(chapters: list[str], api: tuple[str, ...] = ()) -> str:
    """Write the table of contents for these chapters.

    Args:
        chapters: in reading order.
        api: pages below the API reference; the build knows them, the file in the repository does without.

    Example:
        >>> print(toc_text(["margins/spectral-descent"]))
        format: jb-book
        root: chapters/index
        parts:
          - caption: Chapters
            chapters:
              - file: chapters/margins/index
                sections:
                  - file: chapters/margins/spectral-descent
        ...
    """
    lines = ["format: jb-book", "root: chapters/index", "parts:", "  - caption: Chapters", "    chapters:"]
    for part in PARTS:
        lines.append(f"      - file: chapters/{part}/index")
        inside = [chapter for chapter in chapters if chapter.split("/")[0] == part]
        lines += ["        sections:"] if inside else []
        lines += [f"          - file: chapters/{chapter}" for chapter in inside]
    lines += ["  - caption: Reference", "    chapters:"]
    for page in REFERENCE_PAGES:
        lines.append(f"      - file: {page}")
        if page == "api/index" and api:
            lines += ["        sections:", *(f"          - file: api/{name}" for name in api)]
    return "\n".join(lines) + "\n"


def _year(chapter: str, catalogue: dict[str, Paper]) -> int:
    slug = chapter.split("/")[-1]
    return catalogue[slug].year if slug in catalogue else 0
