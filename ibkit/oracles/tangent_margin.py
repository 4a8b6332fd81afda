r"""How well a model's linearisation separates its data: the margin of its tangent features."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.oracles.certificate import NotSeparableError
from ibkit.oracles.max_margin import binary_max_margin


def tangent_margin(
    jacobian: Float[Tensor, "*runs samples weights"],
    y: Float[Tensor, "*data_runs samples"],
    radius: float = math.sqrt(2),
) -> Float[Tensor, "*runs"]:
    r"""Return the margin of the neural tangent kernel.

    .. math:: \gamma=\max_{\|\theta\|\le r}\ \min_i\ y_i\,\langle\nabla f(X_i),\theta\rangle ,

    which is zero where no :math:`\theta` separates. Moving the weights by :math:`\theta` raises every margin of the
    linearised model by at least :math:`\gamma`. The gradients are first written in an orthonormal basis of their own
    span, of at most as many dimensions as there are samples, which changes no inner product.

    Args:
        jacobian: the gradients of the outputs, a row each.
        y: labels -1 and 1, shared by the runs or one set a run.
        radius: r; by default :math:`\sqrt2`, the convention of Deora, Ghaderi, Taheri and Thrampoulidis (2023).

    Raises:
        ValueError: NaN in the gradients, shapes that do not fit, or a radius that is not positive.
        OracleError: if the solver fails or its answer does not pass the certificate of `binary_max_margin`.

    Example:
        >>> tangent_margin(torch.eye(2).repeat(1, 5), torch.tensor([1.0, -1.0]), radius=1.0).round(decimals=4)
        tensor(1.5811, dtype=torch.float64)
    """
    require(
        jacobian.ndim >= 2 and y.shape[-1:] == jacobian.shape[-2:-1],
        f"y must hold one label a row of jacobian, got {tuple(y.shape)} and {tuple(jacobian.shape)}",
    )
    require(radius > 0, f"radius must be positive, got {radius}")
    finite("jacobian", jacobian)
    rows = (y.unsqueeze(-1) * jacobian).detach().cpu().double()
    if rows.shape[-1] > rows.shape[-2]:
        rows = torch.linalg.qr(rows.mT, mode="r").R.mT
    margins = torch.tensor([_margin(each) for each in rows.reshape(-1, *rows.shape[-2:])], dtype=torch.float64)
    return radius * margins.reshape(rows.shape[:-2])


def _margin(rows: Tensor) -> float:
    size = float(torch.linalg.vector_norm(rows, dim=-1).amax())
    if size == 0:
        return 0.0
    try:
        return size * float(binary_max_margin(rows / size).margin)
    except NotSeparableError:
        return 0.0
