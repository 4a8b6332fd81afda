"""Distinct contexts of tokens with next-token distributions: random ones, all there are, or those of documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, require
from ibkit.data.next_token import NextTokenData
from ibkit.data.seeding import run_generators


@dataclass(frozen=True)
class TokenContexts:
    r"""Distinct contexts, how often each occurs, and which tokens follow it how often.

    Args:
        tokens: shape ``(*runs, contexts, length)``; shorter contexts end in -1.
        probabilities: :math:`p_{jz}`, shape ``(*runs, contexts, vocabulary)``; rows sum to one.
        weights: :math:`\pi_j`, shape ``(*runs, contexts)``; they sum to one.
    """

    tokens: Int[Tensor, "*runs contexts length"]
    probabilities: Float[Tensor, "*runs contexts vocabulary"]
    weights: Float[Tensor, "*runs contexts"]

    def embedded(self, embeddings: Float[Tensor, "*runs contexts features"]) -> NextTokenData:
        """Return the same distributions on embeddings of the contexts.

        Args:
            embeddings: one row a context.

        Example:
            >>> random_contexts(0, 2, contexts=5, length=4, vocabulary=3).embedded(torch.zeros(2, 5, 7)).entropy.shape
            torch.Size([2])
        """
        return NextTokenData(embeddings, self.probabilities, self.weights)

    def to(self, device: str | torch.device) -> TokenContexts:
        """Return the same data on another device."""
        return TokenContexts(self.tokens.to(device), self.probabilities.to(device), self.weights.to(device))


def all_contexts(vocabulary: int, length: int) -> Int[Tensor, "contexts length"]:
    r"""Return every context of a length: :math:`\omega^\tau` rows in alphabetical order.

    Args:
        vocabulary: :math:`\omega`, tokens.
        length: :math:`\tau`.

    Raises:
        ValueError: sizes below one, or more than a million contexts.

    Example:
        >>> all_contexts(2, 2).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    require(vocabulary >= 1 and length >= 1, f"vocabulary and length must be at least 1, got {vocabulary} and {length}")
    require(vocabulary**length <= 10**6, f"contexts must be a million at most, got {vocabulary}**{length}")
    return _digits(torch.arange(vocabulary**length), vocabulary, length)


def random_contexts(
    seed: int,
    runs: int,
    contexts: int,
    length: int,
    vocabulary: int,
    support: int | None = None,
    concentration: float = 2.0,
) -> TokenContexts:
    """Draw distinct contexts of one length and a random distribution for each; all contexts weigh the same.

    Args:
        seed: non-negative.
        runs: how many independent sets.
        contexts: how many distinct contexts a set.
        length: tokens in a context.
        vocabulary: tokens there are.
        support: how many tokens, drawn at random, may follow a context; all of them by default.
        concentration: of the symmetric Dirichlet distribution over those tokens.

    Raises:
        ValueError: sizes below one, more contexts than there are, a support larger than the vocabulary, or a
            concentration that is not positive.

    Example:
        >>> data = random_contexts(seed=0, runs=2, contexts=5, length=4, vocabulary=3, support=2)
        >>> data.tokens.shape, (data.probabilities > 0).sum(-1).unique()
        (torch.Size([2, 5, 4]), tensor([2]))
    """
    require(vocabulary >= 1 and length >= 1, f"vocabulary and length must be at least 1, got {vocabulary} and {length}")
    there_are = vocabulary**length
    require(1 <= contexts <= there_are, f"contexts must be in 1..{there_are}, got {contexts}")
    support = vocabulary if support is None else support
    require(1 <= support <= vocabulary, f"support must be in 1..{vocabulary}, got {support}")
    require(concentration > 0, f"concentration must be positive, got {concentration}")
    numbers, tables = [], []
    for rng in run_generators(seed, runs):
        numbers.append(rng.choice(there_are, size=contexts, replace=False))
        allowed = rng.random((contexts, vocabulary)).argsort(-1)[:, :support]
        table = np.zeros((contexts, vocabulary))
        np.put_along_axis(table, allowed, rng.dirichlet(np.full(support, concentration), size=contexts), -1)
        tables.append(table)
    weights = torch.full((runs, contexts), 1 / contexts, dtype=torch.float64)
    tokens = _digits(torch.from_numpy(np.stack(numbers)), vocabulary, length)
    return TokenContexts(tokens, torch.from_numpy(np.stack(tables)), weights)


def prefix_contexts(documents: Int[Tensor, "documents length"], vocabulary: int) -> TokenContexts:
    """Return all distinct beginnings of some documents, with the frequencies of the token after each.

    Every document gives its prefixes of one token up to all but its last. The cross-entropy of any model of the next
    token, averaged over all positions of all documents, is at least the entropy of this data.

    Args:
        documents: token numbers; all documents are equally long.
        vocabulary: how many tokens there are.

    Returns:
        The contexts by length, then in alphabetical order; weights are their share of all positions.

    Raises:
        ValueError: documents of fewer than two tokens, none at all, or tokens outside the vocabulary.

    Example:
        >>> data = prefix_contexts(torch.tensor([[0, 1, 0], [0, 1, 1], [1, 0, 0]]), vocabulary=2)
        >>> data.tokens.tolist(), data.weights.round(decimals=2).tolist()
        ([[0, -1], [1, -1], [0, 1], [1, 0]], [0.33, 0.17, 0.33, 0.17])
        >>> data.probabilities[2].tolist()
        [0.5, 0.5]
    """
    count, length = documents.shape
    require(count >= 1 and length >= 2, f"documents must be at least one, of two tokens, got {count} of {length}")
    labels_in_range("documents", documents, vocabulary)
    prefixes, followers = [], []
    for t in range(1, length):
        padded = torch.full((count, length - 1), -1, dtype=documents.dtype)
        padded[:, :t] = documents[:, :t]
        prefixes.append(padded)
        followers.append(documents[:, t])
    tokens, place = torch.unique(torch.cat(prefixes), dim=0, return_inverse=True)
    counts = torch.zeros(len(tokens), vocabulary, dtype=torch.float64)
    one = torch.ones(len(place), dtype=torch.float64)
    counts.index_put_((place, torch.cat(followers).long()), one, accumulate=True)
    order = (tokens >= 0).sum(-1).argsort(stable=True)
    tokens, counts = tokens[order], counts[order]
    total = counts.sum(-1, keepdim=True)
    return TokenContexts(tokens, counts / total, total.squeeze(-1) / counts.sum())


def _digits(numbers: Int[Tensor, "*shape"], base: int, length: int) -> Int[Tensor, "*shape length"]:
    powers = base ** torch.arange(length - 1, -1, -1)
    return numbers.unsqueeze(-1) // powers % base
