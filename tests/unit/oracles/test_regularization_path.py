import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ibkit.data import sparse_next_tokens
from ibkit.losses import next_token_cross_entropy
from ibkit.oracles import OracleError, next_token_ridge_path, next_token_svm, ridge_path

STRENGTHS = [0.3, 1e-2, 1e-4, 1e-6]


@pytest.fixture(scope="module")
def data():
    return sparse_next_tokens(seed=0, runs=2, contexts=6, features=8, vocabulary=5, support=2, sequences=60)


def _autograd(data, W, strength, weights=None):
    W = W.clone().requires_grad_()
    log_softmax = torch.log_softmax(data.contexts @ W.mT, -1)
    weights = data.weights if weights is None else weights
    loss = -(weights * (data.probabilities * log_softmax).sum(-1)).sum() + strength / 2 * (W * W).sum()
    return torch.autograd.grad(loss, W)[0]


def test_points_are_stationary(data):
    path = next_token_ridge_path(data.contexts, data.probabilities, data.weights, STRENGTHS)
    assert path.points.shape == (4, 2, 5, 8)
    for W, strength in zip(path.points, STRENGTHS, strict=True):
        scale = strength * torch.linalg.matrix_norm(W).max()
        assert _autograd(data, W, strength).abs().max() < 1e-6 * scale
        mutant = torch.full_like(data.weights, 1 / 6)  # frequencies forgotten
        assert _autograd(data, W, strength, mutant).abs().max() > 1e-6 * scale


def test_points_equal_a_general_purpose_minimiser(data):
    path = next_token_ridge_path(data.contexts, data.probabilities, data.weights, STRENGTHS[:3])
    H, P, pi = (t[0].numpy() for t in (data.contexts, data.probabilities, data.weights))
    for W, strength in zip(path.points[:, 0].numpy(), STRENGTHS[:3], strict=True):

        def objective(w, strength=strength):
            z = H @ w.reshape(5, 8).T
            z = z - z.max(1, keepdims=True)
            log_softmax = z - np.log(np.exp(z).sum(1, keepdims=True))
            residual = pi[:, None] * (np.exp(log_softmax) - P)
            value = -(pi * (P * log_softmax).sum(1)).sum() + strength / 2 * w @ w
            return value, (residual.T @ H).ravel() + strength * w

        options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 40}
        found = minimize(objective, np.zeros(40), jac=True, method="L-BFGS-B", options=options)
        np.testing.assert_allclose(W.ravel(), found.x, atol=1e-3 * np.abs(W).max())
        assert objective(W.ravel())[0] <= found.fun + 1e-12


def test_a_batch_equals_its_runs(data):
    batch = next_token_ridge_path(data.contexts, data.probabilities, data.weights, STRENGTHS).points
    for run in range(2):
        one = next_token_ridge_path(data.contexts[run], data.probabilities[run], data.weights[run], STRENGTHS)
        torch.testing.assert_close(one.points, batch[:, run], rtol=1e-6, atol=1e-7)


def test_a_path_does_not_depend_on_its_stations(data):
    long = next_token_ridge_path(data.contexts, data.probabilities, data.weights, STRENGTHS).points[-1]
    short = next_token_ridge_path(data.contexts, data.probabilities, data.weights, STRENGTHS[-1:]).points[-1]
    torch.testing.assert_close(long, short, rtol=1e-6, atol=1e-7)


def test_the_far_end_grows_like_the_max_margin_matrix(data):
    """As grad CE = -strength * W, the weights gain W^mm with every unit of log 1 / (strength * |W|)."""
    strengths = torch.tensor([1e-6, 1e-9, 1e-10, 1e-11], dtype=torch.float64)
    W = next_token_ridge_path(data.contexts, data.probabilities, data.weights, strengths.tolist()).points[:, 0]
    clock = -torch.log(strengths * torch.linalg.matrix_norm(W))
    slope = (W[-1] - W[-3]) / (clock[-1] - clock[-3])
    expected = next_token_svm(data.contexts[0], data.probabilities[0]).W
    assert (slope - expected).norm() < 0.05 * expected.norm()
    hard = torch.nn.functional.one_hot(data.probabilities[0].argmax(-1), 5).double()
    assert (slope - next_token_svm(data.contexts[0], hard).W).norm() > 0.3 * expected.norm()


def test_contexts_fewer_and_more_than_features():
    for features in (3, 12):
        data = sparse_next_tokens(seed=2, runs=1, contexts=6, features=features, vocabulary=4, support=2)
        path = next_token_ridge_path(data.contexts, data.probabilities, data.weights, [0.1, 1e-3])
        assert _autograd(data, path.points[-1], 1e-3).abs().max() < 1e-8


def test_undamped_newton_steps_would_fail():
    """Mutant: reach zero makes every step a full one; on log cosh those run in a cycle from 1.2 on."""

    def log_cosh(x):
        return torch.tanh(x), (1 - torch.tanh(x) ** 2).unsqueeze(-1)

    start = torch.tensor([1.2], dtype=torch.float64)
    path = ridge_path(log_cosh, lambda step: 2 * step.abs().amax(-1), start, [1e-3])
    torch.testing.assert_close(path.points, torch.zeros(1, 1, dtype=torch.float64), rtol=0, atol=1e-8)
    with pytest.raises(OracleError, match="ridge path"):
        ridge_path(log_cosh, lambda step: torch.zeros((), dtype=torch.float64), start, [1e-3])


@pytest.mark.parametrize("strengths", [[], [0.0], [1e-3, 1e-2], [1.0, 1.0]])
def test_strengths_must_fall(strengths, data):
    with pytest.raises(ValueError, match="strengths must be positive and falling"):
        next_token_ridge_path(data.contexts, data.probabilities, data.weights, strengths)


def test_what_float64_cannot_certify_is_refused(data):
    with pytest.raises(OracleError, match=r"ridge path: .* strength 1e-17"):
        next_token_ridge_path(data.contexts, data.probabilities, data.weights, [1e-6, 1e-10, 1e-17])


def test_gradient_vanishes_where_the_strength_balances_it(data):
    """The path's own optimality, through the training gradient: grad CE = -strength * W."""
    gradient = next_token_cross_entropy(data.contexts, data.probabilities, data.weights)
    W = next_token_ridge_path(data.contexts, data.probabilities, data.weights, STRENGTHS).points[-1]
    torch.testing.assert_close(gradient({"W": W}).true()["W"], -1e-6 * W, rtol=1e-4, atol=1e-11)
