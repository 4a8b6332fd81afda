"""Two Gaussian classes that a plane through the origin separates, many sets at once."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators


def separated_halfspaces(
    seed: int, runs: int, samples: int, features: int, shift: float = 0.3
) -> tuple[Float[Tensor, "runs samples features"], Float[Tensor, "runs samples"], Float[Tensor, "runs features"]]:
    r"""Return a Gaussian cloud cut by a random plane, its halves moved apart: :math:`x=(g+s\,y\,u)/\sqrt d`.

    The label is the side, :math:`y=\operatorname{sign}(u^\top g)`, so that :math:`y\,u^\top x\ge s/\sqrt d` for every
    sample that can ever be drawn: the best test error is zero, and training sets are separable whatever their size.

    Args:
        seed: non-negative.
        runs: how many data sets, each with a plane of its own.
        samples: n.
        features: d.
        shift: s, how far each half moves, in standard deviations of the cloud.

    Returns:
        Inputs ``(runs, samples, features)``, labels -1 and 1 ``(runs, samples)``, and the unit normals u
        ``(runs, features)``; float64.

    Raises:
        ValueError: sizes below one, or a negative shift.

    Example:
        >>> X, y, u = separated_halfspaces(seed=0, runs=2, samples=50, features=9)
        >>> bool((y * (X @ u.unsqueeze(-1)).squeeze(-1) >= 0.1 - 1e-12).all())
        True
    """
    require(min(samples, features) >= 1, f"sizes must be at least 1, got samples {samples} and features {features}")
    require(shift >= 0, f"shift must not be negative, got {shift}")
    sets = []
    for rng in run_generators(seed, runs):
        u = rng.normal(size=features)
        u /= np.linalg.norm(u)
        g = rng.normal(size=(samples, features))
        y = np.where(g @ u < 0, -1.0, 1.0)
        sets.append(((g + shift * y[:, None] * u) / np.sqrt(features), y, u))
    X, y, u = (torch.from_numpy(np.stack(part)) for part in zip(*sets, strict=True))
    return X, y, u
