"""The constants against the true gradient and the true Hessian of log F, by automatic differentiation."""

import pytest
import torch

from ibkit.losses import log_binary_loss, model_binary
from ibkit.measure import SelfBounds, self_bounds
from ibkit.models import smooth_two_layer_output
from ibkit.oracles import binary_max_margin

HIDDEN, LEAK = 4, 0.2


@pytest.fixture
def data(rng):
    X = torch.randn(9, 3, generator=rng, dtype=torch.float64)
    return X, torch.sign(X[:, 0] + 0.3 * X[:, 1])


def spectra(data, kind, rng, tries=30):
    """Yield the gradient's size relative to the loss, and the extreme eigenvalues of the Hessian of log F."""
    X, y = data
    log_loss = lambda W: log_binary_loss(y * smooth_two_layer_output({"inner": W}, X, LEAK), kind)  # noqa: E731
    for trial in range(tries):
        W = 0.3 * 2 ** (trial % 6) * torch.randn(HIDDEN, 3, generator=rng, dtype=torch.float64)
        size = model_binary(lambda p: y * smooth_two_layer_output(p, X, LEAK), kind, 1.0)({"inner": W})
        hessian = torch.autograd.functional.hessian(log_loss, W).reshape(HIDDEN * 3, HIDDEN * 3)
        eigenvalues = torch.linalg.eigvalsh(hessian)
        yield float(size.true()["inner"].norm()), float(eigenvalues[0]), float(eigenvalues[-1])


def holds(bounds, seen, least_curvature=True):
    h, mu, smooth, concave = (float(value) for value in bounds)
    return all(
        mu <= size <= h and high <= smooth and (low >= -concave or not least_curvature) for size, low, high in seen
    )


def test_gradient_and_curvature_stay_within_and_tighter_constants_do_not(data, rng):
    X, y = data
    bounds = self_bounds(X, HIDDEN, LEAK, binary_max_margin(y[:, None] * X).margin)
    seen = list(spectra(data, "exponential", rng))
    assert holds(bounds, seen)
    for name, factor in (("upper", 0.5), ("lower", 12.0), ("smooth", 0.1), ("concave", 0.02)):
        assert not holds(bounds._replace(**{name: factor * getattr(bounds, name)}), seen), f"{name} checks nothing"


def test_wrong_power_of_the_width_is_caught(data, rng):
    """A mutant that divides by m where the root belongs."""
    X, y = data
    right = self_bounds(X, HIDDEN, LEAK, binary_max_margin(y[:, None] * X).margin)
    mutant = right._replace(upper=right.upper / HIDDEN**0.5)
    assert not holds(mutant, spectra(data, "exponential", rng))


def test_upper_constants_hold_for_the_logistic_loss(data, rng):
    assert holds(self_bounds(data[0], HIDDEN, LEAK), list(spectra(data, "logistic", rng)), least_curvature=False)


def test_constants_by_hand_one_set_a_run():
    X = torch.tensor([[[3.0, 4.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 0.0]]], dtype=torch.float64)
    found = self_bounds(X, 25, 0.2, torch.tensor([1.0, 0.5], dtype=torch.float64))
    expected = SelfBounds(*torch.tensor([[1.0, 0.4], [0.04, 0.02], [1.2, 0.192], [0.2, 0.032]], dtype=torch.float64))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    X = torch.ones(2, 3)
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        self_bounds(X, 0)
    with pytest.raises(ValueError, match="leak must lie"):
        self_bounds(X, 2, leak=-0.1)
    with pytest.raises(ValueError, match="margin must not be negative"):
        self_bounds(X, 2, margin=-1.0)
    with pytest.raises(ValueError, match="X must be finite"):
        self_bounds(X / 0, 2)
