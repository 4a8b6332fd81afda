"""Embeddings of length one, free or in the positive orthant, as functions of unconstrained rows."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params


def unit_embeddings(
    X: Float[Tensor, "*runs rows features"], positive: bool = False
) -> Float[Tensor, "*runs rows features"]:
    r"""Return the rows at length one, :math:`h_i=x_i/\|x_i\|`, or through a ReLU first, :math:`\max(x_i,0)/\|\cdot\|`.

    Args:
        X: unconstrained rows: free parameters, or the output of a network.
        positive: whether a ReLU comes before the normalisation.

    Returns:
        Unit rows. A row without direction (zero, or without a positive entry behind the ReLU) stays zero.

    Example:
        >>> unit_embeddings(torch.tensor([[3.0, -4.0]])), unit_embeddings(torch.tensor([[3.0, -4.0]]), positive=True)
        (tensor([[ 0.6000, -0.8000]]), tensor([[1., 0.]]))
    """
    return torch.nn.functional.normalize(torch.relu(X) if positive else X, dim=-1)


def unit_embedding_start(seed: int, runs: int, rows: int, features: int, positive: bool = False) -> Params:
    r"""Return random starts for free embeddings: standard normal rows g, or their absolute values for the orthant.

    Behind a ReLU a coordinate that starts below zero has no gradient and never comes back. With :math:`|g|` all
    coordinates begin alive.

    Args:
        seed: non-negative.
        runs: how many starts.
        rows: how many embeddings.
        features: d.
        positive: whether all coordinates start above zero.

    Returns:
        ``X`` of shape ``(runs, rows, features)``, float64.

    Raises:
        ValueError: sizes below one.

    Example:
        >>> start = unit_embedding_start(0, runs=5, rows=7, features=3, positive=True)
        >>> start["X"].shape, bool((start["X"] > 0).all())
        (torch.Size([5, 7, 3]), True)
    """
    require(rows >= 1 and features >= 1, f"rows and features must be at least 1, got {rows} and {features}")
    g = np.stack([rng.normal(size=(rows, features)) for rng in run_generators(seed, runs)])
    return {"X": torch.from_numpy(np.abs(g) if positive else g)}
