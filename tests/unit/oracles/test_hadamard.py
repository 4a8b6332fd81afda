import math

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.special import expi

from ibkit.losses import cross_entropy, deep_linear_cross_entropy
from ibkit.models import deep_linear_map, deep_linear_spectral_start
from ibkit.oracles import (
    gradient_flow,
    hadamard_flow,
    hadamard_matrix,
    hadamard_modes,
    hadamard_softmax,
    log_mean_ratio,
    paley_matrix,
    simplex_etf_gram,
)


def starts(k, runs, seed=0, spread=0.5):
    return torch.from_numpy(0.1 * np.exp(spread * np.random.default_rng(seed).normal(size=(runs, k - 1))))


def logits(V, s):
    return (V[:, 1:] * s.unsqueeze(-2)) @ V[:, 1:].mT


def off_diagonal(V, s):
    """How far the column softmax of V diag(s) V is from diagonal in the same basis."""
    rotated = V.mT @ torch.softmax(logits(V, s), -2) @ V
    return float((rotated - torch.diag_embed(rotated.diagonal(dim1=-2, dim2=-1))).abs().max())


@pytest.mark.parametrize("k", [2, 4, 8, 16])
def test_matrix_is_that_of_scipy(k):
    np.testing.assert_allclose(hadamard_matrix(k) * k**0.5, scipy.linalg.hadamard(k), atol=1e-15)
    bits = [[bin(i & x).count("1") % 2 == 1 for x in range(k)] for i in range(1, k)]
    assert hadamard_modes(k).tolist() == bits


@pytest.mark.parametrize("k", [4, 8, 16])
def test_softmax_is_diagonal_in_the_basis_of_the_group_and_in_no_other(k):
    V, s = hadamard_matrix(k), 30 * starts(k, 5)
    assert off_diagonal(V, s) < 1e-14
    state = hadamard_softmax(s)
    P = torch.softmax(logits(V, s), -2)
    torch.testing.assert_close((V.mT @ P @ V).diagonal(dim1=-2, dim2=-1)[:, 1:], 1 - state.gaps)
    torch.testing.assert_close(state.probabilities, P[..., 0])  # column of class 0: row x is class x
    Z = logits(V, s)
    torch.testing.assert_close(state.margins, Z[:, 0, 0, None] - Z[..., 0])
    torch.testing.assert_close(state.loss, cross_entropy(Z.mT, torch.arange(k)))
    turned = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(k, k)))[0])
    assert off_diagonal(turned, s) > 1e-3


def test_another_hadamard_matrix_does_not_diagonalise_the_softmax():
    for order in (12, 20):
        V = paley_matrix(order)
        assert set((V * order**0.5).round().flatten().tolist()) == {-1.0, 1.0}
        torch.testing.assert_close(V.mT @ V, torch.eye(order, dtype=torch.float64))
        assert off_diagonal(V, 30 * starts(order, 5)) > 1e-3
    with pytest.raises(ValueError, match="order must be q"):
        paley_matrix(16)


def test_gaps_are_derivatives_of_the_loss():
    s = (20 * starts(8, 3)).requires_grad_()
    state = hadamard_softmax(s)
    (grad,) = torch.autograd.grad(state.loss.sum(), s)
    torch.testing.assert_close(grad, -state.gaps.detach() / 8)
    Z = logits(hadamard_matrix(8), s)
    (full,) = torch.autograd.grad(cross_entropy(Z.mT, torch.arange(8)).sum(), s)
    torch.testing.assert_close(grad, full)


def test_small_losses_keep_their_digits():
    loss = hadamard_softmax(torch.full((3,), 600.0, dtype=torch.float64)).loss
    assert float(loss) == pytest.approx(3 * math.exp(-600), rel=1e-10)


def flow_agrees(depth, ode_depth):
    k, times = 4, torch.tensor([0.0, 1.0, 10.0, 100.0, 1000.0], dtype=torch.float64)
    V, s = hadamard_matrix(k), 3 * starts(k, 2)
    whole = torch.cat([torch.full((2, 1), 0.2, dtype=torch.float64), s], -1)
    layers = deep_linear_spectral_start(1, V, whole, V, depth, width=5)
    path = gradient_flow(layers, deep_linear_cross_entropy(torch.arange(k)), times)
    D = V @ deep_linear_map(path) @ V
    diagonal = D.diagonal(dim1=-2, dim2=-1)
    assert float((D - torch.diag_embed(diagonal)).abs().max()) < 1e-11
    torch.testing.assert_close(diagonal[..., 0], torch.full_like(diagonal[..., 0], 0.2))  # the constant mode
    return np.allclose(diagonal[..., 1:], hadamard_flow(s, times, ode_depth), rtol=1e-6)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_flow_is_that_of_all_weights_and_of_no_other_depth(depth):
    assert flow_agrees(depth, depth)
    assert not flow_agrees(depth, depth + 1)


def test_equal_values_grow_like_the_exponential_integral():
    times = torch.logspace(-1, 12, 30, dtype=torch.float64)
    s = hadamard_flow(torch.full((7,), 0.3, dtype=torch.float64), times)
    torch.testing.assert_close(s, s[:, :1].expand(-1, 7), rtol=1e-9, atol=0.0)
    x = s[:, 0].numpy()
    np.testing.assert_allclose(expi(x) + 7 * np.log(x) - expi(0.3) - 7 * np.log(0.3), 2 * times.numpy(), rtol=1e-6)


def test_modes_at_zero_stay_and_runs_do_not_mix():
    s = torch.tensor([[0.3, 0.2, 0.0], [0.3, 0.0, 0.0], [0.1, 0.2, 0.3]], dtype=torch.float64)
    times = torch.tensor([1.0, 1e4], dtype=torch.float64)
    path = hadamard_flow(s, times, depth=3)
    assert (path[:, 0, 2] == 0).all()
    assert (path[:, 1, 1:] == 0).all()
    for run in range(3):
        torch.testing.assert_close(hadamard_flow(s[run], times, depth=3), path[:, run], rtol=1e-7, atol=0.0)
    losses = hadamard_softmax(hadamard_flow(s[:2], torch.tensor([1e6]))[0]).loss
    assert float(losses[0]) < 1e-6
    assert float(losses[1]) == pytest.approx(math.log(2), rel=1e-5)  # one mode leaves pairs of classes together


def test_the_lyapunov_function_falls_with_two_layers_and_may_rise_with_four():
    times = torch.logspace(-2, 6, 300, dtype=torch.float64)
    two = log_mean_ratio(hadamard_flow(starts(8, 20), times))
    assert float(two.diff(dim=0).max()) < 1e-12
    assert float(two[-1].max()) < 0.3 * float(two[0].max())
    assert float(log_mean_ratio(hadamard_flow(starts(8, 20), times, depth=4)).diff(dim=0).max()) > 1e-3


def test_flow_ends_at_the_simplex():
    s = hadamard_flow(starts(4, 5), torch.tensor([1e12]))[0]
    Z = logits(hadamard_matrix(4), s)
    torch.testing.assert_close(Z / s.mean(-1)[:, None, None], simplex_etf_gram(4).expand(5, -1, -1), rtol=0, atol=2e-3)


def test_ratio_of_means_is_zero_for_equal_values_alone():
    values = torch.tensor([[1e-200, 1e-200], [3.0, 3.0], [1.0, 3.0], [0.0, 1.0]], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.0, math.log(2 / math.sqrt(3)), math.inf], dtype=torch.float64)
    torch.testing.assert_close(log_mean_ratio(values), expected)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="classes must be a power of two, at least 2, got 6"):
        hadamard_matrix(6)
    with pytest.raises(ValueError, match="got 5"):
        hadamard_softmax(torch.zeros(4))
    with pytest.raises(ValueError, match=r"singular_values must not be negative, got -0\.1"):
        hadamard_flow(torch.tensor([-0.1, 0.1, 0.1]), torch.tensor([1.0]))
    with pytest.raises(ValueError, match="singular_values must be finite"):
        hadamard_softmax(torch.tensor([math.nan, 0.1, 0.1]))
    with pytest.raises(ValueError, match="depth must be at least 2, got 1"):
        hadamard_flow(torch.ones(3), torch.tensor([1.0]), depth=1)
    with pytest.raises(ValueError, match="values must not be negative"):
        log_mean_ratio(torch.tensor([-1.0, 1.0]))
