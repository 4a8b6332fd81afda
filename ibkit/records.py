"""Numbers worth keeping that no claim is about: a sweep puts them into its table, beside the claims.

A claim says what must hold; a record only says what was measured (a final loss, the seconds of a solver, a fitted
slope), so that `ibkit sweep` can show it against the swept parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ibkit.checks import require

RECORD_MIME = "application/vnd.ibkit.record+json"
"""MIME type under which a record is stored in its cell's output."""


@dataclass(frozen=True)
class Record:
    """A named number, or one value a run; made by `record`.

    Args:
        name: unique in the chapter.
        values: one a run.
        unit: what a value of one means; None for a pure number.
    """

    name: str
    values: tuple[float, ...]
    unit: str | None = None

    def bundle(self) -> dict[str, Any]:
        """Return the forms in which the record is stored and shown, by MIME type; NaN and infinities become null."""
        finite = [value if math.isfinite(value) else None for value in self.values]
        whole = None not in finite
        stored = {
            "schema": 1,
            "name": self.name,
            "unit": self.unit,
            "values": finite,
            "median": float(np.median(self.values)) if whole else None,
            "low": min(self.values) if whole else None,
            "high": max(self.values) if whole else None,
        }
        return {RECORD_MIME: stored, "text/plain": str(self)}

    def __str__(self) -> str:
        median = float(np.median(self.values))
        spread = f" [{min(self.values):.4g}, {max(self.values):.4g}]" if len(self.values) > 1 else ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name}: {median:.4g}{spread}{unit}".replace("-", "−")

    def _ipython_display_(self) -> None:
        """Show nothing: `record` has shown it already, and the last line of a cell must not store it twice."""


def record(name: str, value: Any, *, unit: str | None = None) -> Record:
    """Keep a number under a name, for the tables of sweeps; show it in the cell's output.

    Args:
        name: unique in the chapter, short: it becomes the entry `name` of a table's row.
        value: a number, or one value a run (any shape, or a tensor; flattened).
        unit: what a value of one means, such as ``"s"``; nothing for pure numbers.

    Returns:
        The record.

    Raises:
        ValueError: an empty name, or no values.

    Example:
        >>> r = record("final loss", [0.25, 0.5, 1.0])
        final loss: 0.5 [0.25, 1]
        >>> r = record("solver", 0.012, unit="s")
        solver: 0.012 s
    """
    require(bool(str(name).strip()), "name must not be empty")
    flat = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float).ravel()
    require(flat.size > 0, f"record {name!r} must hold at least one value, got none")
    made = Record(name, tuple(flat.tolist()), unit)
    _display(made)
    return made


def _display(made: Record) -> None:
    from IPython import get_ipython

    if get_ipython() is None:
        print(made)
        return
    from IPython.display import display

    display(made.bundle(), raw=True)
