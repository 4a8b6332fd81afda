r"""Hidden states with a known spectrum, in the basis of their axes or in any other."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.seeding import run_generators


def random_rotations(seed: int, runs: int, size: int) -> Float[Tensor, "runs size size"]:
    r"""Return orthogonal matrices drawn from the uniform (Haar) distribution; half of them are reflections too.

    The orthogonal factor of a Gaussian matrix, with the signs that make its triangular factor positive (Mezzadri 2007).

    Args:
        seed: non-negative.
        runs: how many.
        size: rows and columns.

    Raises:
        ValueError: a size below one.

    Example:
        >>> Q = random_rotations(seed=0, runs=2, size=3)
        >>> torch.allclose(Q @ Q.mT, torch.eye(3).double())
        True
    """
    require(size >= 1, f"size must be at least 1, got {size}")
    drawn = np.stack([rng.normal(size=(size, size)) for rng in run_generators(seed, runs)])
    Q, R = torch.linalg.qr(torch.from_numpy(drawn))
    return Q * torch.where(R.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).double().unsqueeze(-2)


def gaussian_states(
    seed: int, runs: int, samples: int, spectrum: Float[Tensor, "*sets features"], rotated: bool = False
) -> Float[Tensor, "*sets runs samples features"]:
    r"""Return Gaussian states whose covariance has the given eigenvalues.

    State :math:`Q\,\mathrm{diag}(e)^{1/2}g` with standard Gaussian g. The basis Q is that of the axes, or uniformly
    random, one a run. Spectra, rotated or not, share the draws of a run: what differs is the spectrum, or the basis.

    Args:
        seed: non-negative.
        runs: how many sets of states.
        samples: states in each.
        spectrum: eigenvalues e, not negative; zeros make states of low rank. Leading dimensions: several spectra.
        rotated: whether the basis is random.

    Returns:
        States in float64.

    Raises:
        ValueError: no samples, or a spectrum that is negative or not finite.

    Example:
        >>> gaussian_states(seed=0, runs=2, samples=5, spectrum=torch.tensor([4.0, 1.0, 0.0])).shape
        torch.Size([2, 5, 3])
    """
    require(samples >= 1, f"samples must be at least 1, got {samples}")
    finite("spectrum", spectrum)
    least = float(spectrum.min())
    require(least >= 0, f"spectrum must not be negative, got {least:g}")
    features = spectrum.shape[-1]
    drawn = np.stack([rng.normal(size=(samples, features)) for rng in run_generators(seed, runs)])
    states = torch.from_numpy(drawn).to(spectrum.device) * spectrum.double().sqrt()[..., None, None, :]
    if not rotated:
        return states
    return states @ random_rotations(seed + 1_000_003, runs, features).to(spectrum.device).mT
