"""What every panel of an explorer has in common.

A panel knows three things that the rest of the package works from: its ``layout`` (what stays the same wherever the
sliders stand: names, labels, scales), its ``arrays`` (what changes, by key), and its ``extent`` (which limits the
numbers ask for). Packing, the fallback picture and the script need no more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

Limits = tuple[float, float]
Arrays = dict[str, np.ndarray]
Scale = Literal["linear", "log"]


def numbers(values: Any, what: str, dimensions: int | None = None) -> np.ndarray:
    """Take an array, tensor or list as float64, with an error that names what it was meant to be."""
    if hasattr(values, "detach"):  # a torch tensor, also one that carries a gradient
        values = values.detach().cpu()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be numbers, got {type(values).__name__} ({error})") from None
    if dimensions is not None and array.ndim != dimensions:
        raise ValueError(f"{what} must have {dimensions} dimension(s), got shape {array.shape}")
    return array


def span(arrays: Sequence[np.ndarray], scale: Scale = "linear") -> Limits | None:
    """Give the least and greatest finite value (positive ones only on a log scale), or None where there is none."""
    ends = []
    for array in arrays:
        keep = np.isfinite(array) & (array > 0 if scale == "log" else True)
        if keep.any():
            ends += [float(array[keep].min()), float(array[keep].max())]
    return (min(ends), max(ends)) if ends else None


@dataclass(frozen=True, kw_only=True)
class Panel(ABC):
    """What all panels share.

    Attributes:
        title: above the panel; may differ from one grid point to the next.
        note: a line under the panel, for a number worth reading out; may differ too.
        fixed: keep the axes over the whole grid, so that one step of a slider can be compared with the next;
            False lets them follow each grid point.
    """

    kind: ClassVar[str] = ""
    title: str = ""
    note: str = ""
    fixed: bool = True

    def names(self) -> list[str]:
        """Name the series, in the order in which they are drawn."""
        return []

    @abstractmethod
    def layout(self) -> dict[str, Any]:
        """Give what must be the same at every grid point."""

    def words(self) -> dict[str, list[str]]:
        """Give the texts beside points, by series; they may differ from one grid point to the next."""
        return {}

    @abstractmethod
    def arrays(self) -> Arrays:
        """Give what may differ, by key."""

    @abstractmethod
    def extent(self) -> tuple[Limits | None, Limits | None]:
        """Give the limits in x and y that this panel's own numbers ask for (of the colours, for a heat map)."""

    @abstractmethod
    def limits(self, x: Limits | None, y: Limits | None) -> tuple[Limits, Limits]:
        """Turn the extents, joined over the grid, into the ends of the axes."""


def padded(limits: Limits | None, scale: Scale, share: float) -> Limits:
    """Widen limits by a share at either end; what is empty or a single value becomes a range that can be drawn.

    Example:
        >>> padded((0.0, 10.0), "linear", 0.1)
        (-1.0, 11.0)
        >>> padded((5.0, 5.0), "linear", 0.1)
        (4.5, 5.5)
    """
    if limits is None:
        return (0.1, 10.0) if scale == "log" else (0.0, 1.0)
    low, high = np.log10(limits) if scale == "log" else limits
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):  # one value only
        reach = 0.5 if scale == "log" else (0.1 * abs(low) or 0.5)
        low, high = low - reach, high + reach
    else:
        low, high = low - share * (high - low), high + share * (high - low)
    return (float(10**low), float(10**high)) if scale == "log" else (float(low), float(high))


def check_limits(limits: Limits | None, what: str, scale: Scale = "linear") -> None:
    """Raise unless limits are two finite growing numbers (positive on a log scale)."""
    if limits is None:
        return
    low, high = limits
    if not (np.isfinite([low, high]).all() and low < high) or (scale == "log" and low <= 0):
        raise ValueError(f"{what} must be (low, high), low < high{' and positive' * (scale == 'log')}, got {limits}")
