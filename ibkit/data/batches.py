"""Which samples meet in which mini-batch, and what that decides for losses that compare samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ibkit.checks import labels_in_range, require

Rows = Sequence[Tensor | Sequence[int]]
"""Row numbers of each mini-batch."""


def random_batches(seed: int, samples: int, size: int, epochs: int = 1) -> list[Int[Tensor, " size"]]:
    """Return the mini-batches of shuffled epochs; the last of an epoch is smaller where the size does not fit.

    Args:
        seed: non-negative.
        samples: how many rows there are.
        size: rows in a batch.
        epochs: how often the rows are shuffled and cut into batches.

    Raises:
        ValueError: numbers below one, or a negative seed.

    Example:
        >>> [len(batch) for batch in random_batches(0, samples=10, size=4)]
        [4, 4, 2]
    """
    require(
        min(samples, size, epochs) >= 1,
        f"samples, size and epochs must be at least 1, got {samples}, {size} and {epochs}",
    )
    require(seed >= 0, f"seed must not be negative, got {seed}")
    rng = np.random.default_rng(seed)
    shuffles = [torch.from_numpy(rng.permutation(samples)) for _ in range(epochs)]
    return [batch for shuffle in shuffles for batch in shuffle.split(size)]


def bind_batches(batches: Rows, binding: Sequence[int] | Tensor) -> list[Tensor]:
    """Return the batches, each with the same few rows added: one sample of every class, say.

    Args:
        batches: row numbers of each batch.
        binding: row numbers that every batch shall hold.

    Raises:
        ValueError: without batches or binding rows.

    Example:
        >>> [batch.tolist() for batch in bind_batches([[0, 1], [2, 3]], [0, 2])]
        [[0, 1, 2], [2, 3, 0]]
    """
    require(len(batches) > 0 and len(binding) > 0, "batches and binding must not be empty")
    bound = []
    for batch in batches:
        rows, extra = torch.as_tensor(batch), torch.as_tensor(binding)
        bound.append(torch.cat([rows, extra[~torch.isin(extra, rows)]]))
    return bound


class BatchInteraction(NamedTuple):
    """What mini-batches impose on pairs of samples.

    Args:
        edges: whether two samples are compared in some batch, ``(samples, samples)``.
        connected: whether the samples of a class hang together by edges among themselves, ``(classes)``.
        meet: whether an edge joins two classes, ``(classes, classes)``; True on the diagonal.
    """

    edges: Tensor
    connected: Tensor
    meet: Tensor

    @property
    def rigid(self) -> bool:
        """Whether every class is connected and every two classes meet."""
        return bool(self.connected.all() and self.meet.all())


def batch_interaction(batches: Rows, labels: Int[Tensor, " samples"]) -> BatchInteraction:
    """Return the batch-interaction graph of a loss that compares the samples of a batch (Kini et al. 2024).

    Two samples are joined if they share a batch *and* at least one of them has there another sample of its own class:
    in the supervised contrastive loss only such a sample is an anchor, and a pair without an anchor has no term.

    Args:
        batches: row numbers of each batch.
        labels: classes, integers from 0.

    Raises:
        ValueError: labels that are not integers from 0, or row numbers out of range.

    Example:
        >>> y = torch.tensor([0, 0, 1, 1])
        >>> batch_interaction([[0, 1], [2, 3]], y).meet
        tensor([[ True, False],
                [False,  True]])
        >>> batch_interaction([[0, 1, 2], [2, 3]], y).rigid
        True
    """
    n = len(labels)
    classes = int(labels.max()) + 1
    labels_in_range("labels", labels, classes)
    labels = labels.cpu()
    edges = torch.zeros(n, n, dtype=torch.bool)
    for number, batch in enumerate(batches):
        rows = labels_in_range(f"batch {number}", torch.as_tensor(batch).cpu(), n)
        mine = labels[rows]
        anchor = (mine[:, None] == mine).sum(-1) >= 2
        grid = rows[:, None], rows
        edges[grid] |= anchor[:, None] | anchor
    edges.fill_diagonal_(False)
    one_hot = torch.nn.functional.one_hot(labels, classes).double()
    meet = (one_hot.mT @ edges.double() @ one_hot) > 0
    connected = [
        connected_components(edges[labels == c][:, labels == c].numpy(), directed=False)[0] == 1 for c in range(classes)
    ]
    return BatchInteraction(edges, torch.tensor(connected), meet | torch.eye(classes, dtype=torch.bool))
