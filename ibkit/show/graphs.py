"""Communication graphs as pictures: links as lines, agents as dots that carry a value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import Colormap
from numpy.typing import ArrayLike

from ibkit.show.style import GREY, INK, SEQUENTIAL


def draw_graph(
    ax: Axes,
    positions: ArrayLike,
    edges: ArrayLike,
    values: ArrayLike | Sequence[str] | None = None,
    *,
    limits: tuple[float, float] | None = None,
    cmap: str | Colormap | None = None,
    size: float = 60,
    title: str = "",
) -> PathCollection:
    """Draw a graph: a line for each link, a dot for each agent.

    Args:
        ax: where to draw; its axes are switched off.
        positions: a place for each agent, shape ``(agents, 2)``.
        edges: pairs of agents, shape ``(links, 2)``.
        values: a number or a colour for each agent.
        limits: the values at the two ends of the colours, instead of the values' own.
        cmap: another colour map.
        size: of a dot, in square points.
        title: the panel's title.

    Returns:
        The dots, for ``figure.colorbar``.

    Raises:
        ValueError: when shapes do not fit, or a link names an agent that is not there.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> _, ax = plt.subplots()
        >>> draw_graph(ax, [[0, 0], [1, 0], [0, 1]], [[0, 1], [1, 2]], [0.1, 0.5, 0.2]).get_clim()
        (0.1, 0.5)
        >>> plt.close()
    """
    places, links = np.asarray(positions, dtype=float), np.asarray(edges, dtype=int).reshape(-1, 2)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"positions must have shape (agents, 2), got {places.shape}")
    if links.size and not (links.min() >= 0 and links.max() < len(places)):
        raise ValueError(f"edges must name agents 0..{len(places) - 1}, got {links.min()} to {links.max()}")
    if values is not None and len(values) != len(places):
        raise ValueError(f"values must hold one for each of {len(places)} agents, got {len(values)}")
    ax.add_collection(LineCollection(list(places[links]), colors=GREY, linewidths=0.8, alpha=0.7, zorder=1))
    numeric = values is not None and not isinstance(values[0], str)
    look = {"cmap": cmap or SEQUENTIAL, "vmin": limits and limits[0], "vmax": limits and limits[1]} if numeric else {}
    dots = ax.scatter(
        *places.T, s=size, c=INK if values is None else values, edgecolors=INK, linewidths=0.6, zorder=2, **look
    )
    dots.set_clip_on(False)
    centre, reach = (places.max(0) + places.min(0)) / 2, 0.6 * max(np.ptp(places, axis=0).max(), 1e-9)
    ax.set(xlim=centre[0] + reach * np.array([-1, 1]), ylim=centre[1] + reach * np.array([-1, 1]), aspect="equal")
    ax.axis("off")
    if title:
        ax.set_title(title)
    return dots
