r"""Cross-entropy with hard labels, and its gradient in the logits kept exact when the loss underflows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, require, shape
from ibkit.scaled import Gradient, Params, Scaled


def cross_entropy(
    logits: Float[Tensor, "*runs samples classes"],
    labels: Int[Tensor, "*label_runs samples"],
    weights: Float[Tensor, "*weight_runs samples"] | None = None,
) -> Float[Tensor, "*runs"]:
    r"""Return the cross-entropy of each run, :math:`\sum_i \omega_i \log(1+\sum_{c\ne y_i}e^{z_{ic}-z_{iy_i}})`.

    Written as a softplus of log-odds, so that losses far below machine precision keep their digits.

    Args:
        logits: :math:`z`, shape ``(*runs, samples, classes)``.
        labels: :math:`y`, integers in ``0 .. classes - 1``; shared by the runs or one row a run.
        weights: :math:`\omega`, shared by the runs or one row a run; by default ``1 / samples`` each (the mean).

    Returns:
        One number a run, in nats.

    Raises:
        ValueError: labels out of range, NaN in the logits, fewer than two classes, or shapes that do not fit.

    Example:
        >>> z = torch.tensor([[50.0, 0.0, 0.0]], dtype=torch.float64)
        >>> float(cross_entropy(z, torch.tensor([0])))  # twice exp(-50), not zero
        3.857...e-22
    """
    _require_fit(logits, labels)
    scores = logits.mT
    index, wrong = _without_true_class(scores, labels)
    log_odds = torch.logsumexp(wrong, -2) - scores.gather(-2, index).squeeze(-2)
    per_sample = torch.logaddexp(log_odds, torch.zeros_like(log_odds))
    require(not bool(per_sample.isnan().any()), "logits must be finite, got NaN")
    if weights is None:
        return per_sample.mean(-1)
    return (per_sample * weights).sum(-1)


def cross_entropy_residual(
    logits: Float[Tensor, "*runs samples classes"],
    labels: Int[Tensor, "*label_runs samples"],
) -> Scaled:
    r"""Return the derivative of each sample's cross-entropy in its logits, :math:`S(z_i)-e_{y_i}`, in scaled form.

    With :math:`\ell` the log-softmax and :math:`s=\max_{i,\,c\ne y_i}\ell_{ic}` of the run, wrong classes get
    :math:`e^{\ell_{ic}-s}` and the true class minus the sum of the others: no subtraction of nearly equal numbers, and
    no underflow. The residual is ``exp(log_scale) * value``.

    Args:
        logits: :math:`z`, shape ``(*runs, samples, classes)``.
        labels: :math:`y`, integers; shared by the runs or one row a run.

    Returns:
        Value of the shape of the logits, largest wrong-class entry one; ``log_scale`` of shape ``(*runs)``.

    Raises:
        ValueError: labels out of range, NaN in the logits, fewer than two classes, or shapes that do not fit.

    Example:
        >>> z = torch.tensor([[900.0, 0.0, 1.0]], dtype=torch.float64)
        >>> r = cross_entropy_residual(z, torch.tensor([0]))
        >>> r.value
        tensor([[-1.3679,  0.3679,  1.0000]], dtype=torch.float64)
        >>> float(r.log_scale)  # exp of this is zero in float64; the direction above is exact
        -899.0
    """
    _require_fit(logits, labels)
    residual = _residual_by_class(logits.mT.contiguous(), labels)
    return Scaled(residual.value.mT, residual.log_scale)


def linear_cross_entropy(
    X: Float[Tensor, "*data_runs samples features"], y: Int[Tensor, " samples"], classes: int
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the mean cross-entropy of a linear classifier with logits :math:`Wx_i`.

    :math:`\nabla L(W) = \frac1n\sum_i (S(Wx_i)-e_{y_i})x_i^\top`.

    Args:
        X: inputs; one set shared by all runs, or one a run.
        y: labels in ``0 .. classes - 1``.
        classes: number of rows of W.

    Returns:
        A function of ``{"W": (*runs, classes, features)}`` for the training loop.

    Raises:
        ValueError: NaN in X, labels out of range, or shapes that do not fit.

    Example:
        >>> gradient = linear_cross_entropy(torch.eye(2), torch.tensor([0, 1]), classes=2)
        >>> gradient({"W": torch.zeros(2, 2)}).true()["W"]
        tensor([[-0.2500,  0.2500],
                [ 0.2500, -0.2500]])
    """
    finite("X", X)
    labels_in_range("y", y, classes)
    samples, by_feature = X.shape[-2], X.mT.contiguous()
    require(y.shape[-1] == samples, f"y must hold one label a row of X ({samples}), got {y.shape[-1]}")

    def gradient(params: Params) -> Gradient:
        W = shape("W", params["W"], (classes, X.shape[-1]))
        residual = _residual_by_class(W @ by_feature, y)
        return Gradient({"W": residual.value @ X / samples}, residual.log_scale)

    return gradient


def model_cross_entropy(
    logits_of: Callable[[Params], Tensor], y: Int[Tensor, " samples"]
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the mean cross-entropy of any differentiable model.

    The logits' residual is formed in closed form and scaled; only the model itself is differentiated, by one
    vector-Jacobian product. So the gradient stays exact where that of the loss would underflow.

    Args:
        logits_of: from parameters to logits ``(*runs, samples, classes)``; runs must not mix.
        y: labels, shared by the runs.

    Returns:
        A function of the parameters for the training loop.

    Raises:
        ValueError: labels out of range, NaN in the logits, or shapes that do not fit.

    Example:
        >>> X, y = torch.eye(2), torch.tensor([0, 1])
        >>> gradient = model_cross_entropy(lambda p: X @ p["W"].mT, y)
        >>> gradient({"W": torch.zeros(2, 2)}).true()["W"]
        tensor([[-0.2500,  0.2500],
                [ 0.2500, -0.2500]])
    """

    def gradient(params: Params) -> Gradient:
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        with torch.enable_grad():
            logits = logits_of(leaves)
        residual = cross_entropy_residual(logits.detach(), y)
        grads = torch.autograd.grad(logits, list(leaves.values()), residual.value / logits.shape[-2])
        return Gradient(dict(zip(leaves, grads, strict=True)), residual.log_scale)

    return gradient


def _residual_by_class(scores: Tensor, labels: Tensor) -> Scaled:
    """Return the scaled residual of logits ``(*runs, classes, samples)``, in that shape.

    With the few classes outside and the many samples inside, a log-softmax is several times faster.
    """
    index, log_wrong = _without_true_class(torch.log_softmax(scores, -2), labels)
    log_scale = log_wrong.amax((-2, -1))
    require(not bool(log_scale.isnan().any()), "logits must be finite, got NaN")
    value = torch.exp(log_wrong - log_scale[..., None, None])
    return Scaled(value.scatter(-2, index, -value.sum(-2, keepdim=True)), log_scale)


def _without_true_class(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the labels as an index of the classes, and ``(*runs, classes, samples)`` with true classes at -inf."""
    index = labels.expand(*scores.shape[:-2], scores.shape[-1]).unsqueeze(-2)
    try:
        return index, scores.scatter(-2, index, -torch.inf)
    except (RuntimeError, IndexError):
        labels_in_range("labels", labels, scores.shape[-2])
        raise


def _require_fit(logits: Tensor, labels: Tensor) -> None:
    require(
        logits.ndim >= 2 and logits.shape[-1] >= 2,
        f"logits must be (*runs, samples, classes) with at least 2 classes, got shape {tuple(logits.shape)}",
    )
    require(
        labels.shape[-1:] == logits.shape[-2:-1],
        f"labels must hold one label a sample ({logits.shape[-2]}), got shape {tuple(labels.shape)}",
    )
