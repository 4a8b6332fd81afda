"""Sequences of random directions with a query each: the test bed of attention layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators


@dataclass(frozen=True)
class SphereTokens:
    r"""Token sequences, queries, a fixed linear head, and labels; float64.

    Args:
        tokens: :math:`x_{it}` as rows, unit length, ``(runs, samples, length, features)``.
        queries: :math:`z_i`, ``(runs, samples, features)``.
        head: :math:`v`, unit length, ``(runs, features)``.
        labels: :math:`Y_i=\pm1`, ``(runs, samples)``.
    """

    tokens: Tensor
    queries: Tensor
    head: Tensor
    labels: Tensor

    def to(self, device: str | torch.device) -> SphereTokens:
        """Return the same data on another device."""
        return SphereTokens(*(part.to(device) for part in (self.tokens, self.queries, self.head, self.labels)))


def sphere_tokens(
    seed: int, runs: int, samples: int, length: int, features: int, self_attention: bool = False
) -> SphereTokens:
    """Draw tokens, queries and head uniformly from the unit sphere, and labels by coin flips, one data set a run.

    The synthetic data of Ataee Tarzanagh, Li, Thrampoulidis and Oymak (2023).

    Args:
        seed: non-negative.
        runs: how many data sets; run r is the same however many there are.
        samples: n, sequences a data set.
        length: T, tokens a sequence.
        features: d.
        self_attention: True makes the first token of each sequence its query; False draws the queries apart.

    Raises:
        ValueError: a negative seed, or sizes below one.

    Example:
        >>> data = sphere_tokens(seed=0, runs=3, samples=2, length=4, features=5)
        >>> data.tokens.shape, data.queries.shape
        (torch.Size([3, 2, 4, 5]), torch.Size([3, 2, 5]))
    """
    sizes = (samples, length, features)
    require(min(sizes) >= 1, f"samples, length and features must be at least 1, got {sizes}")
    drawn = []
    for rng in run_generators(seed, runs):
        tokens, queries = _directions(rng, samples, length, features), _directions(rng, samples, features)
        head, labels = _directions(rng, features), rng.choice([-1.0, 1.0], samples)
        drawn.append((tokens, tokens[:, 0] if self_attention else queries, head, labels))
    return SphereTokens(*(torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)))


def _directions(rng: np.random.Generator, *shape: int) -> np.ndarray:
    drawn = rng.normal(size=shape)
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)
