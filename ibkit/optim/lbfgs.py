r"""L-BFGS in float64 with a strong Wolfe line search: many independent problems at once.

Every run keeps its own memory, its own step lengths and its own end; runs share only the calls of the loss. So the
batch gives what single runs give, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.scaled import Params

ARMIJO, WOLFE = 1e-4, 0.9
PATIENCE = 20
"""Iterations without a lower value or a lower slope after which a run is at the limit of float64."""


class Minimum(NamedTuple):
    """Where a search for a minimum ended.

    Args:
        params: the points by name, ``(*runs, ...)``.
        value: the loss there, ``(*runs)``.
        slope: largest absolute entry of the gradient there, ``(*runs)``: the certificate of a stationary point.
        iterations: steps taken, ``(*runs)``.
    """

    params: Params
    value: Tensor
    slope: Tensor
    iterations: Tensor


def minimize_lbfgs(
    params: Params,
    loss: Callable[[Params], Tensor],
    tolerance: float = 1e-9,
    iterations: int = 1500,
    memory: int = 20,
) -> Minimum:
    r"""Minimise a smooth loss from each start, all runs at once (Liu and Nocedal 1989).

    The direction is that of the inverse BFGS matrix in its compact form (Byrd, Nocedal and Schnabel 1994). A step t
    along it must satisfy :math:`\varphi(t)\le\varphi(0)+10^{-4}t\varphi'(0)` and
    :math:`|\varphi'(t)|\le0.9|\varphi'(0)|`; it is found by a bracket that always contains such a step, narrowed by
    cubic interpolation. A run ends when no entry of its gradient exceeds the tolerance, or when rounding stops
    progress: look at `Minimum.slope`.

    Args:
        params: the starts by name, float64, each ``(*runs, ...)``; not changed.
        loss: from parameters to one number a run, differentiable; runs must not mix.
        tolerance: at which largest absolute entry of the gradient a run ends.
        iterations: most steps.
        memory: how many past steps the inverse Hessian remembers.

    Raises:
        ValueError: starts that are not finite float64, sizes below one, a loss that does not give one number a run or
            is not finite at the start.

    Example:
        >>> def rosenbrock(p):
        ...     return (1 - p["x"][..., 0]) ** 2 + 100 * (p["x"][..., 1] - p["x"][..., 0] ** 2) ** 2
        >>> starts = torch.tensor([[-1.2, 1.0], [3.0, -2.0]], dtype=torch.float64)
        >>> minimize_lbfgs({"x": starts}, rosenbrock).params["x"].round(decimals=6)
        tensor([[1., 1.],
                [1., 1.]], dtype=torch.float64)
    """
    require(iterations >= 1 and memory >= 1, f"iterations and memory must be at least 1, got {iterations} and {memory}")
    require(tolerance > 0, f"tolerance must be positive, got {tolerance}")
    require(len(params) > 0, "params must hold at least one tensor, got none")
    for name, tensor in params.items():
        require(tensor.dtype == torch.float64, f"params[{name!r}] must be float64, got {tensor.dtype}")
        finite(f"params[{name!r}]", tensor)
    problem = _Problem(params, loss)
    x = problem.start
    value, g = problem(x)
    require(bool(value.isfinite().all()), "loss must be finite at the start")
    runs = len(value)
    S, Y = (torch.zeros(runs, 0, x.shape[1], dtype=x.dtype, device=x.device) for _ in range(2))
    live = g.abs().amax(-1) > tolerance
    done = torch.zeros(runs, dtype=torch.long, device=x.device)
    best_value, best_slope, idle = value.clone(), g.abs().amax(-1), torch.zeros_like(done)
    for _ in range(iterations):
        if not live.any():
            break
        d = -_inverse_hessian_times(S, Y, g)
        along = (d * g).sum(-1)
        fresh = (along >= 0) | (S.abs().sum((1, 2)) == 0)  # no memory, or one spoilt by rounding
        d = torch.where(fresh[:, None], -g, d)
        along = (d * g).sum(-1)
        first = torch.where(fresh, 1 / g.norm(dim=-1).clamp(min=1.0), 1.0)
        found = _line_search(problem, x, value, along, d, first, live)
        moved = live & found.accepted
        step, change = found.x - x, found.g - g
        keep = moved & ((step * change).sum(-1) > 1e-300)
        pair = keep[:, None]
        forget = (live & ~found.accepted)[:, None, None]
        S = torch.cat([S, torch.where(pair, step, 0.0)[:, None]], 1)[:, -memory:].masked_fill(forget, 0.0)
        Y = torch.cat([Y, torch.where(pair, change, 0.0)[:, None]], 1)[:, -memory:].masked_fill(forget, 0.0)
        x = torch.where(moved[:, None], found.x, x)
        g = torch.where(moved[:, None], found.g, g)
        value = torch.where(moved, found.value, value)
        slope = g.abs().amax(-1)
        done += moved
        better = (value < best_value) | (slope < best_slope)
        best_value, best_slope = torch.minimum(best_value, value), torch.minimum(best_slope, slope)
        idle = torch.where(better, 0, idle + 1)
        stuck = live & ~found.accepted & fresh  # not even along the gradient
        live = live & (slope > tolerance) & (idle < PATIENCE) & ~stuck
    return Minimum(
        problem.unpack(x), value.reshape(problem.runs), g.abs().amax(-1).reshape(problem.runs), done.view(problem.runs)
    )


class _Problem:
    """The loss on flat rows, ``(runs, n)``, with its gradient."""

    def __init__(self, params: Params, loss: Callable[[Params], Tensor]) -> None:
        self._loss = loss
        with torch.no_grad():
            self.runs = loss(params).shape
        depth = len(self.runs)
        self._shapes = {name: tensor.shape for name, tensor in params.items()}
        for name, each in self._shapes.items():
            require(
                each[:depth] == self.runs,
                f"loss must give one number a run, got {tuple(self.runs)} for params[{name!r}] of {tuple(each)}",
            )
        rows = self.runs.numel()
        self.start = torch.cat([tensor.detach().reshape(rows, -1) for tensor in params.values()], 1)
        self._sizes = [each[depth:].numel() for each in self._shapes.values()]

    def unpack(self, x: Tensor) -> Params:
        parts = x.split(self._sizes, 1)
        return {name: part.reshape(each) for (name, each), part in zip(self._shapes.items(), parts, strict=True)}

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            value = self._loss(self.unpack(x))
            (g,) = torch.autograd.grad(value.sum(), x)
        return value.detach().reshape(-1), g


def _inverse_hessian_times(S: Tensor, Y: Tensor, g: Tensor) -> Tensor:
    r"""Return the compact inverse BFGS matrix times g; pairs that are zero count for nothing.

    With :math:`R_{ij}=s_i^\top y_j` for :math:`i\le j`, :math:`D=\mathrm{diag}(R)` and the usual scale :math:`\gamma`,
    :math:`Hg=\gamma g+S^\top R^{-\top}\bigl((D+\gamma YY^\top)R^{-1}Sg-\gamma Yg\bigr)-\gamma Y^\top R^{-1}Sg`.
    """
    if S.shape[1] == 0:
        return g
    cross, squares = S @ Y.mT, Y @ Y.mT
    size = cross.diagonal(dim1=1, dim2=2)
    valid = size > 0
    # the latest valid pair sets the scale
    order = torch.arange(1, S.shape[1] + 1, device=S.device) * valid
    last = order.argmax(1, keepdim=True)
    yy = squares.diagonal(dim1=1, dim2=2).gather(1, last)
    gamma = torch.where(valid.any(1, keepdim=True), size.gather(1, last) / yy.clamp(min=1e-300), 1.0).unsqueeze(-1)
    R = cross.triu() + torch.diag_embed((~valid).to(S.dtype))
    column = g.unsqueeze(-1)
    a = torch.linalg.solve_triangular(R, S @ column, upper=True)
    b = torch.linalg.solve_triangular(
        R.mT, size.unsqueeze(-1) * a + gamma * (squares @ a) - gamma * (Y @ column), upper=False
    )
    return (gamma * column + S.mT @ b - gamma * (Y.mT @ a)).squeeze(-1)


class _Step(NamedTuple):
    accepted: Tensor
    x: Tensor
    value: Tensor
    g: Tensor


def _line_search(
    problem: _Problem, x: Tensor, value: Tensor, along: Tensor, d: Tensor, first: Tensor, live: Tensor, tries: int = 20
) -> _Step:
    r"""Find steps that satisfy the strong Wolfe conditions.

    The left end always satisfies the first condition and still falls steeply; at the right end the first condition
    fails or the loss rises. Between such ends :math:`\varphi(t)-\varphi(0)-c_1t\varphi'(0)` has a minimum, where both
    conditions hold.
    """
    t = first.clone()
    low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
    low_value, low_slope, high_value, high_slope = value.clone(), along.clone(), value.clone(), along.clone()
    rounding = 4e-16 * value.abs().clamp(min=1e-300)
    waiting = live.clone()
    end_x, end_value, end_g = x.clone(), value.clone(), torch.zeros_like(x)
    accepted = torch.zeros_like(live)

    def take(which: Tensor, trial: Tensor, f: Tensor, g: Tensor) -> None:
        nonlocal end_x, end_value, end_g, accepted
        end_x = torch.where(which[:, None], trial, end_x)
        end_g = torch.where(which[:, None], g, end_g)
        end_value, accepted = torch.where(which, f, end_value), accepted | which

    for _ in range(tries):
        trial = torch.where(waiting[:, None], x + t[:, None] * d, end_x)
        f, g = problem(trial)
        slope = (g * d).sum(-1)
        sound = f.isfinite() & g.isfinite().all(-1)
        enough = sound & (f <= value + ARMIJO * t * along + rounding)
        good = enough & (slope.abs() <= WOLFE * along.abs())
        take(waiting & good, trial, f, g)
        waiting = waiting & ~good
        if not waiting.any():
            break
        left = waiting & enough & (slope < 0)
        right = waiting & ~left
        low, low_value, low_slope = (
            torch.where(left, new, old) for new, old in ((t, low), (f, low_value), (slope, low_slope))
        )
        high, high_value, high_slope = (
            torch.where(right, new, old) for new, old in ((t, high), (f, high_value), (slope, high_slope))
        )
        t = torch.where(waiting, _next_trial(low, low_value, low_slope, high, high_value, high_slope), t)
    rescued = waiting & (low > 0)
    if rescued.any():  # no exact step, but one that lowers the loss
        trial = torch.where(rescued[:, None], x + low[:, None] * d, end_x)
        take(rescued, trial, *problem(trial))
    return _Step(accepted, end_x, end_value, end_g)


def _next_trial(
    low: Tensor, low_value: Tensor, low_slope: Tensor, high: Tensor, high_value: Tensor, high_slope: Tensor
) -> Tensor:
    """Return the minimum of the cubic through both ends, kept off them; three times as far without a right end."""
    width = high - low
    a = low_slope + high_slope - 3 * (high_value - low_value) / width
    root = (a * a - low_slope * high_slope).clamp(min=0).sqrt()
    share = 1 - (high_slope + root - a) / (high_slope - low_slope + 2 * root)
    share = torch.where(share.isfinite(), share, 0.5).clamp(0.1, 0.9)
    return torch.where(high.isfinite(), low + share * width, 3 * low)
