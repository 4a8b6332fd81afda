"""A sweep as a page: a notebook that reads the sweep's table and draws each claim against what was swept.

The notebook lies beside the table and can be run again anywhere; its HTML form stands alone, loads nothing, and runs no
script, whatever the chapter's texts hold.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from ibkit.book.clean import with_outputs
from ibkit.book.notebook import Notebook
from ibkit.book.parameters import bind_parameters
from ibkit.book.processes import scratch_folder
from ibkit.book.seat import Seat
from ibkit.book.settings import swept
from ibkit.book.store import Folder
from ibkit.book.sweep import SweepError, SweepReport
from ibkit.book.table import TABLE, column_of

SUMMARY = "summary"
_STYLE = """
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #1f2328 }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; border-bottom: 1px solid #d0d7de; text-align: left }
img { max-width: 100% } .jp-InputArea, .input, .prompt, .anchor-link { display: none } pre { white-space: pre-wrap }
"""
#: The page shows pictures that it holds itself, and its own style; it can neither load nor run anything.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_summary(report: SweepReport, folder: Folder) -> str:
    """Write the summary of a sweep as a notebook and as HTML, beside its table.

    Args:
        report: of the sweep, whose table lies in the folder.
        folder: where to.

    Returns:
        The address of the HTML file.

    Raises:
        SweepError: the summary could not be drawn.
    """
    import nbformat

    notebook = _notebook(report)
    with scratch_folder() as scratch:
        local = Path(scratch) / f"{TABLE}.parquet"
        local.write_bytes(folder.read_bytes(f"{TABLE}.parquet") or b"")
        seat = Seat(Path(scratch), "summary")
        try:
            state, outcome = seat.ask({"notebook": bind_parameters(notebook, {"table": str(local)})})
        finally:
            seat.close()
    problems = [outcome] if state == "lost" else outcome["problems"]
    if problems:
        raise SweepError(f"the summary could not be drawn: {problems[0]}")
    drawn = with_outputs(notebook, nbformat.reads(outcome["text"], as_version=4))
    folder.write(f"{SUMMARY}.ipynb", json.dumps(drawn, indent=1, ensure_ascii=False) + "\n")
    return folder.write(f"{SUMMARY}.html", _page(drawn, f"Sweep of {report.plan.chapter.name}"))


def _notebook(report: SweepReport) -> Notebook:
    plan = report.plan
    names = swept(list(plan.settings.values()))
    axes = [column_of(name) for name in names]
    counts = ", ".join(f"{report.count(state)} {state}" for state in ("held", "red", "failed"))
    values = "; ".join(f"{name}: {_listed(plan, name)}" for name in names) or "one setting"
    first = (
        f"# Sweep of {plan.chapter.name}\n\n{len(report.results)} runs ({counts}): all claims held, some claim red, or "
        f"broken off. {values}."
    )
    setup = (
        "from ibkit.book.sweep_plots import draw_claim, draw_record, show_outcome\n"
        "from ibkit.book.table import read_table\n\n"
        f"runs = read_table(table)\naxes = {axes!r}\nshow_outcome(runs, axes)"
    )
    cells = [
        _markdown(_plain(first)),
        _code(f'table: str = "{TABLE}.parquet"  # the table of the sweep', ["parameters"]),
        _code(setup),
    ]
    for name, claim in _first_of_each(report, "claims", "id").items():
        cells.append(_markdown(f"## {_plain(name)}\n\n{_plain(claim.get('statement', ''))}"))
        cells.append(_code(f"draw_claim(runs, {name!r}, axes, {claim.get('rule') or {}!r})"))
    for name in _first_of_each(report, "records", "name"):
        cells += [_markdown(f"## {_plain(name)}"), _code(f"draw_record(runs, {name!r}, axes)")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number + 1}"
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _first_of_each(report: SweepReport, kind: str, key: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for result in report.results.values():
        for item in result[kind]:
            found.setdefault(item[key], item)
    return found


def _listed(plan: Any, name: str) -> str:
    values = list(dict.fromkeys(setting[name] for setting in plan.settings.values()))
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:3], "…", *shown[-2:]]) + f" ({len(values)} values)"


def _plain(text: str) -> str:
    """Keep a chapter's text from being read as HTML."""
    return escape(text, quote=False).replace("](", "] (")


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def _code(source: str, tags: list[str] | None = None) -> dict[str, Any]:
    metadata = {"tags": tags} if tags else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def _page(notebook: Notebook, title: str) -> str:
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(nbformat.from_dict(notebook))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )
