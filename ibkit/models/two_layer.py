"""A two-layer ReLU network without biases, many at once."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params


def two_layer_start(seed: int, runs: int, features: int, hidden: int, classes: int, scale: float = 1.0) -> Params:
    r"""Return Gaussian weights of variance :math:`2\,\text{scale}^2/d` (inner) and :math:`\text{scale}^2/m` (outer).

    Args:
        seed: non-negative.
        runs: how many networks.
        features: d.
        hidden: m, hidden units.
        classes: k.
        scale: factor on both layers' standard deviations.

    Returns:
        ``inner`` of shape ``(runs, hidden, features)`` and ``outer`` of shape ``(runs, classes, hidden)``, float64.

    Raises:
        ValueError: sizes below one, or a scale that is not positive.

    Example:
        >>> {name: tuple(w.shape) for name, w in two_layer_start(0, 2, 5, 7, 3).items()}
        {'inner': (2, 7, 5), 'outer': (2, 3, 7)}
    """
    require(min(features, hidden, classes) >= 1, f"sizes must be at least 1, got {features}, {hidden}, {classes}")
    require(scale > 0, f"scale must be positive, got {scale}")
    generators = run_generators(seed, runs)
    inner = [scale * np.sqrt(2 / features) * rng.normal(size=(hidden, features)) for rng in generators]
    outer = [scale * np.sqrt(1 / hidden) * rng.normal(size=(classes, hidden)) for rng in generators]
    return {"inner": torch.from_numpy(np.stack(inner)), "outer": torch.from_numpy(np.stack(outer))}


def two_layer_logits(
    params: Params, X: Float[Tensor, "*runs samples features"]
) -> Float[Tensor, "*runs samples classes"]:
    r"""Return the logits :math:`W_2\max(W_1x, 0)`, positively homogeneous of degree two in the weights.

    Args:
        params: ``inner`` and ``outer``, as `two_layer_start` gives them.
        X: inputs, one set a run or one for all.

    Raises:
        ValueError: if the layers or the inputs do not fit together.

    Example:
        >>> params = {"inner": torch.eye(2), "outer": torch.ones(1, 2)}
        >>> two_layer_logits(params, torch.tensor([[1.0, -3.0]]))
        tensor([[1.]])
    """
    inner, outer = params["inner"], params["outer"]
    require(
        inner.shape[-1] == X.shape[-1] and outer.shape[-1] == inner.shape[-2],
        f"inner (hidden, features), outer (classes, hidden) and X (samples, features) must fit, got "
        f"{tuple(inner.shape)}, {tuple(outer.shape)} and {tuple(X.shape)}",
    )
    return torch.relu(X @ inner.mT) @ outer.mT
