"""The pictures of a sweep's summary: a measured value against what was swept, with the claim's bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display

from ibkit.show import use_style

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_LINES = 6
_GREY = "#8A929C"
_RED = "#B3261E"


def show_outcome(table: pa.Table, axes: Sequence[str]) -> None:
    """Show how many runs held, were red or broke off, and the errors of those that did.

    Args:
        table: the table of a sweep.
        axes: the columns of the swept parameters.
    """
    use_style()
    runs = {row["key"]: row for row in table.to_pylist()}
    counts = Counter(row["run"] for row in runs.values())
    rows = "".join(f"<tr><th>{state}</th><td>{counts[state]}</td></tr>" for state in ("held", "red", "failed"))
    errors = Counter(row["error"] for row in runs.values() if row["error"])
    failed = "".join(f"<tr><td>{count}</td><td>{escape(error)}</td></tr>" for error, count in errors.most_common(10))
    listed = f"<table><tr><th>Runs</th><th>Problem</th></tr>{failed}</table>" if failed else ""
    seconds = [row["seconds"] for row in runs.values() if row["seconds"]]
    took = f"<p>Median time of a run: {np.median(seconds):.2f} s.</p>" if seconds else ""
    display(HTML(f"<table>{rows}</table>{took}{listed}"))


def draw_claim(table: pa.Table, name: str, axes: Sequence[str], rule: Mapping[str, Any]) -> None:
    """Draw what a claim measured against the swept parameters, with its bound, and mark the red runs.

    Args:
        table: the table of a sweep.
        name: the claim's id.
        axes: the columns of the swept parameters, those with most values first.
        rule: the claim's bound, such as ``{"at_least": 0.98}``.
    """
    rows = _rows(table, "claim", name)
    figure, ax = _draw(rows, axes, name)
    for low, high in [_limits(rule)]:
        for end in {low, high} - {None}:
            ax.axhline(end, color=_GREY, linestyle="--", linewidth=1)
    held, red = (sum(row["state"] == state for row in rows) for state in ("held", "red"))
    share = f"held in {held} of {held + red} runs" if held + red else "open in every run"
    ax.set_title(f"{rows[0]['bound'] or ''}: {share}", loc="left", fontsize="medium")
    _show(figure, f"{name} against {_axes_text(axes)}: {share}")


def draw_record(table: pa.Table, name: str, axes: Sequence[str]) -> None:
    """Draw a recorded number against the swept parameters.

    Args:
        table: the table of a sweep.
        name: the number's name.
        axes: the columns of the swept parameters, those with most values first.
    """
    rows = _rows(table, "record", name)
    unit = rows[0]["unit"]
    figure, _ = _draw(rows, axes, f"{name} [{unit}]" if unit else name)
    _show(figure, f"{name} against {_axes_text(axes)}")


def _show(figure: plt.Figure, alt: str) -> None:
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def _axes_text(axes: Sequence[str]) -> str:
    return " and ".join(axes) or "nothing: one setting"


def _rows(table: pa.Table, kind: str, name: str) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if row["kind"] == kind and row["name"] == name]


def _draw(rows: list[dict[str, Any]], axes: Sequence[str], label: str) -> tuple[plt.Figure, plt.Axes]:
    """Draw the median over what is not an axis, its range, and a cross on every red run.

    The parameter with most values that is not a seed runs along the axis, the next gives the lines; all others, seeds
    first of all, are what the median and the range are taken over.
    """
    figure, ax = plt.subplots(figsize=(6.4, 3.2))
    knobs = [axis for axis in axes if axis != "seed"] or list(axes)
    x, line = [*knobs, None, None][:2]
    if line is not None and len({row[line] for row in rows}) > _MOST_LINES:
        line = None
    positions = _positions([row[x] for row in rows] if x else [0])
    for value in dict.fromkeys(row[line] for row in rows) if line else [None]:
        mine = [row for row in rows if line is None or row[line] == value]
        places = sorted({positions[row[x] if x else 0] for row in mine})
        stacks = [
            np.array([_float(row["value"]) for row in mine if positions[row[x] if x else 0] == place])
            for place in places
        ]
        finite = [stack[np.isfinite(stack)] for stack in stacks]
        middle = [np.median(stack) if stack.size else np.nan for stack in finite]
        (drawn,) = ax.plot(places, middle, marker="o", markersize=4, label=f"{line} = {value}" if line else None)
        if max(map(len, stacks)) > 1:
            low = [stack.min() if stack.size else np.nan for stack in finite]
            high = [stack.max() if stack.size else np.nan for stack in finite]
            ax.fill_between(places, low, high, alpha=0.2, color=drawn.get_color(), linewidth=0)
        red = [row for row in mine if row["state"] == "red"]
        ax.plot([positions[row[x] if x else 0] for row in red], [_float(row["value"]) for row in red], "x", color=_RED)
    if x is not None and not all(_is_number(value) for value in positions):
        ax.set_xticks(list(positions.values()), [str(value) for value in positions])
    ax.set(xlabel=x or "", ylabel=label)
    if line:
        ax.legend()
    return figure, ax


def _positions(values: Sequence[Any]) -> dict[Any, float]:
    """Return where along the axis each value stands: at itself if all are numbers, else one after the other."""
    distinct = list(dict.fromkeys(values))
    if all(_is_number(value) for value in distinct):
        return {value: float(value) for value in distinct}
    return {value: float(place) for place, value in enumerate(distinct)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _float(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _limits(rule: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the lower and the upper bound that a rule sets."""
    if rule.get("equals") is not None:
        width = max((rule.get("rel") or 0.0) * abs(rule["equals"]), rule.get("abs") or 0.0)
        return rule["equals"] - width, rule["equals"] + width
    if rule.get("between"):
        return tuple(rule["between"])
    return rule.get("at_least"), rule.get("at_most")
