"""Vectors in space, drawn as arrows from the origin: a panel of explorers, and the same drawing in a figure.

The projection is orthographic and our own. The camera stands at an azimuth (turning about the third axis) and an
elevation above the plane of the first two; what lies farther off is paler and is drawn first.
"""

# ruff: noqa: D102 -- the base class says what each method is for

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike

from ibkit.show.panel import Arrays, Limits, Panel, numbers
from ibkit.show.style import GREY, INK, PALETTE, series_slots

Guide = Literal["sphere", "axes", "none"]
View = tuple[float, float]

_PALEST = 0.5  # the share of its colour that the farthest arrow keeps
_HEAD, _HALF_WIDTH = 0.1, 0.036  # of an arrow's head, in units of the drawing's reach
_CIRCLE = np.linspace(0, 2 * np.pi, 49)


@dataclass(frozen=True, kw_only=True)
class Arrows3D(Panel):
    """Vectors in space, as arrows from the origin, to be turned by pointer and keyboard.

    Attributes:
        vectors: shape ``(n, 3)`` by name; a vector with a NaN is left out.
        labels: texts at the arrows' tips, by the same names, one a vector.
        edges: thin lines between tips, each a chain of two or more of them; a chain that ends where it starts is a
            polygon. Tips are numbered from 0 through all series in their order.
        guide: what gives depth: the ``"sphere"`` of a radius, the three ``"axes"``, or ``"none"``.
        radius: of the sphere.
        reach: how far from the origin the drawing goes; by default, to the longest vector or the sphere.
        view: where the camera first stands: azimuth and elevation, in degrees.

    Raises:
        ValueError: when there is nothing to draw, or a shape, a number of labels or an option does not fit.

    Example:
        >>> Arrows3D(vectors={"means": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}, edges=[[0, 1, 2, 0]]).names()
        ['means']
    """

    kind: ClassVar[str] = "arrows3d"
    vectors: Mapping[str, ArrayLike]
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    edges: Sequence[Sequence[int]] = ()
    guide: Guide = "sphere"
    radius: float = 1.0
    reach: float | None = None
    view: View = (30.0, 20.0)

    def __post_init__(self) -> None:
        if not self.vectors:
            raise ValueError("Arrows3D.vectors must hold at least one series, got none")
        if self.guide not in ("sphere", "axes", "none"):
            raise ValueError(f"Arrows3D.guide must be 'sphere', 'axes' or 'none', got {self.guide!r}")
        for name in ("radius", "reach"):
            if (size := getattr(self, name)) is not None and not 0 < size < np.inf:
                raise ValueError(f"Arrows3D.{name} must be positive, got {size}")
        if len(self.view) != 2 or not np.isfinite(self.view).all() or abs(self.view[1]) > 90:
            raise ValueError(f"Arrows3D.view must be an azimuth and an elevation in -90..90, got {self.view}")
        sizes = {name: array.size // 3 for name, array in self._vectors().items()}
        for name, labels in self.labels.items():
            if sizes.get(name) != len(labels):
                raise ValueError(
                    f"Arrows3D.labels[{name!r}] must hold one text a vector ({sizes.get(name, 0)}), got {len(labels)}"
                )
        tips = sum(sizes.values())
        for chain in self.edges:
            if len(chain) < 2 or not all(isinstance(tip, int | np.integer) and 0 <= tip < tips for tip in chain):
                raise ValueError(
                    f"Arrows3D.edges must be chains of two or more of the tips 0..{tips - 1}, got {chain!r}"
                )

    def _vectors(self) -> Arrays:
        found = {name: numbers(values, f"Arrows3D.vectors[{name!r}]", 2) for name, values in self.vectors.items()}
        for name, array in found.items():
            if array.shape[1] != 3:
                raise ValueError(f"Arrows3D.vectors[{name!r}] must have shape (n, 3), got {array.shape}")
        return found

    def names(self) -> list[str]:
        return list(self.vectors)

    def layout(self) -> dict[str, Any]:
        return {
            "edges": [[int(tip) for tip in chain] for chain in self.edges],
            "guide": self.guide,
            "radius": float(self.radius),
            "view": [float(angle) for angle in self.view],
        }

    def words(self) -> dict[str, list[str]]:
        return {name: [str(label) for label in labels] for name, labels in self.labels.items()}

    def arrays(self) -> Arrays:
        return {f"arrows:{name}": array.reshape(-1) for name, array in self._vectors().items()}

    def extent(self) -> tuple[Limits | None, Limits | None]:
        lengths = np.concatenate([np.linalg.norm(array, axis=1) for array in self._vectors().values()])
        longest = max(lengths[np.isfinite(lengths)], default=0.0)
        if self.guide == "sphere":
            longest = max(longest, self.radius)
        ends = (-float(longest), float(longest)) if longest > 0 else None
        return ends, ends

    def limits(self, x: Limits | None, y: Limits | None) -> tuple[Limits, Limits]:
        reach = self.reach or (x[1] if x else 1.0)
        return (-reach, reach), (-reach, reach)


def camera(view: View) -> np.ndarray:
    """Give the rotation into a camera's coordinates: rows are what it sees as right, up, and towards itself.

    Example:
        >>> camera((0.0, 0.0)) @ [1.0, 0.0, 0.0]  # a camera on the first axis looks along it
        array([0., 0., 1.])
    """
    (ca, ce), (sa, se) = np.cos(np.radians(view)), np.sin(np.radians(view))
    return np.array([[-sa, ca, 0.0], [-se * ca, -se * sa, ce], [ce * ca, ce * sa, se]])


def arrows_3d(
    ax: Axes,
    vectors: Mapping[str, ArrayLike],
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    edges: Sequence[Sequence[int]] = (),
    colors: Mapping[str, str | int] | None = None,
    guide: Guide = "sphere",
    radius: float = 1.0,
    reach: float | None = None,
    view: View = (30.0, 20.0),
) -> None:
    """Draw vectors in space as arrows from the origin, as the explorer's ``Arrows3D`` does.

    Args:
        ax: plain two-dimensional axes; they lose their frame and keep one unit as long in both directions. Series
            carry their names, for ``ax.legend()``.
        vectors: shape ``(n, 3)`` by name; a vector with a NaN is left out.
        labels: texts at the arrows' tips, by the same names, one a vector.
        edges: thin lines between tips, each a chain of two or more of them, numbered from 0 through all series.
        colors: colours of series by name, as for ``explore``: a role of ``COLORS`` or a place in the palette.
        guide: what gives depth: the ``"sphere"`` of a radius, the three ``"axes"``, or ``"none"``.
        radius: of the sphere.
        reach: how far from the origin the drawing goes; by default, to the longest vector or the sphere.
        view: the camera's azimuth and elevation, in degrees.

    Raises:
        ValueError: when there is nothing to draw, or a shape, a number of labels, a colour or an option does not fit.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> _, ax = plt.subplots()
        >>> arrows_3d(ax, {"means": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]}, labels={"means": ["a", "b"]})
        >>> [text.get_text() for text in ax.texts]
        ['a', 'b']
        >>> plt.close()
    """
    panel = Arrows3D(
        vectors=vectors, labels=labels or {}, edges=edges, guide=guide, radius=radius, reach=reach, view=view
    )
    draw_arrows(ax, panel, series_slots([panel.names()], colors or {}), panel.limits(*panel.extent())[0][1])


def draw_arrows(ax: Axes, panel: Arrows3D, slots: Mapping[str, int], reach: float) -> None:
    """Draw a panel as it stands; ``slots`` are the series' places in the palette."""
    turn = camera(panel.view)
    if panel.guide == "sphere":
        _sphere(ax, turn, panel.radius)
    elif panel.guide == "axes":
        _axes(ax, turn, reach)
    tips: list[np.ndarray] = []
    for name in panel.names():
        color = PALETTE[slots[name]]
        ax.plot([], [], color=color, label=name)
        seen = numbers(panel.vectors[name], "vectors", 2) @ turn.T
        tips += list(seen)
        texts = panel.words().get(name, [""] * len(seen))
        for tip, text in zip(seen, texts, strict=True):
            if np.isfinite(tip).all():
                _arrow(ax, tip, _faded(color, tip[2] / reach), reach)
                _label(ax, tip, text, reach)
    for chain in panel.edges:
        for start, end in pairwise(chain):
            a, b = tips[start], tips[end]
            color = _faded(GREY, (a[2] + b[2]) / 2 / reach)
            ax.plot([a[0], b[0]], [a[1], b[1]], color=color, linewidth=0.9, zorder=3 + (a[2] + b[2]) / 2 / reach)
    ends = 1.16 * reach
    ax.set(xlim=(-ends, ends), ylim=(-ends, ends))
    ax.set_aspect("equal", adjustable="box")
    ax.axis("off")


def _faded(color: str, depth: float) -> tuple[float, float, float]:
    """Mix a colour with the white ground: whole at depth 1 (nearest), palest at -1."""
    share = _PALEST + (1 - _PALEST) * (1 + np.clip(depth, -1, 1)) / 2
    red, green, blue = (float(1 - share * (1 - channel)) for channel in to_rgb(color))
    return red, green, blue


def _arrow(ax: Axes, tip: np.ndarray, color: tuple[float, float, float], reach: float) -> None:
    """Draw a shaft and a head, the head as the outline of a cone: a triangle on its round ground."""
    length = float(np.linalg.norm(tip))
    if length == 0:
        return
    head, wide = min(_HEAD * reach, 0.6 * length), _HALF_WIDTH * reach
    base = tip * (1 - head / length)
    flat = float(np.hypot(*tip[:2]))
    along = tip[:2] / flat if flat > 0 else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    order = 3 + tip[2] / 2 / reach  # by the depth of its middle
    ax.plot([0, base[0]], [0, base[1]], color=color, linewidth=1.9, zorder=order)
    ground = (
        base[:2] + wide * np.outer(np.cos(_CIRCLE), across) + wide * tip[2] / length * np.outer(np.sin(_CIRCLE), along)
    )
    ax.fill(*ground.T, color=color, zorder=order)
    ax.fill(*np.array([tip[:2], base[:2] + wide * across, base[:2] - wide * across]).T, color=color, zorder=order)


def _label(ax: Axes, tip: np.ndarray, text: str, reach: float) -> None:
    if not text:
        return
    flat = float(np.hypot(*tip[:2]))
    way = tip[:2] / flat if flat > 0.05 * reach else np.array([0.0, 1.0])
    ax.annotate(
        text,
        tip[:2],
        xytext=9 * way,
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=8,
        color=INK,
        zorder=6,
    )


def _sphere(ax: Axes, turn: np.ndarray, radius: float) -> None:
    """Draw the outline, and three great circles: their far halves behind everything, their near halves before it."""
    outline = radius * np.column_stack([np.cos(_CIRCLE), np.sin(_CIRCLE)])
    ax.fill(*outline.T, facecolor="#F5F6F8", edgecolor="#C9CED5", linewidth=0.9, zorder=1)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        circle = radius * (np.outer(np.cos(_CIRCLE), turn[:, first]) + np.outer(np.sin(_CIRCLE), turn[:, second]))
        for near, color, order in ((True, "#CDD2D9", 5), (False, "#DFE3E8", 1.5)):
            drawn = np.where(((circle[:, 2] >= 0) == near)[:, None], circle[:, :2], np.nan)
            ax.plot(*drawn.T, color=color, linewidth=0.7, zorder=order)


def _axes(ax: Axes, turn: np.ndarray, reach: float) -> None:
    """Draw the three axes in both directions, with their numbers at the positive ends."""
    for number, end in enumerate(reach * turn.T, start=1):
        for sign in (1, -1):
            color = _faded("#B4BBC4", sign * end[2] / reach)
            order = 3 + sign * end[2] / 2 / reach
            ax.plot([0, sign * end[0]], [0, sign * end[1]], color=color, linewidth=0.8, zorder=order)
        ax.annotate(str(number), 1.08 * end[:2], ha="center", va="center", fontsize=7.5, color=GREY, zorder=6)
