"""The source tree that Jupyter Book reads: the book's files, executed notebooks, and what the machine writes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from ibkit.book.catalogue import BIBLIOGRAPHY, Paper
from ibkit.book.errors import InputError
from ibkit.book.gate import WIDGET_MIME
from ibkit.book.ledger import Ledger
from ibkit.book.mathematics import mark_math
from ibkit.book.notebook import Notebook, read_notebook
from ibkit.book.pages.api import kept_api_pages
from ibkit.book.pages.atlas import Place, atlas_page
from ibkit.book.pages.bits import Repository
from ibkit.book.pages.chapter import chapter_footer, chapter_header
from ibkit.book.pages.extras import social_card
from ibkit.book.pages.landing import landing_explorer
from ibkit.book.pages.ledger import ledger_page
from ibkit.book.pages.lists import landing_chapters, part_list
from ibkit.book.pages.part_table import part_table
from ibkit.book.pages.thumbnails import write_thumbnails
from ibkit.book.sphinx_ext import PIECES
from ibkit.book.toc import TOC, toc_text
from ibkit.book.verdict import CLAIM_MIME, RECORD_MIME

CONFIG = "_config.yml"
ASSETS = "_assets"
LIST_MARK = "<!-- ibkit: chapters -->"
TABLE_MARK = re.compile(r"<!-- ibkit: table (.*?) -->", re.DOTALL)
EXPLORER_MARK = "<!-- ibkit: explorer -->"
_UP = "../../"  # from a chapter's page to the site's root

_BIBLIOGRAPHY_PAGE = """# Bibliography

The papers that this book accompanies, and what their chapters cite.

```{bibliography}
:all:
```
"""


def lay_out(
    root: Path,
    executed: Path,
    source: Path,
    chapters: list[str],
    catalogue: dict[str, Paper],
    ledger: Ledger,
    places: list[Place],
) -> None:
    """Write the source tree.

    Args:
        root: the book's folder.
        executed: the folder of executed notebooks.
        source: where the tree goes; what stood there is removed.
        chapters: the chapters of the table of contents.
        catalogue: the papers.
        ledger: all claims.
        places: the atlas.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for name in (CONFIG, BIBLIOGRAPHY):
        shutil.copyfile(root / name, source / name)
    notebooks = {chapter.split("/")[-1]: read_notebook(executed / f"{chapter}.ipynb") for chapter in chapters}
    assets = source / ASSETS
    shutil.copytree(root / ASSETS, assets)
    (assets / "explorer.js").write_text(_explorer_script(), encoding="utf-8")
    (assets / "card.png").write_bytes(social_card())
    pictures = write_thumbnails(notebooks, assets / "thumbnails")
    _write_reference(source, chapters, ledger, places)
    for page in sorted((root / "chapters").rglob("*.md")):
        target = source / page.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_page(page, ledger, catalogue, places, pictures), encoding="utf-8")
    _write_chapters(root, source, chapters, notebooks, catalogue, ledger)


def _page(page: Path, ledger: Ledger, catalogue: dict[str, Paper], places: list[Place], pictures: set[str]) -> str:
    """Fill a Markdown page's marks in."""
    text = page.read_text(encoding="utf-8")
    if found := TABLE_MARK.search(text):
        text = text.replace(found[0], part_table(ledger, page.parent.name, places, found[1], _UP))
    if LIST_MARK in text:
        part = page.parent.name
        landing = part == "chapters"
        text = text.replace(
            LIST_MARK, landing_chapters(ledger, pictures) if landing else part_list(ledger, part, catalogue, pictures)
        )
    return text.replace(EXPLORER_MARK, landing_explorer().to_html()) if EXPLORER_MARK in text else text


def _write_reference(source: Path, chapters: list[str], ledger: Ledger, places: list[Place]) -> None:
    """Write the pages where things are looked up, and the table of contents with them."""
    reference = {
        "atlas.md": atlas_page(places),
        "ledger.md": ledger_page(ledger),
        "bibliography.md": _BIBLIOGRAPHY_PAGE,
    }
    pages = kept_api_pages(source.parent / "api-pages.json")
    reference |= {f"api/{page.name}.rst": page.text for page in pages}
    reference[TOC] = toc_text(chapters, tuple(page.name for page in pages if page.name != "index"))
    (source / "api").mkdir()
    for name, text in reference.items():
        (source / name).write_text(text, encoding="utf-8")


def _write_chapters(
    root: Path,
    source: Path,
    chapters: list[str],
    notebooks: dict[str, Notebook],
    catalogue: dict[str, Paper],
    ledger: Ledger,
) -> None:
    """Write the notebooks, and what the pages show above and below them."""
    repository = _repository(root / CONFIG)
    entries = {entry.slug: entry for entry in ledger.entries}
    pieces: dict[str, Any] = {"site": site_address(root / CONFIG), "pages": {}}
    for chapter in chapters:
        slug = chapter.split("/")[-1]
        notebook, entry = notebooks[slug], entries[slug]
        about = notebook["metadata"].get("ibkit", {})
        pieces["pages"][f"chapters/{chapter}"] = {
            "header": chapter_header(catalogue[slug], about, entry, repository, _UP),
            "footer": chapter_footer(entry, ledger, _UP),
            "sentence": entry.sentence or "",
        }
        target = source / "chapters" / f"{chapter}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(clean(notebook), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (source / PIECES).write_text(json.dumps(pieces), encoding="utf-8")


def clean(notebook: Notebook) -> Notebook:
    """Keep of an executed notebook what its page shows.

    Widget states and claim records would be stored twice more in the page and in its download; the ledger has the
    records, and the explorer's static form needs no state. Mathematics in the claims' sentences is marked as such.

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
            data = output.get("data", {})
            for mime in (WIDGET_MIME, CLAIM_MIME, RECORD_MIME):
                data.pop(mime, None)
            text = "".join(data.get("text/html", ""))
            if 'class="ibkit-claims"' in text:
                data["text/html"] = mark_math(text)
    for name in ("digest", "kernel_seconds", "peak_mb"):  # differ from run to run, and no page shows them
        result["metadata"].get("ibkit", {}).get("run", {}).pop(name, None)
    return result


def _explorer_script() -> str:
    """Return the script that draws every explorer of the site."""
    from ibkit.show.explorer import page_script

    return page_script()


def _repository(config: Path) -> Repository:
    try:
        repository = _settings(config)["repository"]
        return Repository(repository["url"], repository["branch"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{CONFIG}: expected repository with url and branch, got {error!r}") from error


def site_address(config: Path) -> str:
    """Return where the site is published, ``html.baseurl`` of the book's settings; an empty text if unknown."""
    return str((_settings(config).get("html") or {}).get("baseurl") or "")


def _settings(config: Path) -> dict[str, Any]:
    import yaml

    try:
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{CONFIG}: cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{CONFIG}: expected settings by name, got {type(settings).__name__}")
    return settings
