"""Tables of what follows what: n-gram probabilities of a text."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require


def ngram_tables(
    stream: Int[Tensor, " length"], vocabulary: int, order: int, prior: float = 2.0
) -> list[Float[Tensor, ...]]:
    r"""Return the smoothed probabilities of the next token after 0, 1, ..., order - 1 tokens.

    Each table leans on the shorter one where counts are few,

    .. math:: p_n(z\mid c_{n-1}\dots c_1)=\frac{\#(c_{n-1}\dots c_1z)+a\,p_{n-1}(z\mid c_{n-2}\dots c_1)}
       {\sum_{z'}\#(c_{n-1}\dots c_1z')+a},

    and the shortest on the uniform distribution (a Dirichlet prior of weight a; MacKay and Peto 1995).

    Args:
        stream: token numbers.
        vocabulary: V; the longest table has V to the power of `order` entries.
        order: the n of the longest.
        prior: :math:`a`, positive.

    Returns:
        Float64 tables of shapes ``(V,)``, ``(V, V)``, ...; the next token is the last dimension, the one before it the
        last but one.

    Raises:
        ValueError: sizes below one, a prior that is not positive, tokens outside the vocabulary, or a stream shorter
            than `order`.

    Example:
        >>> one, two = ngram_tables(torch.tensor([0, 1, 0, 1, 0]), vocabulary=2, order=2)
        >>> one, two[0]
        (tensor([0.5714, 0.4286], dtype=torch.float64), tensor([0.2857, 0.7143], dtype=torch.float64))
    """
    require(vocabulary >= 1 and order >= 1, f"vocabulary and order must be at least 1, got {vocabulary} and {order}")
    require(prior > 0, f"prior must be positive, got {prior}")
    require(len(stream) >= order, f"stream must hold at least {order} tokens (the order), got {len(stream)}")
    low, high = int(stream.min()), int(stream.max())
    require(low >= 0 and high < vocabulary, f"stream must hold numbers in 0..{vocabulary - 1}, got {low}..{high}")
    tables: list[Tensor] = []
    shorter = torch.full((vocabulary,), 1 / vocabulary, dtype=torch.float64, device=stream.device)
    for n in range(1, order + 1):
        code = torch.zeros(len(stream) - n + 1, dtype=torch.long, device=stream.device)
        for place in range(n):
            code = code * vocabulary + stream[place : len(stream) - n + 1 + place]
        counts = torch.bincount(code, minlength=vocabulary**n).reshape((vocabulary,) * n)
        shorter = (counts + prior * shorter) / (counts.sum(-1, keepdim=True) + prior)
        tables.append(shorter)
    return tables
