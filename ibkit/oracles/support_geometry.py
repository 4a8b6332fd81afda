r"""What the supports alone say about next-token training: the centred support matrix, its parts and its factors.

Logits stand as rows, one a context: ``(*runs, contexts, vocabulary)``, the transpose of the matrices that papers write
with a column a context. The *in-support part* of logits is what the probabilities decide, the rest what the supports
decide (Zhao, Behnia, Vakilian and Thrampoulidis 2024).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ibkit.checks import finite, require

RANK_TOLERANCE = 1e-9
"""Singular values below this share of the largest one count as zero."""


class LogitFactors(NamedTuple):
    r"""Shapes of the embeddings whose product is given logits, at the least sum of squares.

    Args:
        words: :math:`WW^\top=U\Sigma U^\top`, ``(*runs, vocabulary, vocabulary)``.
        contexts: :math:`HH^\top=V\Sigma V^\top` for one row of H a context, ``(*runs, contexts, contexts)``.
        singular_values: falling, ``(*runs, min(contexts, vocabulary))``.
    """

    words: Tensor
    contexts: Tensor
    singular_values: Tensor


def centered_support(support: Bool[Tensor, "*runs contexts vocabulary"]) -> Float[Tensor, "*runs contexts vocabulary"]:
    r"""Return the support matrix with every context's mean taken off: ``1 - |S_j|/V`` inside, ``-|S_j|/V`` outside.

    Args:
        support: whether a token may follow a context; every context needs one that may.

    Raises:
        ValueError: a context that nothing may follow.

    Example:
        >>> centered_support(torch.tensor([[True, True, False, False]]))
        tensor([[ 0.5000,  0.5000, -0.5000, -0.5000]], dtype=torch.float64)
    """
    mask = support_mask(support).to(torch.float64)
    return mask - mask.mean(-1, keepdim=True)


def in_support_part(
    logits: Float[Tensor, "*runs contexts vocabulary"], support: Bool[Tensor, "*data_runs contexts vocabulary"]
) -> Float[Tensor, "*runs contexts vocabulary"]:
    r"""Return :math:`P_{\mathcal F}(L)`: logits inside the support less their mean there, zero outside.

    The orthogonal projection on the span of :math:`e_j(e_z-e_{z'})^\top`, :math:`z,z'\in S_j`. What is left,
    ``logits - in_support_part(logits, support)``, is constant on every support.

    Args:
        logits: one row a context.
        support: whether a token may follow.

    Raises:
        ValueError: shapes that do not fit, NaN, or a context that nothing may follow.

    Example:
        >>> in_support_part(torch.tensor([[3.0, 1.0, 5.0]]), torch.tensor([[True, True, False]]))
        tensor([[ 1., -1.,  0.]])
    """
    mask = support_mask(support)
    require(
        logits.shape[-2:] == mask.shape[-2:],
        f"logits and support must agree in (contexts, vocabulary), got {tuple(logits.shape)} and {tuple(mask.shape)}",
    )
    inside = torch.where(mask, finite("logits", logits), 0.0)
    return torch.where(mask, inside - inside.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True), 0.0)


def log_odds_part(
    probabilities: Float[Tensor, "*runs contexts vocabulary"],
) -> Float[Tensor, "*runs contexts vocabulary"]:
    r"""Return :math:`L^{\mathrm{in}}`: log-probabilities less their mean over the support, zero outside.

    The only logits in the range of `in_support_part` whose softmax inside each support is :math:`p_j`.

    Args:
        probabilities: rows that sum to one; zeros are exact.

    Raises:
        ValueError: rows that are not probabilities.

    Example:
        >>> log_odds_part(torch.tensor([[0.2, 0.8, 0.0]]))  # half of log(0.8 / 0.2) each
        tensor([[-0.6931,  0.6931,  0.0000]])
    """
    require_probabilities(probabilities)
    support = probabilities > 0
    return in_support_part(torch.where(support, probabilities, 1.0).log(), support)


def proxy_certificate(support: Bool[Tensor, "*runs contexts vocabulary"]) -> Float[Tensor, "*runs"]:
    r"""Return the largest entry outside the supports of the polar factor of the centred support matrix.

    With :math:`\tilde S=U\Sigma V^\top`: if no entry of :math:`UV^\top` off the supports is positive, :math:`\tilde S`
    has the least nuclear norm among logits that tie every support and put it at least one above the rest
    (`next_token_nuclear`); if its rank is V - 1, only then. Rounding leaves about 1e-15 where the exact entry is zero.

    Args:
        support: whether a token may follow a context.

    Returns:
        One number a run; minus infinity where every token may follow every context.

    Raises:
        ValueError: a context that nothing may follow.

    Example:
        >>> pairs = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 1, 1]]) > 0
        >>> proxy_certificate(pairs)  # symmetric supports: the proxy is exact
        tensor(-0.6667, dtype=torch.float64)
    """
    mask = support_mask(support)
    return polar_factor(centered_support(mask)).masked_fill(mask, -torch.inf).amax((-2, -1))


def polar_factor(matrix: Float[Tensor, "*runs rows columns"]) -> Float[Tensor, "*runs rows columns"]:
    r"""Return :math:`UV^\top` of the thin singular value decomposition, over the singular values that are not zero.

    The gradient of the nuclear norm where the rank does not change, and its subgradient of least norm elsewhere.

    Args:
        matrix: any.

    Example:
        >>> polar_factor(torch.tensor([[3.0, 0.0], [0.0, 0.0]]))
        tensor([[1., 0.],
                [0., 0.]])
    """
    U, s, Vh = torch.linalg.svd(matrix, full_matrices=False)
    kept = (s > RANK_TOLERANCE * s[..., :1]).to(matrix.dtype)
    return (U * kept.unsqueeze(-2)) @ Vh


def logit_factors(logits: Float[Tensor, "*runs contexts vocabulary"]) -> LogitFactors:
    r"""Return the Gram matrices of the smallest embeddings with given logits.

    Among all :math:`W,H` with :math:`HW^\top=L` the sum :math:`\|W\|_F^2+\|H\|_F^2` is least, :math:`2\|L\|_*`, exactly
    for :math:`W=U\Sigma^{1/2}R`, :math:`H=V\Sigma^{1/2}R` with orthonormal rows of R. The Gram matrices do not depend
    on R, nor on the choice among singular vectors of equal singular values.

    Args:
        logits: one row a context.

    Raises:
        ValueError: NaN.

    Example:
        >>> logit_factors(torch.tensor([[2.0, -2.0]])).words
        tensor([[ 1.4142, -1.4142],
                [-1.4142,  1.4142]])
    """
    V, s, Ut = torch.linalg.svd(finite("logits", logits), full_matrices=False)
    middle = s.unsqueeze(-2)
    return LogitFactors((Ut.mT * middle) @ Ut, (V * middle) @ V.mT, s)


def support_mask(support: Tensor) -> Tensor:
    """Return `support` if it is a mask in which every context has a token that may follow.

    Raises:
        ValueError: otherwise.

    Example:
        >>> support_mask(torch.tensor([[True], [False]]))
        Traceback (most recent call last):
        ...
        ValueError: support must hold at least one token a context, got context 1 without one
    """
    require(
        support.dtype == torch.bool and support.ndim >= 2,
        f"support must be a mask (*runs, contexts, vocabulary), got {support.dtype} of shape {tuple(support.shape)}",
    )
    empty = torch.nonzero(~support.any(-1))
    require(
        len(empty) == 0,
        f"support must hold at least one token a context, got context {int(empty[0, -1]) if len(empty) else 0} "
        "without one",
    )
    return support


def require_probabilities(probabilities: Tensor) -> None:
    """Raise unless the rows are probabilities.

    Raises:
        ValueError: an entry that is negative or NaN, or a row that does not sum to one.

    Example:
        >>> require_probabilities(torch.tensor([[0.5, 0.6]]))
        Traceback (most recent call last):
        ...
        ValueError: probabilities must be rows that are non-negative and sum to one, got a row that is not
    """
    finite("probabilities", probabilities)
    require(
        bool((probabilities >= 0).all()) and bool(((probabilities.sum(-1) - 1).abs() < 1e-6).all()),
        "probabilities must be rows that are non-negative and sum to one, got a row that is not",
    )
