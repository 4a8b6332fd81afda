"""What readers see: the plot style, the figures' building blocks, and the explorer."""

from ibkit.show.arrows import Arrows3D, arrows_3d
from ibkit.show.explorer import Explorer, explore
from ibkit.show.figures import (
    band,
    cross_table,
    guide_line,
    heatmap,
    panel_labels,
    small_multiples,
    spectrum,
)
from ibkit.show.graphs import draw_graph
from ibkit.show.panels import Bars, HeatMap, Lines, Scatter
from ibkit.show.prose import prose
from ibkit.show.style import COLORS, PAGE_WIDTH, PALETTE, color_of, use_style

__all__ = [
    "COLORS",
    "PAGE_WIDTH",
    "PALETTE",
    "Arrows3D",
    "Bars",
    "Explorer",
    "HeatMap",
    "Lines",
    "Scatter",
    "arrows_3d",
    "band",
    "color_of",
    "cross_table",
    "draw_graph",
    "explore",
    "guide_line",
    "heatmap",
    "panel_labels",
    "prose",
    "small_multiples",
    "spectrum",
    "use_style",
]
