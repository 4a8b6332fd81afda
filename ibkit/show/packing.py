"""From panels on a grid to one compact JSON payload: float32 values, equal arrays stored once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ibkit.show.panel import Limits, Panel

Frame = Sequence[Panel]
Where = Callable[[int], str]  # words for a grid point, by its number


@dataclass
class Store:
    """Float32 arrays, each kept once, joined into one block of bytes.

    Attributes:
        lengths: how many values each array holds, in the order of their numbers.
        owners: bytes that each (panel, key) brought in first.
    """

    lengths: list[int] = field(default_factory=list)
    owners: dict[tuple[int, str], int] = field(default_factory=dict)
    _chunks: list[bytes] = field(default_factory=list)
    _known: dict[bytes, int] = field(default_factory=dict)

    def add(self, array: np.ndarray, owner: tuple[int, str]) -> int:
        """Keep an array unless an equal one is there, and give its number."""
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is drawn as a gap
            chunk = np.ascontiguousarray(array, dtype="<f4").tobytes()
        if chunk not in self._known:
            self._known[chunk] = len(self._chunks)
            self._chunks.append(chunk)
            self.lengths.append(len(chunk) // 4)
            self.owners[owner] = self.owners.get(owner, 0) + len(chunk)
        return self._known[chunk]

    def block(self) -> str:
        """Give all arrays as base64, little-endian."""
        return base64.b64encode(b"".join(self._chunks)).decode("ascii")


@dataclass(frozen=True)
class Packed:
    """A packed grid.

    Attributes:
        payload: what the script reads; JSON-ready.
        limits: the axes' ends of each panel whose axes are fixed (None for the others).
        store: the arrays, for the account of sizes.
    """

    payload: dict[str, Any]
    limits: list[tuple[Limits, Limits] | None]
    store: Store


def pack(frames: Sequence[Frame], where: Where) -> Packed:
    """Pack the panels of every grid point.

    Args:
        frames: the panels of each grid point, in the order of the grid's product (last parameter fastest).
        where: words for a grid point, for the errors.

    Returns:
        The payload's part that holds panels, frames and data.

    Raises:
        ValueError: when the panels differ from one grid point to another in more than their numbers.
    """
    _check_alike(frames, where)
    limits = [_joined_limits([frame[place] for frame in frames]) for place in range(len(frames[0]))]
    panels = []
    for place in range(len(frames[0])):
        column = [frame[place] for frame in frames]
        keys = dict.fromkeys(key for panel in column for key in panel.arrays())
        panels.append(
            {
                "kind": column[0].kind,
                "names": list(dict.fromkeys(name for panel in column for name in panel.names())),
                "keys": ["limits", *keys],
                **column[0].layout(),
            }
        )
    store, texts = Store(), {"": 0}
    packed = [pack_frame(frame, panels, limits, store, texts) for frame in frames]
    payload = {
        "panels": panels,
        "frames": packed,
        "texts": list(texts),
        "lengths": store.lengths,
        "data": store.block(),
    }
    return Packed(payload, limits, store)


def pack_frame(
    frame: Frame,
    layouts: Sequence[dict[str, Any]],
    limits: Sequence[tuple[Limits, Limits] | None],
    store: Store,
    texts: dict[str, int],
) -> list[list[Any]]:
    """Pack one grid point.

    For each panel: the numbers of its title and note among the texts, the number of the array of each key (-1: absent),
    and where it has words beside points, their numbers by series.
    """

    def text_number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    packed = []
    for place, (panel, layout) in enumerate(zip(frame, layouts, strict=True)):
        arrays = panel.arrays()
        fixed = limits[place]
        arrays["limits"] = np.array(fixed or panel.limits(*panel.extent())).reshape(-1)
        numbers = [store.add(arrays[key], (place, key)) if key in arrays else -1 for key in layout["keys"]]
        words = {name: [text_number(text) for text in labels] for name, labels in panel.words().items()}
        packed.append([text_number(panel.title), text_number(panel.note), numbers, *([words] if words else [])])
    return packed


def _check_alike(frames: Sequence[Frame], where: Where) -> None:
    """Raise unless every grid point has the same panels, in kind and layout."""
    first = frames[0]
    kinds = [panel.kind for panel in first]
    layouts = [panel.layout() for panel in first]
    for number, frame in enumerate(frames):
        here = [panel.kind for panel in frame]
        if here != kinds:
            raise ValueError(
                f"compute must return the same panels everywhere: {kinds} at {where(0)}, {here} at {where(number)}"
            )
        for place, (panel, layout) in enumerate(zip(frame, layouts, strict=True)):
            for key, value in panel.layout().items():
                if value != layout[key]:
                    raise ValueError(
                        f"panel {place + 1} ({panel.kind}) must keep its {key} over the grid: "
                        f"{layout[key]} at {where(0)}, {value} at {where(number)}"
                    )


def _joined_limits(column: Sequence[Panel]) -> tuple[Limits, Limits] | None:
    """Join the extents of one panel over the grid, or give None when its axes are free."""
    if not column[0].fixed:
        return None
    joined: list[Limits | None] = []
    for axis in (0, 1):
        ends = [extent for panel in column if (extent := panel.extent()[axis]) is not None]
        joined.append((min(low for low, _ in ends), max(high for _, high in ends)) if ends else None)
    return column[0].limits(*joined)


def to_json(payload: dict[str, Any]) -> str:
    r"""Write a payload as JSON that may stand inside a ``<script>`` element.

    Example:
        >>> to_json({"title": "</script>"})
        '{"title":"<\\/script>"}'
    """
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")


def check_size(html: str, packed: Packed, limit_kb: float, counts: dict[str, int]) -> None:
    """Raise when an explorer's page form is heavier than allowed, naming what weighs most and what to thin out."""
    size = len(html.encode()) / 1024
    if size <= limit_kb:
        return
    heaviest, weight = max(packed.store.owners.items(), key=lambda item: item[1])
    panel = packed.payload["panels"][heaviest[0]]
    points = max(length for length in packed.store.lengths)
    grid = " × ".join(f"{count} {name}" for name, count in counts.items())
    raise ValueError(
        f"the explorer takes {size:.0f} KB, more than limit_kb={limit_kb:g}; the largest part is {heaviest[1]!r} of "
        f"panel {heaviest[0] + 1} ({panel['kind']}) with {weight * 4 / 3 / 1024:.0f} KB: record fewer points (the "
        f"longest array has {points}) or thin out the grid ({grid})"
    )
