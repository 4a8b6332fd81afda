r"""How the gradient of a two-layer network's loss is tied to the loss itself: constants from the data alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require


class SelfBounds(NamedTuple):
    r"""What holds for every weight W of a `smooth_two_layer_output` network and F its mean exponential loss.

    Args:
        upper: h, with :math:`\|\nabla F\|\le hF`: :math:`\log F` is h-Lipschitz.
        lower: :math:`\mu`, with :math:`\mu F\le\|\nabla F\|`; zero without a linear margin.
        smooth: H, the largest curvature that :math:`\log F` can have.
        concave: K, with :math:`-K` the least.
    """

    upper: Tensor
    lower: Tensor
    smooth: Tensor
    concave: Tensor


def self_bounds(
    X: Float[Tensor, "*runs samples features"],
    hidden: int,
    leak: float = 0.2,
    margin: float | Float[Tensor, "*runs"] = 0.0,
) -> SelfBounds:
    r"""Return the constants of self-boundedness for outer weights :math:`\pm1/m` and a leaky softplus.

    With :math:`R=\max_i\|x_i\|` and the linear margin :math:`\gamma` of the data,

    .. math:: h=\frac R{\sqrt m},\qquad\mu=\frac{\alpha\gamma}{\sqrt m},\qquad K=\frac{(1-\alpha)R^2}{4m},\qquad
       H=h^2+K,\qquad -K\,I\preceq\nabla^2\log F\preceq H\,I .

    For the logistic loss h and H are the same. (After Taheri and Thrampoulidis, AAAI 2023, whose constants are for
    general activations and for the Hessian of F.)

    Args:
        X: inputs; with leading runs, one set each.
        hidden: m.
        leak: :math:`\alpha` in [0, 1].
        margin: :math:`\gamma`, the largest :math:`\min_iy_iu^\top x_i` over unit vectors u, or a lower bound of it.

    Returns:
        Four tensors of shape ``(*runs)``.

    Raises:
        ValueError: NaN in X, no hidden units, a leak outside [0, 1], or a negative margin.

    Example:
        >>> bounds = self_bounds(torch.tensor([[3.0, 4.0]]), hidden=25, leak=0.2, margin=2.0)
        >>> [round(float(value), 3) for value in bounds]
        [1.0, 0.08, 1.2, 0.2]
    """
    require(X.ndim >= 2, f"X must be (*runs, samples, features), got shape {tuple(X.shape)}")
    finite("X", X)
    require(hidden >= 1, f"hidden must be at least 1, got {hidden}")
    require(0 <= leak <= 1, f"leak must lie in [0, 1], got {leak}")
    gamma = torch.as_tensor(margin, dtype=X.dtype, device=X.device)
    require(bool((gamma >= 0).all()), f"margin must not be negative, got {float(gamma.min())}")
    radius = torch.linalg.vector_norm(X, dim=-1).amax(-1)
    upper = radius / hidden**0.5
    concave = (1 - leak) / 4 * upper**2
    return SelfBounds(upper, leak * gamma.expand(radius.shape) / hidden**0.5, upper**2 + concave, concave)
