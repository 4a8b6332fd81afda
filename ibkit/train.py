"""The training loop: many runs at once, recorded on a logarithmic clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.optim.chain import Rule, apply_update
from ibkit.scaled import Gradient, Params


@dataclass(frozen=True)
class History:
    """What a training left behind.

    Args:
        steps: the recorded step counts, shape ``(recorded)``; 0 is the start.
        values: every measured quantity by name, shape ``(recorded, *runs)`` (or with the measure's further dimensions).
        params: the parameters after the last step.
        checkpoints: the parameters at the steps that were asked for, by step, in memory of the CPU.
    """

    steps: np.ndarray
    values: dict[str, np.ndarray]
    params: Params
    checkpoints: dict[int, Params] = field(default_factory=dict)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the history of one measured quantity, shape ``(recorded, *runs)``."""
        require(name in self.values, f"name must be one of {', '.join(self.values)}, got {name!r}")
        return self.values[name]

    def first(self, held: np.ndarray) -> np.ndarray:
        """Return the first recorded step at which a condition held, one a run; infinity where it never did.

        Args:
            held: whether it held, shape ``(recorded, *runs)``, such as ``history["margin"] > 0``.

        Raises:
            ValueError: if `held` has another number of recorded steps.

        Example:
            >>> history = History(np.array([0, 1, 5]), {"margin": np.array([[0, -1], [0, -1], [2, -1]])}, {})
            >>> history.first(history["margin"] > 0)
            array([ 5., inf])
        """
        require(
            len(held) == len(self.steps),
            f"held must have one entry a recorded step ({len(self.steps)}), got {len(held)}",
        )
        return np.where(held.any(axis=0), self.steps[held.argmax(axis=0)], np.inf)

    def at(self, step: int) -> int:
        """Return the index of the recorded step nearest to `step` on the logarithmic clock."""
        return int(np.abs(np.log(np.maximum(self.steps, 0.5)) - np.log(max(step, 0.5))).argmin())


def log_marks(steps: int, per_decade: int = 20) -> list[int]:
    """Return when to record: 0, then step counts evenly spaced in the logarithm, ending at `steps`.

    Directional convergence often goes like 1/log t, so a linear clock would hide it.

    Args:
        steps: the last step, at least 1.
        per_decade: how many marks a factor of ten.

    Raises:
        ValueError: if either is below one.

    Example:
        >>> log_marks(100, per_decade=2)
        [0, 1, 3, 10, 32, 100]
    """
    require(steps >= 1, f"steps must be at least 1, got {steps}")
    require(per_decade >= 1, f"per_decade must be at least 1, got {per_decade}")
    count = int(np.ceil(per_decade * np.log10(steps))) + 1
    marks = np.unique(np.rint(np.logspace(0, np.log10(steps), count)).astype(int))
    return [0, *marks.tolist()]


@torch.no_grad()
def train(
    params: Params,
    gradient: Callable[[Params], Gradient],
    rule: Rule,
    steps: int,
    measure: Callable[[Params], dict[str, Tensor]],
    marks: Iterable[int] | None = None,
    until: Callable[[dict[str, np.ndarray]], bool] | None = None,
    checkpoints: Iterable[int] = (),
) -> History:
    """Run `rule` for `steps` steps from `params` and record what `measure` sees.

    All tensors may carry leading run dimensions: the runs are independent and cost little more than one.

    Args:
        params: the start, by name, each ``(*runs, ...)``; not changed.
        gradient: the scaled gradient at given parameters.
        rule: the update rule.
        steps: how many updates.
        measure: from parameters to named quantities, one number a run.
        marks: step counts to record at (0 is the start); by default `log_marks(steps)`.
        until: looks at what was measured at a mark, and ends the training there by True; by default nothing does.
        checkpoints: step counts at which to keep a copy of the parameters, for what only the end of the training shows
            to be worth a look; none by default.

    Returns:
        The history, float64 arrays of shape ``(recorded, *runs)``.

    Raises:
        ValueError: non-finite start, `steps` below one, marks or checkpoints outside ``0 .. steps``, or a gradient that
            names other tensors than `params`.
        FloatingPointError: if the parameters are no longer finite at a mark; the line names tensor, step and runs.

    Example:
        >>> from ibkit.optim import gradient_descent
        >>> from ibkit.scaled import autograd_gradient
        >>> bowl = autograd_gradient(lambda p: (p["w"] ** 2).sum(-1) / 2)
        >>> rates = torch.tensor([0.1, 0.5])
        >>> size = lambda p: {"size": p["w"].norm(dim=-1)}
        >>> history = train({"w": torch.ones(2, 3)}, bowl, gradient_descent(rates), 4, size)
        >>> history["size"][-1].round(3)
        array([1.136, 0.108])
    """
    require(steps >= 1, f"steps must be at least 1, got {steps}")
    wanted = sorted(set(log_marks(steps) if marks is None else marks))
    require(
        bool(wanted) and wanted[0] >= 0 and wanted[-1] <= steps, f"marks must lie in 0..{steps}, got {wanted or 'none'}"
    )
    keep = set(checkpoints)
    require(
        not keep or (min(keep) >= 0 and max(keep) <= steps), f"checkpoints must lie in 0..{steps}, got {sorted(keep)}"
    )
    for name, value in params.items():
        finite(f"params[{name!r}]", value)
    state = rule.init(params)
    kept: dict[int, Params] = {}
    recorded: list[dict[str, np.ndarray]] = []
    due = iter(wanted)
    mark = next(due)
    for t in range(steps + 1):
        if t in keep:
            kept[t] = {name: value.to("cpu", copy=True) for name, value in params.items()}
        if t == mark:
            _require_finite(params, t, rule)
            recorded.append({k: v.detach().cpu().to(torch.float64).numpy() for k, v in measure(params).items()})
            mark = next(due, steps + 1)
            if until is not None and until(recorded[-1]):
                break
        if t == steps:
            break
        g = gradient(params)
        if t == 0:
            require(
                g.tensors.keys() == params.keys(),
                f"gradient must name the tensors {sorted(params)}, got {sorted(g.tensors)}",
            )
        update, state = rule.update(g, state, params)
        params = apply_update(params, update)
    values = {name: np.stack([entry[name] for entry in recorded]) for name in recorded[0]}
    return History(np.array(wanted[: len(recorded)]), values, params, kept)


def _require_finite(params: Params, t: int, rule: Rule) -> None:
    for name, value in params.items():
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise FloatingPointError(
                f"{rule.name}: {name} is no longer finite at step {t} ({bad} of {value.numel()} entries); "
                "a smaller step size may help"
            )
