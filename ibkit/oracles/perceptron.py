r"""How many steps logistic regression with a constant step needs at most until every sample is on its side."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from scipy.special import lambertw
from torch import Tensor

from ibkit.checks import require

Number = float | Float[Tensor, "*#runs"]

KAPPA = float(lambertw(math.exp(-1)).real)
r"""The largest value of :math:`z/(1+e^z)`, Lambert's W at 1/e, about 0.2785."""


def perceptron_step_bound(
    radius: Number, margin: Number, samples: Number, gamma: Number = math.inf, *, mass_normalised: bool = False
) -> Float[Tensor, "*runs"]:
    r"""Return an upper bound on the first step at which all margins are positive, starting from zero.

    .. math:: T\le2n\Bigl(\frac{R^2}{\mu^2}+\frac{4\kappa n}{\gamma\mu^2}\Bigr)\quad\text{(gradient descent)},\qquad
              T\le\frac{R^2}{\mu^2}+\frac{4\kappa n}{\gamma\mu^2}\quad\text{(normalised by mass)},

    with :math:`\kappa=\max_zz/(1+e^z)`. For the perceptron, :math:`\gamma=\infty`, the factor 2 is one unless a sample
    comes to lie exactly on the boundary after the first step; this function keeps it for finite steps only. Derived in
    the chapter on Tyurin (2024), whose constants may differ.

    Args:
        radius: :math:`R=\max_i|a_i|`; all arguments broadcast.
        margin: :math:`\mu`, the largest margin per unit of Euclidean length.
        samples: n.
        gamma: the step size; infinite for the perceptron.
        mass_normalised: whether the weights are divided by their sum.

    Raises:
        ValueError: an argument that is not positive, or a margin larger than the radius.

    Example:
        >>> perceptron_step_bound(2.0, 0.5, 10)
        tensor(160., dtype=torch.float64)
        >>> perceptron_step_bound(2.0, 0.5, 10, mass_normalised=True)
        tensor(16., dtype=torch.float64)
    """
    R, mu, n, g = (torch.as_tensor(v, dtype=torch.float64) for v in (radius, margin, samples, gamma))
    for name, value in (("radius", R), ("margin", mu), ("samples", n), ("gamma", g)):
        require(bool((value > 0).all()), f"{name} must be positive, got {float(value.min()):g}")
    require(bool((mu <= R * (1 + 1e-9)).all()), "margin must be at most the radius")
    total = (R**2 + 4 * KAPPA * n / g) / mu**2
    return total if mass_normalised else torch.where(g.isinf(), 1.0, 2.0) * n * total


def outvoted_point_steps(samples: Number, alpha: Number = 0.9, b: Number = 0.3) -> Float[Tensor, "*runs"]:
    r"""Return the exact number of steps that the batch perceptron needs on `ibkit.data.outvoted_point`.

    .. math:: T=2+\Bigl\lfloor\frac{n(\alpha-b^2)-\alpha(1+\alpha)}{2(\alpha^2+b^2)}\Bigr\rfloor ,

    when the lone point is wrong after the first step, that is when the numerator is not negative; otherwise one step
    is enough. A lone point exactly on the boundary counts as not yet solved. With very few samples the lone point can
    push the others to the wrong side; the formula does not cover that.

    Args:
        samples: n, at least 2.
        alpha: how far the lone point is on the wrong side.
        b: the coordinate in which all agree.

    Raises:
        ValueError: fewer than two samples, alpha or b not positive, or so few samples that the others go wrong too.

    Example:
        >>> outvoted_point_steps(torch.tensor([10.0, 1000.0]))
        tensor([  5., 451.], dtype=torch.float64)
    """
    n, alpha, b = (torch.as_tensor(v, dtype=torch.float64) for v in (samples, alpha, b))
    require(bool((n >= 2).all()), f"samples must be at least 2, got {float(n.min()):g}")
    for name, value in (("alpha", alpha), ("b", b)):
        require(bool((value > 0).all()), f"{name} must be positive, got {float(value.min()):g}")
    lag = n * (alpha - b**2) - alpha * (1 + alpha)
    pulls = torch.where(lag < 0, 0.0, 1 + torch.floor(lag / (2 * (alpha**2 + b**2))))
    majority = (1 - (1 + alpha) / n + b**2) / 2 - pulls * (alpha - b**2) / n
    require(bool((majority > 0).all()), "samples must be so many that the lone point never outvotes the others")
    return 1 + pulls
