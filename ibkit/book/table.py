"""The tidy table of a sweep: one row a run and claim, and a run and recorded number; one column a parameter."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ibkit.book.errors import InputError
from ibkit.book.parameters import Parameter
from ibkit.book.store import Folder

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "table"
_BATCH = 2000
#: The columns beside the parameters, with pyarrow's names of their types.
COLUMNS = {
    "chapter": "string",
    "key": "string",
    "run": "string",  # held, red or failed
    "seconds": "float64",
    "kernel_seconds": "float64",
    "peak_mb": "float64",
    "error": "string",
    "kind": "string",  # claim, record, or run for a run that has neither
    "name": "string",
    "state": "string",  # of the claim: held, open or red
    "value": "float64",  # the median over the values measured in the run
    "low": "float64",
    "high": "float64",
    "count": "int64",  # how many values there were
    "satisfied": "float64",  # the share of them that satisfies the claim's bound
    "bound": "string",
    "contrast": "float64",
    "unit": "string",
}
_TYPES = {"int": "int64", "float": "float64", "str": "string", "bool": "bool_"}


def column_of(parameter: str) -> str:
    """Return the column of a parameter: its name, unless a column of ours has it.

    Example:
        >>> column_of("beta"), column_of("seconds")
        ('beta', 'parameter_seconds')
    """
    return f"parameter_{parameter}" if parameter in COLUMNS else parameter


def rows_of(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one run.

    Args:
        result: a run's result, as `ibkit.book.sweep` stores it.

    Yields:
        A row a claim and a recorded number; one of kind `run` if the run got to neither.
    """
    same = {
        "chapter": result["chapter"],
        "key": result["key"],
        "run": result["state"],
        "seconds": result["seconds"],
        "kernel_seconds": result["kernel_seconds"],
        "peak_mb": result["peak_mb"],
        "error": result["error"],
        **{column_of(name): _number(value) for name, value in result["parameters"].items()},
    }
    for claim in result["claims"]:
        measured = claim.get("measured") or {}
        yield {
            **same,
            "kind": "claim",
            "name": claim["id"],
            "state": claim["state"],
            **_summary(measured),
            "satisfied": measured.get("satisfied"),
            "bound": claim.get("bound"),
            "contrast": (claim.get("contrast") or {}).get("median"),
        }
    for record in result["records"]:
        yield {**same, "kind": "record", "name": record["name"], **_summary(record), "unit": record.get("unit")}
    if not result["claims"] and not result["records"]:
        yield {**same, "kind": "run"}


def make_table(results: Iterable[Mapping[str, Any]], parameters: Mapping[str, Parameter]) -> pa.Table:
    """Build the table.

    Args:
        results: the runs' results.
        parameters: what the chapter declares, for the columns and their types.

    Returns:
        A pyarrow table; `to_pandas()` makes a data frame of it.

    Raises:
        InputError: pyarrow is not installed.
    """
    pa = _pyarrow()
    declared = {column_of(name): _TYPES[parameter.type] for name, parameter in parameters.items()}
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in {**_first(declared), **COLUMNS}.items()])
    batches, rows = [], []
    for result in results:
        rows += rows_of(result)
        if len(rows) >= _BATCH:
            batches.append(_batch(rows, schema))
            rows = []
    return pa.Table.from_batches([*batches, _batch(rows, schema)], schema)


def write_table(table: pa.Table, folder: Folder) -> list[str]:
    """Write a table as Parquet and as CSV, each whole or not at all.

    Args:
        table: from `make_table`.
        folder: where to.

    Returns:
        The addresses of both files.
    """
    import pyarrow.csv
    import pyarrow.parquet

    addresses = []
    for suffix, write in (("parquet", pyarrow.parquet.write_table), ("csv", pyarrow.csv.write_csv)):
        file = io.BytesIO()
        write(table, file)
        addresses.append(folder.write(f"{TABLE}.{suffix}", file.getvalue()))
    return addresses


def read_table(path: str | Path) -> pa.Table:
    """Read a table that `write_table` wrote as Parquet."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


def need_pyarrow() -> None:
    """Make sure, before anything runs, that a table can be written at the end.

    Raises:
        InputError: pyarrow is not installed.
    """
    _pyarrow()


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise InputError("tables need pyarrow: pip install 'ibkit[sweep]'") from None
    return pyarrow


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _first(parameters: dict[str, str]) -> dict[str, str]:
    """Put the chapter's name first, then the parameters."""
    return {"chapter": COLUMNS["chapter"], **parameters}


def _summary(measured: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "value": measured.get("median"),
        "low": measured.get("low"),
        "high": measured.get("high"),
        "count": len(measured.get("values") or ()),
    }


def _number(value: Any) -> Any:
    """Return a parameter's value from its JSON form, in which infinite floats are texts."""
    return float(value) if value in ("inf", "-inf") else value
