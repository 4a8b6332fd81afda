"""Margins of classifiers, plain and in units of a norm."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, require
from ibkit.norms import MatrixNorm, as_norm
from ibkit.scaled import Params


def multiclass_margin(
    W: Float[Tensor, "*runs classes features"],
    X: Float[Tensor, "*data_runs samples features"],
    y: Int[Tensor, " samples"],
    norm: str | MatrixNorm | None = None,
) -> Float[Tensor, "*runs"]:
    r"""Return the smallest margin :math:`\min_{i,\,c\ne y_i}(e_{y_i}-e_c)^\top Wx_i`, divided by a norm of W if given.

    Args:
        W: classifiers, one a run.
        X: inputs, shared by the runs or one set a run.
        y: labels in ``0 .. classes - 1``.
        norm: None, a name, or a `MatrixNorm`. A zero matrix has normalised margin zero.

    Raises:
        ValueError: NaN, labels out of range, fewer than two classes, or shapes that do not fit.

    Example:
        >>> W = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> multiclass_margin(W, torch.eye(2), torch.tensor([0, 1]), "frobenius")
        tensor(0.7071)
    """
    require(
        W.ndim >= 2 and X.ndim >= 2 and W.shape[-1] == X.shape[-1],
        f"W and X must share their last dimension (features), got {tuple(W.shape)} and {tuple(X.shape)}",
    )
    require(W.shape[-2] >= 2, f"W must have at least 2 rows (classes), got {W.shape[-2]}")
    finite("W", W)
    finite("X", X)
    margin = logit_margin(X @ W.mT, y)
    if norm is None:
        return margin
    size = as_norm(norm)(W)
    return torch.where(size > 0, margin / torch.where(size > 0, size, 1.0), 0.0)


def logit_margin(logits: Float[Tensor, "*runs samples classes"], y: Int[Tensor, " samples"]) -> Float[Tensor, "*runs"]:
    r"""Return the smallest margin of any model, :math:`\min_i\,(z_{iy_i}-\max_{c\ne y_i}z_{ic})`, one a run.

    Args:
        logits: :math:`z`.
        y: labels, shared by the runs.

    Raises:
        ValueError: labels out of range, fewer than two classes, or shapes that do not fit.

    Example:
        >>> logit_margin(torch.tensor([[3.0, 1.0], [0.0, 0.5]]), torch.tensor([0, 1]))
        tensor(0.5000)
    """
    require(logits.shape[-1] >= 2, f"logits must have at least 2 classes, got shape {tuple(logits.shape)}")
    require(
        y.shape == logits.shape[-2:-1],
        f"y must hold one label a sample ({logits.shape[-2]}), got shape {tuple(y.shape)}",
    )
    labels_in_range("y", y, logits.shape[-1])
    index = y.expand(logits.shape[:-1]).unsqueeze(-1)
    true = logits.gather(-1, index).squeeze(-1)
    rival = logits.scatter(-1, index, -torch.inf).amax(-1)
    return (true - rival).amin(-1)


def binary_margin(
    w: Float[Tensor, "*runs features"],
    rows: Float[Tensor, "*data_runs samples features"],
    p: float | None = None,
) -> Float[Tensor, "*runs"]:
    r"""Return the smallest margin :math:`\min_i a_i^\top w` of a binary classifier, divided by a p-norm of w if given.

    Args:
        w: classifiers, one a run.
        rows: :math:`a_i=y_ix_i`, shared by the runs or one set a run.
        p: None, or the exponent of the norm, from 1 to infinity. A zero vector has normalised margin zero.

    Raises:
        ValueError: NaN, an exponent below one, or shapes that do not fit.

    Example:
        >>> binary_margin(torch.tensor([3.0, 4.0]), torch.eye(2), p=2)
        tensor(0.6000)
    """
    require(
        w.ndim >= 1 and rows.ndim >= 2 and w.shape[-1] == rows.shape[-1],
        f"w and rows must share their last dimension (features), got {tuple(w.shape)} and {tuple(rows.shape)}",
    )
    require(p is None or p >= 1, f"p must be at least 1 (and may be infinite), got {p}")
    finite("w", w)
    finite("rows", rows)
    margin = (rows @ w.unsqueeze(-1)).squeeze(-1).amin(-1)
    if p is None:
        return margin
    size = torch.linalg.vector_norm(w, ord=p, dim=-1)
    return torch.where(size > 0, margin / torch.where(size > 0, size, 1.0), 0.0)


def homogeneous_margin(
    params: Params, logits: Float[Tensor, "*runs samples classes"], y: Int[Tensor, " samples"]
) -> Float[Tensor, "*runs"]:
    r"""Return the smallest margin of a homogeneous network, divided by the layers' size to the power of their number.

    .. math:: \frac{\min_i(z_{iy_i}-\max_{c\ne y_i}z_{ic})}{\bigl(\frac1N\sum_{l=1}^N\|W_l\|_F^2\bigr)^{N/2}}

    For N layers without biases logits grow like the N-th power of a common factor, which cancels here. Gradient descent
    on exponential-tailed losses drives it up (Lyu and Li 2020).

    Args:
        params: the N layers, each ``(*runs, rows, columns)``.
        logits: :math:`z`.
        y: labels, shared by the runs.

    Raises:
        ValueError: without layers, or as `logit_margin`.

    Example:
        >>> layers = {"layer1": 3 * torch.eye(2), "layer2": 3 * torch.eye(2)}
        >>> homogeneous_margin(layers, 9 * torch.eye(2), torch.tensor([0, 1]))
        tensor(0.5000)
    """
    require(len(params) > 0, "params must hold at least one layer")
    size = sum((W**2).sum((-2, -1)) for W in params.values()) / len(params)
    return logit_margin(logits, y) / size ** (len(params) / 2)
