"""Binary data with known geometry, many sets at once: one that a plane separates, one that only a network does."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators


def separated_slabs(
    seed: int, runs: int, samples: int, features: int, gap: float = 0.3
) -> tuple[Float[Tensor, "runs samples features"], Float[Tensor, " samples"]]:
    r"""Return two classes on either side of a slab: :math:`x=(y\,(\text{gap}+U),\,g)`, labels in turn.

    U is uniform on [0, 1] and g Gaussian of variance 1/d in the other features. The first axis separates the classes
    with a margin of at least `gap`, whatever the number of samples.

    Args:
        seed: non-negative.
        runs: how many data sets.
        samples: n.
        features: d.
        gap: half the width of the slab between the classes.

    Returns:
        Inputs ``(runs, samples, features)`` and labels -1 and 1 ``(samples,)``, float64.

    Raises:
        ValueError: sizes below one, or a gap that is not positive.

    Example:
        >>> X, y = separated_slabs(seed=0, runs=2, samples=6, features=3)
        >>> bool((y * X[..., 0] >= 0.3).all()), y[:4].tolist()
        (True, [1.0, -1.0, 1.0, -1.0])
    """
    require(min(samples, features) >= 1, f"sizes must be at least 1, got samples {samples} and features {features}")
    require(gap > 0, f"gap must be positive, got {gap}")
    y = _labels_in_turn(samples)
    sets = []
    for rng in run_generators(seed, runs):
        x = rng.normal(size=(samples, features)) / np.sqrt(features)
        x[:, 0] = y * (gap + rng.uniform(size=samples))
        sets.append(x)
    return torch.from_numpy(np.stack(sets)), torch.from_numpy(y)


def xor_clusters(
    seed: int, runs: int, samples: int, features: int, noise: float = 0.15
) -> tuple[Float[Tensor, "runs samples features"], Float[Tensor, " samples"]]:
    r"""Return four Gaussian clusters, at :math:`\pm e_1` with label 1 and at :math:`\pm e_2` with label -1, in turn.

    Every class lies symmetrically around zero, so that no linear classifier beats chance by more than luck; a network
    with two layers separates the clusters.

    Args:
        seed: non-negative.
        runs: how many data sets.
        samples: n.
        features: d, at least 2.
        noise: standard deviation of every feature.

    Returns:
        Inputs ``(runs, samples, features)`` and labels -1 and 1 ``(samples,)``, float64.

    Raises:
        ValueError: no samples, fewer than two features, or a negative noise.

    Example:
        >>> X, y = xor_clusters(seed=0, runs=1, samples=4, features=2, noise=0.0)
        >>> X[0].tolist(), y.tolist()
        ([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [1.0, -1.0, 1.0, -1.0])
    """
    require(samples >= 1, f"samples must be at least 1, got {samples}")
    require(features >= 2, f"features must be at least 2, got {features}")
    require(noise >= 0, f"noise must not be negative, got {noise}")
    centres = np.zeros((4, features))
    centres[[0, 1, 2, 3], [0, 1, 0, 1]] = [1.0, 1.0, -1.0, -1.0]
    each = centres[np.arange(samples) % 4]
    sets = [each + noise * rng.normal(size=(samples, features)) for rng in run_generators(seed, runs)]
    return torch.from_numpy(np.stack(sets)), torch.from_numpy(_labels_in_turn(samples))


def _labels_in_turn(samples: int) -> np.ndarray:
    return 1.0 - 2.0 * (np.arange(samples) % 2)
