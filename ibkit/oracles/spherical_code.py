r"""Spherical codes: points spread as far as possible on a sphere of few dimensions, and the margins they give.

The simplex is the code of k points in k - 1 dimensions. In fewer dimensions codes are what classifiers with a narrow
last layer end in (softmax codes), and what depth prefers without being told.
"""

from __future__ import annotations

from typing import NamedTuple

import cvxpy as cp
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.seeding import run_generators
from ibkit.optim.lbfgs import minimize_lbfgs
from ibkit.oracles.certificate import OracleError

SHARPNESS = (10.0, 1e2, 1e3, 1e4, 1e5, 1e6)
"""Inverse temperatures through which the softened maximum is followed."""


class SphericalCode(NamedTuple):
    r"""The best code that was found.

    Args:
        vectors: unit vectors, shape ``(points, dimensions)``.
        separation: :math:`\delta=\min_{i\ne j}(1-v_i^\top v_j)`.
        frame: largest entry of :math:`\frac rkV^\top V-I`: zero for a tight frame.
    """

    vectors: Tensor
    separation: float
    frame: float


def spherical_code(points: int, dimensions: int, restarts: int = 8, seed: int = 0) -> SphericalCode:
    r"""Return k unit vectors in r dimensions whose smallest distance is as large as the search finds.

    Minimises :math:`\frac1\beta\log\sum_{i<j}e^{\beta v_i^\top v_j}` for growing :math:`\beta` from many random starts
    at once. The problem is not convex: what comes back is a lower bound of the best separation, to be compared with
    known codes. For :math:`r=k-1` it is the simplex, for r = 2 the regular polygon; for :math:`k/2\le r\le k-2` no code
    is wider than :math:`\delta=1` (Rankin 1955).

    Args:
        points: k, at least 2.
        dimensions: r, at least 2 (in one dimension all but two points would coincide).
        restarts: how many random starts.
        seed: of the starts.

    Raises:
        ValueError: fewer than two points, two dimensions or one start.

    Example:
        >>> round(spherical_code(6, 3).separation, 4)  # the octahedron
        1.0
    """
    require(points >= 2, f"points must be at least 2, got {points}")
    require(dimensions >= 2, f"dimensions must be at least 2, got {dimensions}")
    require(restarts >= 1, f"restarts must be at least 1, got {restarts}")
    starts = [rng.normal(size=(points, dimensions)) for rng in run_generators(seed, restarts)]
    params = {"V": torch.from_numpy(np.stack(starts))}
    first, second = torch.triu_indices(points, points, 1)
    for beta in SHARPNESS:

        def crowding(p: dict[str, Tensor], beta: float = beta) -> Tensor:
            V = torch.nn.functional.normalize(p["V"], dim=-1)
            return torch.logsumexp(beta * (V[..., first, :] * V[..., second, :]).sum(-1), -1) / beta

        params = minimize_lbfgs(params, crowding, tolerance=1e-7, iterations=60).params
    V = torch.nn.functional.normalize(params["V"], dim=-1)
    separations = (1 - (V[..., first, :] * V[..., second, :]).sum(-1)).amin(-1)
    best = int(separations.argmax())
    frame = dimensions / points * V[best].mT @ V[best] - torch.eye(dimensions, dtype=V.dtype)
    return SphericalCode(V[best], float(separations[best]), float(frame.abs().max()))


def one_vs_rest_distance(vectors: Float[Tensor, "points dimensions"]) -> float:
    r"""Return the least distance of a vector to the convex hull of the others.

    .. math:: \min_j\ \mathrm{dist}\bigl(v_j,\ \mathrm{conv}\{v_i:i\ne j\}\bigr)

    It is the best margin that unit features can give each class when the vectors are the classifiers; softmax codes are
    the unit vectors that maximise it (Jiang et al. 2024).

    Args:
        vectors: one row a class.

    Raises:
        ValueError: fewer than two vectors, or entries that are not finite.
        OracleError: if a projection was not solved.

    Example:
        >>> round(one_vs_rest_distance(torch.eye(2)), 4)
        1.4142
    """
    V = finite("vectors", vectors).detach().cpu().to(torch.float64).numpy()
    require(len(V) >= 2, f"vectors must be at least 2, got {len(V)}")
    distances = []
    for j in range(len(V)):
        weights = cp.Variable(len(V) - 1, nonneg=True)
        problem = cp.Problem(cp.Minimize(cp.norm(V[j] - np.delete(V, j, 0).T @ weights)), [cp.sum(weights) == 1])
        problem.solve(solver=cp.CLARABEL)
        if problem.status != cp.OPTIMAL:
            raise OracleError(f"the projection of vector {j} ended {problem.status}")
        distances.append(float(problem.value))
    return min(distances)


def code_margin(
    points: int, rank: float | Tensor, separation: float | Tensor, depth: float | Tensor
) -> Float[Tensor, "*any"]:
    r"""Return the normalised margin of a code in an N-layer linear network, :math:`m_r(N)=\frac{\delta}{k}r^{1-N/2}`.

    For unit vectors :math:`v_j` that form a tight frame in r dimensions, the logits
    :math:`Z_{cj}\propto v_c^\top v_j` have r equal singular values. Layers that share them have mean squared norm one
    at :math:`s=r^{-N/2}`, and the smallest margin is then :math:`\frac rks\delta`. The simplex has
    :math:`r=k-1`, :math:`\delta=\frac k{k-1}`, hence :math:`(k-1)^{-N/2}`.

    Args:
        points: k.
        rank: r.
        separation: :math:`\delta=\min_{i\ne j}(1-v_i^\top v_j)`.
        depth: N.

    Raises:
        ValueError: ranks or separations that are not positive.

    Example:
        >>> code_margin(6, 3, 1.0, torch.tensor([2.0, 4.0])).round(decimals=4)
        tensor([0.1667, 0.0556], dtype=torch.float64)
    """
    r, delta, N = (torch.as_tensor(each, dtype=torch.float64) for each in (rank, separation, depth))
    require(bool((r > 0).all()), f"rank must be positive, got {float(r.min())}")
    require(bool((delta > 0).all()), f"separation must be positive, got {float(delta.min())}")
    return delta / points * r ** (1 - N / 2)
