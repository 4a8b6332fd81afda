import pytest
import torch

from ibkit.optim import apply_update, chain, gradient_descent, normalize, normalized_gradient_descent, step_size
from ibkit.scaled import Gradient


def _step(rule, gradient, params):
    return apply_update(params, rule.update(gradient, rule.init(params), params)[0])["W"]


def test_one_batch_holds_plain_and_normalised_descent(rng):
    W = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    g = Gradient({"W": torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)}, torch.randn(2, 3).double() - 5)
    power = torch.tensor([0.0, 1.0], dtype=torch.float64)[:, None].expand(2, 3)
    eta = torch.tensor([0.5, 0.1], dtype=torch.float64)[:, None].expand(2, 3)
    both = _step(chain(normalize(power), step_size(eta)), g, {"W": W})
    for row, rule in enumerate([gradient_descent(0.5), normalized_gradient_descent(0.1)]):
        own = Gradient({"W": g.tensors["W"][row]}, g.log_scale[row])
        torch.testing.assert_close(both[row], _step(rule, own, {"W": W[row]}))
    swapped = _step(chain(normalize(1 - power), step_size(eta)), g, {"W": W})  # mutant
    assert not torch.allclose(swapped, both)


def test_power_between_scales_by_the_true_norm():
    g = Gradient({"W": torch.tensor([[3.0, 4.0]])}, torch.tensor(2.0).log())  # true norm 10
    found = normalize(0.5).update(g, (), {})[0].true()["W"]
    torch.testing.assert_close(found, torch.tensor([[6.0, 8.0]]) / 10**0.5)


@pytest.mark.parametrize("power", [-0.1, 1.5, torch.tensor([0.0, 2.0])])
def test_power_outside_its_range_is_refused(power):
    with pytest.raises(ValueError, match="power must lie in"):
        normalize(power)


def test_power_must_have_the_shape_of_the_runs():
    g = Gradient({"W": torch.ones(3, 2, 2)}, torch.zeros(3))
    with pytest.raises(ValueError, match=r"power must be a number or \(3,\)"):
        normalize(torch.ones(2)).update(g, (), {})
