r"""How many directions a cloud of features fills: numbers read off the spectrum of its covariance.

A spectrum :math:`e_1\ge e_2\ge\dots` is here always that of the covariance, squares of singular values. The entropy of
its shares :math:`p_i=e_i/\sum_je_j` is what RankMe and the matrix entropy are made of; the slope of its decay is
:math:`\alpha`-ReQ. The nuclear norm of the features is ``ibkit.norms.as_norm("nuclear")``; how many singular values
exceed a threshold is another question than these.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require


def unit_states(
    features: Float[Tensor, "*runs samples features"], center: bool = True
) -> Float[Tensor, "*runs samples features"]:
    r"""Return the rows scaled to unit length, after the mean row was subtracted.

    The Frobenius norm of the result is the root of the number of samples, less the rows that are zero and stay so.

    Args:
        features: one row a sample.
        center: whether to subtract the mean row.

    Raises:
        ValueError: NaN or infinity in the features, or no samples.

    Example:
        >>> unit_states(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), center=False)
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    rows = _rows(features, center)
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return rows / torch.where(length > 0, length, 1.0)


def covariance_spectrum(
    features: Float[Tensor, "*runs samples features"], center: bool = True
) -> Float[Tensor, "*runs features"]:
    r"""Return the eigenvalues of :math:`F^\top F/m`, largest first.

    They are squares of singular values of F, so that small ones keep their digits. Samples count alike.

    Args:
        features: F, one row for each of the m samples.
        center: whether to subtract the mean row first.

    Returns:
        As many as there are features; the last are zero where there are fewer samples than features.

    Raises:
        ValueError: NaN or infinity in the features, or no samples.

    Example:
        >>> [round(float(e), 4) for e in covariance_spectrum(torch.tensor([[3.0, 0.0], [-3.0, 0.0]]))]
        [9.0, 0.0]
    """
    rows = _rows(features, center)
    values = torch.linalg.svdvals(rows) ** 2 / rows.shape[-2]
    return torch.nn.functional.pad(values, (0, rows.shape[-1] - values.shape[-1]))


def spectral_entropy(spectrum: Float[Tensor, "*runs size"]) -> Float[Tensor, "*runs"]:
    r"""Return :math:`-\sum_ip_i\ln p_i` of the shares :math:`p_i=e_i/\sum_je_j`, in nats.

    It ignores the scale of the spectrum, lies between 0 (one direction) and :math:`\ln` of the size (a flat spectrum),
    and is the von Neumann entropy of a covariance divided by its trace.

    Args:
        spectrum: :math:`e`, not negative.

    Returns:
        One number a run; NaN where the spectrum is zero.

    Raises:
        ValueError: negative values, NaN or infinity.

    Example:
        >>> round(float(spectral_entropy(torch.tensor([5.0, 5.0, 0.0])).exp()), 4)
        2.0
    """
    finite("spectrum", spectrum)
    least = float(spectrum.detach().min())
    require(least >= 0, f"spectrum must not be negative, got {least:g}")
    scaled = spectrum / spectrum.amax(-1, keepdim=True)  # a sum of huge values would overflow
    p = scaled / scaled.sum(-1, keepdim=True)
    return -torch.special.xlogy(p, p).sum(-1)


def rankme(features: Float[Tensor, "*runs samples features"], center: bool = True) -> Float[Tensor, "*runs"]:
    r"""Return RankMe, the exponential of the covariance's spectral entropy: an effective number of directions.

    From 1 (all samples on a line) to the number of features (isotropic). These are shares of *variance* (Li et al.
    2025); the RankMe of Garrido et al. (2023) takes shares of singular values and is larger:
    ``spectral_entropy(torch.linalg.svdvals(F)).exp()``.

    Args:
        features: one row a sample.
        center: whether to subtract the mean row first.

    Returns:
        One number a run; NaN where all rows agree.

    Raises:
        ValueError: NaN or infinity in the features, or no samples.

    Example:
        >>> round(float(rankme(torch.cat([torch.eye(3), -torch.eye(3)]))), 4)
        3.0
    """
    return spectral_entropy(covariance_spectrum(features, center)).exp()


def matrix_entropy(
    features: Float[Tensor, "*runs samples features"], normalized: bool = True, center: bool = True
) -> Float[Tensor, "*runs"]:
    r"""Return the entropy of :math:`X^\top X/m` for rows of unit length, divided by its largest value :math:`\ln d`.

    Unlike in `rankme`, every sample has the same length: a few large states cannot carry the spectrum alone.

    Args:
        features: one row a sample; they are scaled to unit length here, zero rows stay zero.
        normalized: whether to divide by :math:`\ln d`, so that 1 is isotropic; else in nats.
        center: whether to subtract the mean row before the scaling (it is not subtracted again).

    Returns:
        One number a run; NaN where all rows are zero.

    Raises:
        ValueError: NaN or infinity in the features, no samples, or `normalized` with a single feature.

    Example:
        >>> round(float(matrix_entropy(torch.diag(torch.tensor([1.0, 20.0])), center=False)), 4)
        1.0
    """
    dimension = features.shape[-1]
    require(dimension > 1 or not normalized, "features must have at least 2 columns to normalise an entropy, got 1")
    entropy = spectral_entropy(covariance_spectrum(unit_states(features, center), center=False))
    return entropy / math.log(dimension) if normalized else entropy


def decay_exponent(
    spectrum: Float[Tensor, "*runs size"], window: tuple[int, int] | None = None
) -> Float[Tensor, "*runs"]:
    r"""Return :math:`\alpha` of the power law :math:`e_i\propto i^{-\alpha}`, by least squares in both logarithms.

    Known as :math:`\alpha`-ReQ of representations (Agrawal et al. 2022). Small: variance in many directions. Large: in
    few.

    Args:
        spectrum: :math:`e`, not negative, largest first.
        window: lowest and highest index i that is fitted, counted from one, both included; by default all but the first
            eigenvalue, which is often an outlier.

    Returns:
        One number a run; NaN where an eigenvalue in the window is zero.

    Raises:
        ValueError: negative values, NaN or infinity, or a window that does not hold two indices of the spectrum.

    Example:
        >>> round(float(decay_exponent(torch.arange(1.0, 50.0) ** -1.5)), 4)
        1.5
    """
    finite("spectrum", spectrum)
    least = float(spectrum.detach().min())
    require(least >= 0, f"spectrum must not be negative, got {least:g}")
    size = spectrum.shape[-1]
    low, high = (2, size) if window is None else window
    require(1 <= low < high <= size, f"window must hold at least two indices in 1..{size}, got {low}..{high}")
    x = torch.arange(low, high + 1, dtype=spectrum.dtype, device=spectrum.device).log()
    x = x - x.mean()
    inside = spectrum[..., low - 1 : high]
    y = torch.where(inside > 0, inside, torch.nan).log()
    return -(x * y).sum(-1) / (x**2).sum()


def alpha_req(
    features: Float[Tensor, "*runs samples features"], window: tuple[int, int] | None = None, center: bool = True
) -> Float[Tensor, "*runs"]:
    r"""Return the `decay_exponent` of the features' covariance.

    Args:
        features: one row a sample; more of them than the window's end, else its last eigenvalues are zero.
        window: as in `decay_exponent`.
        center: whether to subtract the mean row first.

    Returns:
        One number a run.

    Raises:
        ValueError: as `covariance_spectrum` and `decay_exponent`.

    Example:
        >>> scales = torch.arange(1.0, 9.0) ** -1.0
        >>> round(float(alpha_req(torch.cat([scales.diag(), -scales.diag()]))), 4)
        2.0
    """
    return decay_exponent(covariance_spectrum(features, center), window)


def _rows(features: Tensor, center: bool) -> Tensor:
    finite("features", features)
    require(
        features.ndim >= 2 and features.numel() > 0,
        f"features must be (*runs, samples, features) and not empty, got shape {tuple(features.shape)}",
    )
    return features - features.mean(-2, keepdim=True) if center else features
