"""When an executed notebook still stands: the key of what it was made from, and the seal that shows it is whole.

The seal is a keyed hash: it shows too that the notebook was executed here (see `ibkit.book.trust`).
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ibkit.book.notebook import Notebook, source_form
from ibkit.book.parameters import Value, jsonable
from ibkit.book.tree import Tree
from ibkit.book.trust import keyed_hash

#: The modules of `ibkit.book` that shape an executed notebook. The rest of `ibkit.book` (site, ledger, command
#: line) cannot change one, so that editing it re-runs nothing.
_SHAPING = tuple(f"book/{name}.py" for name in ("clean", "environment", "execute", "nursery", "parameters", "verdict"))
_UNSEALED = "0" * 64


@cache
def library_hash() -> str:
    """Return the hash of every source of ibkit that a chapter's outputs can depend on."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        skipped = "__pycache__" in name or (name.startswith("book/") and name not in _SHAPING)
        if path.is_file() and not skipped and name != "__main__.py":
            digest.update(f"{name}\0{_file_hash(path)}\n".encode())
    return digest.hexdigest()


def run_key(nb: Notebook, values: Mapping[str, Value], tree: Tree | None) -> str:
    """Return the key of a run: equal keys must give equal outputs.

    Args:
        nb: the notebook's source.
        values: a value for every parameter.
        tree: the book it belongs to, whose lock counts; None outside a book.

    Returns:
        A hash of the notebook, the parameters, the ibkit sources, the lock and the Python version.
    """
    lock = tree.root / "requirements.lock" if tree else None
    parts = {
        "notebook": source_form(nb),
        "parameters": jsonable(values),
        "library": library_hash(),
        "lock": _file_hash(lock) if lock and lock.is_file() else None,
        "python": platform.python_version(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def seal(nb: Notebook) -> str:
    """Write an executed notebook as text that carries its own keyed hash, at `metadata.ibkit.run.digest`.

    Args:
        nb: an executed notebook with `metadata.ibkit.run`.

    Returns:
        The text of the `.ipynb` file.
    """
    nb["metadata"]["ibkit"]["run"]["digest"] = _UNSEALED
    text = json.dumps(_split(nb), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    text = text.encode("utf-8", "replace").decode()  # lone surrogates in an output fit into no file
    return _with_digest(text, _UNSEALED, keyed_hash(text))


def read_sealed(text: str | None) -> dict[str, Any] | None:
    """Return what a sealed notebook says of its run, if it is whole and was sealed here.

    Args:
        text: the text of an executed notebook, None when there is none.

    Returns:
        Its `metadata.ibkit.run`; None when the text is missing, cut short, changed since it was sealed, or sealed
        elsewhere.
    """
    if text is None:
        return None
    try:
        run = json.loads(text)["metadata"]["ibkit"]["run"]
        digest = run["digest"]
        whole = isinstance(digest, str) and keyed_hash(_with_digest(text, digest, _UNSEALED)) == digest
    except (ValueError, KeyError, TypeError):
        return None
    return run if whole else None


def seal_json(value: Any) -> str:
    """Write a JSON value as text with its keyed hash beside it."""
    body = json.dumps(value, sort_keys=True)
    return json.dumps({"digest": keyed_hash(body), "content": value}, sort_keys=True) + "\n"


def unseal_json(text: str | None) -> Any:
    """Return the value in a text from `seal_json`; None when it is missing, damaged, or was sealed elsewhere."""
    try:
        stored = json.loads(text or "")
        content = stored["content"]
        whole = keyed_hash(json.dumps(content, sort_keys=True)) == stored["digest"]
    except (ValueError, KeyError, TypeError):
        return None
    return content if whole else None


def _with_digest(text: str, old: str, new: str) -> str:
    # Keys are sorted, so metadata follows the cells: the last occurrence is the seal's own.
    head, mark, tail = text.rpartition(f'"digest": "{old}"')
    return f'{head}"digest": "{new}"{tail}' if mark else text


def _split(nb: Notebook) -> Notebook:
    """Write long texts as lists of lines, as notebooks on disk have them, so that tools show readable differences."""
    cells = []
    for cell in nb["cells"]:
        cell = {**cell, "source": cell["source"].splitlines(keepends=True)}
        if "outputs" in cell:
            cell["outputs"] = [_split_output(output) for output in cell["outputs"]]
        cells.append(cell)
    return {**nb, "cells": cells}


def _split_output(output: dict[str, Any]) -> dict[str, Any]:
    if isinstance(output.get("text"), str):
        output = {**output, "text": output["text"].splitlines(keepends=True)}
    if "data" in output:
        data = {
            mime: value.splitlines(keepends=True) if isinstance(value, str) and mime.startswith("text/") else value
            for mime, value in output["data"].items()
        }
        output = {**output, "data": data}
    return output


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
