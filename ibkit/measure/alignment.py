"""How far two matrices point the same way, and how far two Gram matrices have the same shape."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require


def alignment(
    A: Float[Tensor, "*runs rows columns"], B: Float[Tensor, "*other rows columns"]
) -> Float[Tensor, "*broadcast"]:
    r"""Return the cosine :math:`\langle A,B\rangle/(\|A\|_F\|B\|_F)`, one a run; zero where either is zero.

    Args:
        A: a matrix a run.
        B: a matrix a run; leading dimensions broadcast.

    Raises:
        ValueError: if the matrices differ in shape.

    Example:
        >>> alignment(torch.eye(2), 5 * torch.eye(2))
        tensor(1.)
    """
    require(A.shape[-2:] == B.shape[-2:], f"A and B must have one shape, got {tuple(A.shape)} and {tuple(B.shape)}")
    size = torch.linalg.matrix_norm(A) * torch.linalg.matrix_norm(B)
    inner = (A * B).sum((-2, -1))
    return torch.where(size > 0, inner / torch.where(size > 0, size, 1.0), 0.0)


def gram_distance(
    G: Float[Tensor, "*runs rows columns"], reference: Float[Tensor, "*other rows columns"]
) -> Float[Tensor, "*broadcast"]:
    r"""Return :math:`\bigl\|G/\|G\|_F-G_0/\|G_0\|_F\bigr\|_F`: the distance of two shapes, blind to scale.

    Zero for equal shapes, :math:`\sqrt2` for orthogonal ones, 2 at most (the distance by which
    Thrampoulidis et al. 2022 compare Gram matrices with SELI and the ETF).

    Args:
        G: a matrix a run.
        reference: a matrix a run; leading dimensions broadcast.

    Raises:
        ValueError: if the matrices differ in shape, or one is zero.

    Example:
        >>> gram_distance(torch.eye(2), torch.eye(2) * 7)
        tensor(0.)
    """
    require(
        G.shape[-2:] == reference.shape[-2:],
        f"G and reference must have one shape, got {tuple(G.shape)} and {tuple(reference.shape)}",
    )
    size, other = torch.linalg.matrix_norm(G), torch.linalg.matrix_norm(reference)
    require(bool((size > 0).all()), "G must not be zero: a zero matrix has no shape")
    require(bool((other > 0).all()), "reference must not be zero: a zero matrix has no shape")
    return torch.linalg.matrix_norm(G / size[..., None, None] - reference / other[..., None, None])
