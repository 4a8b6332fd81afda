"""How every figure of the book looks: one style, one palette, named colours for recurring roles.

The palette was chosen by search: each colour has a contrast of at least 3 with the page in its mode, and any two
stay apart under the three common forms of colour blindness. ``PALETTE`` is for white ground (and for matplotlib,
whose face stays white on dark pages); ``PALETTE_DARK`` holds the same hues for the explorer on dark pages.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

PALETTE: tuple[str, ...] = (
    "#1F8EE4",  # blue
    "#8E0F06",  # brick
    "#1F794A",  # green
    "#613572",  # plum
    "#A77E0E",  # ochre
    "#9D7CAA",  # lilac
    "#F9406C",  # rose
    "#343F44",  # ink
)
PALETTE_DARK: tuple[str, ...] = (
    "#2E86E3",
    "#E7432D",
    "#A4ECA6",
    "#C06593",
    "#F7DE49",
    "#9EAEE7",
    "#D2505A",
    "#DBDDE1",
)

# Which place of the palette a recurring role takes. A rule shares its colour with the norm whose ball it descends in,
# so that "sign descent" and "max norm" are one colour in every chapter.
ROLES: dict[str, int] = {
    "gradient": 0,
    "gd": 0,
    "sgd": 0,
    "frobenius": 0,
    "l2": 0,
    "sign": 1,
    "signum": 1,
    "max": 1,
    "linf": 1,
    "spectral": 2,
    "muon": 2,
    "shampoo": 2,
    "adam": 3,
    "adamw": 3,
    "rmsprop": 3,
    "adagrad": 3,
    "nuclear": 4,
    "l1": 4,
    "normalized": 5,
    "majority": 0,
    "minority": 1,
    "train": 0,
    "test": 1,
    "theory": 7,
    "oracle": 7,
    "reference": 7,
}
COLORS: dict[str, str] = {role: PALETTE[slot] for role, slot in ROLES.items()}

# Second channel for readers and printers without colour, in the order in which series are drawn.
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2.5), (2, 2), (9, 2.5, 1.6, 2.5), (4, 1.6), (12, 3))
MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P")

GREY = "#6B7280"  # guides, secondary text
INK = "#1F2933"  # axes and text

DIVERGING_STOPS: tuple[str, ...] = (
    "#0B3B6F",
    "#1F78BF",
    "#7DB8E8",
    "#CBE2F4",
    "#F8F7F4",
    "#F6D3C0",
    "#E58F6C",
    "#BD3F22",
    "#6E0A05",
)
SEQUENTIAL_STOPS: tuple[str, ...] = (
    "#F5F9F7",
    "#CFE6E0",
    "#94CBC7",
    "#51A7B0",
    "#2A7F9A",
    "#1D567D",
    "#173260",
    "#0E1538",
)
DIVERGING = LinearSegmentedColormap.from_list("ibkit-diverging", DIVERGING_STOPS)
SEQUENTIAL = LinearSegmentedColormap.from_list("ibkit-sequential", SEQUENTIAL_STOPS)

PAGE_WIDTH = 7.0  # inches: the text column of the book

_RC: dict[str, Any] = {
    "figure.figsize": (PAGE_WIDTH, 3.4),
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.titlesize": 11,
    "savefig.facecolor": "white",
    "savefig.dpi": 100,
    "axes.facecolor": "white",
    "axes.edgecolor": "#8A929C",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 7,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=list(PALETTE)),
    "axes.xmargin": 0.02,
    "axes.ymargin": 0.06,
    "grid.color": "#E6E9ED",
    "grid.linewidth": 0.7,
    "xtick.color": "#8A929C",
    "ytick.color": "#8A929C",
    "xtick.labelcolor": "#3C4650",
    "ytick.labelcolor": "#3C4650",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same bytes on every machine
    "font.size": 9.5,
    "text.color": INK,
    "mathtext.fontset": "dejavusans",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.8,
    "legend.borderaxespad": 0.4,
    "lines.linewidth": 1.7,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
    "scatter.edgecolors": "face",
    "patch.linewidth": 0,
    "image.cmap": "ibkit-sequential",
    "image.interpolation": "nearest",
    "svg.fonttype": "none",
    "svg.hashsalt": "ibkit",  # element ids, and so the bytes, depend on the figure alone
}


def style() -> dict[str, Any]:
    """Give the style's matplotlib settings, for ``matplotlib.rc_context``.

    Returns:
        A fresh dictionary of rcParams.

    Example:
        >>> style()["figure.facecolor"]
        'white'
    """
    return dict(_RC)


def use_style(*, vector: bool = False) -> None:
    """Set the book's plot style for the rest of the kernel.

    Figures are 7 in wide (the text column) on white ground. In a notebook they are shown as PNG at twice the screen's
    resolution and without the time of drawing, so that the same numbers give the same bytes.

    Args:
        vector: show figures as SVG instead (few marks, sharp at any size; heavy for thousands of points).

    Example:
        >>> use_style()
        >>> mpl.rcParams["figure.figsize"][0]
        7.0
    """
    mpl.rcParams.update(_RC)
    _show_inline(vector=vector)


def _show_inline(*, vector: bool) -> None:
    """Configure the inline backend, where there is a notebook kernel."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if vector:
        set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        return
    set_matplotlib_formats("retina", bbox_inches="tight")
    shell.display_formatter.formatters["image/png"].for_type(Figure, small_png)


def small_png(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """Draw a figure at twice the screen's resolution with at most 256 colours: about a third of the usual bytes.

    Args:
        figure: any matplotlib figure.

    Returns:
        The PNG, and the width and height at which to show it.
    """
    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=2 * figure.dpi, bbox_inches="tight", metadata={"Software": None})
    with Image.open(raw) as image:
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    coded = flat.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    coded.save(small, format="png", optimize=True)
    return small.getvalue(), {"width": flat.width // 2, "height": flat.height // 2}


def color_of(name: str) -> str:
    """Give the colour of a role: an update rule, a norm, a group of classes.

    Args:
        name: a role of ``COLORS``; case, blanks, hyphens and underscores do not matter, and a name of several words
            takes the colour of the first word that is a role ("sign descent" is "sign").

    Returns:
        The colour as ``#RRGGBB``.

    Raises:
        KeyError: when no word of the name is a role.

    Example:
        >>> color_of("Sign descent") == color_of("max") == COLORS["sign"]
        True
    """
    slot = slot_of(name)
    if slot is None:
        raise KeyError(f"no colour for {name!r}; roles are {', '.join(sorted(COLORS))}")
    return PALETTE[slot]


def slot_of(name: str) -> int | None:
    """Give the place in the palette of the first word of ``name`` that is a role, or None.

    Example:
        >>> slot_of("minority classes"), slot_of("loss")
        (1, None)
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    return next((ROLES[word] for word in words if word in ROLES), None)


def series_slots(panels: Sequence[Sequence[str]], chosen: Mapping[str, str | int]) -> dict[str, int]:
    """Give each series its place in the palette: as chosen, else by its role, else the next that is free.

    Two series of one panel never share a colour while the palette lasts; series of different panels may, by their role.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel))
    slots: dict[str, int] = {}
    for name, color in chosen.items():
        if name not in names:
            raise ValueError(f"colors names {name!r}, which is no series: {', '.join(names)}")
        slot = ROLES.get(color.lower()) if isinstance(color, str) else color
        if slot is None or not 0 <= slot < len(PALETTE):
            raise ValueError(f"colors[{name!r}] must be a role or a place in 0..{len(PALETTE) - 1}, got {color!r}")
        slots[name] = slot

    def beside(name: str) -> set[int]:
        return {slots[other] for panel in panels if name in panel for other in panel if other in slots}

    for name in names:
        role = slot_of(name)
        if name not in slots and role is not None and role not in beside(name):
            slots[name] = role
    for name in names:
        if name not in slots:
            places = range(len(PALETTE))
            free = [slot for slot in places if slot not in slots.values()]
            free = free or [slot for slot in places if slot not in beside(name)]
            slots[name] = free[0] if free else len(slots) % len(PALETTE)
    return slots


if "ibkit-diverging" not in mpl.colormaps:
    mpl.colormaps.register(DIVERGING)
    mpl.colormaps.register(SEQUENTIAL)
