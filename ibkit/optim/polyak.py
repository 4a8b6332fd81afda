r"""Polyak's step: as long as the loss is above its infimum, and as short as the slope is steep.

A linear model of the loss, :math:`F(w)-\eta\|\nabla F\|^2`, reaches the infimum :math:`F^*` at
:math:`\eta=(F(w)-F^*)/\|\nabla F\|^2` (Polyak 1969). Nothing is left to tune where :math:`F^*` is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.optim.chain import Rule, stateless, zero_scale
from ibkit.optim.pieces import joint_norm
from ibkit.scaled import Gradient, Params, expand_runs


def log_polyak_length(
    gradient: Gradient, log_excess: Float[Tensor, "*runs"], divisor: float = 2.0
) -> Float[Tensor, "*runs"]:
    r"""Return the logarithm of the length of Polyak's step, :math:`\log\frac{F-F^*}{c\,\|\nabla F\|}`.

    Excess and gradient enter as logarithms, so that the quotient is exact long after both have underflowed. It is
    :math:`+\infty` where the gradient is zero above the infimum, and :math:`-\infty` at the infimum.

    Args:
        gradient: :math:`\nabla F`, scaled, of all parameters together.
        log_excess: :math:`\log(F-F^*)`, one a run.
        divisor: c.

    Raises:
        ValueError: if the excess is NaN or not one number a run, or the divisor is not positive.

    Example:
        >>> g = Gradient({"w": torch.tensor([3.0, 4.0])}, torch.tensor(-2000.0))
        >>> log_polyak_length(g, torch.tensor(-2000.0), divisor=2.0).exp()  # 1 / (2 * 5)
        tensor(0.1000)
    """
    require(0 < divisor < math.inf, f"divisor must be positive and finite, got {divisor}")
    runs = tuple(gradient.log_scale.shape)
    came = tuple(log_excess.shape)
    require(came == runs, f"log_excess must have the shape {runs} of the runs, got {came}")
    require(not bool(log_excess.isnan().any()), "log_excess must be numbers or -inf, got NaN")
    log_slope = gradient.log_scale + joint_norm(gradient).log()
    length = log_excess - math.log(divisor) - log_slope
    return torch.where(log_excess == -math.inf, -math.inf, length)


def polyak(log_excess: Callable[[Params], Tensor], divisor: float = 2.0, longest: float = 1e6) -> Rule:
    r"""Return gradient descent with Polyak's step, :math:`w\leftarrow w-\frac{F-F^*}{c\,\|\nabla F\|^2}\nabla F`.

    For convex F no step with :math:`c\ge1` is longer than the distance to the nearest minimiser. Without convexity a
    run may come to a place where the slope is next to nothing and the loss is not: the step there is a leap to nowhere,
    or 0/0. A run whose step would be longer than `longest` is *trapped*: it stays where it is, then and for ever, as
    nothing changes for it. ``log_polyak_length(...) > log(longest)`` tells which runs are.

    Args:
        log_excess: from parameters to :math:`\log(F-F^*)`, one number a run.
        divisor: c; 1 is Polyak's own step, 2 that of Vasudeva, Deora and Thrampoulidis (2024).
        longest: the longest step taken, in units of Euclidean length over all parameters together.

    Raises:
        ValueError: a divisor or a longest step that is not positive and finite, or (later) an excess that is NaN or not
            one number a run.

    Example:
        >>> rule = polyak(lambda p: (p["w"] ** 2).sum(-1).log(), divisor=2.0)  # F = |w|^2, F* = 0: w is halved ...
        >>> params = {"w": torch.tensor([3.0, 4.0])}
        >>> g = Gradient({"w": 2 * params["w"]}, torch.tensor(0.0))
        >>> rule.update(g, rule.init(params), params)[0].tensors["w"]  # ... and halved again by the divisor
        tensor([-0.7500, -1.0000])
    """
    require(0 < divisor < math.inf, f"divisor must be positive and finite, got {divisor}")
    require(0 < longest < math.inf, f"longest must be positive and finite, got {longest}")

    def transform(gradient: Gradient, params: Params) -> Gradient:
        length = log_polyak_length(gradient, log_excess(params), divisor)
        size = joint_norm(gradient)
        taken = torch.where(length <= math.log(longest), length, -math.inf).exp()
        factor = -taken / torch.where(size > 0, size, 1.0)
        ndim = factor.ndim
        return zero_scale(gradient, {name: expand_runs(factor, g, ndim) * g for name, g in gradient.tensors.items()})

    return stateless("Polyak", transform)
