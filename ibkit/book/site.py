"""From executed notebooks to the published site: whole or not at all.

A clean source tree is laid out beside the book (``_build/site-src``): configuration, Markdown pages with their
generated lists, and the executed notebooks at the places of their sources. Jupyter Book builds it into a folder of its
own, and only a build without a warning takes the place of the last one. When no input has changed, nothing is built.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibkit
from ibkit.book.catalogue import BIBLIOGRAPHY, Paper, load_catalogue
from ibkit.book.errors import InputError
from ibkit.book.gate import WIDGET_MIME, chapter_problem
from ibkit.book.icons import drop_unused_icons
from ibkit.book.ledger import Ledger, build_ledger
from ibkit.book.notebook import read_notebook
from ibkit.book.pages import Repository, chapter_header, landing_chapters, ledger_page, part_list
from ibkit.book.sphinx_ext import HEADERS
from ibkit.book.toc import TOC, existing_chapters, read_toc
from ibkit.book.verdict import CLAIM_MIME, RECORD_MIME

CONFIG = "_config.yml"
ASSETS = "_assets"
LIST_MARK = "<!-- ibkit: chapters -->"
_KEY = ".ibkit-site"


class SiteError(RuntimeError):
    """The site cannot be built or must not be published; one line for each reason."""


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
        ledger = build_ledger(root, executed)
    except InputError as error:
        raise SiteError(str(error)) from error
    source = build / "site-src"
    _lay_out(root, executed, source, chapters, catalogue, ledger)
    html = _run_jupyter_book(source, build / "site-tmp")
    drop_unused_icons(html)
    (html / "ledger.json").write_text(ledger.to_json(), encoding="utf-8")
    (build / "ledger.json").write_text(ledger.to_json(), encoding="utf-8")
    (html / _KEY).write_text(key, encoding="utf-8")
    _swap(html, out)
    shutil.rmtree(build / "site-tmp", ignore_errors=True)
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
    package = Path(ibkit.__file__).parent
    inputs = [(name, root / name) for name in (CONFIG, TOC, BIBLIOGRAPHY)]
    inputs += [(str(path.relative_to(root)), path) for path in _files(root / "chapters", "*.md")]
    inputs += [(str(path.relative_to(root)), path) for path in _files(root / ASSETS, "*")]
    for folder in ("book", "show"):
        inputs += [(str(path.relative_to(package)), path) for path in _files(package / folder, "*")]
    inputs += [(f"executed/{chapter}", executed / f"{chapter}.ipynb") for chapter in chapters]
    inputs += [(f"verified/{chapter}", root / "_build" / "verified" / f"{chapter}.json") for chapter in chapters]
    digest = hashlib.sha256()
    for tool in ("jupyter-book", "sphinx", "sphinx-book-theme", "pydata-sphinx-theme", "myst-nb"):
        digest.update(f"{tool} {version(tool)}\n".encode())
    for name, path in inputs:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest() + "\n"


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts)


def _lay_out(
    root: Path, executed: Path, source: Path, chapters: list[str], catalogue: dict[str, Paper], ledger: Ledger
) -> None:
    """Write the source tree that Jupyter Book reads."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for name in (CONFIG, TOC, BIBLIOGRAPHY):
        shutil.copyfile(root / name, source / name)
    shutil.copytree(root / ASSETS, source / ASSETS)
    (source / ASSETS / "explorer.js").write_text(_explorer_script(), encoding="utf-8")
    (source / "ledger.md").write_text(ledger_page(ledger), encoding="utf-8")
    (source / "bibliography.md").write_text(_BIBLIOGRAPHY_PAGE, encoding="utf-8")
    for page in _files(root / "chapters", "*.md"):
        target = source / page.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = page.parent.name
        listing = landing_chapters(ledger) if part == "chapters" else part_list(ledger, part, catalogue, "../../")
        target.write_text(page.read_text(encoding="utf-8").replace(LIST_MARK, listing), encoding="utf-8")
    repository = _repository(root / CONFIG)
    entries = {entry.slug: entry for entry in ledger.entries}
    headers = {}
    for chapter in chapters:
        notebook = read_notebook(executed / f"{chapter}.ipynb")
        paper = catalogue[chapter.split("/")[-1]]
        about = notebook["metadata"].get("ibkit", {})
        headers[f"chapters/{chapter}"] = chapter_header(paper, about, entries[paper.slug], repository, "../../")
        target = source / "chapters" / f"{chapter}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(clean(notebook), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (source / HEADERS).write_text(json.dumps(headers), encoding="utf-8")


def clean(notebook: dict[str, Any]) -> dict[str, Any]:
    """Keep of an executed notebook what its page shows.

    Widget states and claim records would be stored twice more in the page and in its download; the ledger has the
    records, and the explorer's static form needs no state.

    Args:
        notebook: the executed notebook; it is not changed.

    Returns:
        The notebook for the site.
    """
    result = json.loads(json.dumps(notebook))
    for name in ("widgets", "papermill"):
        result["metadata"].pop(name, None)
    for cell in result["cells"]:
        for name in ("papermill", "execution"):
            cell["metadata"].pop(name, None)
        for output in cell.get("outputs", []):
            for mime in (WIDGET_MIME, CLAIM_MIME, RECORD_MIME):
                output.get("data", {}).pop(mime, None)
    for name in ("digest", "kernel_seconds", "peak_mb"):  # differ from run to run, and no page shows them
        result["metadata"].get("ibkit", {}).get("run", {}).pop(name, None)
    return result


def _explorer_script() -> str:
    """Return the script that draws every explorer of the site."""
    from ibkit.show.explorer import page_script

    return page_script()


def _repository(config: Path) -> Repository:
    import yaml

    try:
        repository = yaml.safe_load(config.read_text(encoding="utf-8"))["repository"]
        return Repository(repository["url"], repository["branch"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise SiteError(f"{CONFIG}: expected repository with url and branch, got {error!r}") from error


def _run_jupyter_book(source: Path, target: Path) -> Path:
    """Build the source tree; every warning is an error, and is shown."""
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source)]
    command += ["--path-output", str(target), "-n", "-W", "--keep-going", "-q"]
    # The extension is imported from wherever this ibkit is, and a search for widgets on the network is never right.
    paths = [str(Path(ibkit.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    html = target / "_build" / "html"
    if run.returncode or not (html / "index.html").is_file():
        said = [line for line in (run.stderr + run.stdout).splitlines() if "WARNING" in line or "ERROR" in line]
        lines = said or (run.stderr + run.stdout).strip().splitlines()[-30:]
        raise SiteError("the site did not build:\n" + "\n".join(line.replace(f"{source}/", "") for line in lines))
    return html


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


_BIBLIOGRAPHY_PAGE = """# Bibliography

The papers that this book accompanies, and what their chapters cite.

```{bibliography}
:all:
```
"""
