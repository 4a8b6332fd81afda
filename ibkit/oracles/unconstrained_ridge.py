r"""Minimisers of cross-entropy with a ridge over unconstrained features, along a path of ridges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor

from ibkit.checks import require
from ibkit.models.unconstrained import positive_counts
from ibkit.oracles.certificate import OracleError
from ibkit.oracles.collapse_geometry import sel_matrix, seli_geometry

EXCESS_TOLERANCE = 1e-4
"""Most by which the residual's spectral norm may exceed the ridge, relative to it."""


_OPTIONS = {"maxiter": 20_000, "maxfun": 40_000, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-8}


class UnconstrainedRidgePath(NamedTuple):
    """Global minimisers, one for each ridge.

    Args:
        W: classifiers, shape ``(ridges, classes, features)``.
        H: class embeddings (not in isometric coordinates), shape ``(ridges, classes, features)``.
        objective: the minimal values.
        excess: certificate: relative amount by which the residual's spectral norm exceeds the ridge; zero at a global
            minimum.
    """

    W: Tensor
    H: Tensor
    objective: Tensor
    excess: Tensor


def unconstrained_ridge_path(
    counts: Float[Tensor, " classes"], ridges: Sequence[float], features: int | None = None, seed: int = 0
) -> UnconstrainedRidgePath:
    r"""Return global minimisers of the regularised unconstrained-features model for falling ridges.

    .. math:: \min_{W,H}\ \sum_cn_c\,\ell(Wh_c,c)+\tfrac\lambda2\bigl(\|W\|_F^2+\textstyle\sum_cn_c\|h_c\|^2\bigr)

    The loss is *summed*; for a mean over n samples replace :math:`\lambda` by :math:`n\lambda`. One embedding a class
    is enough: the loss is convex in an embedding, so samples of a class share theirs at a minimum.

    L-BFGS in float64 on the objective divided by :math:`\lambda` (which keeps gradients of order one however small the
    ridge is), from a random start for the first ridge and from near the last answer afterwards. The problem is not
    convex, but its logits solve a convex one, with ridge :math:`\lambda\|\cdot\|_*`; so a stationary point is a global
    minimum if and only if the residual :math:`(S-I)\,\mathrm{diag}(\sqrt{n_c})` has spectral norm at most
    :math:`\lambda`, and this is checked.

    Args:
        counts: :math:`n_c`, positive.
        ridges: :math:`\lambda`, positive; fastest in falling order.
        features: d, at least k - 1; by default k.
        seed: of the first start.

    Raises:
        ValueError: counts or ridges that are not positive, or too few features.
        OracleError: if a minimiser does not pass its certificate.

    Example:
        >>> path = unconstrained_ridge_path(torch.ones(3), [0.1])
        >>> (path.W[0] @ path.W[0].mT / (path.W[0, 0] @ path.W[0, 0])).round(decimals=4)[0]
        tensor([ 1.0000, -0.5000, -0.5000], dtype=torch.float64)
    """
    require(counts.ndim == 1 and len(counts) >= 2, f"counts must be (classes,), at least 2, got {tuple(counts.shape)}")
    n = positive_counts(counts).detach().cpu().double().numpy()
    require(len(ridges) >= 1 and min(ridges) > 0, f"ridges must be positive, got {list(ridges)}")
    k = len(n)
    d = k if features is None else features
    require(d >= k - 1, f"features must be at least classes - 1 = {k - 1}, got {d}")
    rng = np.random.default_rng(seed)
    x, at = rng.normal(size=2 * k * d) / 2, float(np.sqrt(n.max()))
    rows = []
    for ridge in map(float, ridges):
        for stage in _stages(at, ridge):
            objective = _objective(n, stage, d)
            start = x + 0.01 * rng.normal(size=x.size)  # off the saddle that an answer of lower rank has become
            x = minimize(objective, start, jac=True, method="L-BFGS-B", options=_OPTIONS).x
        at = ridge
        value, slope = objective(x)
        W, H = x[: k * d].reshape(k, d), x[k * d :].reshape(k, d)
        excess = float(np.linalg.norm(_residual(n, W, H), 2)) / ridge - 1
        if not (excess <= EXCESS_TOLERANCE and np.abs(slope).max() <= 1e-4):
            raise OracleError(
                f"ridge {ridge:g}: L-BFGS stopped with slope {np.abs(slope).max():.1e} and spectral excess {excess:.1e}"
            )
        rows.append((W.copy(), H / np.sqrt(n)[:, None], np.array(value * ridge), np.array(max(excess, 0.0))))
    return UnconstrainedRidgePath(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))


def _stages(start: float, end: float) -> np.ndarray:
    """Ridges to pass on the way from one to another, at most four decades apart: a longer leap may lose L-BFGS."""
    count = max(1, int(np.ceil((np.log10(start) - np.log10(end)) / 4)))
    return np.append(np.geomspace(start, end, count + 1)[1:-1], end)


def seli_ridge_slope(counts: Float[Tensor, "*runs classes"]) -> Float[Tensor, "*runs"]:
    r"""Return the slope at which ridge solutions reach SELI: the limit of distance times :math:`\log(1/\lambda)`.

    At a minimum the residual divided by :math:`\lambda` is the polar factor of the logits; as :math:`\lambda\to0` its
    entries off the labels tend to those of the SELI embedding Gram :math:`G_H`. So the margins are
    :math:`\log(1/\lambda)-\log(-G_{H,cy})+o(1)`: to first order, logits are P plus
    :math:`\Delta/\log(1/\lambda)` with :math:`\Delta_{cy}=\log(-G_{H,cy})` off the diagonal, zero on it, columns
    centred. The classifier Gram is the square root of :math:`ZDZ^\top`, whose derivative gives the slope of
    `gram_distance` to its limit. Zero exactly if all :math:`-G_{H,cy}` are equal: balanced classes, or two classes.

    Args:
        counts: :math:`n_c`, positive.

    Raises:
        ValueError: counts that are not positive.

    Example:
        >>> seli_ridge_slope(torch.tensor([[1.0, 1.0, 1.0, 1.0], [10.0, 10.0, 1.0, 1.0]])).round(decimals=3) + 0.0
        tensor([0.0000, 0.6990], dtype=torch.float64)
    """
    geometry = seli_geometry(counts)
    P, D = geometry.logits, torch.diag_embed(counts.to(torch.float64))
    off = 1 - torch.eye(counts.shape[-1], dtype=torch.float64, device=D.device)
    shift = P @ torch.log(torch.where(off > 0, -geometry.embedding, 1.0))
    change = shift @ D @ P
    change = change + change.mT  # of Z D Z', per 1 / log(1 / ridge)
    V, singular_values, _ = torch.linalg.svd(sel_matrix(counts))
    pairs = singular_values.unsqueeze(-1) + singular_values.unsqueeze(-2)
    pairs[..., -1, -1] = 1.0  # the constant direction, along which nothing changes
    root_change = V @ ((V.mT @ change @ V) / pairs) @ V.mT
    G, size = geometry.classifier, torch.linalg.matrix_norm(geometry.classifier)[..., None, None]
    along = (G * root_change).sum((-2, -1), keepdim=True)
    return torch.linalg.matrix_norm(root_change / size - G * along / size**3)


def _residual(n: np.ndarray, W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Rows sqrt(n_c) (S(z_c) - e_c); the true-class entry is minus the sum of the others, exact when tiny."""
    root = np.sqrt(n)[:, None]
    Z = (H / root) @ W.T
    Z -= Z.max(1, keepdims=True)
    S = np.exp(Z - np.log(np.exp(Z).sum(1, keepdims=True)))
    np.fill_diagonal(S, 0.0)
    np.fill_diagonal(S, -S.sum(1))
    return root * S


def _objective(n: np.ndarray, ridge: float, d: int) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Objective and gradient in isometric coordinates, both divided by the ridge."""
    k = len(n)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        W, H = x[: k * d].reshape(k, d), x[k * d :].reshape(k, d)
        Z = (H / np.sqrt(n)[:, None]) @ W.T
        odds = Z - np.diag(Z)[:, None]
        np.fill_diagonal(odds, -np.inf)
        top = odds.max(1)
        log_odds = top + np.log(np.exp(odds - top[:, None]).sum(1))
        loss = float((n * np.logaddexp(0.0, log_odds)).sum())
        r = _residual(n, W, H) / ridge
        return loss / ridge + float(x @ x) / 2, np.concatenate([(r.T @ H + W).ravel(), (r @ W + H).ravel()])

    return objective
