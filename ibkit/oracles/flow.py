"""Gradient flow by an adaptive integrator, in logarithmic time: what training with tiny steps follows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import solve_ivp
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.oracles.certificate import OracleError
from ibkit.scaled import Gradient, Params


def log_time_flow(
    velocity: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    times: Float[Tensor, " recorded"],
    rtol: float = 1e-10,
    atol: float = 1e-12,
) -> np.ndarray:
    r"""Return the solution of :math:`\dot\theta=v(\theta)` at given times, integrated in :math:`\tau=\log(1+t)`.

    Losses with exponential tails move parameters like log t: in :math:`\tau` a flow to :math:`t=10^{12}` takes a few
    hundred steps of an explicit method (Dormand and Prince, order 8).

    Args:
        velocity: :math:`v`, of a vector.
        start: :math:`\theta(0)`, shape ``(size,)``.
        times: where to record, growing, not negative.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.

    Returns:
        Shape ``(recorded, size)``.

    Raises:
        ValueError: times that do not grow or are negative, or a start that is not finite.
        OracleError: if the integrator gives up.

    Example:
        >>> decay = log_time_flow(lambda x: -x, np.ones(1), torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64))
        >>> decay[:, 0].round(6)
        array([1.      , 0.367879, 0.135335])
    """
    clock = np.asarray(finite("times", times).cpu(), dtype=float)
    require(
        clock.size > 0 and bool(clock[0] >= 0), f"times must not be negative, got {clock[0] if clock.size else 'none'}"
    )
    require(bool((np.diff(clock) > 0).all()), "times must grow")
    require(bool(np.isfinite(start).all()), "start must be finite")
    marks = np.log1p(clock)
    if marks[-1] == 0:
        return start[None].copy()

    def stretched(tau: float, theta: np.ndarray) -> np.ndarray:
        return np.exp(tau) * velocity(theta)

    with np.errstate(over="ignore", invalid="ignore"):  # in a step that is too long, and rejected
        found = solve_ivp(stretched, (0.0, marks[-1]), start, "DOP853", marks, rtol=rtol, atol=atol)
    if not found.success:
        raise OracleError(f"the integrator stopped at t = {np.expm1(found.t[-1]) if found.t.size else 0:g}")
    return found.y.T


def gradient_flow(
    params: Params,
    gradient: Callable[[Params], Gradient],
    times: Float[Tensor, " recorded"],
    rtol: float = 1e-9,
    atol: float = 1e-12,
) -> Params:
    r"""Return the gradient flow :math:`\dot\theta=-\nabla L(\theta)` of all runs at given times.

    The reference for anything that is proved about flows; runs are independent but share the integrator's steps.

    Args:
        params: the start, by name, each ``(*runs, ...)``.
        gradient: the scaled gradient at given parameters, as for `ibkit.train.train`.
        times: where to record, growing, not negative.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.

    Returns:
        The parameters by name, each of shape ``(recorded, *runs, ...)``, float64.

    Raises:
        ValueError: as `log_time_flow`.
        OracleError: if the integrator gives up.

    Example:
        >>> from ibkit.scaled import autograd_gradient
        >>> bowl = autograd_gradient(lambda p: (p["w"] ** 2).sum(-1) / 2)
        >>> w = gradient_flow({"w": torch.tensor([[1.0], [3.0]])}, bowl, torch.tensor([0.0, 1.0]))["w"]
        >>> w[1].flatten()
        tensor([0.3679, 1.1036], dtype=torch.float64)
    """
    shapes = {name: value.shape for name, value in params.items()}
    sizes = [value.numel() for value in params.values()]

    def split(vector: Tensor, leading: tuple[int, ...] = ()) -> Params:
        parts = vector.split(sizes, -1)
        return {name: part.reshape(*leading, *shapes[name]) for name, part in zip(shapes, parts, strict=True)}

    def velocity(theta: np.ndarray) -> np.ndarray:
        g = gradient(split(torch.from_numpy(theta))).true()
        return -np.concatenate([g[name].numpy().ravel() for name in shapes])

    start = torch.cat([value.detach().cpu().to(torch.float64).flatten() for value in params.values()])
    path = log_time_flow(velocity, start.numpy(), times, rtol, atol)
    return split(torch.from_numpy(path), (len(path),))
