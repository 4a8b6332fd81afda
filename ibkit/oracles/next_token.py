r"""Where next-token prediction with a linear decoder ends up: a finite part, and a direction to infinity.

For contexts :math:`h_j` with supports :math:`S_j`, the *data subspace* :math:`\mathcal F` is spanned by
:math:`(e_z-e_{z'})h_j^\top` for :math:`z,z'\in S_j`. Inside it the log-odds fix the weights; orthogonal to it the
supports alone decide (Thrampoulidis 2024, sections 3 and 4). All conditions are written with one anchor token a
context, the first of its support, so that no row is redundant by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.linalg import qr
from scipy.optimize import nnls
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.oracles.certificate import OracleError

RANK_TOLERANCE = 1e-10
"""Directions below this share of the largest one do not count towards the data subspace."""

GAP_TOLERANCE = 1e-8
"""Largest relative duality gap that an answer of `next_token_svm` may have."""

SEPARATION_TOLERANCE = 1e-6
"""Best margin, per unit of weight norm and of the longest context, below which data count as not separable."""


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
class NextTokenSVM:
    r"""The max-margin direction of next-token prediction, and its proof.

    Args:
        W: the smallest matrix with all margins at least one, ``(*runs, vocabulary, features)``.
        gap: relative duality gap: ``|W|`` is within half this share of the least possible, ``(*runs)``.
    """

    W: Tensor
    gap: Tensor


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
    sets, runs = _split(contexts, probabilities)
    bases = [_basis(next_token_constraints(*one).equalities) for one in sets]
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
    sets, runs = _split(contexts, probabilities)
    answers = []
    for one in sets:
        rows = next_token_constraints(*one)
        basis = _basis(rows.equalities)
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

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.9, 0.0]], dtype=torch.float64)
        >>> h = torch.ones(2, 1, dtype=torch.float64)  # one embedding cannot mean two distributions
        >>> is_compatible(h, p)
        tensor(False)
    """
    return finite_part(contexts, probabilities).misfit <= tolerance


def next_token_margin(
    contexts: Float[Tensor, "*runs contexts features"], probabilities: Float[Tensor, "*runs contexts vocabulary"]
) -> Float[Tensor, "*runs"]:
    r"""Return the best margin per unit of weight norm, :math:`1/\|W^{\mathrm{mm}}\|_F`; zero where not separable.

    Infinite where every token may follow every context: then there is nothing to separate.

    Args:
        contexts: embeddings as rows.
        probabilities: rows that sum to one; only their supports matter.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.
        OracleError: if the solver fails.

    Example:
        >>> h = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
        >>> p = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
        >>> float(next_token_margin(h, p))  # the two rows are (1, 0)/2 and minus that
        1.414...
    """
    sets, runs = _split(contexts, probabilities)
    margins = [_nearest_point(next_token_constraints(*one))[0] for one in sets]
    return torch.tensor(margins, dtype=torch.float64, device=contexts.device).reshape(runs)


def is_separable(
    contexts: Float[Tensor, "*runs contexts features"], probabilities: Float[Tensor, "*runs contexts vocabulary"]
) -> Bool[Tensor, "*runs"]:
    """Return whether a matrix ties all tokens of each support and puts them above all others (Definition 2).

    Example:
        >>> h = torch.tensor([[1.0], [1.0]], dtype=torch.float64)
        >>> is_separable(h, torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64))
        tensor(False)
    """
    return next_token_margin(contexts, probabilities) > 0


def next_token_svm(
    contexts: Float[Tensor, "*runs contexts features"], probabilities: Float[Tensor, "*runs contexts vocabulary"]
) -> NextTokenSVM:
    r"""Return the max-margin matrix of next-token prediction.

    .. math:: W^{\mathrm{mm}}=\arg\min\|W\|_F\quad\text{s.t.}\quad (e_z-e_{z'})^\top Wh_j=0,\
       (e_z-e_v)^\top Wh_j\ge1\qquad z,z'\in S_j,\ v\notin S_j .

    The equalities say :math:`W\perp\mathcal F`; on that complement it is a least-distance problem, which becomes
    non-negative least squares (Lawson and Hanson 1974, chapter 23) and is solved by active sets, exact to rounding.
    The certificate does not trust the solver: any multipliers :math:`\lambda\ge0` give
    :math:`\tfrac12\|W\|^2\ge\sum\lambda-\tfrac12\|P_\perp G^\top\lambda\|^2`, and the multipliers found must close the
    gap to a W rescaled to be feasible.

    Args:
        contexts: embeddings as rows; with leading runs, one program each.
        probabilities: rows that sum to one; only their supports matter.

    Returns:
        The unique minimiser and its gap; float64.

    Raises:
        ValueError: NaN, rows that are not probabilities, shapes that do not fit, or data that are not separable (the
            line says which run and how close the best margin comes).
        OracleError: if the solver fails or its answer does not pass the certificate.

    Example:
        >>> p = torch.tensor([[0.2, 0.8, 0.0]], dtype=torch.float64)
        >>> next_token_svm(torch.ones(1, 1, dtype=torch.float64), p).W.ravel()
        tensor([ 0.3333,  0.3333, -0.6667], dtype=torch.float64)
    """
    sets, runs = _split(contexts, probabilities)
    answers = []
    for run, one in enumerate(sets):
        rows = next_token_constraints(*one)
        margin, multipliers, basis = _nearest_point(rows)
        if margin == 0.0:
            raise ValueError(
                "contexts and probabilities must be separable for a max-margin direction, "
                f"got data without one (run {run}: best margin per unit norm below {SEPARATION_TOLERANCE:g})"
            )
        answers.append(_certified(rows, multipliers, basis))
    W, gap = (torch.from_numpy(np.stack(part)).to(contexts.device) for part in zip(*answers, strict=True))
    return NextTokenSVM(W.reshape(*runs, probabilities.shape[-1], -1), gap.reshape(runs))


def _nearest_point(rows: NextTokenConstraints) -> tuple[float, np.ndarray, np.ndarray]:
    """Best margin per unit norm, the multipliers that prove it, and the basis of the data subspace.

    The best margin is the distance from the origin to the convex hull of the inequality rows, seen on the complement of
    the data subspace. With u = t * (hull weights), minimising |G'u|^2 + (sum u - 1)^2 finds hull weights and distance
    together: the distance g gives t = 1 / (1 + g^2).
    """
    basis = _basis(rows.equalities)
    if len(rows.inequalities) == 0:
        return np.inf, np.zeros(0), basis
    G = rows.inequalities - (rows.inequalities @ basis.T) @ basis
    length = np.linalg.norm(rows.inequalities, axis=1).max()
    if length == 0:
        return 0.0, np.zeros(len(G)), basis
    gram = (G @ G.T) / length**2
    # the square root of the Gram matrix has fewer rows than G has columns and the same products
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * 1e-14 if values[-1] > 0 else np.zeros(len(values), bool)
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    target = np.zeros(len(root) + 1)
    target[-1] = 1.0
    try:
        u, _ = nnls(np.vstack([root, np.ones(len(G))]), target, maxiter=30 * len(G))
    except RuntimeError as error:
        raise OracleError(f"next-token max margin: non-negative least squares failed ({error})") from error
    hull = u / u.sum() if u.sum() > 0 else u
    distance = float(np.linalg.norm(hull @ G))
    if distance <= SEPARATION_TOLERANCE * length or u.sum() == 0:
        return 0.0, hull, basis
    return distance, hull / distance**2, basis


def _certified(rows: NextTokenConstraints, multipliers: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimiser that the multipliers stand for, scaled to be feasible, and its relative duality gap."""
    if len(rows.inequalities) == 0:
        return np.zeros(rows.equalities.shape[1]), np.array(0.0)
    w = rows.inequalities.T @ multipliers
    w -= basis.T @ (basis @ w)
    dual = 2 * multipliers.sum() - w @ w
    worst = (rows.inequalities @ w).min()
    if worst <= 0:
        raise OracleError("next-token max margin: the answer violates a margin")
    w = w / worst
    gap = (w @ w) / dual - 1 if dual > 0 else np.inf
    if not gap <= GAP_TOLERANCE:
        raise OracleError(f"next-token max margin: relative duality gap {gap:.1e}")
    return w, np.array(max(gap, 0.0))


def _basis(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows with the span of `rows`."""
    if len(rows) == 0 or not rows.any():
        return np.zeros((0, rows.shape[1]))
    Q, R, _ = qr(rows.T, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(R))
    return Q[:, : int((sizes > RANK_TOLERANCE * sizes[0]).sum())].T


def _split(contexts: Tensor, probabilities: Tensor) -> tuple[list[tuple[Tensor, Tensor]], torch.Size]:
    """One (contexts, probabilities) a run, and the shape of the runs."""
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
