r"""The Bregman divergence of the potential :math:`\frac1p\|w\|_p^p`: the distance in which mirror descent converges."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.optim.mirror import mirror_map


def power_bregman(
    u: Float[Tensor, "*runs features"], v: Float[Tensor, "*other features"], p: float
) -> Float[Tensor, "*broadcast"]:
    r"""Return :math:`D_\psi(u,v)=\psi(u)-\psi(v)-\langle\nabla\psi(v),u-v\rangle`, :math:`\psi=\frac1p\|\cdot\|_p^p`.

    Half the squared distance for p = 2; never negative, and zero for :math:`u=v` alone. For vectors of unit p-norm it
    is :math:`1-\langle\nabla\psi(v),u\rangle`.

    Args:
        u: a vector a run.
        v: a vector a run; leading dimensions broadcast.
        p: the exponent, above one.

    Raises:
        ValueError: vectors of different length, or an exponent that is not finite and above one.

    Example:
        >>> power_bregman(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]), 2.0)
        tensor(12.5000)
    """
    require(u.shape[-1:] == v.shape[-1:], f"u and v must have one length, got {tuple(u.shape)} and {tuple(v.shape)}")
    dual = mirror_map(v, p)
    terms = (u.abs() ** p - v.abs() ** p) / p - dual * (u - v)
    return torch.clamp(terms.sum(-1), min=0.0)
