import mpmath
import numpy as np
import pytest
import torch

from ibkit.data import sparse_next_tokens
from ibkit.losses import (
    cross_entropy_residual,
    next_token_cross_entropy,
    soft_label_excess,
    soft_label_residual,
)

mpmath.mp.dps = 60
P = torch.tensor([[0.25, 0.75, 0.0, 0.0], [0.0, 0.5, 0.25, 0.25]], dtype=torch.float64)  # exact in binary


def _logits(gap, noise):
    """In-support log-odds off by `noise`, out-of-support logits lower by `gap`."""
    g = torch.Generator().manual_seed(1)
    inside = P.clamp(min=1e-9).log() + noise * torch.randn(P.shape, generator=g, dtype=torch.float64)
    return torch.where(P > 0, inside, -gap + torch.randn(P.shape, generator=g, dtype=torch.float64)) + 3.0


def _exact(logits, probabilities):
    """Excess and residual with sixty digits."""
    excess, residual = [], []
    for z, p in zip(logits.tolist(), probabilities.tolist(), strict=True):
        e = [mpmath.exp(mpmath.mpf(v)) for v in z]
        total = mpmath.fsum(e)
        excess.append(mpmath.fsum(mpmath.mpf(q) * mpmath.log(q * total / v) for q, v in zip(p, e, strict=True) if q))
        residual.append([v / total - q for q, v in zip(p, e, strict=True)])
    return excess, residual


CASES = [(0.5, 1.0), (10.0, 1e-3), (40.0, 1e-6), (500.0, 0.1), (-20.0, 1.0)]


@pytest.mark.parametrize(("gap", "noise"), CASES)
def test_excess_equals_sixty_digit_arithmetic(gap, noise):
    z = _logits(gap, noise)
    expected = [float(v) for v in _exact(z, P)[0]]
    # rounding of the logits enters as (noise * 1e-16); below that nothing can be known
    np.testing.assert_allclose(soft_label_excess(z, P).numpy(), expected, rtol=1e-9, atol=1e-15 * noise)


def test_the_plain_difference_would_lose_the_digits():
    """Mutant: cross-entropy minus entropy, which the same check rejects."""
    z = _logits(40.0, 1e-6)
    log_softmax = torch.log_softmax(z, -1)
    entropy = torch.where(P > 0, P, 1.0).log()
    plain = (P * (entropy - log_softmax)).sum(-1)
    expected = np.array([float(v) for v in _exact(z, P)[0]])
    assert (np.abs(plain.numpy() / expected - 1) > 1e-6).any()


@pytest.mark.parametrize(("gap", "noise"), CASES)
def test_residual_equals_sixty_digit_arithmetic(gap, noise):
    z = _logits(gap, noise)
    found = soft_label_residual(z, P)
    scale = mpmath.exp(mpmath.mpf(float(found.log_scale)))
    expected = np.array([[float(v / scale) for v in row] for row in _exact(z, P)[1]])
    np.testing.assert_allclose(found.value.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_an_exact_fit_leaves_the_mass_outside_alone():
    """Where the log-odds are met to the last bit, even an outside mass of exp(-900) decides the residual."""
    p = torch.tensor([[0.5, 0.5, 0.0, 0.0]], dtype=torch.float64)
    found = soft_label_residual(torch.tensor([[900.0, 900.0, 0.0, 1.0]], dtype=torch.float64), p)
    assert float(found.log_scale) == pytest.approx(1 - 900 - np.log(2), abs=1e-9)
    e = np.exp(-1.0)
    np.testing.assert_allclose(found.value.numpy(), [[-(1 + e) / 2, -(1 + e) / 2, e, 1.0]], rtol=1e-12)


def test_full_supports_that_fit_have_residual_zero():
    p = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    found = soft_label_residual(torch.zeros(1, 2, dtype=torch.float64), p)
    assert torch.equal(found.value, torch.zeros(1, 2, dtype=torch.float64))
    assert float(soft_label_excess(torch.zeros(1, 2, dtype=torch.float64), p)) == 0.0


def test_hard_labels_are_a_special_case():
    z = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 3, 0])
    hard = torch.nn.functional.one_hot(y, 4).double()
    soft, plain = soft_label_residual(z, hard), cross_entropy_residual(z, y)
    torch.testing.assert_close(
        soft.value * soft.log_scale.exp()[:, None, None], plain.value * plain.log_scale.exp()[:, None, None]
    )


def _autograd(data, W):
    W = W.clone().requires_grad_()
    log_softmax = torch.log_softmax(data.contexts @ W.mT, -1)
    loss = -(data.weights * (data.probabilities * log_softmax).sum(-1)).sum()
    return torch.autograd.grad(loss, W)[0]


@pytest.fixture
def data():
    return sparse_next_tokens(seed=0, runs=3, contexts=6, features=5, vocabulary=4, support=2, sequences=40)


def test_gradient_equals_automatic_differentiation(data, rng):
    W = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    found = next_token_cross_entropy(data.contexts, data.probabilities, data.weights)({"W": W})
    torch.testing.assert_close(found.true()["W"], _autograd(data, W))
    assert found.log_scale.shape == (2, 3)
    uniform = torch.full_like(data.weights, 1 / 6)  # mutant: frequencies forgotten
    mutant = next_token_cross_entropy(data.contexts, data.probabilities, uniform)({"W": W})
    assert not torch.allclose(mutant.true()["W"], _autograd(data, W), rtol=1e-3)


def test_a_batch_equals_its_runs(data, rng):
    W = torch.randn(3, 4, 5, generator=rng, dtype=torch.float64)
    batch = next_token_cross_entropy(data.contexts, data.probabilities, data.weights)({"W": W}).true()["W"]
    for run in range(3):
        one = next_token_cross_entropy(data.contexts[run], data.probabilities[run], data.weights[run])
        torch.testing.assert_close(one({"W": W[run]}).true()["W"], batch[run])


@pytest.mark.parametrize(
    ("p", "line"),
    [([[0.5, 0.6, 0.0]], "sum to one"), ([[1.5, -0.5, 0.0]], "non-negative"), ([[0.5, 0.5]], "agree in")],
)
def test_bad_probabilities_are_refused(p, line, unchecked):
    with pytest.raises(ValueError, match=line):
        soft_label_excess(torch.zeros(1, 3, dtype=torch.float64), torch.tensor(p, dtype=torch.float64))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_logits_are_refused(bad):
    z = torch.tensor([[0.0, bad]])
    for loss in (soft_label_excess, soft_label_residual):
        with pytest.raises(ValueError, match="logits must be finite"):
            loss(z, torch.tensor([[0.5, 0.5]]))


def test_bad_weights_and_contexts_are_refused(data):
    with pytest.raises(ValueError, match="weights must not be negative"):
        next_token_cross_entropy(data.contexts, data.probabilities, -data.weights)
    with pytest.raises(ValueError, match="contexts must be finite"):
        next_token_cross_entropy(data.contexts * torch.nan, data.probabilities, data.weights)
