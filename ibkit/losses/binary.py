r"""Exponential and logistic loss of margins, in the log domain: exact long after the loss itself underflows.

With rows :math:`a_i=y_ix_i` a linear classifier has the margins :math:`m_i=a_i^\top w`, and

.. math:: F(w)=\frac1n\sum_i\ell(m_i),\qquad \ell(m)=e^{-m}\ \text{or}\ \log(1+e^{-m}).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, one_of, require, shape
from ibkit.scaled import Gradient, Params, Scaled

BinaryLoss = Literal["exponential", "logistic"]
BINARY_LOSSES = ("exponential", "logistic")


def log_binary_loss(margins: Float[Tensor, "*runs samples"], kind: BinaryLoss = "logistic") -> Float[Tensor, "*runs"]:
    r"""Return :math:`\log F`, the natural logarithm of the mean loss, one number a run.

    Args:
        margins: :math:`m_i`.
        kind: ``"exponential"`` or ``"logistic"``.

    Raises:
        ValueError: NaN in the margins, no samples, or another kind.

    Example:
        >>> float(log_binary_loss(torch.tensor([1000.0, 2000.0])))  # F = exp(-1000) / 2
        -1000.693...
    """
    _require_margins(margins, kind)
    log_losses = -margins if kind == "exponential" else _log_softplus(-margins)
    return torch.logsumexp(log_losses, -1) - math.log(margins.shape[-1])


def binary_residual(margins: Float[Tensor, "*runs samples"], kind: BinaryLoss = "logistic") -> Scaled:
    r"""Return :math:`-\ell'(m_i)`, how hard each sample pulls, in scaled form.

    :math:`-\ell'(m)` is :math:`e^{-m}`, or :math:`1/(1+e^m)` for the logistic loss; taken as logarithms and divided by
    the largest of the run, so that the ratios between samples survive any size of the margins.

    Args:
        margins: :math:`m_i`.
        kind: ``"exponential"`` or ``"logistic"``.

    Returns:
        Value of the shape of the margins, largest entry one; ``log_scale`` of shape ``(*runs)``.

    Raises:
        ValueError: NaN in the margins, no samples, or another kind.

    Example:
        >>> pull = binary_residual(torch.tensor([900.0, 901.0]))
        >>> pull.value, float(pull.log_scale)
        (tensor([1.0000, 0.3679]), -900.0)
    """
    _require_margins(margins, kind)
    log_pull = -margins if kind == "exponential" else torch.nn.functional.logsigmoid(-margins)
    log_scale = log_pull.amax(-1)
    return Scaled(torch.exp(log_pull - log_scale.unsqueeze(-1)), log_scale)


def linear_binary(
    rows: Float[Tensor, "*data_runs samples features"], kind: BinaryLoss = "logistic", power: float | Tensor = 0.0
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the mean loss of a linear classifier, :math:`\nabla F=\frac1n\sum_i\ell'(m_i)a_i`.

    Args:
        rows: :math:`a_i=y_ix_i`; one set shared by all runs, or one a run.
        kind: ``"exponential"`` or ``"logistic"``.
        power: of the loss that the gradient is divided by, as in `model_binary`.

    Returns:
        A function of ``{"w": (*runs, features)}`` for the training loop.

    Raises:
        ValueError: NaN in the rows, another kind, a power outside [0, 1], or (later) a w of another width or a power of
            another shape.

    Example:
        >>> gradient = linear_binary(torch.eye(2), "exponential")
        >>> gradient({"w": torch.zeros(2)}).true()["w"]
        tensor([-0.5000, -0.5000])
    """
    require(rows.ndim >= 2, f"rows must be (*runs, samples, features), got shape {tuple(rows.shape)}")
    finite("rows", rows)
    one_of("kind", kind, BINARY_LOSSES)
    _require_power(power)
    samples = rows.shape[-2]

    def gradient(params: Params) -> Gradient:
        w = shape("w", params["w"], (rows.shape[-1],))
        margins = (rows @ w.unsqueeze(-1)).squeeze(-1)
        pull = binary_residual(margins, kind)
        scale = _over_the_loss(pull.log_scale, margins, kind, power)
        return Gradient({"w": -(pull.value.unsqueeze(-2) @ rows).squeeze(-2) / samples}, scale)

    return gradient


def model_binary(
    margins_of: Callable[[Params], Tensor], kind: BinaryLoss = "logistic", power: float | Tensor = 0.0
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the mean loss of any differentiable model, divided by a power of that loss.

    :math:`\nabla F/F^a`. Zero is the plain gradient. One is the loss-normalised gradient of Taheri and Thrampoulidis
    (AAAI 2023), which is :math:`\nabla\log F`: it neither underflows nor fades with the loss, as both factors stay
    logarithms. One batch can hold both, a power a run.

    Args:
        margins_of: from parameters to margins ``(*runs, samples)``; runs must not mix.
        kind: ``"exponential"`` or ``"logistic"``.
        power: :math:`a` in [0, 1], a number or one a run, shape ``(*runs)``.

    Returns:
        A function of the parameters for the training loop.

    Raises:
        ValueError: another kind, a power outside [0, 1], or (later) NaN in the margins or a power of another shape.

    Example:
        >>> gradient = model_binary(lambda p: p["w"], "exponential", power=1.0)
        >>> gradient({"w": torch.tensor([900.0, 900.0])}).true()["w"]  # F = exp(-900)
        tensor([-0.5000, -0.5000])
    """
    one_of("kind", kind, BINARY_LOSSES)
    _require_power(power)

    def gradient(params: Params) -> Gradient:
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        with torch.enable_grad():
            margins = margins_of(leaves)
        fixed = margins.detach()
        pull = binary_residual(fixed, kind)
        grads = torch.autograd.grad(margins, list(leaves.values()), -pull.value / margins.shape[-1])
        scale = _over_the_loss(pull.log_scale, fixed, kind, power)
        return Gradient(dict(zip(leaves, grads, strict=True)), scale)

    return gradient


def _over_the_loss(log_scale: Tensor, margins: Tensor, kind: BinaryLoss, power: float | Tensor) -> Tensor:
    """Return the scale of a gradient once it is divided by a power of the loss."""
    if isinstance(power, Tensor) and power.ndim:
        fits = power.shape == log_scale.shape
        require(fits, f"power must be a number or {tuple(log_scale.shape)}, got {tuple(power.shape)}")
    elif power == 0:
        return log_scale
    return log_scale - power * log_binary_loss(margins, kind)


def _require_power(power: float | Tensor) -> None:
    low, high = float(torch.as_tensor(power).min()), float(torch.as_tensor(power).max())
    require(low >= 0 and high <= 1, f"power must lie in [0, 1], got {power}")


def _log_softplus(x: Tensor) -> Tensor:
    """Return log(log(1 + e^x)); for very negative x the inner logarithm is e^x - e^2x / 2."""
    near = torch.log(torch.logaddexp(x, torch.zeros_like(x)))
    return torch.where(x < -30, x - torch.exp(x) / 2, near)


def _require_margins(margins: Tensor, kind: str) -> None:
    one_of("kind", kind, BINARY_LOSSES)
    require(
        margins.ndim >= 1 and margins.shape[-1] >= 1,
        f"margins must be (*runs, samples) with at least 1 sample, got shape {tuple(margins.shape)}",
    )
    require(not bool(margins.isnan().any()), "margins must be numbers, got NaN")
