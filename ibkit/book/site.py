"""From executed notebooks to the published site: whole or not at all.

A clean source tree is laid out beside the book (``_build/site-src``): configuration, Markdown pages with their
generated lists, and the executed notebooks at the places of their sources. Jupyter Book builds it into a folder of its
own (`ibkit.book.rebuild` says how it skips pages that did not change), and only a build without a warning takes the
place of the last one. When no input has changed, nothing is built.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import ibkit
from ibkit.book.catalogue import BIBLIOGRAPHY, Paper, load_catalogue
from ibkit.book.errors import InputError, SiteError
from ibkit.book.gate import chapter_problem
from ibkit.book.layout import ASSETS, CONFIG, lay_out, site_address
from ibkit.book.ledger import build_ledger
from ibkit.book.mend import mend_site
from ibkit.book.pages.atlas import read_atlas
from ibkit.book.pages.extras import missing_page
from ibkit.book.rebuild import follow, run_jupyter_book
from ibkit.book.slim import slim_site
from ibkit.book.toc import TOC, existing_chapters, read_toc

_KEY = ".ibkit-site"


def build_site(root: Path, executed: Path | None = None, out: Path | None = None) -> Path:
    """Build the site from the executed notebooks, unless the one that stands was made from the same inputs.

    Args:
        root: the book's folder.
        executed: the folder of executed notebooks, ``_build/executed`` unless told otherwise.
        out: where the site goes, ``_build/html`` unless told otherwise.

    Returns:
        The site's folder.

    Raises:
        SiteError: a chapter's executed notebook is missing, stale, failed or holds a red claim; the book's files do not
            fit together; or Sphinx warned. What stood at ``out`` is untouched then.
    """
    root = Path(root).resolve()
    build = root / "_build"
    executed = build / "executed" if executed is None else Path(executed).resolve()
    out = build / "html" if out is None else Path(out).resolve()
    try:
        chapters = read_toc(root)
        catalogue = load_catalogue(root)
        check_chapters(root, executed, chapters, catalogue)
        key = _inputs_key(root, executed, chapters)
        if (out / _KEY).is_file() and (out / _KEY).read_text(encoding="utf-8") == key:
            return out
        ledger = build_ledger(root, executed, chapters)
        places = read_atlas(ledger)
        source, html = build / "site-src", build / "site-tmp"
        fresh = build / "site-new"
        lay_out(root, executed, fresh, chapters, catalogue, ledger, places)
    except InputError as error:
        raise SiteError(str(error)) from error
    follow(fresh, source)
    run_jupyter_book(source, build / "sphinx", html, _reach_key(root, source))
    (html / "404.html").write_text(missing_page(site_address(root / CONFIG)), encoding="utf-8")
    mend_site(html)
    slim_site(html)
    (html / "ledger.json").write_text(ledger.to_json(), encoding="utf-8")
    (build / "ledger.json").write_text(ledger.to_json(), encoding="utf-8")
    (html / _KEY).write_text(key, encoding="utf-8")
    _swap(html, out)
    return out


def check_chapters(root: Path, executed: Path, chapters: list[str], catalogue: dict[str, Paper]) -> None:
    """Refuse chapters that must not be published.

    Args:
        root: the book's folder.
        executed: the folder of executed notebooks.
        chapters: the chapters of the table of contents.
        catalogue: the papers.

    Raises:
        SiteError: one line for each chapter that is unknown, unlisted, not executed, stale, failed, or red.
    """
    problems = []
    for chapter in chapters:
        slug = chapter.split("/")[-1]
        if slug not in catalogue or f"{catalogue[slug].part}/{slug}" != chapter:
            problems.append(f"{chapter}: {BIBLIOGRAPHY} knows no such paper in that part")
            continue
        source, result = root / "chapters" / f"{chapter}.ipynb", executed / f"{chapter}.ipynb"
        problems.append(chapter_problem(chapter, source, result))
    for chapter in sorted(set(existing_chapters(root)) - set(chapters)):
        problems.append(f"{chapter}: exists, but {TOC} does not list it")
    found = [problem for problem in problems if problem]
    if found:
        raise SiteError("\n".join(found))


def _inputs_key(root: Path, executed: Path, chapters: list[str]) -> str:
    """Hash all that the site is made from."""
    inputs = [(name, root / name) for name in (CONFIG, TOC, BIBLIOGRAPHY)]
    inputs += [(str(path.relative_to(root)), path) for path in _files(root / "chapters", "*.md")]
    inputs += [(f"executed/{chapter}", executed / f"{chapter}.ipynb") for chapter in chapters]
    inputs += [(f"verified/{chapter}", root / "_build" / "verified" / f"{chapter}.json") for chapter in chapters]
    return _digest([*inputs, *_shared_inputs(root)])


def _reach_key(root: Path, source: Path) -> str:
    """Hash what reaches every page, and the places that Sphinx's memory holds."""
    inputs = [(name, source / name) for name in (CONFIG, TOC, BIBLIOGRAPHY)]
    return _digest([*inputs, *_shared_inputs(root)], str(source), sys.prefix)


def _shared_inputs(root: Path) -> list[tuple[str, Path]]:
    package = Path(ibkit.__file__).parent
    inputs = [(str(path.relative_to(root)), path) for path in _files(root / ASSETS, "*")]
    return inputs + [(str(path.relative_to(package)), path) for path in _files(package, "*")]  # the reference reads all


def _digest(inputs: list[tuple[str, Path]], *words: str) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    for tool in ("jupyter-book", "sphinx", "sphinx-book-theme", "pydata-sphinx-theme", "myst-nb"):
        digest.update(f"{tool} {version(tool)}\n".encode())
    for name, path in inputs:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest() + "\n"


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts)


def _swap(new: Path, out: Path) -> None:
    """Put the new site where the old one stands; at no moment is there half a site."""
    out.parent.mkdir(parents=True, exist_ok=True)
    old, beside = out.with_name(out.name + ".old"), out.with_name(out.name + ".new")
    for folder in (old, beside):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.move(new, beside)  # may copy, if `out` is on another disk; what follows only renames
    if out.exists():
        out.rename(old)
    beside.rename(out)
    shutil.rmtree(old, ignore_errors=True)
