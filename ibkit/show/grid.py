"""The parameters of an explorer: their values, how a slider reads them, and the product of them all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["numeric", "log", "category"]
Format = str | Callable[[Any], str]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float) -> str:
    """Write a number as it stands beside a slider: four digits, powers of ten as superscripts.

    Example:
        >>> number_text(0.25), number_text(1e-5), number_text(-2.5e7), number_text(math.inf)
        ('0.25', '10⁻⁵', '−2.5×10⁷', '∞')
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}".replace("-", "−") if abs(value) < 1e4 else f"{value:.0f}".replace("-", "−")
    digits, power = f"{value:.3e}".split("e")
    digits = digits.rstrip("0").rstrip(".").replace("-", "−")
    ten = "10" + str(int(power)).translate(_SUPERSCRIPTS)
    return ten if digits == "1" else f"{digits}×{ten}"


@dataclass(frozen=True)
class Parameter:
    """One slider.

    Attributes:
        name: the keyword of ``compute``.
        values: in the order of the slider.
        kind: how to read between two values; a category has nothing between.
        label: what it is called beside the slider.
        unit: written after the value.
        texts: each value in words.
        write: how a value is written, without its unit.
    """

    name: str
    values: tuple[Any, ...]
    kind: Kind
    label: str
    unit: str
    texts: tuple[str, ...]
    write: Callable[[Any], str] = field(default=str, compare=False, repr=False)

    @classmethod
    def make(cls, name: str, values: Iterable[Any], label: str, unit: str, form: Format | None) -> Parameter:
        """Read a parameter from one entry of the grid."""
        if isinstance(values, str):
            raise ValueError(f"grid[{name!r}] must be a list of values, got the text {values!r}")
        listed = tuple(value.item() if hasattr(value, "item") else value for value in values)
        if not listed:
            raise ValueError(f"grid[{name!r}] must hold at least one value, got none")
        if len(set(map(repr, listed))) < len(listed):
            raise ValueError(f"grid[{name!r}] must hold each value once, got {list(listed)}")
        write: Callable[[Any], str]
        if form is None:
            write = lambda value: number_text(value) if _is_number(value) else str(value)  # noqa: E731
        else:
            write = form if callable(form) else form.format
        texts = tuple(_with_unit(write(value), unit) for value in listed)
        return cls(name, listed, _kind(listed), label, unit, texts, write)

    def text(self, value: Any) -> str:
        """Write a value in words, as the author of the explorer wants it; it need not be on the grid."""
        try:
            text = self.write(value)
        except Exception:  # a format may know the grid's values alone
            text = number_text(value) if _is_number(value) else str(value)
        return _with_unit(text, self.unit)

    def index(self, value: Any) -> int:
        """Find a value's place; raise when it is not on the grid."""
        for place, known in enumerate(self.values):
            if type(known) is not bool and _is_number(known) and _is_number(value):
                if math.isclose(known, value, rel_tol=1e-9):
                    return place
            elif known == value:
                return place
        raise ValueError(f"default[{self.name!r}] must be a value of the grid, {list(self.values)}, got {value!r}")

    def payload(self) -> dict[str, Any]:
        """Give what the slider needs, JSON-ready."""
        return {
            "name": self.name,
            "label": self.label,
            "unit": self.unit,
            "kind": self.kind,
            "whole": all(isinstance(value, int) for value in self.values),
            "values": None if self.kind == "category" else list(self.values),
            "texts": list(self.texts),
        }


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(values: tuple[Any, ...]) -> Kind:
    """Tell numbers (linearly or logarithmically spaced) from categories."""
    if not all(_is_number(value) and math.isfinite(value) for value in values):
        return "category"
    steps = np.diff(np.array(values, dtype=float))
    if not ((steps > 0).all() or (steps < 0).all()):
        return "category"
    if min(values) <= 0 or len(values) < 3:
        return "numeric"
    ratios = np.diff(np.log(np.array(values, dtype=float)))
    even, even_log = np.ptp(steps) / abs(steps.mean()), np.ptp(ratios) / abs(ratios.mean())
    return "log" if even_log < even else "numeric"


def read_grid(
    grid: Mapping[str, Iterable[Any]],
    labels: Mapping[str, str],
    units: Mapping[str, str],
    formats: Mapping[str, Format],
) -> list[Parameter]:
    """Read the whole grid; raise when it is empty or an option names a parameter that is not there."""
    if not grid:
        raise ValueError("grid must hold at least one parameter, got none")
    for option, given in (("labels", labels), ("units", units), ("formats", formats)):
        if unknown := [name for name in given if name not in grid]:
            raise ValueError(f"{option} names {unknown[0]!r}, which is not in the grid: {', '.join(grid)}")
    return [
        Parameter.make(name, values, labels.get(name, name), units.get(name, ""), formats.get(name))
        for name, values in grid.items()
    ]


def points(parameters: list[Parameter]) -> list[dict[str, Any]]:
    """List the grid's points as keywords, the last parameter fastest."""
    names = [parameter.name for parameter in parameters]
    return [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(parameter.values for parameter in parameters))
    ]
