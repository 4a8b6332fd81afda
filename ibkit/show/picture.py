"""The picture of an explorer's default state, for print and for pages without scripts: a small SVG by matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from ibkit.show.arrows import Arrows3D, draw_arrows
from ibkit.show.figures import heatmap
from ibkit.show.grid import number_text
from ibkit.show.panel import Limits, Panel
from ibkit.show.panels import Bars, HeatMap, Lines, Scatter
from ibkit.show.style import DASHES, GREY, MARKERS, PAGE_WIDTH, PALETTE, style

_MOST_POINTS = 90  # a curve of the picture; more cannot be told apart at this size


def picture(
    frame: Sequence[Panel],
    limits: Sequence[tuple[Limits, Limits] | None],
    slots: Mapping[str, int],
    title: str,
    state: str,
) -> str:
    """Draw one grid point and give it as a ``data:`` address for an ``<img>``.

    Args:
        frame: the panels.
        limits: the ends of each panel's axes, None where they follow the panel.
        slots: each series' place in the palette.
        title: the figure's title.
        state: where the sliders stand, in words.

    Returns:
        The SVG as a ``data:`` address; the same panels give the same bytes.
    """
    drawn = svg(frame, limits, slots, title, state)
    return "data:image/svg+xml;charset=utf-8," + drawn.replace("%", "%25").replace("#", "%23")


def svg(
    frame: Sequence[Panel],
    limits: Sequence[tuple[Limits, Limits] | None],
    slots: Mapping[str, int],
    title: str,
    state: str,
) -> str:
    """Draw one grid point as SVG."""
    columns = 1 if len(frame) == 1 else 2
    rows = -(-len(frame) // columns)
    buffer = io.StringIO()
    with mpl.rc_context(style()):
        figure = Figure(figsize=(PAGE_WIDTH, 2.7 * rows + 0.5), layout="constrained")
        FigureCanvasSVG(figure)
        grid = figure.subplots(rows, columns, squeeze=False)
        for ax in list(grid.flat)[len(frame) :]:
            ax.remove()
        for ax, panel, fixed in zip(grid.flat, frame, limits, strict=False):
            _draw(ax, panel, fixed or panel.limits(*panel.extent()), slots)
        figure.suptitle("\n".join(filter(None, [title, state])), fontsize=9.5)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    return _small(buffer.getvalue())


def _small(text: str) -> str:
    """Leave out what a browser does not need, and write each style once, as a class: a third of the bytes."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = text.replace("'DejaVu Sans'", "Helvetica, Arial")
    text = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", text)).strip()
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r' (d|x|y|width|height|transform)="([^"]*)"', _tight, text)
    classes: dict[str, str] = {}

    def classed(match: re.Match[str]) -> str:
        return f' class="{classes.setdefault(match[1], f"s{len(classes)}")}"'

    text = re.sub(r' style="([^"]*)"', classed, text)
    rules = "".join(f".{name}{{{rule.replace(': ', ':').replace('; ', ';')}}}" for rule, name in classes.items())
    return text.replace("</style>", f"{rules}</style>", 1).replace('"', "'")


def _tight(match: re.Match[str]) -> str:
    """Write places to a tenth of a point, finer than any screen, and paths without the blanks beside their letters."""
    name, places = match[1], re.sub(r"(\d+\.\d)\d+", r"\1", match[2])
    if name == "d":
        places = re.sub(r" ?([A-Za-z]) ?", r"\1", places).strip()
    return f' {name}="{places}"'


def _draw(ax: Axes, panel: Panel, limits: tuple[Limits, Limits], slots: Mapping[str, int]) -> None:
    if isinstance(panel, Lines):
        _lines(ax, panel, slots)
    elif isinstance(panel, Scatter):
        _scatter(ax, panel, slots)
    elif isinstance(panel, Bars):
        _bars(ax, panel, slots)
    elif isinstance(panel, HeatMap):
        _cells(ax, panel, limits[1])
        return
    elif isinstance(panel, Arrows3D):
        _space(ax, panel, limits[0][1], slots)
        return
    if not isinstance(panel, Bars):
        ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    for axis, scale in ((ax.xaxis, getattr(panel, "xscale", "")), (ax.yaxis, getattr(panel, "yscale", ""))):
        if scale == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
            axis.set_minor_formatter(NullFormatter())
            axis.set_minor_locator(NullLocator())
    ax.set(xlabel=getattr(panel, "xlabel", ""), ylabel=getattr(panel, "ylabel", ""))
    ax.set_title(panel.title)
    if len(panel.names()) > 1:
        ax.legend(fontsize=7.5)


def _stroke(names: Sequence[str], name: str, slots: Mapping[str, int]) -> dict[str, Any]:
    dash = DASHES[names.index(name) % len(DASHES)]
    return {"color": PALETTE[slots[name]], "label": name, "linestyle": (0, dash) if dash else "-"}


def _thin(*arrays: np.ndarray) -> list[np.ndarray]:
    count = arrays[0].size
    if count <= _MOST_POINTS:
        return list(arrays)
    kept = np.unique(np.linspace(0, count - 1, _MOST_POINTS).round().astype(int))
    return [array[kept] for array in arrays]


def _lines(ax: Axes, panel: Lines, slots: Mapping[str, int]) -> None:
    arrays = panel.arrays()
    ax.set_xscale(panel.xscale)
    ax.set_yscale(panel.yscale, **({"nonpositive": "mask"} if panel.yscale == "log" else {}))
    for name in panel.names():
        stroke = _stroke(panel.names(), name, slots)
        if name in panel.bands:
            x, low, high = _thin(arrays[f"x:{name}"], arrays[f"low:{name}"], arrays[f"high:{name}"])
            ax.fill_between(x, low, high, color=stroke["color"], alpha=0.18, linewidth=0)
        x, y = _thin(arrays[f"x:{name}"], arrays[f"y:{name}"])
        ax.plot(x, np.where(np.isfinite(y), y, np.nan), **stroke)
    for name in panel.guides:
        values = arrays[f"guide:{name}"]
        if values.size == 1:
            ax.axhline(values[0], color=GREY, linewidth=0.9)
        else:
            ax.plot(*_thin(arrays[f"guide-x:{name}"], values), color=GREY, linewidth=0.9)
    for name in panel.verticals:
        ax.axvline(arrays[f"vertical:{name}"][0], color=GREY, linewidth=0.9)


def _scatter(ax: Axes, panel: Scatter, slots: Mapping[str, int]) -> None:
    arrays = panel.arrays()
    names = panel.names()
    for place, name in enumerate(names):
        color = PALETTE[slots[name]]
        label: str | None = name
        if (path := arrays.get(f"paths:{name}")) is not None:
            ax.plot(*_thin(path[0::2], path[1::2]), **(_stroke(names, name, slots)), linewidth=1.3)
            label = None
        if (arrows := arrays.get(f"arrows:{name}")) is not None:
            x0, y0, x1, y1 = arrows.reshape(-1, 4).T
            ax.quiver(
                x0, y0, x1 - x0, y1 - y0, color=color, label=label, angles="xy", scale_units="xy", scale=1, width=0.009
            )
            label = None
        if (points := arrays.get(f"points:{name}")) is not None:
            ax.scatter(points[0::2], points[1::2], color=color, label=label, s=22, marker=MARKERS[place % len(MARKERS)])
        for text, at in zip(panel.labels.get(name, ()), _tips(arrays, name), strict=False):
            ax.annotate(str(text), at, xytext=(4, 3), textcoords="offset points", fontsize=8)
    if panel.equal:
        ax.set_aspect("equal", adjustable="box")
    if not panel.frame:
        ax.axis("off")


def _tips(arrays: Mapping[str, np.ndarray], name: str) -> list[tuple[float, float]]:
    """Give the places that labels belong to: the arrows' tips, else the points."""
    if (arrows := arrays.get(f"arrows:{name}")) is not None:
        return [(x, y) for _, _, x, y in arrows.reshape(-1, 4)]
    return [(x, y) for x, y in arrays.get(f"points:{name}", np.empty(0)).reshape(-1, 2)]


def _bars(ax: Axes, panel: Bars, slots: Mapping[str, int]) -> None:
    arrays, names = panel.arrays(), panel.names()
    categories = panel.layout()["categories"]
    ax.set_yscale(panel.yscale)
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        offset = (place - (len(names) - 1) / 2) * width
        heights = arrays[f"y:{name}"]
        ax.bar(np.arange(heights.size) + offset, heights, 0.94 * width, color=PALETTE[slots[name]], label=name)
    stride = -(-len(categories) // 16)
    ax.set_xticks(range(0, len(categories), stride), categories[::stride])
    ax.grid(visible=False, axis="x")


def _space(ax: Axes, panel: Arrows3D, reach: float, slots: Mapping[str, int]) -> None:
    draw_arrows(ax, panel, slots, reach)
    ax.set_title(panel.title)
    if len(panel.names()) > 1:
        ax.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(0.98, 1))


def _cells(ax: Axes, panel: HeatMap, limits: Limits) -> None:
    matrix = np.asarray(panel.arrays()["matrix"]).reshape(panel.layout()["shape"])
    rows, columns = panel.row_labels, panel.col_labels
    small = matrix.shape[1] <= 8
    heatmap(
        ax,
        np.where(np.isfinite(matrix), matrix, np.nan),
        rows,
        columns,
        title=panel.title,
        symmetric=panel.symmetric,
        text=panel.text and small,
        limits=limits,
        bar=False,
    )
