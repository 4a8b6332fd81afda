"""How far agents that train together disagree."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require


def consensus_error(W: Float[Tensor, "*runs agents features"]) -> Float[Tensor, "*runs"]:
    r"""Return the mean squared distance of the agents from their mean, :math:`\frac1N\sum_l\|w_l-\bar w\|^2`.

    Args:
        W: one row an agent.

    Raises:
        ValueError: NaN, infinities, or fewer than two dimensions.

    Example:
        >>> import torch
        >>> float(consensus_error(torch.tensor([[0.0, 1.0], [0.0, 3.0]])))
        1.0
    """
    require(W.ndim >= 2, f"W must be (*runs, agents, features), got shape {tuple(W.shape)}")
    finite("W", W)
    return (W - W.mean(-2, keepdim=True)).square().sum(-1).mean(-1)
