"""Multiclass data around random class centres, many sets at once."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators


def clustered_classes(
    seed: int, runs: int, classes: int, features: int, per_class: int, spread: float = 0.4
) -> tuple[Float[Tensor, "runs samples features"], Int[Tensor, " samples"]]:
    r"""Return Gaussian clusters around unit-norm random centres: :math:`x = \mu_y + \text{spread}\cdot g/\sqrt d`.

    Centres and noise differ between runs, labels do not. Few samples in many features are linearly separable with high
    probability; `ibkit.oracles.max_margin` says so when they are not.

    Args:
        seed: non-negative.
        runs: how many data sets.
        classes: k, at least 2.
        features: d.
        per_class: samples of each class.
        spread: noise norm, in units of the centres' norm.

    Returns:
        Inputs ``(runs, classes * per_class, features)`` in float64 and labels ``(classes * per_class,)``.

    Raises:
        ValueError: sizes below one, fewer than two classes, or a negative spread.

    Example:
        >>> X, y = clustered_classes(seed=0, runs=2, classes=3, features=4, per_class=5)
        >>> X.shape, y.tolist()[:6]
        (torch.Size([2, 15, 4]), [0, 0, 0, 0, 0, 1])
    """
    require(classes >= 2, f"classes must be at least 2, got {classes}")
    require(features >= 1 and per_class >= 1, f"features and per_class must be at least 1, got {features}, {per_class}")
    require(spread >= 0, f"spread must not be negative, got {spread}")
    sets = []
    for rng in run_generators(seed, runs):
        centres = rng.normal(size=(classes, features))
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        noise = rng.normal(size=(classes, per_class, features)) * spread / np.sqrt(features)
        sets.append((centres[:, None] + noise).reshape(-1, features))
    return torch.from_numpy(np.stack(sets)), torch.arange(classes).repeat_interleave(per_class)
