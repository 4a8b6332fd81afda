"""What the chapters' figures are made of: spreads, slope guides, annotated matrices, spectra, rows of panels."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from ibkit.show.style import DIVERGING, GREY, INK, PAGE_WIDTH, PALETTE, SEQUENTIAL

Spread = Literal["range", "quartiles", "none"]


def band(
    ax: Axes,
    x: ArrayLike,
    runs: ArrayLike,
    label: str | None = None,
    color: str | None = None,
    *,
    spread: Spread = "range",
    **line: Any,
) -> Line2D:
    """Draw the median over runs as a line, and the spread of the runs as a band around it.

    Args:
        ax: where to draw.
        x: positions, shape ``(recorded,)``.
        runs: one column a run, shape ``(recorded, runs)``; a single run may come as ``(recorded,)``.
        label: the line's name in the legend.
        color: any matplotlib colour; the style's next one by default.
        spread: ``"range"`` (smallest to largest run), ``"quartiles"`` (the middle half) or ``"none"``.
        **line: passed to ``ax.plot``.

    Returns:
        The median's line.

    Raises:
        ValueError: when the shapes do not fit or the spread is unknown.

    Example:
        >>> _, ax = plt.subplots()
        >>> band(ax, [1, 2], [[0.0, 1.0, 5.0], [2.0, 2.0, 2.0]], "loss").get_ydata().tolist()
        [1.0, 2.0]
        >>> plt.close()
    """
    positions, values = np.asarray(x, dtype=float), np.asarray(runs, dtype=float)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or positions.shape != values.shape[:1]:
        raise ValueError(f"runs must have shape (recorded, runs) with recorded = {positions.size}, got {values.shape}")
    ends = {"range": (0, 100), "quartiles": (25, 75), "none": None}
    if spread not in ends:
        raise ValueError(f"spread must be one of {', '.join(ends)}, got {spread!r}")
    (median,) = ax.plot(positions, np.median(values, axis=1), label=label, color=color, **line)
    if values.shape[1] > 1 and (percentiles := ends[spread]) is not None:
        low, high = np.percentile(values, percentiles, axis=1)
        ax.fill_between(positions, low, high, color=median.get_color(), alpha=0.18, linewidth=0)
    return median


def guide_line(
    ax: Axes, x: ArrayLike, slope: float, anchor: tuple[float, float], label: str | None = None, **line: Any
) -> Line2D:
    """Draw the power law of a given slope through a point: a straight line on log-log axes.

    Args:
        ax: where to draw.
        x: positions between whose ends the guide runs, all positive.
        slope: the exponent: y is proportional to x ** slope.
        anchor: the point (x, y), both positive, that the guide goes through.
        label: written at the guide's left end, not in the legend.
        **line: passed to ``ax.plot``.

    Returns:
        The guide's line.

    Raises:
        ValueError: when a position is not positive.

    Example:
        >>> _, ax = plt.subplots()
        >>> guide_line(ax, [1, 100], -1, anchor=(10, 2)).get_ydata().round(2).tolist()
        [20.0, 0.2]
        >>> plt.close()
    """
    positions = np.asarray(x, dtype=float)
    if positions.size == 0 or positions.min() <= 0 or anchor[0] <= 0 or anchor[1] <= 0:
        raise ValueError("x and anchor must be positive: a power law is drawn on log-log axes")
    ends = np.array([positions.min(), positions.max()])
    heights = anchor[1] * (ends / anchor[0]) ** slope
    (guide,) = ax.plot(ends, heights, **{"color": GREY, "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 1} | line)
    if label:
        ax.annotate(
            label,
            (ends[0], heights[0]),
            xytext=(7, 0),
            textcoords="offset points",
            ha="left",
            va="bottom" if slope <= 0 else "top",
            fontsize=8,
            color=guide.get_color(),
        )
    return guide


def contrast_ink(color: Any) -> str:
    """Give the text colour, near-black or white, that stands out from a ground colour.

    Example:
        >>> contrast_ink("white"), contrast_ink("#0B3B6F")
        ('#1F2933', '#FFFFFF')
    """
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return INK if (luminance + 0.05) ** 2 > 0.063 * 1.05 else "#FFFFFF"  # where both contrasts are equal


def heatmap(
    ax: Axes,
    matrix: ArrayLike,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    *,
    title: str = "",
    symmetric: bool = True,
    text: bool | str | Callable[[float], str] | None = None,
    limits: tuple[float, float] | None = None,
    cmap: str | Colormap | None = None,
    bar: bool = True,
) -> AxesImage:
    """Draw a matrix as coloured cells, with its numbers where there is room.

    Args:
        ax: where to draw; it keeps square cells.
        matrix: shape ``(rows, columns)``; NaN cells stay blank.
        rows: names of the rows.
        columns: names of the columns.
        title: the panel's title.
        symmetric: centre the colours at 0 with the diverging map; otherwise the sequential map from least to greatest.
        text: the cells' numbers: True, False, a format such as ``".2f"``, or a function of the value. By default they
            are written for matrices of at most 8 columns.
        limits: the values at the two ends of the colours, instead of the matrix's own.
        cmap: another colour map.
        bar: draw the colour bar.

    Returns:
        The image, for ``figure.colorbar`` and the like.

    Raises:
        ValueError: when the matrix is not two-dimensional or a number of names does not fit.

    Example:
        >>> _, ax = plt.subplots()
        >>> heatmap(ax, [[1.0, -2.0], [0.5, 1.0]]).get_clim()
        (-2.0, 2.0)
        >>> plt.close()
    """
    values = np.asarray(matrix, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"matrix must have shape (rows, columns), got {values.shape}")
    for name, names, size in (("rows", rows, values.shape[0]), ("columns", columns, values.shape[1])):
        if names is not None and len(names) != size:
            raise ValueError(f"{name} must name {size} {name} of the matrix, got {len(names)}")
    low, high = limits if limits is not None else color_limits(values, symmetric=symmetric)
    image = ax.imshow(values, cmap=cmap or (DIVERGING if symmetric else SEQUENTIAL), vmin=low, vmax=high)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks(range(values.shape[1]) if columns is not None else [], columns)
    ax.set_yticks(range(values.shape[0]) if rows is not None else [], rows)
    if title:
        ax.set_title(title)
    if text is None:
        text = values.shape[1] <= 8
    if text:
        _write_cells(ax, image, values, text)
    if bar:
        ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03, aspect=18).outline.set_visible(False)
    return image


def color_limits(values: np.ndarray, *, symmetric: bool) -> tuple[float, float]:
    """Give the values at the two ends of a colour map, whatever the matrix holds (NaN, infinities, one value).

    Example:
        >>> color_limits(np.array([[1.0, -3.0]]), symmetric=True)
        (-3.0, 3.0)
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return (-1.0, 1.0) if symmetric else (0.0, 1.0)
    if symmetric:
        reach = float(np.abs(finite).max()) or 1.0
        return -reach, reach
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _write_cells(ax: Axes, image: AxesImage, values: np.ndarray, text: bool | str | Callable[[float], str]) -> None:
    """Write each finite value into its cell, in the ink that its ground asks for."""
    write = text if callable(text) else (lambda value: format(value, text if isinstance(text, str) else ".2g"))
    size = float(np.clip(64 / max(values.shape[1], 1), 6.5, 9))
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = contrast_ink(image.cmap(image.norm(value)))
            written = write(value).replace("-", "−")
            ax.text(column, row, written, ha="center", va="center", fontsize=size, color=ink)


def cross_table(
    ax: Axes,
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
    best: float | None = None,
    text: str = ".2f",
) -> AxesImage:
    """Draw a table of ratios as a heat map, with the diagonal framed: each method against each yardstick.

    Args:
        ax: where to draw.
        values: ratios, shape ``(rows, columns)``.
        rows: names of what was run.
        columns: names of what it was measured by.
        title: the panel's title.
        best: the value of a perfect score, at the dark end of the colours; the largest value by default.
        text: the format of the numbers.

    Returns:
        The image.

    Example:
        >>> _, ax = plt.subplots()
        >>> _ = cross_table(ax, [[1.0, 0.7], [0.6, 1.0]], ["sign", "gradient"], ["max", "l2"])
        >>> len(ax.patches)  # the frames on the diagonal
        2
        >>> plt.close()
    """
    table = np.asarray(values, dtype=float)
    low, high = color_limits(table, symmetric=False)
    image = heatmap(
        ax,
        table,
        rows,
        columns,
        title=title,
        symmetric=False,
        text=text,
        limits=(low, high if best is None else best),
        bar=False,
    )
    for place in range(min(table.shape)):
        frame = plt.Rectangle((place - 0.47, place - 0.47), 0.94, 0.94, fill=False, edgecolor=PALETTE[6], linewidth=1.8)
        ax.add_patch(frame)
    return image


def spectrum(
    ax: Axes,
    values: ArrayLike,
    label: str | None = None,
    color: str | None = None,
    *,
    group: tuple[int, int] = (0, 1),
    log: bool = False,
) -> None:
    """Draw singular values or eigenvalues as bars, numbered from 1; several spectra stand side by side.

    Args:
        ax: where to draw.
        values: the spectrum, in the order in which it shall stand.
        label: its name in the legend.
        color: any matplotlib colour.
        group: this spectrum's place among how many: ``(0, 2)`` and ``(1, 2)`` for two side by side.
        log: a logarithmic height.

    Raises:
        ValueError: when the values are not one-dimensional or the place is not within the group.

    Example:
        >>> _, ax = plt.subplots()
        >>> spectrum(ax, [3.0, 2.0, 1.0])
        >>> [float(bar.get_height()) for bar in ax.patches]
        [3.0, 2.0, 1.0]
        >>> plt.close()
    """
    heights = np.asarray(values, dtype=float)
    place, size = group
    if heights.ndim != 1:
        raise ValueError(f"values must have one dimension, got shape {heights.shape}")
    if not 0 <= place < size:
        raise ValueError(f"group must be (place, size) with 0 <= place < size, got {group}")
    width = 0.8 / size
    positions = np.arange(1, heights.size + 1) + (place - (size - 1) / 2) * width
    ax.bar(positions, heights, width=width * 0.94, label=label, color=color)
    ax.grid(visible=False, axis="x")
    if log:
        ax.set_yscale("log")
    if heights.size <= 15:
        ax.set_xticks(range(1, heights.size + 1))
    ax.set_xlabel("index")


def small_multiples(
    count: int, *, columns: int | None = None, height: float = 2.5, letters: bool = True, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure of ``count`` panels in rows, as wide as the page.

    Args:
        count: how many panels.
        columns: panels a row; at most three by default.
        height: of a row, in inches.
        letters: mark the panels a, b, c ...
        **options: passed to ``plt.subplots`` (``sharey=True`` ...).

    Returns:
        The figure, and its panels row by row.

    Raises:
        ValueError: when ``count`` is less than 1.

    Example:
        >>> figure, axes = small_multiples(5, columns=3)
        >>> len(axes), figure.get_size_inches().tolist()
        (5, [7.0, 5.0])
        >>> plt.close()
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    columns = columns or min(count, 2 if count == 4 else 3)
    rows = -(-count // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(PAGE_WIDTH, height * rows), squeeze=False, **options)
    panels = list(grid.flat)
    for unused in panels[count:]:
        unused.remove()
    if letters and count > 1:
        panel_labels(panels[:count])
    return figure, panels[:count]


def panel_labels(axes: Iterable[Axes], labels: Iterable[str] = string.ascii_lowercase) -> None:
    """Write a bold letter beside the top left corner of each panel.

    Args:
        axes: the panels.
        labels: their letters, in order.

    Example:
        >>> _, axes = plt.subplots(1, 2)
        >>> panel_labels(axes)
        >>> [ax.texts[0].get_text() for ax in axes]
        ['a', 'b']
        >>> plt.close()
    """
    for ax, label in zip(axes, labels, strict=False):
        ax.annotate(
            label,
            (0, 1),
            xycoords="axes fraction",
            xytext=(-8, 7),
            textcoords="offset points",
            ha="right",
            va="baseline",
            fontsize=10.5,
            fontweight="bold",
            color=INK,
            annotation_clip=False,
        )
