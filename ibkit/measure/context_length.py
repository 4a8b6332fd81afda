r"""How much context a prediction needs: the shortest suffix that does what the whole context does.

An *oracle* predicts the next token from any suffix of a text. What it needs of a text is read off its predictions at
growing lengths: with the true next token at hand (Vakilian et al. 2025, minimum context length), or without it, by
comparing distributions (the same paper, distribution-aware).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, require


def jensen_shannon(p: Float[Tensor, "*batch tokens"], q: Float[Tensor, "*batch tokens"]) -> Float[Tensor, "*batch"]:
    r"""Return the Jensen-Shannon divergence in bits, :math:`\frac12\mathrm{KL}(p\|m)+\frac12\mathrm{KL}(q\|m)`.

    With :math:`m=(p+q)/2`. It lies in [0, 1]: zero for equal distributions, one for disjoint supports. Its square root
    is a metric (Endres and Schindelin 2003).

    Args:
        p: probabilities; zeros are allowed.
        q: the same, of the same shape.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
        tensor(1.)
    """
    require(p.shape == q.shape, f"p and q must have one shape, got {tuple(p.shape)} and {tuple(q.shape)}")
    m = (p + q) / 2
    terms = torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(m, m)
    return (terms.sum(-1) / (2 * torch.log(torch.tensor(2.0, dtype=p.dtype)).item())).clamp(0.0, 1.0)


def confidence_gap(p: Float[Tensor, "*batch tokens"]) -> Float[Tensor, "*batch"]:
    """Return the largest probability less the second largest.

    Args:
        p: probabilities of at least two tokens.

    Raises:
        ValueError: if there is one token only.

    Example:
        >>> confidence_gap(torch.tensor([0.25, 0.5, 0.25]))
        tensor(0.2500)
    """
    require(p.shape[-1] >= 2, f"p must have at least two tokens, got {p.shape[-1]}")
    two = p.topk(2, dim=-1).values
    return two[..., 0] - two[..., 1]


def minimum_context(
    probabilities: Float[Tensor, "lengths *batch tokens"],
    labels: Int[Tensor, "*batch"],
    lengths: Sequence[int],
    gap: float = 0.2,
) -> Float[Tensor, "*batch"]:
    r"""Return the minimum context length (MCL): the first at which the true token is the confident favourite.

    :math:`\min\{\ell:\operatorname{Top1}(s[-\ell:])=t\text{ and }p_{(1)}-p_{(2)}\ge\delta\}`, infinite where no length
    will do. The first hit counts: a longer suffix may well miss again.

    Args:
        probabilities: the next-token distribution given the last ``lengths[i]`` tokens, at ``[i]``.
        labels: the tokens that came.
        lengths: growing context lengths; the last stands for the whole context.
        gap: the least lead :math:`\delta` of the favourite.

    Raises:
        ValueError: lengths that do not grow or do not fit, labels out of range, or a gap outside [0, 1].

    Example:
        >>> p = torch.tensor([[0.5, 0.5], [0.4, 0.6], [0.1, 0.9]])
        >>> minimum_context(p, torch.tensor(1), lengths=[1, 2, 4])
        tensor(2.)
    """
    _check(probabilities, lengths)
    require(0 <= gap <= 1, f"gap must lie in [0, 1], got {gap}")
    labels_in_range("labels", labels, probabilities.shape[-1])
    require(
        labels.shape == probabilities.shape[1:-1],
        f"labels must be of shape {tuple(probabilities.shape[1:-1])}, got {tuple(labels.shape)}",
    )
    right = probabilities.argmax(-1) == labels
    return _first(right & (confidence_gap(probabilities) >= gap), lengths)


def distribution_aware_context(
    probabilities: Float[Tensor, "lengths *batch tokens"], lengths: Sequence[int], tolerance: float = 0.1
) -> Float[Tensor, "*batch"]:
    r"""Return the first length whose distribution is within a Jensen-Shannon divergence of the last one (DaMCL).

    :math:`\min\{\ell:\mathrm{JSD}(p(\cdot|s[-\ell:]),p(\cdot|s))\le\varepsilon\}`. It needs no label. Apply a decoding
    rule to the probabilities first to ask how much context *that* rule needs: with `ibkit.models.keep_top` of one
    token it is the first length at which the favourite is the final one.

    Args:
        probabilities: as for `minimum_context`; at ``[-1]`` the whole context's.
        lengths: growing context lengths.
        tolerance: :math:`\varepsilon` in bits.

    Raises:
        ValueError: lengths that do not grow or do not fit, or a tolerance outside [0, 1].

    Example:
        >>> p = torch.tensor([[0.5, 0.5], [0.15, 0.85], [0.1, 0.9]])
        >>> distribution_aware_context(p, lengths=[1, 2, 4])
        tensor(2.)
    """
    _check(probabilities, lengths)
    require(0 <= tolerance <= 1, f"tolerance must lie in [0, 1] bits, got {tolerance}")
    whole = probabilities[-1]
    return _first(torch.stack([jensen_shannon(p, whole) <= tolerance for p in probabilities]), lengths)


def _check(probabilities: Tensor, lengths: Sequence[int]) -> None:
    require(
        len(lengths) == len(probabilities),
        f"lengths must name one length for each of the {len(probabilities)} predictions, got {len(lengths)}",
    )
    require(
        len(lengths) > 0 and all(a < b for a, b in pairwise(lengths)),
        f"lengths must grow, got {list(lengths)}",
    )


def _first(hits: Bool[Tensor, lengths * batch], lengths: Sequence[int]) -> Float[Tensor, "*batch"]:
    table = torch.tensor(lengths, dtype=torch.get_default_dtype(), device=hits.device)
    found = table[hits.to(torch.uint8).argmax(0)]
    return torch.where(hits.any(0), found, torch.inf)
