"""Examples without any rule, to be memorised by attention: contexts, queries and labels drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators


@dataclass(frozen=True)
class AttentionExamples:
    """Data sets, one a run.

    Args:
        contexts: ``(runs, groups, tokens, features)``; groups is one where all examples share a context.
        queries: ``(runs, examples, features)``.
        labels: ``(runs, examples)``.
    """

    contexts: Float[Tensor, "*runs groups tokens features"]
    queries: Float[Tensor, "*runs examples features"]
    labels: Float[Tensor, "*runs examples"]

    def to(self, place: torch.device | torch.dtype) -> AttentionExamples:
        """Return the data on a device, or in another precision."""
        return AttentionExamples(*(part.to(place) for part in (self.contexts, self.queries, self.labels)))


def attention_examples(
    seed: int, runs: int, examples: int, tokens: int, features: int, shared: bool = True
) -> AttentionExamples:
    """Return random examples: coordinates uniform in [-1, 1], labels standard normal, float64.

    The first examples of a large data set are those of a small one of the same seed.

    Args:
        seed: non-negative.
        runs: data sets.
        examples: in each.
        tokens: of a context.
        features: of tokens and queries.
        shared: one context for all examples of a run, or one for each.

    Raises:
        ValueError: sizes below one.

    Example:
        >>> data = attention_examples(seed=0, runs=2, examples=30, tokens=4, features=8)
        >>> data.contexts.shape, data.queries.shape
        (torch.Size([2, 1, 4, 8]), torch.Size([2, 30, 8]))
        >>> few = attention_examples(seed=0, runs=1, examples=3, tokens=4, features=8)
        >>> bool((few.queries[0] == data.queries[0, :3]).all())
        True
    """
    sizes = (examples, tokens, features)
    require(min(sizes) >= 1, f"sizes must be at least 1, got {sizes}")
    drawn = []
    for rng in run_generators(seed, runs):
        parts = rng.spawn(3)  # a stream for each, so that more examples leave the first ones as they are
        contexts = parts[0].uniform(-1, 1, size=(1 if shared else examples, tokens, features))
        queries = parts[1].uniform(-1, 1, size=(examples, features))
        drawn.append((contexts, queries, parts[2].normal(size=examples)))
    return AttentionExamples(*(torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)))
