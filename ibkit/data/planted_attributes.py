"""Next-token data with planted meaning: words have attributes, contexts ask for one, frequencies are skewed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from scipy.special import gammaincinv
from torch import Tensor

from ibkit.checks import require
from ibkit.data.next_token import NextTokenData
from ibkit.data.seeding import run_generators


def word_attributes(attributes: int = 3, synonyms: int = 4) -> Int[Tensor, "words attributes"]:
    """Return the binary attributes of words: every combination once as a category, each category with its synonyms.

    Args:
        attributes: how many, at least 1.
        synonyms: words of each category, at least 1.

    Raises:
        ValueError: sizes below one.

    Example:
        >>> word_attributes(attributes=2, synonyms=1).tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    require(attributes >= 1 and synonyms >= 1, f"attributes and synonyms must be >= 1, got {attributes}, {synonyms}")
    category = torch.arange(2**attributes).repeat_interleave(synonyms)
    return (category[:, None] >> torch.arange(attributes)) & 1


@dataclass(frozen=True)
class Asked:
    """What each context asks for, and how likely each word may follow it.

    Args:
        attribute: which attribute, ``(contexts,)``.
        value: which of its values, 0 or 1, ``(contexts,)``.
        chance: that a word belongs to the support, ``(contexts, words)``.
    """

    attribute: np.ndarray
    value: np.ndarray
    chance: np.ndarray

    def draw_support(self, rng: np.random.Generator) -> np.ndarray:
        """Draw which words may follow, independently; a context that nothing may follow is drawn again.

        Args:
            rng: advanced.

        Returns:
            Booleans ``(contexts, words)``, at least one true in each row.
        """
        support = rng.random(self.chance.shape) < self.chance
        while (empty := ~support.any(1)).any():
            support[empty] = rng.random((int(empty.sum()), self.chance.shape[1])) < self.chance[empty]
        return support


def asked_attributes(
    bits: Int[Tensor, "words attributes"], contexts: Sequence[int], inside: float, outside: float
) -> Asked:
    """Let contexts ask for one attribute each, in turn for its two values.

    Args:
        bits: the words' attributes, 0 or 1, such as `word_attributes` gives them.
        contexts: how many contexts ask for the first, the second, ... attribute.
        inside: the chance of a word with the wanted value, in (0, 1].
        outside: that of any other, in [0, 1).

    Raises:
        ValueError: no contexts, not one number an attribute, or chances outside their ranges.

    Example:
        >>> asked_attributes(word_attributes(1, 1), (2,), inside=0.9, outside=0.1).chance.tolist()
        [[0.9, 0.1], [0.1, 0.9]]
    """
    require(min(contexts, default=0) >= 1, f"contexts must be positive numbers, got {tuple(contexts)}")
    require(0 < inside <= 1, f"inside must lie in (0, 1], got {inside}")
    require(0 <= outside < 1, f"outside must lie in [0, 1), got {outside}")
    require(
        len(contexts) == bits.shape[-1], f"contexts must be {bits.shape[-1]}, one an attribute, got {len(contexts)}"
    )
    attribute = np.repeat(np.arange(len(contexts)), contexts)
    value = np.concatenate([np.arange(number) % 2 for number in contexts])
    return Asked(attribute, value, np.where(value[:, None] == bits.numpy()[:, attribute].T, inside, outside))


def planted_attributes(
    seed: int,
    runs: int,
    contexts: Sequence[int] = (40, 24, 14),
    synonyms: int = 4,
    zipf: float = 1.0,
    concentration: float = 0.3,
    inside: float = 0.9,
    outside: float = 0.03,
    floor: float = 1e-4,
) -> NextTokenData:
    r"""Return contexts that ask for one attribute of the next word, in turn for its two values.

    A matching word belongs to a context's support :math:`S_j` with probability `inside`, any other with probability
    `outside`. Words and contexts have a rank of frequency, in random order. With :math:`\gamma_{jz}` drawn from a gamma
    distribution of shape `concentration`,

    .. math:: p_{jz}\propto \frac{\gamma_{jz}}{\text{rank}(z)^a}+\text{floor}\quad(z\in S_j),
       \qquad \pi_j\propto\text{rank}(j)^{-a}.

    With one seed the supports stay the same and the frequencies move continuously with the exponent and the
    concentration. Embeddings are one-hot: nothing is known of a context but which it is.

    Args:
        seed: non-negative.
        runs: how many data sets.
        contexts: how many contexts ask for the first, the second, ... attribute.
        synonyms: words of each of the categories (`word_attributes`).
        zipf: :math:`a`, exponent of the frequencies of words and contexts; 0 for none.
        concentration: small for uneven rows; infinity gives every :math:`\gamma_{jz}=1`.
        inside: in (0, 1].
        outside: in [0, 1).
        floor: keeps the rarest words of a support from vanishing, not negative.

    Returns:
        Float64 data with one leading run dimension, ``sum(contexts)`` contexts.

    Raises:
        ValueError: no contexts, probabilities outside their ranges, a negative exponent or floor, or a concentration
            that is not positive.

    Example:
        >>> data = planted_attributes(seed=0, runs=2)
        >>> data.probabilities.shape
        torch.Size([2, 78, 32])
        >>> even = planted_attributes(seed=0, runs=2, zipf=0.0, concentration=float("inf"))
        >>> bool((even.support == data.support).all()), float(even.weights[0, 0])
        (True, 0.01282...)
    """
    require(zipf >= 0 and floor >= 0, f"zipf and floor must not be negative, got {zipf} and {floor}")
    require(concentration > 0, f"concentration must be positive, got {concentration}")
    require(len(contexts) > 0, f"contexts must be positive numbers, got {tuple(contexts)}")
    asked = asked_attributes(word_attributes(len(contexts), synonyms), contexts, inside, outside)
    count, vocabulary = shape = asked.chance.shape
    rows, frequencies = [], []
    for rng in run_generators(seed, runs):
        support = asked.draw_support(rng)
        word_rank, context_rank = 1.0 + rng.permutation(vocabulary), 1.0 + rng.permutation(count)
        uniform = rng.random(shape)
        gammas = np.ones(shape) if np.isinf(concentration) else gammaincinv(concentration, uniform)
        gammas = np.maximum(gammas, np.finfo(float).tiny)  # a support holds no zeros
        row = np.where(support, gammas * word_rank**-zipf + floor, 0.0)
        rows.append(row / row.sum(-1, keepdims=True))
        frequencies.append(context_rank**-zipf / (context_rank**-zipf).sum())
    return NextTokenData(
        torch.eye(count, dtype=torch.float64).expand(runs, count, count).clone(),
        torch.from_numpy(np.stack(rows)),
        torch.from_numpy(np.stack(frequencies)),
    )
