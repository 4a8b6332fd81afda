"""Sequences of tokens in which a few, at random positions, carry the label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.seeding import run_generators


class TokenMixture(NamedTuple):
    r"""Sequences, their labels, and where the labels come from.

    Args:
        tokens: ``(runs, samples, tokens, features)``.
        labels: -1 and 1, ``(runs, samples)``.
        relevant: which tokens carry the label, ``(runs, samples, tokens)``.
        signals: :math:`\mu_+` and :math:`\mu_-`, ``(2, features)``.
    """

    tokens: Tensor
    labels: Tensor
    relevant: Tensor
    signals: Tensor


class ContextualMixture(NamedTuple):
    r"""Sequences whose relevant tokens share a context, their labels, and what they were made of.

    Args:
        tokens: ``(runs, samples, tokens, features)``.
        labels: -1 and 1, ``(runs, samples)``.
        relevant: which tokens belong to the context and carry the label, ``(runs, samples, tokens)``.
        context: :math:`q_\star`, what all relevant tokens share, ``(features)``.
        signal: :math:`w_\star`, which they hold times the label, ``(features)``.
    """

    tokens: Tensor
    labels: Tensor
    relevant: Tensor
    context: Tensor
    signal: Tensor


def tokenized_mixture(
    seed: int,
    runs: int,
    samples: int,
    tokens: int,
    features: int,
    relevant: int = 1,
    signal: float = 1.0,
    noise: float = 1.0,
    distractors: int = 0,
    first: int = 0,
    equal_scores: bool = False,
    balanced: bool = False,
) -> TokenMixture:
    r"""Return sequences in which a few tokens are the signal of the label and all others are noise.

    .. math:: x_t=\mu_y\ \text{ for relevant }t,\qquad x_t=\nu_{j_t}+z_t\ \text{ otherwise},\qquad
       z_t\sim\mathcal N(0,\sigma^2I),\quad y=\pm1 .

    Relevant positions are drawn anew for every sequence. The signals :math:`\mu_+,\mu_-` and the distractors
    :math:`\nu_j`, of which each irrelevant token takes one at random, lie along the first coordinate axes, all of one
    length; nothing is lost by that, as the noise looks the same from all sides. Labels, positions and noise come from
    streams of their own: settings differ in nothing but what is set, and the first sequences of a large set are those
    of a small one. (After the tokenised mixture of Deora, Ghaderi, Taheri and Thrampoulidis 2023, and the data of
    Vasudeva, Deora and Thrampoulidis 2024.)

    Args:
        seed: non-negative.
        runs: how many sets.
        samples: sequences in each.
        tokens: T, the length of a sequence.
        features: d.
        relevant: how many tokens of a sequence carry the label.
        signal: the length of :math:`\mu_\pm` and :math:`\nu_j`.
        noise: :math:`\sigma`, a standard deviation for each coordinate.
        distractors: how many :math:`\nu_j` there are; with none the irrelevant tokens are noise alone.
        first: the first position a relevant token may have; 1 keeps the opening token, say a query, free of them.
        equal_scores: whether the irrelevant tokens are exactly orthogonal to the signals, so that a head
            :math:`\mu_+-\mu_-` scores all of them alike.
        balanced: whether the labels are 1 and -1 in turn instead of tosses of a fair coin.

    Returns:
        A `TokenMixture`, float64.

    Raises:
        ValueError: sizes below one, more relevant tokens than free positions, fewer features than signals and
            distractors, or a negative length.

    Example:
        >>> X, y, relevant, (plus, minus) = tokenized_mixture(0, runs=2, samples=5, tokens=4, features=3, noise=0.1)
        >>> X.shape, relevant.sum(-1).unique()
        (torch.Size([2, 5, 4, 3]), tensor([1]))
        >>> bool((X[relevant] == torch.where(y[..., None] > 0, plus, minus).flatten(0, 1)).all())
        True
    """
    require(min(samples, tokens) >= 1, f"sizes must be at least 1, got samples {samples} and tokens {tokens}")
    require(distractors >= 0, f"distractors must not be negative, got {distractors}")
    require(
        features >= 2 + distractors,
        f"features must be at least {2 + distractors}, one for each signal and distractor, got {features}",
    )
    require(min(signal, noise) >= 0, f"signal and noise must not be negative, got {signal} and {noise}")
    axes = signal * np.eye(2 + distractors, features)
    sets = []
    for rng in run_generators(seed, runs):
        labelling, placing, noising, distracting = rng.spawn(4)
        y = _labels(labelling, samples, balanced)
        place = _relevant_places(placing, samples, tokens, relevant, first)
        X = noise * noising.normal(size=(samples, tokens, features))
        if equal_scores:
            X[..., :2] = 0.0
        if distractors:
            X += axes[2 + distracting.integers(distractors, size=(samples, tokens))]
        X[place] = np.repeat(axes[np.where(y > 0, 0, 1)], relevant, axis=0)
        sets.append((X, y, place))
    X, y, place = (torch.from_numpy(np.stack(part)) for part in zip(*sets, strict=True))
    return TokenMixture(X, y, place, torch.from_numpy(axes[:2].copy()))


def contextual_mixture(
    seed: int,
    runs: int,
    samples: int,
    tokens: int,
    features: int,
    relevant: int = 1,
    context: float = 1.0,
    signal: float = 1.0,
    context_offset: float | Float[Tensor, "*#runs samples"] = 0.0,
    signal_offset: float | Float[Tensor, "*#runs samples"] = 0.0,
    noise: float = 1.0,
    balanced: bool = False,
) -> ContextualMixture:
    r"""Return sequences in which a few tokens show a common context and, on top of it, the label.

    .. math:: x_t=q_\star+y\,w_\star\ \text{ for relevant }t,\qquad
       x_t=-\delta^qq_\star-\delta^wy\,w_\star+z_t\ \text{ otherwise},\qquad
       z_t\sim\mathcal N(0,\sigma^2I),\quad y=\pm1 .

    The context :math:`q_\star` and the signal :math:`w_\star` lie along the first two coordinate axes; nothing is lost
    by that, as the noise looks the same from all sides. Labels, positions and noise come from streams of their own:
    settings differ in nothing but what is set, and the first sequences of a large set are those of a small one. (After
    the contextual mixture model of Oymak, Rawat, Soltanolkotabi and Thrampoulidis 2023.)

    Args:
        seed: non-negative.
        runs: how many sets.
        samples: sequences in each.
        tokens: T, the length of a sequence.
        features: d.
        relevant: how many tokens of a sequence are relevant, :math:`\zeta T`.
        context: :math:`Q=\|q_\star\|`.
        signal: :math:`W=\|w_\star\|`.
        context_offset: :math:`\delta^q`, how far the other tokens are pushed away from the context; a number or one a
            sequence.
        signal_offset: :math:`\delta^w`, how much of the opposite label they hold; likewise.
        noise: :math:`\sigma`, a standard deviation for each coordinate.
        balanced: whether the labels are 1 and -1 in turn instead of tosses of a fair coin.

    Returns:
        A `ContextualMixture`, float64.

    Raises:
        ValueError: sizes below one, fewer than two features, more relevant tokens than tokens, a negative length, or
            offsets that are not finite or not one a sequence.

    Example:
        >>> X, y, relevant, q, w = contextual_mixture(0, 1, samples=2, tokens=3, features=2, noise=0, balanced=True)
        >>> X[relevant].tolist(), float(X[~relevant].abs().max())
        ([[1.0, 1.0], [1.0, -1.0]], 0.0)
    """
    require(min(samples, tokens) >= 1, f"sizes must be at least 1, got samples {samples} and tokens {tokens}")
    require(features >= 2, f"features must be at least 2, one for the context and one for the signal, got {features}")
    lengths = {"context": context, "signal": signal, "noise": noise}
    require(min(lengths.values()) >= 0, f"context, signal and noise must not be negative, got {lengths}")
    away = [
        _offsets(name, value, runs, samples)
        for name, value in (("context_offset", context_offset), ("signal_offset", signal_offset))
    ]
    sets = []
    for rng, from_context, from_signal in zip(run_generators(seed, runs), *away, strict=True):
        labelling, placing, noising = rng.spawn(3)
        y = _labels(labelling, samples, balanced)
        place = _relevant_places(placing, samples, tokens, relevant, 0)
        X = noising.normal(size=(samples, tokens, features))
        X *= noise
        X[..., 0] -= (context * from_context)[:, None]
        X[..., 1] -= (signal * from_signal * y)[:, None]
        shown = np.zeros((samples, features))
        shown[:, 0], shown[:, 1] = context, signal * y
        X[place] = np.repeat(shown, relevant, axis=0)
        sets.append((X, y, place))
    X, y, place = (torch.from_numpy(np.stack(part)) for part in zip(*sets, strict=True))
    axes = torch.eye(2, features, dtype=torch.float64)
    return ContextualMixture(X, y, place, context * axes[0], signal * axes[1])


def _labels(rng: np.random.Generator, samples: int, balanced: bool) -> np.ndarray:
    """Return labels 1 and -1, in turn or by a fair coin."""
    heads = np.arange(samples) % 2 == 0 if balanced else rng.random(samples) < 0.5
    return np.where(heads, 1.0, -1.0)


def _relevant_places(rng: np.random.Generator, samples: int, tokens: int, relevant: int, first: int) -> np.ndarray:
    """Return which tokens of each sequence are relevant: so many, uniformly at random among positions first, ... ."""
    require(0 <= first < tokens, f"first must lie in 0..{tokens - 1}, got {first}")
    require(
        1 <= relevant <= tokens - first,
        f"relevant must lie in 1..{tokens - first}, the free positions, got {relevant}",
    )
    order = rng.random((samples, tokens))
    order[:, :first] = 2.0  # behind all others
    place = np.zeros((samples, tokens), dtype=bool)
    np.put_along_axis(place, order.argsort(axis=1)[:, :relevant], True, axis=1)
    return place


def _offsets(name: str, value: float | Tensor, runs: int, samples: int) -> np.ndarray:
    """Return one offset a sequence, ``(runs, samples)``."""
    given = torch.as_tensor(value, dtype=torch.float64)
    finite(name, given)
    fits = given.ndim == 0 or (given.shape[-1] == samples and given.shape[:-1] in ((), (1,), (runs,)))
    require(fits, f"{name} must be a number, ({samples},) or ({runs}, {samples}), got {tuple(given.shape)}")
    return given.expand(runs, samples).numpy()
