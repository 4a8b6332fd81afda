"""From what papermill leaves behind to a page: the source's cells with their outputs, and nothing that varies."""

from __future__ import annotations

import copy
from typing import Any

from ibkit.book.notebook import Notebook

_VIEW = "application/vnd.jupyter.widget-view+json"


def with_outputs(source: Notebook, executed: Notebook) -> Notebook:
    """Put the outputs of a run into a copy of the source.

    Timing metadata, empty tags and error markers of the tools never reach the result, since only outputs and
    execution counts are taken. Widget views that have an HTML form beside them are dropped together with their state:
    their identifiers are random, and a page without a kernel shows the HTML.

    Args:
        source: the notebook that was run, with its parameters bound.
        executed: the same notebook after the run, perhaps broken off, perhaps with cells that tools inserted.

    Returns:
        A new notebook; equal for equal outputs.
    """
    result = copy.deepcopy(source)
    result["nbformat_minor"] = 5
    result["metadata"].pop("papermill", None)
    result["metadata"].pop("widgets", None)
    if "language_info" in executed["metadata"]:
        result["metadata"]["language_info"] = executed["metadata"]["language_info"]
    ran = {cell.get("id"): cell for cell in executed["cells"]}
    views = False
    for cell in name_cells(result)["cells"]:
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "code":
            done = ran.get(cell["id"], {})
            cell["execution_count"] = done.get("execution_count")
            cell["outputs"] = [_static(output) for output in copy.deepcopy(done.get("outputs", []))]
            views = views or any(_VIEW in output.get("data", {}) for output in cell["outputs"])
    if views and "widgets" in executed["metadata"]:
        result["metadata"]["widgets"] = executed["metadata"]["widgets"]
    return result


def name_cells(nb: Notebook) -> Notebook:
    """Give every cell an id where it has none or shares one, always the same for the same notebook; return `nb`."""
    seen: set[str] = set()
    for index, cell in enumerate(nb["cells"]):
        if not cell.get("id") or cell["id"] in seen:
            cell["id"] = f"cell-{index + 1}"
        seen.add(cell["id"])
    return nb


def _static(output: dict[str, Any]) -> dict[str, Any]:
    data = output.get("data", {})
    if _VIEW in data and "text/html" in data:
        del data[_VIEW]
    return output
