import numpy as np
import pytest
import torch

from ibkit.losses import cross_entropy, cross_entropy_residual, linear_cross_entropy, model_cross_entropy
from ibkit.models import two_layer_logits, two_layer_start
from ibkit.scaled import autograd_gradient


@pytest.fixture
def batch(rng):
    logits = 3 * torch.randn(2, 3, 7, 4, generator=rng, dtype=torch.float64)
    return logits, torch.randint(0, 4, (7,), generator=rng)


def test_loss_equals_torchs(batch):
    logits, labels = batch
    flat = torch.nn.functional.cross_entropy(logits.reshape(-1, 4), labels.repeat(6), reduction="none").reshape(2, 3, 7)
    torch.testing.assert_close(cross_entropy(logits, labels), flat.mean(-1))
    weights = torch.arange(7.0, dtype=torch.float64)
    torch.testing.assert_close(cross_entropy(logits, labels, weights), (flat * weights).sum(-1))


def test_labels_may_differ_between_runs(batch):
    logits, labels = batch
    own = torch.stack([labels, labels.flip(0), (labels + 1) % 4])
    each = torch.stack([cross_entropy(logits[0, r], own[r]) for r in range(3)])
    torch.testing.assert_close(cross_entropy(logits[0], own), each)


def residual_matches_autograd(residual, logits, labels):
    by_autograd = autograd_gradient(lambda p: 7 * cross_entropy(p["z"], labels))({"z": logits}).tensors["z"]
    return torch.allclose(
        residual.value * residual.log_scale.exp()[..., None, None], by_autograd, rtol=1e-10, atol=1e-14
    )


def test_residual_is_the_derivative_and_a_mutant_is_not(batch):
    logits, labels = batch
    residual = cross_entropy_residual(logits, labels)
    assert residual_matches_autograd(residual, logits, labels)
    unscaled = residual._replace(log_scale=torch.zeros_like(residual.log_scale))
    assert not residual_matches_autograd(unscaled, logits, labels)


def test_residual_stays_exact_where_the_softmax_has_underflowed():
    """Log-domain arithmetic with integers of arbitrary size is the oracle: exp(-2000) is no float64."""
    logits = torch.tensor([[2000.0, 3.0, 0.0], [1.0, 1995.0, -1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1])
    residual = cross_entropy_residual(logits, labels)
    # wrong-class log-probabilities: -1997, -2000 | -1994, -1996; the largest is -1994
    shifted = torch.tensor([[-3.0, -6.0], [0.0, -2.0]], dtype=torch.float64).exp()
    torch.testing.assert_close(residual.log_scale, torch.tensor(-1994.0, dtype=torch.float64))
    torch.testing.assert_close(residual.value[0, 1:], shifted[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(residual.value[1, [0, 2]], shifted[1], rtol=1e-12, atol=0)
    torch.testing.assert_close(residual.value.sum(-1), torch.zeros(2, dtype=torch.float64))
    naive = torch.softmax(logits, -1) - torch.nn.functional.one_hot(labels, 3)
    assert naive.abs().max() == 0, "the plain formula sees no gradient at all here"


def test_loss_below_machine_precision_keeps_its_digits():
    z = torch.tensor([[60.0, 0.0, 0.0]], dtype=torch.float64)
    np.testing.assert_allclose(float(cross_entropy(z, torch.tensor([0]))), 2 * np.exp(-60), rtol=1e-12)


def test_linear_gradient_equals_autograd(rng):
    X = torch.randn(5, 8, 3, generator=rng, dtype=torch.float64)
    y = torch.randint(0, 4, (8,), generator=rng)
    W = torch.randn(5, 4, 3, generator=rng, dtype=torch.float64)
    ours = linear_cross_entropy(X, y, 4)({"W": W}).true()["W"]
    theirs = autograd_gradient(lambda p: cross_entropy(X @ p["W"].mT, y))({"W": W}).tensors["W"]
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-14)


def test_network_gradient_equals_autograd_and_survives_saturation(rng):
    X = torch.randn(3, 6, 4, generator=rng, dtype=torch.float64)
    start = two_layer_start(0, 3, 4, 40, 5)
    y = two_layer_logits(start, X)[0].argmax(-1)
    ours = model_cross_entropy(lambda p: two_layer_logits(p, X), y)(start).true()
    theirs = autograd_gradient(lambda p: cross_entropy(two_layer_logits(p, X), y))(start).tensors
    for name in start:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-9, atol=1e-14)
    far = {name: 1000 * value[:1] for name, value in start.items()}  # run 0 fits its own labels, now far beyond doubt
    gradient = model_cross_entropy(lambda p: two_layer_logits(p, X[:1]), y)(far)
    assert float(gradient.log_scale) < -800
    assert all(0.1 < float(value.abs().max()) < 1e4 for value in gradient.tensors.values())


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: cross_entropy(torch.zeros(2, 3), torch.tensor([0, 3])), r"labels must hold integers in 0\.\.2"),
        (lambda: cross_entropy(torch.zeros(2, 3), torch.tensor([0, -1])), r"labels must hold integers in 0\.\.2"),
        (
            lambda: cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1, 2])),
            r"labels must hold one label a sample \(2\)",
        ),
        (lambda: cross_entropy(torch.zeros(2, 1), torch.tensor([0, 0])), "at least 2 classes"),
        (lambda: cross_entropy(torch.tensor([[0.0, torch.nan]]), torch.tensor([0])), "logits must be finite, got NaN"),
        (
            lambda: cross_entropy_residual(torch.tensor([[0.0, torch.nan]]), torch.tensor([0])),
            "logits must be finite, got NaN",
        ),
        (
            lambda: linear_cross_entropy(torch.full((2, 2), torch.nan), torch.tensor([0, 1]), 2),
            "X must be finite, got 4 of 4",
        ),
        (lambda: linear_cross_entropy(torch.eye(2), torch.tensor([0, 5]), 2), r"y must hold integers in 0\.\.1"),
        (lambda: linear_cross_entropy(torch.eye(2), torch.tensor([0]), 2), r"y must hold one label a row of X \(2\)"),
        (
            lambda: linear_cross_entropy(torch.eye(2), torch.tensor([0, 1]), 2)({"W": torch.zeros(3, 2)}),
            r"W must have trailing shape \(2, 2\), got \(3, 2\)",
        ),
    ],
)
def test_bad_input_is_named(call, says, unchecked):
    with pytest.raises(ValueError, match=says):
        call()
