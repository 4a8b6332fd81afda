r"""The direction in which next-token prediction with a linear decoder runs to infinity, and whether there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ibkit.oracles.certificate import OracleError
from ibkit.oracles.nearest_point import nearest_hull_point
from ibkit.oracles.next_token import NextTokenConstraints, next_token_constraints, orthonormal_rows, split_runs

GAP_TOLERANCE = 1e-8
"""Largest relative duality gap that an answer of `next_token_svm` may have."""

SEPARATION_TOLERANCE = 1e-6
"""Best margin, per unit of weight norm and of the longest context, below which data count as not separable."""


@dataclass(frozen=True)
class NextTokenSVM:
    r"""The max-margin direction of next-token prediction, and its proof.

    Args:
        W: the smallest matrix with all margins at least one, ``(*runs, vocabulary, features)``.
        gap: relative duality gap: ``|W|`` is within half this share of the least possible, ``(*runs)``.
    """

    W: Tensor
    gap: Tensor


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
    sets, runs = split_runs(contexts, probabilities)
    margins = [_nearest_point(next_token_constraints(*one))[0] for one in sets]
    return torch.tensor(margins, dtype=torch.float64, device=contexts.device).reshape(runs)


def is_separable(
    contexts: Float[Tensor, "*runs contexts features"], probabilities: Float[Tensor, "*runs contexts vocabulary"]
) -> Bool[Tensor, "*runs"]:
    """Return whether a matrix ties all tokens of each support and puts them above all others (Definition 2).

    Args:
        contexts: embeddings of the distinct contexts.
        probabilities: next-token probabilities, zero outside each support.

    Raises:
        ValueError: NaN, rows that are not probabilities, or shapes that do not fit.

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
    sets, runs = split_runs(contexts, probabilities)
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
    the data subspace.
    """
    basis = orthonormal_rows(rows.equalities)
    if len(rows.inequalities) == 0:
        return np.inf, np.zeros(0), basis
    G = rows.inequalities - (rows.inequalities @ basis.T) @ basis
    length = np.linalg.norm(rows.inequalities, axis=1).max()
    if length == 0:
        return 0.0, np.zeros(len(G)), basis
    gram = (G @ G.T) / length**2
    hull = nearest_hull_point(gram, "next-token max margin")
    distance = float(np.linalg.norm(hull @ G))
    if distance <= SEPARATION_TOLERANCE * length or hull.sum() == 0:
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
