"""Begin a chapter: the template notebook, filled in for one paper of the catalogue."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ibkit.book.errors import InputError
from ibkit.book.notebook import Notebook
from ibkit.book.store import LocalFolder
from ibkit.book.tree import Tree, near_matches

if TYPE_CHECKING:
    from ibkit.book.catalogue import Paper


def new_chapter(slug: str, tree: Tree) -> Path:
    """Write a chapter for a paper from the template, and enter it in the table of contents.

    The chapter runs as it is; its claims stand open until they are the paper's.

    Args:
        slug: the paper's key in `references.bib`.
        tree: the book.

    Returns:
        The new notebook.

    Raises:
        InputError: no paper has this slug, the chapter exists, or the catalogue or the table of contents is broken.
    """
    from ibkit.book.catalogue import load_catalogue
    from ibkit.book.toc import read_toc, write_toc

    slug = slug.rsplit("/", 1)[-1]
    try:
        catalogue = load_catalogue(tree.root)
        if (tree.root / "_toc.yml").is_file():
            read_toc(tree.root)
    except ValueError as error:
        raise InputError(str(error)) from None
    if slug not in catalogue:
        raise InputError(f"no paper has the slug {slug!r} in references.bib{near_matches(slug, list(catalogue))}")
    paper = catalogue[slug]
    path = tree.root / "chapters" / paper.part / f"{slug}.ipynb"
    if path.exists():
        raise InputError(f"{path} exists already; it is not overwritten")
    text = json.dumps(chapter_notebook(paper), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    LocalFolder(path.parent).write(path.name, text)
    write_toc(tree.root, catalogue)
    return path


def chapter_notebook(paper: Paper) -> Notebook:
    """Return the template, filled in for a paper.

    Args:
        paper: from the catalogue; its slug, part, title and arXiv id are used.

    Returns:
        A notebook, as nested dicts and lists.
    """
    template = resources.files("ibkit.book").joinpath("template.ipynb").read_text(encoding="utf-8")
    link = f" · [arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
    words = {"slug": paper.slug, "part": paper.part, "title": paper.title, "link": link}
    for word, value in words.items():
        # The value goes into JSON text, where quotes and backslashes are escaped.
        template = template.replace("{{" + word + "}}", json.dumps(value, ensure_ascii=False)[1:-1])
    return json.loads(template)
