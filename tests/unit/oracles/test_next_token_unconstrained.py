import importlib

import cvxpy as cp
import numpy as np
import pytest
import torch

from ibkit.data import shared_support_tokens
from ibkit.losses import soft_label_excess, soft_label_residual
from ibkit.oracles import OracleError, next_token_unconstrained_path

module = importlib.import_module("ibkit.oracles.next_token_unconstrained")


@pytest.fixture(scope="module")
def data():
    return shared_support_tokens(seed=0, runs=2, vocabulary=5, supports=4, sizes=(1, 5))


@pytest.fixture(scope="module")
def path(data):
    return next_token_unconstrained_path(data.probabilities, data.weights, [1e-2, 1e-3, 1e-5], features=6)


def test_logits_solve_the_convex_problem(data, path):
    """Cross-entropy with a nuclear norm, by an interior-point solver: no factors, no local minima."""
    for run in range(2):
        P, pi = data.probabilities[run].numpy(), data.weights[run].numpy()
        L = cp.Variable(P.shape)
        loss = cp.sum(cp.multiply(pi, cp.log_sum_exp(L, axis=1))) - cp.sum(cp.multiply(pi[:, None] * P, L))
        cp.Problem(cp.Minimize(loss + 1e-2 * cp.normNuc(L))).solve(solver="SCS", eps=1e-9, max_iters=100_000)
        np.testing.assert_allclose((path.H[0, run] @ path.W[0, run].mT).numpy(), L.value, atol=1e-3)
        ridged = cp.Problem(cp.Minimize(loss + 1e-2 * cp.sum_squares(L) / 2))  # a ridge on the logits instead
        ridged.solve(solver="SCS", eps=1e-9, max_iters=100_000)
        assert np.abs(L.value - (path.H[0, run] @ path.W[0, run].mT).numpy()).max() > 0.1


def test_certificate_holds_when_computed_elsewhere(data, path):
    logits = path.H @ path.W.mT
    for place, ridge in enumerate([1e-2, 1e-3, 1e-5]):
        scaled = soft_label_residual(logits[place], data.probabilities)
        G = data.weights[..., None] * scaled.value * scaled.log_scale.exp()[:, None, None] / ridge
        norm = torch.linalg.svdvals(logits[place]).sum(-1)
        torch.testing.assert_close(torch.linalg.matrix_norm(G, 2), torch.ones(2).double(), rtol=1e-4, atol=0)
        torch.testing.assert_close(-(G * logits[place]).sum((-2, -1)), norm, rtol=1e-4, atol=0)
    assert path.excess.max() < 1e-4
    assert path.inner.max() < 1e-4


def test_factors_are_balanced(path):
    torch.testing.assert_close(path.W.mT @ path.W, path.H.mT @ path.H, rtol=0, atol=1e-4)


def test_loss_and_residual_are_those_of_the_library(data, rng):
    for size in (1.0, 60.0):
        Z = size * torch.randn(8, 5, generator=rng, dtype=torch.float64)
        for P in data.probabilities:
            excess, residual = module._excess(P.numpy())(Z.numpy())
            np.testing.assert_allclose(excess, soft_label_excess(Z, P).numpy(), rtol=1e-10)
            expected = soft_label_residual(Z, P)
            np.testing.assert_allclose(residual, (expected.value * expected.log_scale.exp()).numpy(), atol=1e-12)


def test_certificate_rejects_a_stationary_point_that_is_no_minimum(data, monkeypatch):
    """Zero is one: the gradient in both factors vanishes there."""

    class Stay:
        x = np.zeros(6 * (5 + 8))

    monkeypatch.setattr(module, "minimize", lambda *args, **options: Stay)
    with pytest.raises(OracleError, match="spectral excess"):
        next_token_unconstrained_path(data.probabilities, data.weights, [1e-3], features=6)


def test_says_what_is_wrong(data):
    P, pi = data.probabilities, data.weights
    with pytest.raises(ValueError, match="ridges must be positive and falling"):
        next_token_unconstrained_path(P, pi, [1e-3, 1e-2])
    with pytest.raises(ValueError, match="features must be at least vocabulary - 1 = 4"):
        next_token_unconstrained_path(P, pi, [1e-2], features=3)
    with pytest.raises(ValueError, match="weights must be positive"):
        next_token_unconstrained_path(P, 0 * pi, [1e-2])
    with pytest.raises(ValueError, match="probabilities must be rows"):
        next_token_unconstrained_path(2 * P, pi, [1e-2])
