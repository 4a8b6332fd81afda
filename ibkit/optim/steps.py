"""Step sizes: a number, one a run, or a schedule of the step count."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ibkit.checks import require
from ibkit.optim.chain import Rule, State
from ibkit.scaled import Gradient, Params, expand_runs

Step = float | Tensor
Schedule = Callable[[int], Step]


def power_decay(scale: Step, exponent: Step) -> Schedule:
    r"""Return the schedule :math:`\eta_t = c\,(t+1)^{-a}`, :math:`t=0,1,\dots`.

    Args:
        scale: :math:`c`, a positive number or one a run.
        exponent: :math:`a`, a number in [0, 1] or one a run.

    Raises:
        ValueError: if `scale` is not positive, or `exponent` is outside [0, 1].

    Example:
        >>> power_decay(0.3, 0.5)(3)
        0.15
    """
    _require_positive("scale", scale)
    low, high = (float(exponent.min()), float(exponent.max())) if isinstance(exponent, Tensor) else (exponent, exponent)
    require(low >= 0 and high <= 1, f"exponent must lie in [0, 1], got {exponent}")
    return lambda t: scale * (t + 1) ** (-exponent)


def cosine_decay(first: Step, last: Step, steps: int) -> Schedule:
    r"""Return the schedule that falls from `first` to `last` along half a cosine, and stays there.

    :math:`\eta_t=\eta_T+\frac12(\eta_0-\eta_T)\bigl(1+\cos(\pi t/T)\bigr)` (Loshchilov and Hutter 2017, without
    restarts).

    Args:
        first: :math:`\eta_0`, a positive number or one a run.
        last: :math:`\eta_T`, likewise.
        steps: T, at least 1.

    Raises:
        ValueError: steps that are not positive.

    Example:
        >>> falling = cosine_decay(1.0, 0.2, steps=10)
        >>> [round(falling(t), 3) for t in (0, 5, 10, 20)]
        [1.0, 0.6, 0.2, 0.2]
    """
    _require_positive("first", first)
    _require_positive("last", last)
    require(steps >= 1, f"steps must be at least 1, got {steps}")
    return lambda t: last + (first - last) * (1 + math.cos(math.pi * min(t / steps, 1.0))) / 2


def step_size(eta: Step | Schedule) -> Rule:
    r"""Return the last piece of a chain: times :math:`-\eta_t`.

    Args:
        eta: a positive number, a tensor of shape ``(*runs)``, or a schedule of the step count from 0.

    Raises:
        ValueError: if a step is not positive, or its shape is not that of the runs.

    Example:
        >>> step_size(torch.tensor([0.1, -0.2]))
        Traceback (most recent call last):
        ...
        ValueError: step size must be positive, got -0.2
    """
    if not callable(eta):
        _require_positive("step size", eta)

    def update(gradient: Gradient, t: State, params: Params) -> tuple[Gradient, State]:
        now = eta(t) if callable(eta) else eta
        if callable(eta) and t == 0:
            _require_positive("step size", now)
        run_shape = gradient.log_scale.shape
        if isinstance(now, Tensor) and now.ndim:
            require(now.shape == run_shape, f"step size must be a number or {tuple(run_shape)}, got {tuple(now.shape)}")
            tensors = {k: -expand_runs(now, v, now.ndim) * v for k, v in gradient.tensors.items()}
        else:
            tensors = {k: -now * v for k, v in gradient.tensors.items()}
        return Gradient(tensors, gradient.log_scale), t + 1

    return Rule("step_size", lambda params: 0, update)


def _require_positive(name: str, value: Step) -> None:
    least = float(torch.as_tensor(value).min())
    require(least > 0, f"{name} must be positive, got {round(least, 6)}")
