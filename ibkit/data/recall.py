r"""Associative recall: a list of pairs of key and value, one of the keys asked for again, and its value wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require


class Recall(NamedTuple):
    """Sequences of pairs with one question each.

    Args:
        keys: unit vectors, shape ``(runs, sequences, pairs, features)``.
        values: a number for each key, in ``0 .. choices - 1``.
        queries: the key that is asked for, shape ``(runs, sequences, features)``.
        targets: its value, shape ``(runs, sequences)``.
    """

    keys: Float[Tensor, "runs sequences pairs features"]
    values: Int[Tensor, "runs sequences pairs"]
    queries: Float[Tensor, "runs sequences features"]
    targets: Int[Tensor, "runs sequences"]


def associative_recall(
    generators: Sequence[np.random.Generator], sequences: int, pairs: int, features: int, choices: int
) -> Recall:
    """Draw sequences of pairs: keys uniform on the sphere, values and the place that is asked for uniform.

    Every sequence has keys of its own, so that nothing can be learnt by heart: the pair must be found.

    Args:
        generators: one a run (`ibkit.data.run_generators`); they are advanced.
        sequences: how many a run.
        pairs: in each sequence.
        features: dimension of the keys.
        choices: how many values there are.

    Returns:
        The sequences, keys in float32.

    Raises:
        ValueError: sizes below one.

    Example:
        >>> from ibkit.data import run_generators
        >>> task = associative_recall(run_generators(0, 2), sequences=5, pairs=3, features=4, choices=7)
        >>> task.keys.shape, task.targets.shape
        (torch.Size([2, 5, 3, 4]), torch.Size([2, 5]))
    """
    sizes = (sequences, pairs, features, choices)
    require(min(sizes) >= 1, f"sequences, pairs, features and choices must be at least 1, got {sizes}")
    drawn = [
        (
            rng.standard_normal((sequences, pairs, features), dtype=np.float32),
            rng.integers(choices, size=(sequences, pairs)),
            rng.integers(pairs, size=sequences),
        )
        for rng in generators
    ]
    keys, values, asked = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    keys = keys / torch.linalg.vector_norm(keys, dim=-1, keepdim=True)
    queries = keys.gather(-2, asked[..., None, None].expand(*asked.shape, 1, features)).squeeze(-2)
    return Recall(keys, values, queries, values.gather(-1, asked.unsqueeze(-1)).squeeze(-1))
