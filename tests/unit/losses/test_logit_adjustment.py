import math

import pytest
import torch

from ibkit.losses import (
    LogitAdjustment,
    adjusted_cross_entropy,
    adjusted_residual,
    cross_entropy,
    cross_entropy_residual,
    power_temperatures,
)
from ibkit.scaled import Scaled

LABELS = torch.tensor([2, 0, 1, 0, 2])


@pytest.fixture
def case(rng):
    """Logits of four runs and an adjustment of its own for each."""
    z = torch.randn(4, 5, 3, generator=rng, dtype=torch.float64)
    vectors = [torch.rand(4, 3, generator=rng, dtype=torch.float64) + 0.3 for _ in range(4)]
    return z, vectors


def by_hand(z, delta, kappa, iota, omega):
    """The definition, sample by sample, in plain exponentials."""
    total = 0.0
    for i, y in enumerate(LABELS.tolist()):
        odds = sum(
            torch.exp(delta[y] * kappa[c] * z[i, c] + iota[c] - delta[y] * kappa[y] * z[i, y] - iota[y])
            for c in range(3)
            if c != y
        )
        total = total + omega[y] * torch.log(1 + odds)
    return total


def is_the_gradient(residual, case):
    z, vectors = case
    found = residual(z, LABELS, LogitAdjustment(*vectors))
    for run in range(4):
        leaf = z[run].clone().requires_grad_()
        by_hand(leaf, *(v[run] for v in vectors)).backward()
        if not torch.allclose(found.value[run] * found.log_scale[run].exp(), leaf.grad, rtol=1e-10, atol=1e-14):
            return False
    return True


def without_chain_rule(z, labels, adjustment):
    residual = cross_entropy_residual(adjustment.logits(z, labels), labels)
    return Scaled(adjustment.weights(labels, 3).unsqueeze(-1) * residual.value, residual.log_scale)


def with_temperatures_exchanged(z, labels, adjustment):
    a = adjustment
    return adjusted_residual(z, labels, LogitAdjustment(a.class_temperature, a.label_temperature, a.offset, a.weight))


def test_loss_and_residual_are_those_of_the_definition_and_mutants_are_not(case):
    z, vectors = case
    loss = adjusted_cross_entropy(z, LABELS, LogitAdjustment(*vectors))
    expected = torch.stack([by_hand(z[run], *(v[run] for v in vectors)) / 5 for run in range(4)])
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    assert is_the_gradient(adjusted_residual, case)
    assert not is_the_gradient(without_chain_rule, case)
    assert not is_the_gradient(with_temperatures_exchanged, case)


def test_weights_and_offsets_are_those_of_torch(case):
    z, (_, _, prior, weight) = case
    for run in range(4):
        weighted = adjusted_cross_entropy(z[run], LABELS, LogitAdjustment(weight=weight[run]))
        reference = torch.nn.functional.cross_entropy(z[run], LABELS, weight=weight[run], reduction="sum") / 5
        torch.testing.assert_close(weighted, reference)
        shifted = adjusted_cross_entropy(z[run], LABELS, LogitAdjustment(offset=prior[run].log()))
        torch.testing.assert_close(shifted, torch.nn.functional.cross_entropy(z[run] + prior[run].log(), LABELS))


def test_no_adjustment_and_adjustments_of_one_are_plain_cross_entropy(case):
    z, _ = case
    one = torch.ones(3, dtype=torch.float64)
    for adjustment in (LogitAdjustment(), LogitAdjustment(one, one, 0 * one, one)):
        torch.testing.assert_close(adjusted_cross_entropy(z, LABELS, adjustment), cross_entropy(z, LABELS))
        plain, found = cross_entropy_residual(z, LABELS), adjusted_residual(z, LABELS, adjustment)
        torch.testing.assert_close(found.value, plain.value)
        torch.testing.assert_close(found.log_scale, plain.log_scale)


def test_exact_far_beyond_underflow():
    cold = LogitAdjustment(class_temperature=torch.tensor([1.0, 0.5, 0.25]).double())
    r = adjusted_residual(torch.tensor([[4000.0, 0.0, 0.0]]).double(), torch.tensor([0]), cold)
    assert float(r.log_scale) == -4000.0
    torch.testing.assert_close(r.value, torch.tensor([[-2.0, 0.5, 0.25]]).double())


def test_power_temperatures_are_one_for_the_largest_class():
    counts = torch.tensor([[100.0, 25.0, 1.0], [4.0, 16.0, 16.0]], dtype=torch.float64)
    found = power_temperatures(counts, torch.tensor([0.5, -0.5], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.5, 0.1], [2.0, 1.0, 1.0]], dtype=torch.float64))
    grid = power_temperatures(counts[:, None], torch.linspace(0, 1, 7, dtype=torch.float64))
    assert grid.shape == (2, 7, 3)
    assert float(grid[0, -1, -1]) == pytest.approx(0.01)


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match=r"class_temperature must be positive, got -1\.0"):
        LogitAdjustment(class_temperature=torch.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="offset must be finite"):
        LogitAdjustment(offset=torch.tensor([0.0, -math.inf]))
    with pytest.raises(ValueError, match="adjustments must be for one number of classes"):
        LogitAdjustment(weight=torch.ones(2), offset=torch.ones(3))
    with pytest.raises(ValueError, match="weight must hold one number a class, got a single number"):
        LogitAdjustment(weight=torch.tensor(2.0))
    with pytest.raises(ValueError, match=r"label_temperature must hold one number a class \(3\), got 2"):
        adjusted_residual(torch.zeros(5, 3), LABELS, LogitAdjustment(label_temperature=torch.ones(2)))
    with pytest.raises(ValueError, match=r"labels must hold integers in 0\.\.1"):
        adjusted_cross_entropy(torch.zeros(5, 2), LABELS, LogitAdjustment(label_temperature=torch.ones(2)))
    with pytest.raises(ValueError, match="counts must be positive"):
        power_temperatures(torch.zeros(2), 0.5)
