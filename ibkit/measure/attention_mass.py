"""Where attention goes: the share that tokens of interest receive."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from ibkit.checks import require


def relevant_mass(
    attention: Float[Tensor, "*runs tokens"], relevant: Bool[Tensor, "*data_runs tokens"]
) -> Float[Tensor, "*runs"]:
    """Return the share of attention that goes to the relevant tokens.

    Args:
        attention: weights over the tokens, each row adding up to one; further dimensions may stand before those of
            `relevant`.
        relevant: which tokens carry the label, as in an `ibkit.data.TokenMixture`.

    Raises:
        ValueError: if the two differ in the number of tokens.

    Example:
        >>> import torch
        >>> relevant_mass(torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([[True, False, True]]))
        tensor([0.7000])
    """
    require(
        attention.shape[-1:] == relevant.shape[-1:],
        f"attention and relevant must share their last dimension (tokens), got {tuple(attention.shape)} and "
        f"{tuple(relevant.shape)}",
    )
    return (attention * relevant).sum(-1)
