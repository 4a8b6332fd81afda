r"""Closed-form curves of the modes of linear networks: squared loss, where modes do not see each other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require


def logistic_modes(
    singular_values: Float[Tensor, "*runs modes"],
    times: Float[Tensor, " recorded"],
    targets: float | Float[Tensor, " modes"] = 1.0,
    rate: float = 1.0,
) -> Float[Tensor, "recorded *runs modes"]:
    r"""Return the singular values of two balanced linear layers under gradient flow on a squared loss.

    .. math:: \dot s_i=\rho\,s_i(\sigma_i-s_i)\quad\Longrightarrow\quad
       s_i(t)=\frac{\sigma_i}{1+(\sigma_i/s_i(0)-1)\,e^{-\rho\sigma_it}}

    For :math:`\frac1{2n}\|W_2W_1-Y\|_F^2`, started in the singular vectors of Y, :math:`\rho=2/n` and
    :math:`\sigma_i` are the singular values of Y (Saxe, McClelland and Ganguli 2014).

    Args:
        singular_values: the start :math:`s_i(0)`, not negative; zero stays zero.
        times: where to record, not negative.
        targets: :math:`\sigma_i`, positive.
        rate: :math:`\rho`, positive.

    Raises:
        ValueError: negative or non-finite starts, negative times, or targets or a rate that is not positive.

    Example:
        >>> start = torch.tensor([0.5, 0.0], dtype=torch.float64)
        >>> logistic_modes(start, torch.tensor([0.0, 1.0, 50.0], dtype=torch.float64))
        tensor([[0.5000, 0.0000],
                [0.7311, 0.0000],
                [1.0000, 0.0000]], dtype=torch.float64)
    """
    s0 = finite("singular_values", singular_values)
    goal = torch.as_tensor(targets, dtype=s0.dtype, device=s0.device)
    require(bool((s0 >= 0).all()), f"singular_values must not be negative, got {round(float(s0.min()), 6)}")
    require(bool((finite("times", times) >= 0).all()), f"times must not be negative, got {float(times.min())}")
    require(bool((goal > 0).all()), f"targets must be positive, got {float(goal.min())}")
    require(rate > 0, f"rate must be positive, got {rate}")
    decay = torch.exp(-rate * goal * times.to(s0).reshape(-1, *[1] * s0.ndim))
    started = torch.where(s0 > 0, s0, 1.0)
    return torch.where(s0 > 0, started * goal / (started + (goal - started) * decay), 0.0)
