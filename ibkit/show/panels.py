"""What an explorer shows: lines, a heat map, a scatter with arrows, bars. Plain data, checked when it is made."""

# ruff: noqa: D102 -- the base class says what each method is for

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ibkit.show.panel import Arrays, Limits, Panel, Scale, check_limits, numbers, padded, span


@dataclass(frozen=True, kw_only=True)
class Lines(Panel):
    """Curves over one axis.

    Attributes:
        series: y values by name, each of shape ``(n,)``; NaN and infinities leave gaps.
        x: positions ``(n,)`` shared by all series, or one array a name; 0, 1, 2 ... by default.
        bands: (low, high) by the name of a series: its spread, drawn as a shade.
        guides: thin grey lines by name: a number is a level, an array of shape ``(n,)`` a curve over the shared x.
        verticals: thin grey vertical lines by name.
        xlabel: what x is, with its unit.
        ylabel: what y is, with its unit.
        xscale: ``"linear"`` or ``"log"``.
        yscale: ``"linear"`` or ``"log"``; what is not positive leaves a gap.
        xlim: ends of the x axis instead of the data's own.
        ylim: ends of the y axis instead of the data's own.

    Raises:
        ValueError: when shapes or scales do not fit.

    Example:
        >>> Lines(series={"loss": [1.0, 0.5, 0.25]}, x=[1, 10, 100], xscale="log").names()
        ['loss']
    """

    kind: ClassVar[str] = "lines"
    series: Mapping[str, ArrayLike]
    x: ArrayLike | Mapping[str, ArrayLike] | None = None
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] = field(default_factory=dict)
    guides: Mapping[str, ArrayLike] = field(default_factory=dict)
    verticals: Mapping[str, float] = field(default_factory=dict)
    xlabel: str = ""
    ylabel: str = ""
    xscale: Scale = "linear"
    yscale: Scale = "linear"
    xlim: Limits | None = None
    ylim: Limits | None = None

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError("Lines.series must hold at least one series, got none")
        for name in ("xscale", "yscale"):
            if getattr(self, name) not in ("linear", "log"):
                raise ValueError(f"Lines.{name} must be 'linear' or 'log', got {getattr(self, name)!r}")
        for name in ("xlim", "ylim"):
            check_limits(getattr(self, name), f"Lines.{name}", getattr(self, name[0] + "scale"))
        for name in self.bands:
            if name not in self.series:
                raise ValueError(f"Lines.bands[{name!r}] belongs to no series; series are {', '.join(self.series)}")
        self.arrays()

    def names(self) -> list[str]:
        return list(self.series)

    def layout(self) -> dict[str, Any]:
        keys = ("xlabel", "ylabel", "xscale", "yscale")
        return {key: getattr(self, key) for key in keys} | {
            "guides": list(self.guides),
            "verticals": list(self.verticals),
        }

    def arrays(self) -> Arrays:
        curves = {name: numbers(values, f"Lines.series[{name!r}]", 1) for name, values in self.series.items()}
        packed: Arrays = {}
        for name, y in curves.items():
            if isinstance(self.x, Mapping):
                if name not in self.x:
                    raise ValueError(f"Lines.x has no positions for series {name!r}")
                x = numbers(self.x[name], f"Lines.x[{name!r}]", 1)
            else:
                x = np.arange(y.size, dtype=float) if self.x is None else numbers(self.x, "Lines.x", 1)
            check_same_length(x, y, f"Lines.series[{name!r}]")
            packed[f"x:{name}"] = x
            packed[f"y:{name}"] = y
            if name in self.bands:
                for end, values in zip(("low", "high"), self.bands[name], strict=True):
                    edge = numbers(values, f"Lines.bands[{name!r}] {end}", 1)
                    check_same_length(x, edge, f"Lines.bands[{name!r}] {end}")
                    packed[f"{end}:{name}"] = edge
        shared = packed[f"x:{next(iter(curves))}"]
        for name, values in self.guides.items():
            guide = numbers(values, f"Lines.guides[{name!r}]")
            if guide.ndim == 1:
                check_same_length(shared, guide, f"Lines.guides[{name!r}]")
                packed[f"guide-x:{name}"] = shared
            packed[f"guide:{name}"] = guide.reshape(-1)
        for name, place in self.verticals.items():
            packed[f"vertical:{name}"] = numbers(place, f"Lines.verticals[{name!r}]", 0).reshape(1)
        return packed

    def extent(self) -> tuple[Limits | None, Limits | None]:
        arrays = self.arrays()
        levels = [a for key, a in arrays.items() if key.startswith("guide:") and a.size == 1]
        heights = [a for key, a in arrays.items() if key[:2] == "y:" or key.startswith(("low:", "high:"))]
        # A guide that is a curve may run far out of the picture; a level is meant to be seen.
        return span([a for key, a in arrays.items() if key[:2] == "x:"], self.xscale), span(
            heights + levels, self.yscale
        )

    def limits(self, x: Limits | None, y: Limits | None) -> tuple[Limits, Limits]:
        return self.xlim or padded(x, self.xscale, 0.015), self.ylim or padded(y, self.yscale, 0.05)


def check_same_length(x: np.ndarray, y: np.ndarray, what: str) -> None:
    """Raise unless ``y`` is as long as ``x``."""
    if x.shape != y.shape:
        raise ValueError(f"{what} must have as many values as x, got {y.size} values for {x.size} positions")


@dataclass(frozen=True, kw_only=True)
class HeatMap(Panel):
    """A matrix as coloured cells.

    Attributes:
        matrix: shape ``(rows, columns)``, the same at every grid point; NaN cells stay blank.
        row_labels: names of the rows.
        col_labels: names of the columns.
        symmetric: colours centred at 0; otherwise from least to greatest.
        text: write the values into the cells (where they fit).
        clim: values at the ends of the colours instead of the data's own.

    Raises:
        ValueError: when the shape or a number of labels does not fit.
    """

    kind: ClassVar[str] = "heatmap"
    matrix: ArrayLike
    row_labels: Sequence[str] | None = None
    col_labels: Sequence[str] | None = None
    symmetric: bool = True
    text: bool = True
    clim: Limits | None = None

    def __post_init__(self) -> None:
        rows, columns = self._matrix().shape
        for name, size in (("row_labels", rows), ("col_labels", columns)):
            if (labels := getattr(self, name)) is not None and len(labels) != size:
                raise ValueError(f"HeatMap.{name} must name {size} of them, got {len(labels)}")
        check_limits(self.clim, "HeatMap.clim")

    def _matrix(self) -> np.ndarray:
        matrix = numbers(self.matrix, "HeatMap.matrix", 2)
        if matrix.size == 0:
            raise ValueError(f"HeatMap.matrix must have cells, got shape {matrix.shape}")
        return matrix

    def layout(self) -> dict[str, Any]:
        rows, columns = self._matrix().shape
        return {
            "shape": [rows, columns],
            "rows": None if self.row_labels is None else [str(label) for label in self.row_labels],
            "columns": None if self.col_labels is None else [str(label) for label in self.col_labels],
            "symmetric": self.symmetric,
            "text": self.text,
        }

    def arrays(self) -> Arrays:
        return {"matrix": self._matrix().reshape(-1)}

    def extent(self) -> tuple[Limits | None, Limits | None]:
        return None, span([self._matrix()])

    def limits(self, x: Limits | None, y: Limits | None) -> tuple[Limits, Limits]:
        low, high = y or (0.0, 1.0)
        if self.symmetric:
            high = max(abs(low), abs(high)) or 1.0
            low = -high
        elif low == high:
            low, high = low - 0.5, high + 0.5
        return (0.0, 1.0), self.clim or (low, high)


@dataclass(frozen=True, kw_only=True)
class Scatter(Panel):
    """Points, arrows and paths in a plane.

    Attributes:
        points: shape ``(n, 2)`` by name.
        arrows: by name, shape ``(n, 2)`` for arrows from the origin or ``(n, 4)`` for (x0, y0, x1, y1).
        paths: trajectories by name, shape ``(t, 2)``, drawn as a line with a dot at its end. A name that stands in
            ``points`` too is one series: a trajectory and where it stands now.
        labels: texts beside points or at the arrows' tips, by the same names, one a point.
        xlabel: what x is.
        ylabel: what y is.
        equal: one unit is as long in x as in y.
        frame: draw the axes and their numbers; False for drawings such as projections.
        xlim: ends of the x axis instead of the data's own.
        ylim: ends of the y axis instead of the data's own.

    Raises:
        ValueError: when there is nothing to draw or a shape does not fit.
    """

    kind: ClassVar[str] = "scatter"
    points: Mapping[str, ArrayLike] = field(default_factory=dict)
    arrows: Mapping[str, ArrayLike] = field(default_factory=dict)
    paths: Mapping[str, ArrayLike] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    xlabel: str = ""
    ylabel: str = ""
    equal: bool = True
    frame: bool = True
    xlim: Limits | None = None
    ylim: Limits | None = None

    def __post_init__(self) -> None:
        if not (self.points or self.arrows or self.paths):
            raise ValueError("Scatter must hold points, arrows or paths, got none")
        arrays = self.arrays()
        for name in ("xlim", "ylim"):
            check_limits(getattr(self, name), f"Scatter.{name}")
        for name, labels in self.labels.items():
            found = arrays.get(f"arrows:{name}", arrays.get(f"points:{name}"))
            width = 4 if f"arrows:{name}" in arrays else 2
            if found is None or found.size != width * len(labels):
                count = 0 if found is None else found.size // width
                raise ValueError(f"Scatter.labels[{name!r}] must hold one text a point ({count}), got {len(labels)}")

    def names(self) -> list[str]:
        return list(dict.fromkeys([*self.paths, *self.arrows, *self.points]))

    def layout(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("xlabel", "ylabel", "equal", "frame")}

    def words(self) -> dict[str, list[str]]:
        return {name: [str(label) for label in labels] for name, labels in self.labels.items()}

    def arrays(self) -> Arrays:
        packed: Arrays = {}
        for kind in ("paths", "arrows", "points"):
            for name, values in getattr(self, kind).items():
                array = numbers(values, f"Scatter.{kind}[{name!r}]", 2)
                widths = (2, 4) if kind == "arrows" else (2,)
                if array.shape[1] not in widths:
                    wanted = " or ".join(f"(n, {width})" for width in widths)
                    raise ValueError(f"Scatter.{kind}[{name!r}] must have shape {wanted}, got {array.shape}")
                if kind == "arrows" and array.shape[1] == 2:
                    array = np.hstack([np.zeros_like(array), array])
                packed[f"{kind}:{name}"] = array.reshape(-1)
        return packed

    def extent(self) -> tuple[Limits | None, Limits | None]:
        arrays = list(self.arrays().values())
        return span([a[0::2] for a in arrays]), span([a[1::2] for a in arrays])

    def limits(self, x: Limits | None, y: Limits | None) -> tuple[Limits, Limits]:
        return self.xlim or padded(x, "linear", 0.09), self.ylim or padded(y, "linear", 0.09)


@dataclass(frozen=True, kw_only=True)
class Bars(Panel):
    """Bars, side by side for several series: spectra, shares, scores.

    Attributes:
        values: heights by name, each of shape ``(n,)``; NaN leaves a gap.
        categories: names of the n places; 1, 2, 3 ... by default.
        xlabel: what the places are.
        ylabel: what the height is, with its unit.
        yscale: ``"linear"`` (bars stand on 0) or ``"log"`` (bars stand on the axis).
        ylim: ends of the y axis instead of the data's own.

    Raises:
        ValueError: when lengths do not fit.
    """

    kind: ClassVar[str] = "bars"
    values: Mapping[str, ArrayLike]
    categories: Sequence[str] | None = None
    xlabel: str = ""
    ylabel: str = ""
    yscale: Scale = "linear"
    ylim: Limits | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("Bars.values must hold at least one series, got none")
        if self.yscale not in ("linear", "log"):
            raise ValueError(f"Bars.yscale must be 'linear' or 'log', got {self.yscale!r}")
        sizes = {name: array.size for name, array in self._heights().items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Bars.values must have as many values each, got {sizes}")
        size = next(iter(sizes.values()))
        if self.categories is not None and len(self.categories) != size:
            raise ValueError(f"Bars.categories must name {size} places, got {len(self.categories)}")
        check_limits(self.ylim, "Bars.ylim", self.yscale)

    def _heights(self) -> Arrays:
        return {name: numbers(values, f"Bars.values[{name!r}]", 1) for name, values in self.values.items()}

    def names(self) -> list[str]:
        return list(self.values)

    def layout(self) -> dict[str, Any]:
        size = next(iter(self._heights().values())).size
        categories = range(1, size + 1) if self.categories is None else self.categories
        return {
            "categories": [str(category) for category in categories],
            "xlabel": self.xlabel,
            "ylabel": self.ylabel,
            "yscale": self.yscale,
        }

    def arrays(self) -> Arrays:
        return {f"y:{name}": array for name, array in self._heights().items()}

    def extent(self) -> tuple[Limits | None, Limits | None]:
        return None, span(list(self._heights().values()), self.yscale)

    def limits(self, x: Limits | None, y: Limits | None) -> tuple[Limits, Limits]:
        if self.ylim:
            return (0.0, 1.0), self.ylim
        if self.yscale == "log":
            return (0.0, 1.0), padded(y, "log", 0.08)
        low, high = min((y or (0, 1))[0], 0.0), max((y or (0, 1))[1], 0.0)
        room = 0.06 * ((high - low) or 1.0)
        return (0.0, 1.0), (low - room * (low < 0), high + room * (high > 0 or low == high))
