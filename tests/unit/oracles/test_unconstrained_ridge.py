import math

import cvxpy as cp
import numpy as np
import pytest
import torch

import ibkit.oracles.unconstrained_ridge as module
from ibkit.data import step_counts
from ibkit.losses import cross_entropy
from ibkit.measure import gram_distance
from ibkit.oracles import OracleError, seli_geometry, seli_ridge_slope, simplex_etf_gram, unconstrained_ridge_path


def convex_value(n, ridge):
    """The same minimum as a convex program in the logits: exponential cones and a nuclear norm."""
    k = len(n)
    Z = cp.Variable((k, k))  # row c: a sample of class c
    losses = sum(n[c] * (cp.log_sum_exp(Z[c]) - Z[c, c]) for c in range(k))
    problem = cp.Problem(cp.Minimize(losses + ridge * cp.normNuc(cp.multiply(np.sqrt(n)[:, None], Z))))
    problem.solve(solver="CLARABEL")
    return problem.value


@pytest.mark.parametrize("ridge", [2.0, 0.5, 0.05])
def test_minimum_equals_the_convex_program(ridge):
    n = np.array([10.0, 3.0, 1.0])
    assert float(unconstrained_ridge_path(torch.from_numpy(n), [ridge]).objective[0]) == pytest.approx(
        convex_value(n, ridge), rel=1e-6
    )


def test_objective_is_the_one_written_down_and_its_point_is_stationary():
    counts = step_counts(4, 0.5, 10.0)
    path = unconstrained_ridge_path(counts, [0.1, 0.01])
    params = {"W": path.W.clone().requires_grad_(), "H": path.H.clone().requires_grad_()}
    loss = cross_entropy(params["H"] @ params["W"].mT, torch.arange(4), counts)
    ridge = torch.tensor([0.1, 0.01], dtype=torch.float64)
    norms = (params["W"] ** 2).sum((-2, -1)) + (counts[:, None] * params["H"] ** 2).sum((-2, -1))
    objective = loss + ridge / 2 * norms
    torch.testing.assert_close(objective.detach(), path.objective, rtol=1e-10, atol=0)
    for slope in torch.autograd.grad(objective.sum(), list(params.values())):
        assert slope.abs().max() < 1e-5


def test_start_and_spare_features_do_not_matter():
    counts = step_counts(4, 0.25, 7.0)
    grams = [
        (W := unconstrained_ridge_path(counts, [0.3], features=d, seed=seed).W[0]) @ W.T
        for d, seed in ((3, 0), (4, 1), (9, 2))
    ]
    for other in grams[1:]:
        torch.testing.assert_close(other, grams[0], rtol=1e-4, atol=1e-6)


def test_everything_vanishes_at_the_largest_singular_value_and_minorities_merge_at_the_smallest():
    counts = step_counts(6, 0.5, 16.0, smallest=2.0)
    least, most = math.sqrt(2), math.sqrt(32)
    merged, apart, alive, gone = unconstrained_ridge_path(
        counts, [1.001 * least, 0.99 * least, 0.999 * most, 1.001 * most]
    ).W
    assert float((merged[3:] - merged[3:].mean(0)).norm()) < 1e-6
    assert float((apart[3:] - apart[3:].mean(0)).norm()) > 0.1
    assert float(alive.norm()) > 1e-2
    assert float(gone.norm()) < 1e-4


def test_balanced_classes_give_the_simplex_for_every_ridge_and_uneven_ones_never():
    ridges = [0.3, 1e-3, 1e-8, 1e-60]
    even = unconstrained_ridge_path(torch.ones(4), ridges).W
    assert gram_distance(even @ even.mT, simplex_etf_gram(4)).max() < 1e-6
    counts = step_counts(4, 0.5, 10.0)
    uneven = unconstrained_ridge_path(counts, ridges).W
    distance = gram_distance(uneven @ uneven.mT, seli_geometry(counts).classifier)
    assert (distance[1:] < distance[:-1]).all()
    assert distance.min() > 1e-3


def limit_by_extrapolation(counts):
    """distance * log(1/ridge) is a + b / log(1/ridge) + ...: fit at tiny ridges and read off a."""
    ridges = [1e-30, 1e-60, 1e-90, 1e-120]
    W = unconstrained_ridge_path(counts, ridges).W
    logs = -np.log(ridges)
    scaled = gram_distance(W @ W.mT, seli_geometry(counts).classifier).numpy() * logs
    return np.polyfit(1 / logs, scaled, 2)[-1]


@pytest.mark.parametrize("counts", [[10.0, 10.0, 1.0, 1.0], [30.0, 7.0, 2.0, 1.0], [100.0, 100.0, 100.0, 1.0, 1.0]])
def test_slope_is_the_limit_of_solutions_and_a_mutant_is_not(counts):
    counts = torch.tensor(counts, dtype=torch.float64)
    limit = limit_by_extrapolation(counts)
    assert float(seli_ridge_slope(counts)) == pytest.approx(limit, rel=2e-3)
    assert float(seli_ridge_slope(counts.sqrt())) != pytest.approx(limit, rel=0.05), "sizes must matter"


def test_slope_vanishes_where_every_ridge_gives_the_limit():
    assert float(seli_ridge_slope(torch.full((6,), 3.0))) < 1e-12
    assert float(seli_ridge_slope(torch.tensor([50.0, 1.0]))) < 1e-12


def test_certificate_rejects_a_point_that_is_not_least(monkeypatch):
    """The origin is stationary; only the certificate knows that it is no minimum."""
    start = module.minimize

    def lazy(objective, x, **options):
        return start(objective, 0 * x, **options)

    monkeypatch.setattr(module, "minimize", lazy)
    with pytest.raises(OracleError, match="spectral excess"):
        unconstrained_ridge_path(torch.ones(3), [0.1])


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match="ridges must be positive"):
        unconstrained_ridge_path(torch.ones(3), [0.1, 0.0])
    with pytest.raises(ValueError, match="features must be at least classes - 1 = 2, got 1"):
        unconstrained_ridge_path(torch.ones(3), [0.1], features=1)
    with pytest.raises(ValueError, match=r"counts must be \(classes,\)"):
        unconstrained_ridge_path(torch.ones(1, 3), [0.1])
