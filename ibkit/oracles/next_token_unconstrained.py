r"""Minimisers of next-token cross-entropy with a ridge over free embeddings of words and contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators
from ibkit.oracles.certificate import OracleError
from ibkit.oracles.support_geometry import require_probabilities

EXCESS_TOLERANCE = 1e-2
"""Most by which the spectral norm of the residual may exceed the ridge, relative to it."""

_OPTIONS = {"maxiter": 20_000, "maxfun": 40_000, "maxcor": 8, "ftol": 1e-16, "gtol": 1e-8}


class NextTokenUnconstrainedPath(NamedTuple):
    r"""Global minimisers, one for each ridge.

    Args:
        W: word embeddings as rows, ``(ridges, *runs, vocabulary, features)``.
        H: context embeddings as rows, ``(ridges, *runs, contexts, features)``.
        excess: certificate: how much the spectral norm of the residual exceeds the ridge, relative to it,
            ``(ridges, *runs)``; zero at a global minimum.
        inner: certificate: :math:`|\langle G,L\rangle/(\lambda\|L\|_*)+1|`, zero at a stationary point; NaN where the
            logits vanish.
    """

    W: Tensor
    H: Tensor
    excess: Tensor
    inner: Tensor


def next_token_unconstrained_path(
    probabilities: Float[Tensor, "*runs contexts vocabulary"],
    weights: Float[Tensor, "*runs contexts"],
    ridges: Sequence[float],
    features: int | None = None,
    seed: int = 0,
    excess_tolerance: float = EXCESS_TOLERANCE,
) -> NextTokenUnconstrainedPath:
    r"""Return global minimisers of the regularised next-token model with free embeddings, for falling ridges.

    .. math:: \min_{W,H}\ \sum_j\pi_j\,\mathrm{KL}(p_j\,\|\,S(Wh_j))+\tfrac\lambda2\bigl(\|W\|_F^2+\|H\|_F^2\bigr)

    L-BFGS in float64 on the objective divided by :math:`\lambda`, from a random start for the first ridge and from near
    the last answer afterwards. The problem is not convex, but its logits :math:`L` solve a convex one, with the nuclear
    norm :math:`\lambda\|L\|_*`; a stationary point is a global minimum if and only if the residual
    :math:`G=\mathrm{diag}(\pi)(S(L)-P)` has spectral norm at most :math:`\lambda`, and this is checked (Zhao, Behnia,
    Vakilian and Thrampoulidis 2024, section on the unconstrained model).

    Args:
        probabilities: :math:`p_j`, rows that sum to one; zeros are exact. With leading runs, one path each.
        weights: :math:`\pi_j`, positive.
        ridges: :math:`\lambda`, positive and falling, not far below 1e-8.
        features: d, at least V - 1; by default V.
        seed: of the first starts.
        excess_tolerance: largest accepted `NextTokenUnconstrainedPath.excess`.

    Raises:
        ValueError: rows that are not probabilities, weights that are not positive, ridges that do not fall, or too few
            features.
        OracleError: if a minimiser does not pass its certificate.

    Example:
        >>> p = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
        >>> path = next_token_unconstrained_path(p, torch.full((2,), 0.5, dtype=torch.float64), [1e-2, 1e-5])
        >>> logits = path.H @ path.W.mT
        >>> (logits[:, 0, 1] - logits[:, 0, 0]).round(decimals=2)  # towards log 3
        tensor([1.0500, 1.1000], dtype=torch.float64)
    """
    require_probabilities(probabilities)
    require(bool((weights > 0).all()), f"weights must be positive, got {float(weights.min()):g}")
    values = [float(ridge) for ridge in ridges]
    falling = all(a > b for a, b in pairwise(values))
    require(bool(values) and values[-1] > 0 and falling, f"ridges must be positive and falling, got {values}")
    vocabulary = probabilities.shape[-1]
    d = vocabulary if features is None else features
    require(d >= vocabulary - 1, f"features must be at least vocabulary - 1 = {vocabulary - 1}, got {d}")
    runs = torch.broadcast_shapes(probabilities.shape[:-2], weights.shape[:-1])
    P = probabilities.expand(*runs, *probabilities.shape[-2:]).reshape(-1, *probabilities.shape[-2:])
    pi = weights.expand(*runs, weights.shape[-1]).reshape(-1, weights.shape[-1])
    generators = run_generators(seed, len(P))
    paths = [
        _path(p.detach().cpu().double().numpy(), w.detach().cpu().double().numpy(), values, d, rng, excess_tolerance)
        for p, w, rng in zip(P, pi, generators, strict=True)
    ]
    parts = [torch.from_numpy(np.stack(part, 1)).to(probabilities.device) for part in zip(*paths, strict=True)]
    return NextTokenUnconstrainedPath(*(part.reshape(len(values), *runs, *part.shape[2:]) for part in parts))


def _path(
    P: np.ndarray, pi: np.ndarray, ridges: list[float], d: int, rng: np.random.Generator, tolerance: float
) -> tuple[np.ndarray, ...]:
    """Follow one path; every array has the ridges first."""
    (m, V), excess_of = P.shape, _excess(P)
    x = 0.3 * rng.normal(size=(V + m) * d)
    rows = []
    for ridge in ridges:
        objective = _objective(excess_of, pi, ridge, V, d)
        start = x + 0.01 * rng.normal(size=x.size)  # off the saddle that an answer of lower rank has become
        x = minimize(objective, start, jac=True, method="L-BFGS-B", options=_OPTIONS).x
        W, H = x[: V * d].reshape(V, d), x[V * d :].reshape(m, d)
        G = pi[:, None] * excess_of(H @ W.T)[1] / ridge
        excess = float(np.linalg.norm(G, 2)) - 1
        if not excess <= tolerance:
            raise OracleError(f"ridge {ridge:g}: L-BFGS stopped with spectral excess {excess:.1e}")
        norm = np.linalg.svd(H @ W.T, compute_uv=False).sum()
        inner = abs((G * (H @ W.T)).sum() / norm + 1) if norm > 1e-6 else np.nan
        rows.append((W.copy(), H.copy(), np.array(max(excess, 0.0)), np.array(inner)))
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def _excess(P: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """From logits to the excess of each context over its entropy and the residual, both exact when tiny."""
    inside = P > 0
    log_p, outside = np.log(np.where(inside, P, 1.0)), (~inside).astype(float)

    def excess(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = Z.max(1, keepdims=True)
        e = np.exp(Z - top)
        out = e * outside
        sum_out = out.sum(1, keepdims=True)
        sum_in = np.maximum((e * inside).sum(1, keepdims=True), 1e-300)
        u = np.where(inside, Z - top - np.log(sum_in) - log_p, 0.0)
        small = u * u / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5 * (1 + u / 6))))
        rise = np.expm1(u)
        fit = (P * np.where(np.abs(u) < 1e-2, small, rise - u)).sum(1)
        misfit, soft_out = P * rise, out / (sum_in + sum_out)
        leak = soft_out.sum(1, keepdims=True)
        return fit + np.log1p(sum_out / sum_in)[:, 0], misfit + soft_out - leak * (P + misfit)

    return excess


def _objective(
    excess_of: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], pi: np.ndarray, ridge: float, V: int, d: int
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Objective and gradient, both divided by the ridge."""

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        W, H = x[: V * d].reshape(V, d), x[V * d :].reshape(-1, d)
        excess, residual = excess_of(H @ W.T)
        r = (pi / ridge)[:, None] * residual
        slope = np.concatenate([(r.T @ H + W).ravel(), (r @ W + H).ravel()])
        return float(pi @ excess) / ridge + float(x @ x) / 2, slope

    return objective
