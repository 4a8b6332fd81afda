"""The explorer: figures that follow sliders, in Jupyter and on a page without a kernel.

``compute`` is called once at every point of a grid; what it returns is packed into one small payload. A single script
(the files in ``js/``, joined) draws the payload in both places: as an anywidget's module where there is a front end for
widgets, and on the site from the ``text/html`` form, which needs no kernel, no widget manager and no network.

Between the script and a live kernel go four messages. The script says ``{"kind": "ready"}`` and is answered
``{"kind": "payload", "payload": ...}``; so the numbers stand in the notebook once, in the page's form, and not a second
time in its widget state. For values between those of the grid the script asks ``{"kind": "compute", "id", "values"}``
and is answered ``{"kind": "computed", "id", "frame", "texts", "lengths", "data", "words"}``
(``words``: the values as the author writes them) or
``{"kind": "failed", "id", "error"}``.
"""

from __future__ import annotations

import html
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import anywidget

from ibkit.show.grid import Format, Parameter, points, read_grid
from ibkit.show.packing import Packed, Store, check_size, pack, pack_frame, to_json
from ibkit.show.panel import Panel
from ibkit.show.picture import picture
from ibkit.show.style import DASHES, DIVERGING_STOPS, PALETTE, PALETTE_DARK, SEQUENTIAL_STOPS, series_slots

Compute = Callable[..., Panel | Sequence[Panel]]

# In the order in which they are joined: each uses only what stands before it.
_VIEWS = ("lines", "scatter", "arrows3d", "heatmap", "bars")
_SCRIPTS = ("nodes", "data", "scales", "axes", *_VIEWS, "panel", "controls", "explorer")


@cache
def _source() -> str:
    """Join the script's files, with the palette and the style sheet as constants."""
    folder = resources.files("ibkit.show") / "js"
    theme = {
        "light": PALETTE,
        "dark": PALETTE_DARK,
        "dashes": DASHES,
        "diverging": DIVERGING_STOPS,
        "sequential": SEQUENTIAL_STOPS,
    }
    style = (folder / "explorer.css").read_text(encoding="utf-8")
    constants = f"const THEME = {json.dumps(theme)};\nconst STYLE = {json.dumps(style, ensure_ascii=False)};\n"
    return constants + "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)


def module_script() -> str:
    """Give the script as an ES module, for anywidget.

    Example:
        >>> module_script().rstrip().endswith("export default { render };")
        True
    """
    return _source() + "\nexport default { render };\n"


def page_script() -> str:
    """Give the same script as a classic one, for pages: it mounts every ``.ibkit-explorer`` once the page is read.

    Classic, because browsers refuse modules on pages opened from the file system.

    Example:
        >>> "export default" in page_script()
        False
    """
    return f'(() => {{\n"use strict";\n{_source()}\nmountPage(document);\n}})();\n'


class Explorer(anywidget.AnyWidget):
    """A figure with sliders; made by :func:`explore`.

    Attributes:
        parameters: the sliders.
        payload: everything that the script draws, JSON-ready.
    """

    _esm = module_script()

    def __init__(
        self, compute: Compute, parameters: list[Parameter], packed: Packed, payload: dict[str, Any], page: str
    ) -> None:
        super().__init__()
        self.parameters = parameters
        self.payload = payload
        self._compute = compute
        self._packed = packed
        self._page = page
        self.on_msg(self._hear)

    def to_html(self) -> str:
        """Give the form for pages: a picture of the default state and the data that the page's script draws."""
        return self._page

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Show the widget where there is a front end for it, the page's form elsewhere."""
        bundle = super()._repr_mimebundle_(**kwargs) or ({}, {})
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": f"Explorer({self.payload['title']!r})", "text/html": self._page}, metadata

    def __repr__(self) -> str:
        return f"Explorer({self.payload['title']!r})"

    def _hear(self, _: Any, message: Any, __: Any) -> None:
        if (answer := self.answer(message)) is not None:
            self.send(answer)

    def answer(self, message: Any) -> dict[str, Any] | None:
        """Answer a message of the script.

        Args:
            message: what the script sent, see the top of this module.

        Returns:
            The answer, JSON-ready; None to a message of another kind.
        """
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "ready":
            return {"kind": "payload", "payload": self.payload}
        return self._computed(message) if kind == "compute" else None

    def _computed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Compute one point off the grid; an error becomes words for the reader."""
        try:
            arguments = {
                parameter.name: _value(parameter, message["values"][parameter.name]) for parameter in self.parameters
            }
            frame = _panels(self._compute, arguments)
            kinds = [panel["kind"] for panel in self.payload["panels"]]
            if [panel.kind for panel in frame] != kinds:
                raise ValueError(f"compute must return the panels {kinds}, got {[panel.kind for panel in frame]}")
            store, texts = Store(), {"": 0}
            packed = pack_frame(frame, self.payload["panels"], self._packed.limits, store, texts)
            words = {parameter.name: parameter.text(arguments[parameter.name]) for parameter in self.parameters}
        except Exception as error:  # whatever the author's function raises is shown beside the sliders
            return {"kind": "failed", "id": message.get("id"), "error": f"{type(error).__name__}: {error}"}
        answer = {"kind": "computed", "id": message.get("id"), "frame": packed, "texts": list(texts)}
        return answer | {"lengths": store.lengths, "data": store.block(), "words": words}


def _value(parameter: Parameter, sent: dict[str, Any]) -> Any:
    """Read a slider's place: ``{"index": i}`` on the grid, ``{"value": v}`` between two of its values."""
    if "index" in sent:
        return parameter.values[sent["index"]]
    value = sent["value"]
    low, high = min(parameter.values), max(parameter.values)
    if not low <= value <= high:
        raise ValueError(f"{parameter.name} must lie between {low} and {high}, got {value}")
    return round(value) if all(isinstance(known, int) for known in parameter.values) else float(value)


def _panels(compute: Compute, arguments: dict[str, Any]) -> list[Panel]:
    """Call ``compute`` at one point and check what it gives."""
    given = compute(**arguments)
    panels = [given] if isinstance(given, Panel) else list(given) if isinstance(given, list | tuple) else [given]
    for panel in panels:
        if not isinstance(panel, Panel):
            known = "Lines, HeatMap, Scatter, Arrows3D, Bars"
            raise TypeError(f"compute must return panels ({known}), got {type(panel).__name__}")
    if not panels:
        raise ValueError("compute must return at least one panel, got none")
    return panels


def explore(
    compute: Compute,
    grid: Mapping[str, Iterable[Any]],
    *,
    alt: str,
    title: str = "",
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    formats: Mapping[str, Format] | None = None,
    default: Mapping[str, Any] | None = None,
    colors: Mapping[str, str | int] | None = None,
    live: bool = True,
    limit_kb: float = 300,
) -> Explorer:
    """Compute figures on a grid of parameters and show them under sliders.

    Args:
        compute: called with every combination of the grid's values as keywords; returns a panel or a list of panels
            (``Lines``, ``HeatMap``, ``Scatter``, ``Arrows3D``, ``Bars``), the same ones at every point.
        grid: the sliders: values by parameter, two or three of them. Growing numbers make a numeric slider (a
            logarithmic one when they are spaced so), anything else a slider over categories.
        alt: what the figure shows, in a sentence or two, for readers who cannot see it.
        title: the figure's title.
        labels: what a parameter is called beside its slider.
        units: written after a parameter's values.
        formats: how a parameter's values are written: ``"{:.2f}"`` or a function.
        default: where the sliders stand at first; the first value of each parameter that is not named.
        colors: colours of series by name: a role of ``COLORS`` or a place in the palette. By default a series named
            after a role takes its colour and the others follow the palette; a name keeps its colour everywhere.
        live: with a kernel, let numeric sliders stop between the grid's values and call ``compute`` there. Set it to
            False when ``compute`` only looks up what was computed before.
        limit_kb: the most that the page's form may weigh, in KB of 1024 bytes.

    Returns:
        The explorer: the last value of its cell, so that it is displayed.

    Raises:
        ValueError: when the grid is empty, the default is not on it, an option names what is not there, ``compute``
            takes other arguments than the grid, the panels differ between grid points in more than their numbers, or
            the result is too heavy for a page.
        RuntimeError: when ``compute`` raises; the message says at which point.

    Example:
        >>> from ibkit.show import Lines, explore
        >>> import numpy as np
        >>> t = np.geomspace(1, 1e4, 50)
        >>> def compute(power, scale):
        ...     return Lines(series={"decay": scale * t**-power}, x=t, xscale="log", yscale="log", xlabel="step")
        >>> explore(compute, grid={"power": [0.5, 1.0], "scale": [1, 10]}, title="Power laws", alt="A falling line.")
        Explorer('Power laws')
    """
    if not alt.strip():
        raise ValueError("alt must say what the figure shows, got an empty text")
    parameters = read_grid(grid, labels or {}, units or {}, formats or {})
    _check_signature(compute, [parameter.name for parameter in parameters])
    start = _start(parameters, default or {})
    corners = points(parameters)

    def where(number: int) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in corners[number].items())

    frames = []
    for number, arguments in enumerate(corners):
        try:
            frames.append(_panels(compute, arguments))
        except Exception as error:
            raise RuntimeError(f"compute failed at {where(number)}: {type(error).__name__}: {error}") from error
    packed = pack(frames, where)
    sizes = [len(parameter.values) for parameter in parameters]
    payload = {
        "schema": 1,
        "title": title,
        "alt": alt,
        "live": live,
        "parameters": [parameter.payload() for parameter in parameters],
        "start": start,
        "colors": series_slots([panel["names"] for panel in packed.payload["panels"]], colors or {}),
        **packed.payload,
    }
    shown = 0
    for place, size in zip(start, sizes, strict=True):
        shown = shown * size + place
    state = ", ".join(f"{p.label} = {p.texts[place]}" for p, place in zip(parameters, start, strict=True))
    page = _page(payload, picture(frames[shown], packed.limits, payload["colors"], title, state))
    check_size(page, packed, limit_kb, {p.name: size for p, size in zip(parameters, sizes, strict=True)})
    return Explorer(compute, parameters, packed, payload, page)


def _check_signature(compute: Compute, names: list[str]) -> None:
    """Raise unless ``compute`` can be called with exactly the grid's parameters."""
    signature = inspect.signature(compute)
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise ValueError(
            f"compute{signature} must take the grid's parameters ({', '.join(names)}) as keywords: {error}"
        ) from None


def _start(parameters: list[Parameter], default: Mapping[str, Any]) -> list[int]:
    """Find the sliders' first places."""
    known = [parameter.name for parameter in parameters]
    for name in default:
        if name not in known:
            raise ValueError(f"default names {name!r}, which is not in the grid: {', '.join(known)}")
    return [parameter.index(default[parameter.name]) if parameter.name in default else 0 for parameter in parameters]


def _page(payload: dict[str, Any], image: str) -> str:
    """Write the form for pages."""
    label, alt, source = (html.escape(text) for text in (payload["title"] or payload["alt"], payload["alt"], image))
    return (
        f'<div class="ibkit-explorer" role="group" aria-label="{label}">'
        f'<img class="ibx-picture" alt="{alt}" src="{source}" style="max-width:100%">'
        f'<script type="application/json">{to_json(payload)}</script></div>'
    )
