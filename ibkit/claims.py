"""What a paper claims, against what was measured.

A claim fixes its bound before the run, is measured over several runs, and must be able to fail: `contrast` is what a
plain method measures, and the claim is red too if the contrast also satisfies the bound.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ibkit.checks import one_of, require

CLAIM_MIME = "application/vnd.ibkit.claim+json"
"""MIME type under which a claim is stored in its cell's output."""

KINDS = ("theorem", "closed form", "trend", "ordering")
SYMBOLS = {"held": "✓", "red": "✗", "open": "○"}

_made: dict[str, Claim] = {}


@dataclass(frozen=True)
class Bound:
    """The rule a measured value must satisfy; exactly one of four.

    Args:
        equals: target value, within `rel` times its size or `abs`, whichever is wider.
        at_least: lower bound, included.
        at_most: upper bound, included.
        between: lower and upper bound, both included.
        rel: relative tolerance of `equals`.
        abs: absolute tolerance of `equals`.

    Raises:
        ValueError: if not exactly one rule is given, a number is NaN, or `equals` comes without a tolerance.

    Example:
        >>> Bound(equals=2.0, rel=0.03).text
        '2 ± 3 %'
        >>> Bound(at_least=0.98).holds(float("nan"))
        False
    """

    equals: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    between: tuple[float, float] | None = None
    rel: float | None = None
    abs: float | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("equals", "at_least", "at_most", "between") if getattr(self, name) is not None]
        require(
            len(given) == 1, f"a claim needs exactly one of equals, at_least, at_most, between, got {given or 'none'}"
        )
        numbers = np.ravel(np.asarray(getattr(self, given[0]), dtype=float))
        require(not np.isnan(numbers).any(), f"{given[0]} must be a number, got NaN")
        tolerant = self.rel is not None or self.abs is not None
        require(tolerant == (self.equals is not None), "equals needs rel= or abs=, and only equals takes them")
        require(
            min(self.rel or 0, self.abs or 0) >= 0, f"rel and abs must not be negative, got {self.rel} and {self.abs}"
        )
        if self.between is not None:
            low, high = self.between
            require(low <= high, f"between must be (low, high), got {self.between}")

    def holds(self, value: float) -> bool:
        """Return whether one measured value satisfies the rule; NaN never does."""
        if math.isnan(value):
            return False
        if self.equals is not None:
            return abs(value - self.equals) <= max((self.rel or 0.0) * abs(self.equals), self.abs or 0.0)
        if self.at_least is not None:
            return value >= self.at_least
        if self.at_most is not None:
            return value <= self.at_most
        low, high = self.between
        return low <= value <= high

    @property
    def text(self) -> str:
        """The rule as a reader sees it."""
        if self.equals is not None:
            tolerances = [f"{100 * self.rel:g} %"] if self.rel is not None else []
            tolerances += [f"{self.abs:g}"] if self.abs is not None else []
            return f"{_digits(self.equals)} ± {' or '.join(tolerances)}"
        if self.at_least is not None:
            return f"≥ {_digits(self.at_least)}"
        if self.at_most is not None:
            return f"≤ {_digits(self.at_most)}"
        return f"in [{_digits(self.between[0])}, {_digits(self.between[1])}]"


@dataclass(frozen=True)
class Measured:
    """One value a run, and how many of them satisfy the bound.

    Args:
        values: one a run.
        satisfied: share of the runs that satisfy the bound.
        label: what was measured, for contrasts.
    """

    values: tuple[float, ...]
    satisfied: float
    label: str | None = None

    @property
    def text(self) -> str:
        """Median, and the range when there are several runs."""
        if any(math.isnan(value) for value in self.values):
            return f"NaN in {sum(map(math.isnan, self.values))} of {len(self.values)} runs"
        median = _digits(float(np.median(self.values)))
        if len(self.values) == 1:
            return median
        return f"{median} [{_digits(min(self.values))}, {_digits(max(self.values))}]"

    def record(self) -> dict[str, Any]:
        """Return what the ledger keeps; NaN and infinities become null."""
        whole = not any(math.isnan(value) for value in self.values)
        summary = {
            "median": float(np.median(self.values)) if whole else math.nan,
            "low": min(self.values) if whole else math.nan,
            "high": max(self.values) if whole else math.nan,
        }
        record = {"values": list(self.values), **summary, "satisfied": self.satisfied}
        if self.label is not None:
            record["label"] = self.label
        return _without_nan(record)


@dataclass(frozen=True)
class Claim:
    """A claim with its verdict; made by `claim`.

    Args:
        id: short name, unique in the chapter.
        statement: what the paper says, in a sentence.
        kind: theorem, closed form, trend or ordering.
        source: where the paper says it.
        bound: the rule.
        measured: what was seen.
        share: share of runs for which the bound must hold.
        contrast: what a plain method or a broken assumption gives.
        open_because: why the scale cannot show it.
    """

    id: str
    statement: str
    kind: str
    source: str
    bound: Bound
    measured: Measured
    share: float = 1.0
    contrast: Measured | None = None
    open_because: str | None = None
    state: str = field(init=False)

    def __post_init__(self) -> None:
        held = self.measured.satisfied >= self.share - 1e-12
        contrast_fails = self.contrast is None or self.contrast.satisfied < self.share - 1e-12
        state = "open" if self.open_because else "held" if held and contrast_fails else "red"
        object.__setattr__(self, "state", state)

    def record(self) -> dict[str, Any]:
        """Return the claim as JSON data, schema 1."""
        return {
            "schema": 1,
            "id": self.id,
            "statement": self.statement,
            "kind": self.kind,
            "source": self.source,
            "state": self.state,
            "bound": self.bound.text,
            "rule": _without_nan({k: v for k, v in asdict(self.bound).items() if v is not None}),
            "share": self.share,
            "measured": self.measured.record(),
            "contrast": self.contrast.record() if self.contrast else None,
            "open_because": self.open_because,
        }

    def __str__(self) -> str:
        contrast = f"; contrast {self.contrast.text}" if self.contrast else ""
        return (
            f"{SYMBOLS[self.state]} {self.state}  {self.id}: {self.measured.text}, required {self.bound.text}{contrast}"
        )

    def bundle(self) -> dict[str, Any]:
        """Return the forms in which the claim is shown and stored, by MIME type."""
        return {CLAIM_MIME: self.record(), "text/html": _table([self]), "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Show nothing: `claim` has shown it already, and the last line of a cell must not store it twice."""


def claim(
    id: str,
    statement: str,
    *,
    measured: float | Sequence[float] | np.ndarray,
    source: str,
    kind: str,
    equals: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    between: tuple[float, float] | None = None,
    rel: float | None = None,
    abs: float | None = None,
    share: float = 1.0,
    contrast: float | Sequence[float] | np.ndarray | None = None,
    contrast_label: str | None = None,
    open_because: str | None = None,
) -> Claim:
    """Check a claim, show it, and store it in the cell's output.

    Args:
        id: short name, unique in the chapter.
        statement: what the paper claims, in one sentence of our own.
        measured: a number, or one value a run (any shape; flattened).
        source: where the paper says it, such as ``"Theorem 2"``.
        kind: theorem, closed form, trend or ordering.
        equals: target; needs `rel` or `abs`.
        at_least: lower bound.
        at_most: upper bound.
        between: lower and upper bound.
        rel: relative tolerance of `equals`.
        abs: absolute tolerance of `equals`.
        share: share of the runs that must satisfy the bound; all by default.
        contrast: the same measurement for a plain method or a broken assumption; it must *not* satisfy the bound.
        contrast_label: what the contrast is.
        open_because: why this scale cannot decide; the claim is then shown open, whatever was measured.

    Returns:
        The claim, with ``state`` held, red or open.

    Raises:
        ValueError: not exactly one bound, an unknown kind, an empty text, no values, or a share outside (0, 1].

    Example:
        >>> c = claim("half", "A fair coin", measured=[0.49, 0.52], equals=0.5, abs=0.05, source="here", kind="theorem",
        ...           contrast=0.9, contrast_label="a loaded coin")
        ✓ held  half: 0.505 [0.49, 0.52], required 0.5 ± 0.05; contrast 0.9
    """
    for name, text in (("id", id), ("statement", statement), ("source", source)):
        require(bool(str(text).strip()), f"{name} must not be empty")
    one_of("kind", kind, KINDS)
    require(0 < share <= 1, f"share must lie in (0, 1], got {share}")
    require(open_because is None or bool(open_because.strip()), "open_because must say why, got an empty text")
    require(contrast is not None or contrast_label is None, "contrast_label needs a contrast")
    bound = Bound(equals, at_least, at_most, between, rel, abs)
    made = Claim(
        id,
        statement,
        kind,
        source,
        bound,
        _measure("measured", measured, bound),
        share,
        None if contrast is None else _measure("contrast", contrast, bound, contrast_label),
        open_because,
    )
    _made[id] = made
    _display(made)
    return made


@dataclass(frozen=True)
class ClaimsTable:
    """All claims of a chapter, as one table.

    Args:
        claims: in the order in which they were made.
    """

    claims: tuple[Claim, ...]

    def _repr_html_(self) -> str:
        return _table(self.claims)

    def __repr__(self) -> str:
        return "\n".join(map(str, self.claims))


def claims_table() -> ClaimsTable:
    """Return the table of every claim made so far in this kernel; a claim made again replaces its first version.

    Raises:
        ValueError: if no claim was made.

    Example:
        >>> made = claim("one", "One is one", measured=1.0, at_least=1.0, source="here", kind="theorem")
        ✓ held  one: 1, required ≥ 1
        >>> "One is one" in claims_table()._repr_html_()
        True
    """
    require(bool(_made), "claims_table needs at least one claim, got none: call claim(...) first")
    return ClaimsTable(tuple(_made.values()))


def _measure(name: str, values: Any, bound: Bound, label: str | None = None) -> Measured:
    flat = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=float).ravel()
    require(flat.size > 0, f"{name} must hold at least one value, got none")
    return Measured(tuple(flat.tolist()), float(np.mean([bound.holds(v) for v in flat.tolist()])), label)


def _display(made: Claim) -> None:
    try:
        from IPython import get_ipython
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(made)
        return
    from IPython.display import display

    display(made.bundle(), raw=True)


def _table(claims: Sequence[Claim]) -> str:
    head = "".join(
        f'<th scope="col">{title}</th>' for title in ("Claim", "Measured", "Required", "Contrast", "Verdict")
    )
    rows = "".join(_row(each) for each in claims)
    return (
        '<div class="ibkit-claims"><table><caption>Claims of the paper, checked by this run: median over the runs '
        f"[lowest, highest]</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(each: Claim) -> str:
    say = html.escape
    share = "" if each.share == 1 else f" for {100 * each.share:g} % of the runs"
    if each.contrast is None:
        contrast = "—"
    else:
        contrast = _numbers(each.contrast) + (
            f"<br><small>{say(each.contrast.label)}</small>" if each.contrast.label else ""
        )
    runs = len(each.measured.values)
    count = f"<br><small>{runs} runs</small>" if runs > 1 else ""
    reason = f"<br><small>Open: {say(each.open_because)}</small>" if each.open_because else ""
    cells = (
        ("Measured", f"{_numbers(each.measured)}{count}"),
        ("Required", f"{say(each.bound.text)}{share}"),
        ("Contrast", contrast),
        ("Verdict", f'<span class="ibkit-state">{SYMBOLS[each.state]} {each.state}</span>'),
    )
    body = "".join(f'<td data-label="{label}">{text}</td>' for label, text in cells)
    return (
        f'<tr class="ibkit-claim ibkit-{each.state}" id="claim-{say(each.id)}"><th scope="row">{say(each.statement)}'
        f"<br><small><code>{say(each.id)}</code> · {say(each.kind)} · {say(each.source)}</small>{reason}</th>"
        f"{body}</tr>"
    )


def _numbers(measured: Measured) -> str:
    """Write median and range so that no number is broken across lines."""
    median, bracket, span = html.escape(measured.text).partition(" [")
    number = f'<span class="ibkit-number">{median}</span>'
    return number + (f' <span class="ibkit-range">[{span}</span>' if bracket else "")


def _digits(value: float) -> str:
    """Write four significant digits, with a true minus sign."""
    return f"{value:.4g}".replace("-", "−")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
