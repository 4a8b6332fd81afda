r"""Concepts in a matrix of contexts and words: its singular triples, read by the signs of their vectors.

A singular triple :math:`(u_k,\sigma_k,v_k)` of centred supports or logits is a *concept*: the signs of :math:`u_k`
split the words in two, those of :math:`v_k` the contexts. The size of an entry says how typical a word or context is,
and :math:`\sigma_k` how much the concept matters (Zhao and Thrampoulidis 2025). Several concepts together cut the words
into *orthants*.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, require


class Concepts(NamedTuple):
    """Singular triples, the most important first.

    In each, the largest entry of the word vector (of equal ones, the first) is positive.

    Args:
        words: orthonormal columns, shape ``(*runs, vocabulary, concepts)``.
        importance: singular values, falling, ``(*runs, concepts)``.
        contexts: orthonormal columns, ``(*runs, contexts, concepts)``.
    """

    words: Tensor
    importance: Tensor
    contexts: Tensor


def concepts(matrix: Float[Tensor, "*runs contexts vocabulary"], most: int | None = None) -> Concepts:
    """Return the concepts of a matrix with one row a context: centred supports, or logits.

    Args:
        matrix: its rows are centred first, since a constant added to the logits of a context changes nothing.
        most: how many; by default as many as the smaller side has.

    Raises:
        ValueError: NaN, or a number of concepts that the matrix does not have.

    Example:
        >>> found = concepts(torch.tensor([[3.0, 3.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]), most=1)
        >>> found.words.ravel().sign(), found.contexts.ravel().sign()
        (tensor([-1., -1.,  1.,  1.]), tensor([-1.,  1.]))
    """
    size = min(matrix.shape[-2:])
    count = size if most is None else most
    require(1 <= count <= size, f"most must lie in 1..{size} (the smaller side of the matrix), got {count}")
    centred = finite("matrix", matrix) - matrix.mean(-1, keepdim=True)
    V, s, Ut = torch.linalg.svd(centred, full_matrices=False)
    words, contexts = Ut.mT[..., :count], V[..., :count]
    sizes = words.abs()
    largest = (sizes > (1 - 1e-6) * sizes.amax(-2, keepdim=True)).int().argmax(-2, keepdim=True)  # the first of equals
    sign = torch.where(words.gather(-2, largest) < 0, -1.0, 1.0).to(words.dtype)
    return Concepts(words * sign, s[..., :count], contexts * sign)


def orthants(vectors: Float[Tensor, "*runs items concepts"], tolerance: float = 0.0) -> Int[Tensor, "*runs items"]:
    r"""Return in which orthant each item lies: the signs of its entries as a binary number, the first concept leading.

    Args:
        vectors: one column a concept, such as `Concepts.words`.
        tolerance: an item with an entry of at most this size is undecided.

    Returns:
        Numbers in ``0 .. 2 ** concepts - 1``, where 0 means all entries positive; -1 for undecided items.

    Raises:
        ValueError: a negative tolerance, NaN, or more than 62 concepts.

    Example:
        >>> orthants(torch.tensor([[0.5, 0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.0]]), tolerance=1e-9)
        tensor([ 0,  1,  2, -1])
    """
    require(tolerance >= 0, f"tolerance must not be negative, got {tolerance}")
    count = vectors.shape[-1]
    require(1 <= count <= 62, f"vectors must hold 1 to 62 concepts, got {count}")
    negative = (finite("vectors", vectors) < 0).long()
    bits = 2 ** torch.arange(count - 1, -1, -1, device=vectors.device)
    codes = (negative * bits).sum(-1)
    return torch.where((vectors.abs() <= tolerance).any(-1), -1, codes)


def typicality(vectors: Float[Tensor, "*runs items concepts"]) -> Float[Tensor, "*runs items"]:
    r"""Return how typical each item is of its orthant: :math:`\sum_k|u_k|`.

    Args:
        vectors: one column a concept.

    Raises:
        ValueError: NaN.

    Example:
        >>> typicality(torch.tensor([[0.5, -0.5], [0.1, 0.2]]))
        tensor([1.0000, 0.3000])
    """
    return finite("vectors", vectors).abs().sum(-1)


def adjusted_rand(
    first: Int[Tensor, "*runs items"], second: Int[Tensor, "*other items"]
) -> Float[Tensor, "*broadcast"]:
    r"""Return how far two groupings agree: the adjusted Rand index (Hubert and Arabie 1985), one a run.

    One for equal groupings, whatever the groups are called; zero on average for random groups of the same sizes. Of the
    pairs of items, a share is together in both groupings; the index is that count less its expectation, over the most
    it could be less its expectation.

    Args:
        first: the group of each item.
        second: another grouping; leading dimensions broadcast.

    Raises:
        ValueError: groupings of different items, or fewer than two items.

    Example:
        >>> adjusted_rand(torch.tensor([0, 0, 1, 1]), torch.tensor([[5, 5, 2, 2], [0, 1, 0, 1]]))
        tensor([ 1.0000, -0.5000], dtype=torch.float64)
    """
    require(
        first.shape[-1] == second.shape[-1] and first.shape[-1] >= 2,
        f"first and second must group the same two items or more, got {first.shape[-1]} and {second.shape[-1]}",
    )
    together = [(g.unsqueeze(-1) == g.unsqueeze(-2)).double() for g in (first, second)]
    items = first.shape[-1]
    both = ((together[0] * together[1]).sum((-2, -1)) - items) / 2
    alone = [(pairs.sum((-2, -1)) - items) / 2 for pairs in together]
    expected = alone[0] * alone[1] / (items * (items - 1) / 2)
    room = (alone[0] + alone[1]) / 2 - expected
    return torch.where(room > 0, (both - expected) / torch.where(room > 0, room, 1.0), 1.0)
