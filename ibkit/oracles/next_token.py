r"""What next-token prediction with a linear decoder fits: its conditions, the data subspace, the finite part.

For contexts :math:`h_j` with supports :math:`S_j`, the *data subspace* :math:`\mathcal F` is spanned by
:math:`(e_z-e_{z'})h_j^\top` for :math:`z,z'\in S_j`. Inside it the log-odds fix the weights; orthogonal to it the
supports alone decide: `ibkit.oracles.next_token_svm` (Thrampoulidis 2024, sections 3 and 4). All conditions are written
with one anchor token a context, the first of its support, so that no row is redundant by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.linalg import qr
from torch import Tensor

from ibkit.checks import finite, require

RANK_TOLERANCE = 1e-10
"""Directions below this share of the largest one do not count towards the data subspace."""


@dataclass(frozen=True)
class NextTokenConstraints:
    r"""The linear conditions on ``W.ravel()`` of one data set.

    Args:
        equalities: rows :math:`(e_z-e_{a_j})\otimes h_j` for :math:`z\in S_j` other than the anchor :math:`a_j`.
        log_odds: :math:`\log(p_{jz}/p_{ja_j})`, one an equality.
        inequalities: rows :math:`(e_{a_j}-e_v)\otimes h_j` for :math:`v\notin S_j`: in-support minus out-of-support.
    """

    equalities: np.ndarray
    log_odds: np.ndarray
    inequalities: np.ndarray


@dataclass(frozen=True)
class FinitePart:
    r"""The part of the weights that the probabilities fix.

    Args:
        W: the element of the data subspace that fits the log-odds best, ``(*runs, vocabulary, features)``.
        misfit: its largest error in a log-odds, in nats, ``(*runs)``; zero up to rounding for compatible data.
    """

    W: Tensor
    misfit: Tensor


@dataclass(frozen=True)
class DataSubspace:
    r"""Orthogonal projections on the data subspace :math:`\mathcal F` and on its complement.

    Args:
        basis: orthonormal rows, ``(*runs, rank, vocabulary * features)``; rows of zeros fill up to the largest rank.
    """

    basis: Tensor

    def inside(self, W: Float[Tensor, "*runs vocabulary features"]) -> Float[Tensor, "*runs vocabulary features"]:
        r"""Return :math:`P_{\mathcal F}W`."""
        coordinates = self.basis @ W.flatten(-2).unsqueeze(-1)
        return (self.basis.mT @ coordinates).reshape(W.shape)

    def outside(self, W: Float[Tensor, "*runs vocabulary features"]) -> Float[Tensor, "*runs vocabulary features"]:
        r"""Return :math:`W-P_{\mathcal F}W`."""
        return W - self.inside(W)


def next_token_constraints(
    contexts: Float[Tensor, "contexts features"], probabilities: Float[Tensor, "contexts vocabulary"]
) -> NextTokenConstraints:
    """Return the conditions of compatibility and separability of one data set, as dense rows.

    Args:
        contexts: embeddings as rows.
        probabilities: rows that sum to one; zeros are exact.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.25, 0.75, 0.0]], dtype=torch.float64)
        >>> rows = next_token_constraints(torch.ones(1, 1, dtype=torch.float64), p)
        >>> rows.equalities, rows.log_odds.round(3), rows.inequalities
        (array([[-1.,  1.,  0.]]), array([1.099]), array([[ 1.,  0., -1.]]))
    """
    _require_data(contexts, probabilities)
    H, P = contexts.detach().cpu().double().numpy(), probabilities.detach().cpu().double().numpy()
    d, vocabulary = H.shape[1], P.shape[1]
    anchor = (P > 0).argmax(1)
    inside = P > 0
    inside[np.arange(len(P)), anchor] = False
    in_context, follower = np.nonzero(inside)
    out_context, outsider = np.nonzero(P == 0)

    def rows(context: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
        table = np.zeros((len(context), vocabulary, d))
        index = np.arange(len(context))
        table[index, plus] = H[context]
        table[index, minus] = -H[context]
        return table.reshape(len(context), vocabulary * d)

    return NextTokenConstraints(
        rows(in_context, follower, anchor[in_context]),
        np.log(P[in_context, follower] / P[in_context, anchor[in_context]]),
        rows(out_context, anchor[out_context], outsider),
    )


def data_subspace(
    contexts: Float[Tensor, "*runs contexts features"], probabilities: Float[Tensor, "*runs contexts vocabulary"]
) -> DataSubspace:
    r"""Return the projections on the data subspace :math:`\mathcal F` and its complement.

    Args:
        contexts: embeddings as rows.
        probabilities: rows that sum to one; only their supports matter.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> space = data_subspace(torch.ones(1, 1, dtype=torch.float64), p)
        >>> space.inside(torch.tensor([[2.0], [0.0], [0.0]], dtype=torch.float64)).ravel().round(decimals=9) + 0.0
        tensor([ 1., -1.,  0.], dtype=torch.float64)
    """
    sets, runs = split_runs(contexts, probabilities)
    bases = [orthonormal_rows(next_token_constraints(*one).equalities) for one in sets]
    rank = max(len(basis) for basis in bases)
    stacked = np.stack([np.pad(basis, ((0, rank - len(basis)), (0, 0))) for basis in bases])
    return DataSubspace(torch.from_numpy(stacked).reshape(*runs, *stacked.shape[1:]).to(contexts.device))


def finite_part(
    contexts: Float[Tensor, "*runs contexts features"], probabilities: Float[Tensor, "*runs contexts vocabulary"]
) -> FinitePart:
    r"""Return :math:`W^\star\in\mathcal F` with :math:`(e_z-e_{z'})^\top W^\star h_j=\log(p_{jz}/p_{jz'})`.

    Where no matrix meets all the equations, the least-squares fit; `FinitePart.misfit` says how far it is off.

    Args:
        contexts: embeddings as rows.
        probabilities: rows that sum to one; zeros are exact.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.2, 0.8, 0.0]], dtype=torch.float64)
        >>> part = finite_part(torch.ones(1, 1, dtype=torch.float64), p)
        >>> part.W.ravel()  # half of log(0.8 / 0.2) each
        tensor([-0.6931,  0.6931,  0.0000], dtype=torch.float64)
    """
    sets, runs = split_runs(contexts, probabilities)
    answers = []
    for one in sets:
        rows = next_token_constraints(*one)
        basis = orthonormal_rows(rows.equalities)
        coordinates = np.linalg.lstsq(rows.equalities @ basis.T, rows.log_odds, rcond=None)[0]
        w = basis.T @ coordinates
        answers.append((w, np.abs(rows.equalities @ w - rows.log_odds).max(initial=0.0)))
    W, misfit = (torch.from_numpy(np.stack(part)).to(contexts.device) for part in zip(*answers, strict=True))
    return FinitePart(W.reshape(*runs, probabilities.shape[-1], -1), misfit.reshape(runs))


def is_compatible(
    contexts: Float[Tensor, "*runs contexts features"],
    probabilities: Float[Tensor, "*runs contexts vocabulary"],
    tolerance: float = 1e-8,
) -> Bool[Tensor, "*runs"]:
    """Return whether some matrix meets every in-support log-odds within `tolerance` nats (Definition 1).

    Args:
        contexts: embeddings of the distinct contexts.
        probabilities: next-token probabilities, zero outside each support.
        tolerance: largest misfit of a log-odds, in nats.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.9, 0.0]], dtype=torch.float64)
        >>> h = torch.ones(2, 1, dtype=torch.float64)  # one embedding cannot mean two distributions
        >>> is_compatible(h, p)
        tensor(False)
    """
    return finite_part(contexts, probabilities).misfit <= tolerance


def orthonormal_rows(rows: np.ndarray) -> np.ndarray:
    """Return orthonormal rows with the span of `rows`, as many as its rank.

    Example:
        >>> np.abs(orthonormal_rows(np.array([[3.0, 4.0], [6.0, 8.0]]))).round(3)
        array([[0.6, 0.8]])
    """
    if len(rows) == 0 or not rows.any():
        return np.zeros((0, rows.shape[1]))
    Q, R, _ = qr(rows.T, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(R))
    return Q[:, : int((sizes > RANK_TOLERANCE * sizes[0]).sum())].T


def split_runs(contexts: Tensor, probabilities: Tensor) -> tuple[list[tuple[Tensor, Tensor]], torch.Size]:
    """Return one (contexts, probabilities) a run, and the shape of the runs.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.

    Example:
        >>> sets, runs = split_runs(torch.ones(2, 3, 1, 4), torch.ones(3, 1, 1))
        >>> len(sets), runs
        (6, torch.Size([2, 3]))
    """
    _require_data(contexts, probabilities)
    runs = torch.broadcast_shapes(contexts.shape[:-2], probabilities.shape[:-2])
    H = contexts.expand(*runs, *contexts.shape[-2:]).reshape(-1, *contexts.shape[-2:])
    P = probabilities.expand(*runs, *probabilities.shape[-2:]).reshape(-1, *probabilities.shape[-2:])
    return list(zip(H, P, strict=True)), runs


def _require_data(contexts: Tensor, probabilities: Tensor) -> None:
    require(
        contexts.ndim >= 2 and probabilities.ndim >= 2 and contexts.shape[-2] == probabilities.shape[-2],
        f"contexts and probabilities must have one row a context, got {tuple(contexts.shape)} and "
        f"{tuple(probabilities.shape)}",
    )
    finite("contexts", contexts)
    finite("probabilities", probabilities)
    require(
        bool((probabilities >= 0).all()) and bool(((probabilities.sum(-1) - 1).abs() < 1e-6).all()),
        "probabilities must be rows that are non-negative and sum to one, got a row that is not",
    )
