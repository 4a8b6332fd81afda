"""Notebooks as plain JSON: read with clear errors, their cells, and the form that identifies a source.

Nothing here imports nbformat, so that a build that has nothing to do stays quick.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ibkit.book.errors import InputError

Notebook = dict[str, Any]
Cell = dict[str, Any]

#: Metadata that tools write beside the author's own; it says nothing about what a notebook does.
_NOISE = {"papermill", "kernelspec", "language_info", "widgets", "signature", "toc", "orig_nbformat"}
_CELL_NOISE = {"papermill", "execution", "collapsed", "scrolled", "ExecuteTime"}


def read_notebook(path: Path) -> Notebook:
    """Read a notebook from a file.

    Args:
        path: an `.ipynb` file.

    Returns:
        The notebook as nested dicts and lists, every `source` one string.

    Raises:
        InputError: the file cannot be read, is not JSON, or is not a notebook of format 4.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a notebook: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return parse_notebook(text, str(path))


def parse_notebook(text: str, name: str) -> Notebook:
    """Parse the text of a notebook; `name` is what errors call it.

    Args:
        text: the content of an `.ipynb` file.
        name: how errors name the notebook.

    Returns:
        The notebook as nested dicts and lists, every `source` one string.

    Raises:
        InputError: the text is not JSON, or is not a notebook of format 4.
    """
    try:
        nb = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        detail = f"{error.msg} at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise InputError(f"{name}: not a notebook: not JSON ({detail})") from None
    if not isinstance(nb, dict) or not isinstance(nb.get("cells"), list) or not isinstance(nb.get("metadata"), dict):
        raise InputError(f"{name}: not a notebook: expected an object with 'cells' and 'metadata'")
    if nb.get("nbformat") != 4:
        raise InputError(f"{name}: notebook format {nb.get('nbformat')!r}, expected 4")
    for index, cell in enumerate(nb["cells"]):
        if not isinstance(cell, dict) or cell.get("cell_type") not in {"code", "markdown", "raw"}:
            raise InputError(f"{name}: cell {index + 1} is not a code, markdown or raw cell")
        source = cell.get("source", "")
        cell["source"] = "".join(source) if isinstance(source, list) else str(source)
        if not isinstance(cell.setdefault("metadata", {}), dict):
            raise InputError(f"{name}: cell {index + 1} has metadata that is not an object")
    if not isinstance(nb["metadata"].get("ibkit", {}), dict):
        raise InputError(f"{name}: metadata.ibkit is not an object")
    return nb


def tags(cell: Cell) -> list[str]:
    """Return the cell's tags, none if it has no such metadata."""
    return list(cell.get("metadata", {}).get("tags") or [])


def source_form(nb: Notebook) -> Notebook:
    """Return what makes a notebook the source that it is: cells and their metadata, without outputs or tools' traces.

    Args:
        nb: a notebook, as `read_notebook` gives it.

    Returns:
        A new JSON value; equal for two notebooks that must give the same page.

    Example:
        >>> cell = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": 3, "id": "a"}
        >>> source_form({"nbformat": 4, "metadata": {"kernelspec": {}}, "cells": [cell]})
        {'metadata': {}, 'cells': [{'cell_type': 'code', 'source': '1', 'metadata': {}}]}
    """
    metadata = {key: value for key, value in nb["metadata"].items() if key not in _NOISE}
    if "ibkit" in metadata:
        metadata["ibkit"] = {key: value for key, value in metadata["ibkit"].items() if key != "run"}
    cells = []
    for cell in nb["cells"]:
        kept = {key: value for key, value in cell["metadata"].items() if key not in _CELL_NOISE}
        form = {"cell_type": cell["cell_type"], "source": cell["source"], "metadata": kept}
        if cell.get("attachments"):
            form["attachments"] = cell["attachments"]
        cells.append(form)
    return {"metadata": metadata, "cells": cells}


def where(nb: Notebook, index: int) -> str:
    """Say where a cell is, for a person: its number, the heading above it, and how it begins.

    Args:
        nb: the notebook.
        index: the cell's place, from 0.

    Returns:
        Such as `cell 7 (Derivation: margin = ...)`; cells count from 1.
    """
    heading = ""
    for cell in nb["cells"][: index + 1]:
        if cell["cell_type"] == "markdown":
            found = re.findall(r"^#+\s+(.*\S)\s*$", cell["source"], flags=re.MULTILINE)
            heading = found[-1] if found else heading
    lines = [line.strip() for line in nb["cells"][index]["source"].splitlines()]
    first = next((line for line in lines if line and not line.startswith("#")), "")
    first = first if len(first) <= 60 else first[:57] + "..."
    detail = ": ".join(part for part in (heading, first) if part)
    return f"cell {index + 1} ({detail})" if detail else f"cell {index + 1}"
