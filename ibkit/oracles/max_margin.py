r"""The hard-margin classifier of any entrywise or Schatten norm, with a duality gap as its certificate."""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, require
from ibkit.norms import MatrixNorm, as_norm
from ibkit.oracles.certificate import NotSeparableError, OracleError, solve

GAP_TOLERANCE = 1e-5
"""Largest relative duality gap an answer may have."""


@dataclass(frozen=True)
class MaxMargin:
    r"""A max-margin classifier and its proof.

    Args:
        W: a unit-norm maximiser, ``(*runs, classes, features)``; one of several where the norm is not strictly convex.
        margin: :math:`\gamma`, its smallest margin, ``(*runs)``.
        gap: relative duality gap: the margin is within this share of the best possible, ``(*runs)``.
    """

    W: Tensor
    margin: Tensor
    gap: Tensor


def max_margin(
    X: Float[Tensor, "*runs samples features"],
    y: Int[Tensor, " samples"],
    norm: str | MatrixNorm,
    classes: int | None = None,
) -> MaxMargin:
    r"""Return the largest margin per unit of a norm, and a classifier that has it.

    .. math:: \gamma=\max_{\|W\|\le1}\ \min_{i,\,c\ne y_i}\ (e_{y_i}-e_c)^\top Wx_i .

    A linear program for the maximum and sum norms, conic otherwise; Schatten norms other than 1, 2 and infinity through
    bounds on all Ky Fan norms. The certificate does not trust the solver: with
    :math:`A_{ic}=(e_{y_i}-e_c)x_i^\top` and any weights :math:`\lambda\ge0` that sum to one,
    :math:`\gamma\le\|\sum\lambda_{ic}A_{ic}\|_*`; the solver's multipliers, normalised, are checked against the margin
    that W really has.

    Args:
        X: inputs; with leading runs, one program each.
        y: labels, shared by the runs.
        norm: a name or a `MatrixNorm`.
        classes: number of rows of W; by default ``max(y) + 1``.

    Raises:
        ValueError: NaN in X, labels out of range, or shapes that do not fit.
        NotSeparableError: a ValueError, for data that no W separates.
        OracleError: if the solver fails or its answer does not pass the certificate.

    Example:
        >>> best = max_margin(torch.eye(2, dtype=torch.float64), torch.tensor([0, 1]), "frobenius")
        >>> round(float(best.margin), 6)
        1.0
    """
    require(X.ndim >= 2, f"X must be (*runs, samples, features), got shape {tuple(X.shape)}")
    require(y.shape == X.shape[-2:-1], f"y must hold one label a sample ({X.shape[-2]}), got shape {tuple(y.shape)}")
    finite("X", X)
    k = int(y.max()) + 1 if classes is None else classes
    require(k >= 2, f"classes must be at least 2, got {k}")
    labels_in_range("y", y, k)
    norm = as_norm(norm)
    runs = X.shape[:-2]
    sets = X.detach().cpu().double().numpy().reshape(-1, *X.shape[-2:])
    labels = y.cpu().numpy()
    answers = [_solve_rows(margin_rows(inputs, labels, k), (k, inputs.shape[1]), norm) for inputs in sets]
    W, margin, gap = (torch.from_numpy(np.stack(parts)) for parts in zip(*answers, strict=True))
    return MaxMargin(W.reshape(*runs, k, -1), margin.reshape(runs), gap.reshape(runs))


@dataclass(frozen=True)
class BinaryMaxMargin:
    r"""A max-margin classifier of two classes and its proof.

    Args:
        w: a maximiser of unit norm, ``(*runs, features)``; one of several where the norm is not strictly convex.
        margin: :math:`\gamma`, its smallest margin, ``(*runs)``.
        gap: relative duality gap: the margin is within this share of the best possible, ``(*runs)``.
    """

    w: Tensor
    margin: Tensor
    gap: Tensor


def binary_max_margin(rows: Float[Tensor, "*runs samples features"], p: float = 2.0) -> BinaryMaxMargin:
    r"""Return the largest margin of two classes per unit of the p-norm, and a classifier that has it.

    .. math:: \gamma_p=\max_{\|w\|_p\le1}\ \min_i\ a_i^\top w,\qquad a_i=y_ix_i .

    The certificate is that of `max_margin`: :math:`\gamma_p\le\|\sum_i\lambda_ia_i\|_q` for weights that sum to one,
    with :math:`1/p+1/q=1`.

    Args:
        rows: :math:`a_i`; with leading runs, one program each.
        p: the exponent, from 1 to infinity; the classifier is unique for ``1 < p < inf``.

    Raises:
        ValueError: NaN in the rows, or an exponent below one.
        NotSeparableError: a ValueError, for data that no w separates.
        OracleError: if the solver fails or its answer does not pass the certificate.

    Example:
        >>> best = binary_max_margin(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), p=2)
        >>> best.w.round(decimals=4), round(float(best.margin), 4)
        (tensor([0.7071, 0.7071], dtype=torch.float64), 1.4142)
    """
    require(rows.ndim >= 2, f"rows must be (*runs, samples, features), got shape {tuple(rows.shape)}")
    finite("rows", rows)
    norm = MatrixNorm("entrywise", float(p))
    runs, features = rows.shape[:-2], rows.shape[-1]
    sets = rows.detach().cpu().double().numpy().reshape(-1, *rows.shape[-2:])
    answers = [_solve_rows(sp.csr_matrix(each), (1, features), norm) for each in sets]
    w, margin, gap = (torch.from_numpy(np.stack(parts)) for parts in zip(*answers, strict=True))
    return BinaryMaxMargin(w.reshape(*runs, features), margin.reshape(runs), gap.reshape(runs))


def _solve_rows(A: sp.csr_matrix, size: tuple[int, int], norm: MatrixNorm) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximise the least entry of ``A @ W.ravel()`` over the unit ball, for W of the given size."""
    W = cp.Variable(size)
    g = cp.Variable()
    margins = A @ cp.vec(W, order="C") >= g
    linear = norm.kind == "entrywise" and norm.p in (1.0, np.inf)
    solve(
        cp.Problem(cp.Maximize(g), [margins, *_unit_ball(W, norm)]),
        f"max margin in the {norm.kind} {norm.p:g} norm",
        solver="HIGHS" if linear else "CLARABEL",
    )
    found = torch.from_numpy(W.value)
    length = float(norm(found))
    margin = float((A @ W.value.ravel()).min()) / length if length > 1e-9 else 0.0
    multipliers = np.abs(margins.dual_value)
    multipliers = multipliers / multipliers.sum()
    bound = float(norm.dual(torch.from_numpy((A.T @ multipliers).reshape(size))))
    if margin <= 1e-7 * abs(A).max():
        raise NotSeparableError(
            f"the data must be linearly separable for a hard margin, got data whose best margin is at most {bound:.1e}"
        )
    gap = bound / margin - 1
    if not gap <= GAP_TOLERANCE:
        raise OracleError(f"max margin in the {norm.kind} {norm.p:g} norm: relative duality gap {gap:.1e}")
    return W.value / length, np.array(margin), np.array(max(gap, 0.0))


def margin_rows(X: np.ndarray, y: np.ndarray, classes: int) -> sp.csr_matrix:
    r"""Return the matrix whose rows are :math:`(e_{y_i}-e_c)\otimes x_i`, so that ``rows @ W.ravel()`` are all margins.

    Args:
        X: inputs ``(samples, features)``.
        y: labels ``(samples,)``.
        classes: k.

    Returns:
        Sparse, ``(samples * (k - 1), k * features)``; row order: sample, then rival class.

    Example:
        >>> margin_rows(np.array([[2.0, 3.0]]), np.array([1]), 2).toarray()
        array([[-2., -3.,  2.,  3.]])
    """
    samples, d = X.shape
    sample = np.repeat(np.arange(samples), classes - 1)
    rival = np.stack([np.delete(np.arange(classes), label) for label in y]).ravel()
    rows = np.repeat(np.arange(len(sample)), d)
    offset = np.tile(np.arange(d), len(sample))
    plus = sp.csr_matrix((X[sample].ravel(), (rows, np.repeat(y[sample] * d, d) + offset)), (len(sample), classes * d))
    minus = sp.csr_matrix((X[sample].ravel(), (rows, np.repeat(rival * d, d) + offset)), (len(sample), classes * d))
    return plus - minus


def _unit_ball(W: cp.Variable, norm: MatrixNorm) -> list[cp.Constraint]:
    """Constraints that say that the norm of W is at most one."""
    if norm.kind == "entrywise":
        return [cp.pnorm(cp.vec(W, order="C"), norm.p) <= 1]
    if np.isinf(norm.p):
        return [cp.sigma_max(W) <= 1]
    if norm.p == 1:
        return [cp.normNuc(W) <= 1]
    if norm.p == 2:
        return [cp.norm(W, "fro") <= 1]
    # |sigma(W)|_p <= 1 iff a sorted s >= 0 with |s|_p <= 1 weakly majorises sigma(W): one Ky Fan bound for each length.
    rows, columns = W.shape
    rank = min(rows, columns)
    s = cp.Variable(rank, nonneg=True)
    dilation = cp.bmat([[np.zeros((rows, rows)), W], [W.T, np.zeros((columns, columns))]])
    ky_fan = [cp.lambda_sum_largest(dilation, length) <= cp.sum(s[:length]) for length in range(1, rank + 1)]
    return [*ky_fan, s[:-1] >= s[1:], cp.pnorm(s, norm.p) <= 1] if rank > 1 else [*ky_fan, s <= 1]
