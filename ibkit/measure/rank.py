"""How many directions a matrix really uses."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require


def effective_rank(singular_values: Float[Tensor, "*runs size"], threshold: float = 0.05) -> Int[Tensor, "*runs"]:
    r"""Return how many singular values exceed a share of the largest, :math:`|\{i:s_i>\theta\max_js_j\}|`.

    Where training without a ridge goes to infinity, rank is a statement about ratios at a given time: fix the threshold
    before looking.

    Args:
        singular_values: not negative, in any order.
        threshold: :math:`\theta`, in (0, 1).

    Raises:
        ValueError: negative values, or a threshold outside (0, 1).

    Example:
        >>> import torch
        >>> effective_rank(torch.tensor([[10.0, 5.0, 0.1], [0.0, 0.0, 0.0]]))
        tensor([2, 0])
    """
    require(0 < threshold < 1, f"threshold must lie in (0, 1), got {threshold}")
    least = float(singular_values.detach().min())
    require(least >= 0, f"singular_values must not be negative, got {least}")
    return (singular_values > threshold * singular_values.amax(-1, keepdim=True)).sum(-1)
