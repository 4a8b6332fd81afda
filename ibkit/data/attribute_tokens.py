"""Words with planted attributes, and supports that have a hierarchy: data whose concepts are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ibkit.checks import require
from ibkit.data.next_token import dirichlet_rows
from ibkit.data.planted_attributes import asked_attributes, word_attributes
from ibkit.data.seeding import run_generators


@dataclass(frozen=True)
class AttributeTokens:
    r"""Contexts that ask for a value of one attribute, and the words that may follow them.

    Args:
        probabilities: :math:`p_{jz}`, shape ``(*runs, contexts, vocabulary)``.
        weights: :math:`\pi_j`, ``(*runs, contexts)``.
        attributes: which value each word has of each attribute, +1 or -1, ``(vocabulary, attributes)``.
        asked: which attribute each context asks for, ``(contexts,)``.
        wanted: which value it wants, +1 or -1, ``(contexts,)``.
    """

    probabilities: Float[Tensor, "*runs contexts vocabulary"]
    weights: Float[Tensor, "*runs contexts"]
    attributes: Float[Tensor, "vocabulary attributes"]
    asked: Int[Tensor, " contexts"]
    wanted: Float[Tensor, " contexts"]

    @property
    def support(self) -> Bool[Tensor, "*runs contexts vocabulary"]:
        """Which words may follow."""
        return self.probabilities > 0

    @property
    def categories(self) -> Int[Tensor, " vocabulary"]:
        """The combination of attributes that each word has, as a number; words come sorted by it."""
        count = self.attributes.shape[-1]
        bits = 2 ** torch.arange(count - 1, -1, -1, device=self.attributes.device)
        return ((self.attributes < 0).long() * bits).sum(-1)


def attribute_tokens(
    seed: int,
    runs: int,
    contexts: Sequence[int] = (40, 24, 14),
    words: int = 4,
    inside: float = 0.9,
    outside: float = 0.03,
    concentration: float = 2.0,
) -> AttributeTokens:
    r"""Return a corpus with planted binary attributes.

    There is one category of words for each combination of attributes. ``contexts[b]`` contexts ask for attribute b,
    taking turns between its two values. A word with the wanted value may follow with probability `inside`, any other
    with probability `outside`, independently; so the expected centred support matrix is
    :math:`\tfrac{\text{inside}-\text{outside}}2\sum_ba_bw_b^\top` with the attributes :math:`a_b` and the wanted values
    :math:`w_b` (zero for contexts that ask for another one), which already is a singular value decomposition.
    Probabilities on the supports are Dirichlet; all contexts are equally likely.

    Args:
        seed: non-negative.
        runs: how many corpora.
        contexts: even numbers, one an attribute.
        words: of each category.
        inside: share of the words with the wanted value that may follow.
        outside: share of the others, below one.
        concentration: of the Dirichlet distributions.

    Returns:
        Float64 data with one leading run dimension.

    Raises:
        ValueError: sizes below one, odd numbers of contexts, or shares outside their ranges.

    Example:
        >>> corpus = attribute_tokens(seed=0, runs=2)
        >>> corpus.probabilities.shape, corpus.attributes[:5].int().tolist()
        (torch.Size([2, 78, 32]), [[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, -1]])
    """
    even = len(contexts) >= 1 and all(n >= 2 and n % 2 == 0 for n in contexts)
    require(even, f"contexts must be even numbers of at least 2, one an attribute, got {list(contexts)}")
    require(concentration > 0, f"concentration must be positive, got {concentration}")
    bits = word_attributes(len(contexts), words).flip(-1)  # the first attribute parts the vocabulary in two halves
    asked = asked_attributes(bits, contexts, inside, outside)
    rows = []
    for rng in run_generators(seed, runs):
        mask = asked.draw_support(rng)
        drawn = np.where(mask, dirichlet_rows(rng.random(mask.shape), concentration), 0.0)
        rows.append(drawn / drawn.sum(1, keepdims=True))
    m = len(asked.value)
    return AttributeTokens(
        torch.from_numpy(np.stack(rows)),
        torch.full((runs, m), 1 / m, dtype=torch.float64),
        1.0 - 2.0 * bits.to(torch.float64),
        torch.from_numpy(asked.attribute),
        torch.from_numpy(1.0 - 2.0 * asked.value),
    )


def tree_support(repeats: Sequence[int]) -> Bool[Tensor, "contexts vocabulary"]:
    """Return supports with a hierarchy: the halves of the vocabulary, its quarters, and so on down to single words.

    Level l of a binary tree on ``2 ** len(repeats)`` words parts them into ``2 ** l`` blocks; each block is the support
    of ``repeats[l - 1]`` contexts.

    Args:
        repeats: contexts of each block, from the halves down; zeros are allowed, but not for single words.

    Raises:
        ValueError: negative numbers, none at all, or a zero at the end.

    Example:
        >>> tree_support([1, 1]).int().tolist()
        [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    """
    require(
        len(repeats) >= 1 and min(repeats) >= 0 and repeats[-1] >= 1,
        f"repeats must be non-negative numbers with a positive last one, got {list(repeats)}",
    )
    depth = len(repeats)
    word = torch.arange(2**depth)
    rows = []
    for level, often in enumerate(repeats, start=1):
        block = word >> (depth - level)
        rows += [block == number for number in range(2**level) for _ in range(often)]
    return torch.stack(rows)
