r"""Global minima of deep linear networks over free features with a ridge on every layer.

At a stationary point all layers share their singular values, :math:`\lambda_j\sigma_j^2` being the same for every
layer, so that the ridges together cost :math:`\frac F2\kappa\sum_is_i^{2/F}`: F the number of layers, features
included, :math:`\kappa` the geometric mean of the ridges, :math:`s_i` the singular values of the product.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.models.unconstrained import positive_counts


class DeepRidgeMinimum(NamedTuple):
    r"""The global minimum of the squared loss with ridges.

    Args:
        singular_values: :math:`s_c` of the product, one a class; zero for a class that has vanished,
            ``(*runs, classes)``.
        layer_squares: squared singular values :math:`\sigma_{jc}^2` of each layer, features first,
            ``(*runs, layers, classes)``: the squared length of the classifier of class c is the last, that of its
            features after j layers the product of the first j over :math:`n_c`.
        value: the least value of the objective, ``(*runs)``.
    """

    singular_values: Tensor
    layer_squares: Tensor
    value: Tensor


def deep_ridge_minimum(
    counts: Float[Tensor, "*runs classes"], ridges: Float[Tensor, "*ridge_runs layers"]
) -> DeepRidgeMinimum:
    r"""Return the minimum of the squared loss of `ibkit.losses.deep_linear_objective` without a bias.

    One scalar problem a class, with :math:`n=\sum_cn_c` and F layers,

    .. math:: \min_{s\ge0}\ \varphi_c(s)=\frac{(s-\sqrt{n_c})^2}{2n}+\frac F2\,\kappa\,s^{2/F} .

    For F = 2 a soft threshold, :math:`s_c=\max(\sqrt{n_c}-n\kappa,0)`. For more layers the larger root of
    :math:`(s-\sqrt{n_c})/n+\kappa s^{2/F-1}`, if it exceeds :math:`\frac{F-2}{F-1}\sqrt{n_c}`, else zero (Dang et al.
    2023, their geometry of orthogonal vectors).

    Args:
        counts: :math:`n_c`, positive.
        ridges: :math:`\lambda_1,\dots,\lambda_F`, features first, positive; leading dimensions broadcast against the
            counts.

    Raises:
        ValueError: counts or ridges that are not positive, or fewer than two ridges.

    Example:
        >>> best = deep_ridge_minimum(torch.tensor([20.0, 10.0, 5.0, 2.0]), torch.tensor([0.05, 0.01]))
        >>> best.layer_squares[-1].round(decimals=3)
        tensor([8.1500, 5.2210, 3.1500, 1.3120], dtype=torch.float64)
    """
    n_c, lam = positive_counts(counts).to(torch.float64), _positive_ridges(ridges)
    layers = lam.shape[-1]
    samples = n_c.sum(-1, keepdim=True)
    kappa = lam.log().mean(-1, keepdim=True).exp()
    root, kappa, samples = torch.broadcast_tensors(n_c.sqrt(), kappa, samples)
    power = 2 / layers
    lowest = (samples * kappa * (1 - power)) ** (layers / (2 * layers - 2))  # where the slope is least
    s = root.clone()
    for _ in range(100):  # Newton from the right on a convex function: falls to its larger root
        slope = (s - root) / samples + kappa * s ** (power - 1)
        curvature = 1 / samples + (power - 1) * kappa * s ** (power - 2)
        s = torch.maximum(s - slope / curvature.clamp(min=1e-300), torch.maximum(lowest, 1e-12 * root))
    if layers == 2:
        s = (root - samples * kappa).clamp(min=0.0)
    s = torch.where(kappa < deep_ridge_threshold(n_c, layers), s, 0.0)
    energy = kappa * s**power
    value = ((s - root) ** 2 / (2 * samples) + layers / 2 * energy).sum(-1)
    return DeepRidgeMinimum(s, energy.unsqueeze(-2) / lam.unsqueeze(-1), value)


def deep_ridge_threshold(counts: Float[Tensor, "*runs classes"], layers: int) -> Float[Tensor, "*runs classes"]:
    r"""Return the geometric mean of the ridges from which a class vanishes at the minimum of the squared loss.

    With M = F - 1 linear layers over the features,

    .. math:: \kappa_c=\frac{\sqrt{n_c}}{nM}\Bigl(\frac{M-1}M\sqrt{n_c}\Bigr)^{\frac{M-1}{M+1}},

    where zero and the positive local minimum cost the same; there :math:`s_c` jumps from
    :math:`\frac{M-1}M\sqrt{n_c}` to zero (for M = 1 there is no jump). Grows with :math:`n_c` like
    :math:`n_c^{M/(M+1)}`: small classes vanish first.

    Args:
        counts: :math:`n_c`, positive.
        layers: F, at least 2.

    Raises:
        ValueError: counts that are not positive, or fewer than two layers.

    Example:
        >>> deep_ridge_threshold(torch.tensor([9.0, 1.0]), layers=2)
        tensor([0.3000, 0.1000], dtype=torch.float64)
    """
    require(layers >= 2, f"layers must be at least 2, features included, got {layers}")
    n_c = positive_counts(counts).to(torch.float64)
    M, root = layers - 1, n_c.sqrt()
    return root / (n_c.sum(-1, keepdim=True) * M) * ((M - 1) / M * root) ** ((M - 1) / (M + 1))


class DeepRidgeCode(NamedTuple):
    """The best multiple of a code under cross-entropy with ridges.

    Args:
        value: the objective there.
        scale: the multiple; zero if nothing beats zero logits.
    """

    value: float
    scale: float


def deep_ridge_code(
    code: Float[Tensor, "classes classes"], per_class: float, ridges: Float[Tensor, " layers"]
) -> DeepRidgeCode:
    r"""Return the least regularised cross-entropy among class logits that are multiples of a given matrix.

    .. math:: \min_{t\ge0}\ \frac1k\sum_c\log\Bigl(1+\sum_{j\ne c}e^{-t(C_{cc}-C_{cj})}\Bigr)
       +\frac F2\kappa\sum_i\bigl(t\sqrt n\,\sigma_i(C)\bigr)^{2/F}

    for balanced classes of n samples that share their features. It is what `ibkit.losses.deep_linear_objective` costs
    at the balanced layers whose product is t C. With the simplex for C this is the value of neural collapse.

    Args:
        code: C; row c is the direction of the logits of class c.
        per_class: n, positive.
        ridges: features first, positive.

    Raises:
        ValueError: a code that is not square and finite, or numbers that are not positive.

    Example:
        >>> simplex = torch.eye(4) - 0.25
        >>> square = torch.tensor([[1.0, 0, -1, 0], [0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1]]) / 2
        >>> ridges = torch.full((4,), 1e-3)
        >>> [round(deep_ridge_code(code, 10, ridges).value, 5) for code in (simplex, square)]
        [0.03085, 0.02844]
    """
    require(
        code.ndim == 2 and code.shape[0] == code.shape[1], f"code must be (classes, classes), got {tuple(code.shape)}"
    )
    finite("code", code)
    require(per_class > 0, f"per_class must be positive, got {per_class}")
    lam, C = _positive_ridges(ridges), code.detach().cpu().double().numpy()
    layers, k = len(lam), len(C)
    kappa = float(lam.log().mean().exp())
    values = np.linalg.svd(C, compute_uv=False)
    values = values[values > 1e-12 * values.max(initial=0.0)]
    odds = (C - np.diag(C)[:, None])[~np.eye(k, dtype=bool)].reshape(k, k - 1)

    def cost(log_scale: float) -> float:
        t = np.exp(log_scale)
        fit = np.logaddexp(0.0, np.logaddexp.reduce(t * odds, axis=1)).mean()
        return float(fit + layers / 2 * kappa * ((t * np.sqrt(per_class) * values) ** (2 / layers)).sum())

    grid = np.linspace(-10.0, 10.0, 161)
    start = int(np.argmin([cost(x) for x in grid]))
    found = minimize_scalar(
        cost,
        bounds=(grid[max(start - 1, 0)], grid[min(start + 1, 160)]),
        method="bounded",
        options={"xatol": 1e-12},
    )
    nothing = float(np.log(k))
    if not found.fun < nothing:
        return DeepRidgeCode(nothing, 0.0)
    return DeepRidgeCode(float(found.fun), float(np.exp(found.x)))


def _positive_ridges(ridges: Tensor) -> Tensor:
    finite("ridges", ridges)
    require(ridges.ndim >= 1 and ridges.shape[-1] >= 2, f"ridges must be at least 2, got shape {tuple(ridges.shape)}")
    require(bool((ridges > 0).all()), f"ridges must be positive, got {round(float(ridges.min()), 9)}")
    return ridges.to(torch.float64)
