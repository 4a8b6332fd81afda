"""A text as next-token training sees it: its distinct contexts, and which tokens follow each of them how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ibkit.checks import require


@dataclass(frozen=True)
class ContextTable:
    r"""Distinct contexts of a text and what follows them.

    Args:
        contexts: their tokens, shape ``(contexts, length)``, in lexicographic order.
        counts: how often each token follows, shape ``(contexts, vocabulary)``.
    """

    contexts: Int[Tensor, "contexts length"]
    counts: Int[Tensor, "contexts vocabulary"]

    @property
    def support(self) -> Bool[Tensor, "contexts vocabulary"]:
        """Which tokens follow a context at least once."""
        return self.counts > 0

    @property
    def probabilities(self) -> Float[Tensor, "contexts vocabulary"]:
        r"""The empirical :math:`p_{jz}`, float64."""
        return self.counts / self.counts.sum(-1, keepdim=True).to(torch.float64)

    @property
    def weights(self) -> Float[Tensor, " contexts"]:
        r"""The share :math:`\pi_j` of each context, float64."""
        often = self.counts.sum(-1)
        return often / often.sum().to(torch.float64)

    @property
    def entropy(self) -> float:
        """The conditional entropy of the next token in nats: the lower bound of cross-entropy on this text."""
        p = self.probabilities
        return float(-(self.weights * torch.special.xlogy(p, p).sum(-1)).sum())


def context_table(stream: Int[Tensor, " length"], length: int, vocabulary: int, least: int = 1) -> ContextTable:
    """Count what follows each run of `length` tokens.

    Windows that hold a token numbered `vocabulary` or above are left out. Since `vocabulary_of` numbers by falling
    frequency, that keeps the passages made of the most frequent tokens alone.

    Args:
        stream: the text's token numbers.
        length: tokens of a context, at least 1.
        vocabulary: how many tokens count, the lowest numbers.
        least: contexts that occur less often are left out.

    Raises:
        ValueError: sizes below one, negative numbers, or no context that occurs often enough.

    Example:
        >>> from ibkit.data import vocabulary_of
        >>> letters = vocabulary_of("abracadabra")  # a, b, r, c, d
        >>> table = context_table(letters.encode("abracadabra"), length=1, vocabulary=3)
        >>> table.contexts.ravel().tolist(), table.counts.tolist()
        ([0, 1, 2], [[0, 2, 0], [0, 0, 2], [2, 0, 0]])
    """
    require(
        min(length, vocabulary, least) >= 1,
        f"length, vocabulary and least must be at least 1, got {length}, {vocabulary} and {least}",
    )
    tokens = stream.detach().cpu().numpy()
    require(len(tokens) > length, f"stream must be longer than a context of {length} tokens, got {len(tokens)} tokens")
    require(int(tokens.min()) >= 0, f"stream must hold token numbers, got {int(tokens.min())}")
    windows = np.lib.stride_tricks.sliding_window_view(tokens, length + 1)
    windows = windows[(windows < vocabulary).all(1)]
    contexts, which = np.unique(windows[:, :-1], axis=0, return_inverse=True)
    counts = np.zeros((len(contexts), vocabulary), dtype=np.int64)
    np.add.at(counts, (which.reshape(-1), windows[:, -1]), 1)
    kept = counts.sum(1) >= least
    require(bool(kept.any()), f"stream must hold a context that occurs at least {least} times, got none")
    return ContextTable(torch.from_numpy(contexts[kept].astype(np.int64)), torch.from_numpy(counts[kept]))
