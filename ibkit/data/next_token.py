"""Contexts with sparse next-token distributions: what a language model's last layer is trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import gammaincinv
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators

TOY_SUPPORTS = ((1, 2, 3), (0, 1, 4), (0, 3, 4))
"""Which of the five words may follow each of the three contexts of `toy_next_tokens`."""


@dataclass(frozen=True)
class NextTokenData:
    r"""Distinct contexts, how often each occurs, and which tokens follow it how often.

    Args:
        contexts: embeddings :math:`h_j` as rows, shape ``(*runs, contexts, features)``.
        probabilities: :math:`p_{jz}`, shape ``(*runs, contexts, vocabulary)``; rows sum to one, zeros are exact.
        weights: :math:`\pi_j`, shape ``(*runs, contexts)``; they sum to one.
    """

    contexts: Float[Tensor, "*runs contexts features"]
    probabilities: Float[Tensor, "*runs contexts vocabulary"]
    weights: Float[Tensor, "*runs contexts"]

    @property
    def support(self) -> Bool[Tensor, "*runs contexts vocabulary"]:
        r"""Which tokens may follow: :math:`S_j=\{z:p_{jz}>0\}` as a mask."""
        return self.probabilities > 0

    @property
    def entropy(self) -> Float[Tensor, "*runs"]:
        r"""The conditional entropy :math:`-\sum_j\pi_j\sum_zp_{jz}\log p_{jz}` in nats, one a run."""
        inside = torch.where(self.support, self.probabilities, 1.0)
        return -(self.weights * (self.probabilities * inside.log()).sum(-1)).sum(-1)

    def to(self, device: str | torch.device) -> NextTokenData:
        """Return the same data on another device."""
        return NextTokenData(self.contexts.to(device), self.probabilities.to(device), self.weights.to(device))


def sparse_next_tokens(
    seed: int,
    runs: int,
    contexts: int,
    features: int,
    vocabulary: int,
    support: int,
    concentration: float = 1.0,
    sequences: int | None = None,
) -> NextTokenData:
    r"""Return Gaussian contexts, each followed by a random few of the tokens.

    :math:`h_j\sim\mathcal N(0,I)`, supports of one size uniformly at random, :math:`p_j` on its support from a
    symmetric Dirichlet distribution, all contexts equally likely. With `sequences`, the data are what a training set of
    that many (context, next token) pairs shows: the empirical frequencies, every pair of a context and a token of its
    support counted at least once. That keeps all probabilities away from zero, as in any real training set: a Dirichlet
    row may hold a token so rare that training hardly ever meets it. The runs differ in everything random.

    Args:
        seed: non-negative.
        runs: how many data sets.
        contexts: number m of distinct contexts.
        features: their dimension d.
        vocabulary: number V of tokens, at least 2.
        support: how many tokens may follow a context, in ``1 .. vocabulary``.
        concentration: of the Dirichlet distribution; 1 is uniform on the simplex, larger values are more even.
        sequences: size of the training set, at least ``contexts * support``; None for the exact probabilities.

    Returns:
        Float64 data with one leading run dimension.

    Raises:
        ValueError: sizes that do not fit, or a concentration that is not positive.

    Example:
        >>> data = sparse_next_tokens(seed=0, runs=2, contexts=4, features=3, vocabulary=5, support=2)
        >>> data.contexts.shape, data.support.sum(-1).tolist()
        (torch.Size([2, 4, 3]), [[2, 2, 2, 2], [2, 2, 2, 2]])
    """
    require(contexts >= 1 and features >= 1, f"contexts and features must be at least 1, got {contexts}, {features}")
    require(vocabulary >= 2, f"vocabulary must be at least 2, got {vocabulary}")
    require(1 <= support <= vocabulary, f"support must lie in 1..{vocabulary} (the vocabulary), got {support}")
    pairs = contexts * support
    require(
        sequences is None or sequences >= pairs,
        f"sequences must be at least contexts * support ({pairs}), so that each pair occurs, got {sequences}",
    )
    embeddings, rows, frequencies = [], [], []
    for rng in run_generators(seed, runs):
        embeddings.append(rng.normal(size=(contexts, features)))
        followers = np.argsort(rng.random((contexts, vocabulary)), axis=1)[:, :support]
        row = np.zeros((contexts, vocabulary))
        np.put_along_axis(row, followers, dirichlet_rows(rng.random((contexts, support)), concentration), axis=1)
        frequency = np.full(contexts, 1 / contexts)
        if sequences is not None:
            often = rng.multinomial(sequences - pairs, frequency)
            counts = np.stack([rng.multinomial(n, p) for n, p in zip(often, row, strict=True)]) + (row > 0)
            row, frequency = counts / counts.sum(-1, keepdims=True), counts.sum(-1) / sequences
        rows.append(row)
        frequencies.append(frequency)
    return NextTokenData(*(torch.from_numpy(np.stack(part)) for part in (embeddings, rows, frequencies)))


def shared_support_tokens(
    seed: int,
    runs: int,
    vocabulary: int = 8,
    supports: int = 12,
    copies: int = 2,
    sizes: tuple[int, int] = (2, 5),
    concentration: float = 2.0,
) -> NextTokenData:
    r"""Return contexts that come in groups: one support a group, other probabilities for each of its contexts.

    The supports are distinct random sets whose sizes are uniform in a range; contexts ``g * copies`` to
    ``(g + 1) * copies - 1`` share support g. Their probabilities are drawn one by one from a symmetric Dirichlet
    distribution; all contexts are equally likely. Embeddings are one-hot: nothing is known of a context but which it
    is, so that a linear decoder on them has free logits.

    Args:
        seed: non-negative.
        runs: how many data sets.
        vocabulary: number V of tokens.
        supports: number of distinct supports.
        copies: contexts of each support.
        sizes: least and greatest size of a support, in ``1 .. vocabulary``.
        concentration: of the Dirichlet distribution; larger values are more even.

    Returns:
        Float64 data with one leading run dimension and ``supports * copies`` contexts.

    Raises:
        ValueError: sizes that do not fit, more supports than there are sets of these sizes, or a concentration that is
            not positive.

    Example:
        >>> data = shared_support_tokens(seed=0, runs=3)
        >>> data.probabilities.shape, bool((data.support[:, ::2] == data.support[:, 1::2]).all())
        (torch.Size([3, 24, 8]), True)
    """
    low, high = sizes
    require(1 <= low <= high <= vocabulary, f"sizes must rise within 1..{vocabulary} (the vocabulary), got {sizes}")
    require(supports >= 1 and copies >= 1, f"supports and copies must be at least 1, got {supports} and {copies}")
    require(concentration > 0, f"concentration must be positive, got {concentration}")
    possible = sum(math.comb(vocabulary, size) for size in range(low, high + 1))
    require(2 * supports <= possible, f"supports must be at most half of the {possible} possible sets, got {supports}")
    rows = []
    for rng in run_generators(seed, runs):
        found: dict[bytes, np.ndarray] = {}
        while len(found) < supports:
            mask = np.zeros(vocabulary, dtype=bool)
            mask[rng.permutation(vocabulary)[: rng.integers(low, high + 1)]] = True
            found.setdefault(mask.tobytes(), mask)
        mask = np.repeat(np.stack(list(found.values())), copies, axis=0)
        gammas = gammaincinv(concentration, rng.random(mask.shape))
        gammas = np.where(mask, np.maximum(gammas, np.finfo(float).tiny), 0.0)
        rows.append(gammas / gammas.sum(-1, keepdims=True))
    contexts = supports * copies
    return NextTokenData(
        torch.eye(contexts, dtype=torch.float64).expand(runs, contexts, contexts).clone(),
        torch.from_numpy(np.stack(rows)),
        torch.full((runs, contexts), 1 / contexts, dtype=torch.float64),
    )


def toy_next_tokens(
    seed: int = 0,
    angles: Sequence[float] | Float[Tensor, "*runs 3"] = (90.0, 210.0, 330.0),
    concentration: float = 1.0,
) -> NextTokenData:
    r"""Return three contexts on the unit circle and five words: small enough to draw.

    Words 2, 3, 4 may follow the first context, words 1, 2, 5 the second and words 1, 4, 5 the third (`TOY_SUPPORTS`
    counts from zero). Word 3 follows one context only; words 1 and 5 share their contexts and differ in their
    probabilities alone (after Thrampoulidis 2024, Figure 1, up to the naming of the words).

    Args:
        seed: of the probabilities. With one seed they move continuously with `concentration`.
        angles: where the contexts stand, in degrees; with leading runs, one data set each, sharing probabilities.
        concentration: of the Dirichlet distribution of each row; larger values are more even.

    Returns:
        Float64 data; contexts ``(*runs, 3, 2)``, probabilities ``(*runs, 3, 5)``.

    Raises:
        ValueError: angles that are not three a run, or a concentration that is not positive.

    Example:
        >>> toy_next_tokens().support.int().tolist()
        [[0, 1, 1, 1, 0], [1, 1, 0, 0, 1], [1, 0, 0, 1, 1]]
    """
    radians = torch.as_tensor(angles, dtype=torch.float64) * (math.pi / 180)
    require(radians.shape[-1:] == (3,), f"angles must hold three angles a run, got shape {tuple(radians.shape)}")
    rng = run_generators(seed, 1)[0]
    probabilities = np.zeros((3, 5))
    np.put_along_axis(probabilities, np.array(TOY_SUPPORTS), dirichlet_rows(rng.random((3, 3)), concentration), axis=1)
    runs = radians.shape[:-1]
    return NextTokenData(
        torch.stack([radians.cos(), radians.sin()], -1),
        torch.from_numpy(probabilities).expand(*runs, 3, 5).clone(),
        torch.full((*runs, 3), 1 / 3, dtype=torch.float64),
    )


def dirichlet_rows(uniform: np.ndarray, concentration: float) -> np.ndarray:
    """Symmetric Dirichlet rows out of uniform numbers, through the quantiles of the gamma distribution."""
    require(concentration > 0, f"concentration must be positive, got {concentration}")
    gammas = np.maximum(gammaincinv(concentration, uniform), np.finfo(float).tiny)  # a support holds no zeros
    return gammas / gammas.sum(-1, keepdims=True)
