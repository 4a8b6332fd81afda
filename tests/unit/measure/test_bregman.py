import math

import pytest
import torch

from ibkit.measure import power_bregman
from ibkit.optim import mirror_map
from ibkit.scaled import autograd_gradient


def potential(w, p):
    return (w.abs() ** p).sum(-1) / p


@pytest.mark.parametrize("p", [1.1, 1.5, 2.0, 3.0, 6.0])
def test_it_is_the_gap_to_the_tangent(p, rng):
    """Against the definition, with the potential's gradient taken by automatic differentiation."""
    u, v = torch.randn(2, 4, 6, generator=rng, dtype=torch.float64)
    gradient = autograd_gradient(lambda params: potential(params["v"], p))({"v": v}).tensors["v"]
    slope = (gradient * (u - v)).sum(-1)
    expected = potential(u, p) - potential(v, p) - slope
    torch.testing.assert_close(power_bregman(u, v, p), expected)
    assert not torch.allclose(potential(v, p) - potential(u, p) + slope, expected), "a mutant with the sign turned"


@pytest.mark.parametrize("p", [1.1, 2.0, 6.0])
def test_it_is_a_distance_of_sorts(p, rng):
    u, v = torch.randn(2, 50, 6, generator=rng, dtype=torch.float64)
    assert (power_bregman(u, v, p) > 0).all()
    assert (power_bregman(u, u, p) == 0).all()
    if p == 2.0:
        torch.testing.assert_close(power_bregman(u, v, p), ((u - v) ** 2).sum(-1) / 2)
    else:
        assert not torch.allclose(power_bregman(u, v, p), power_bregman(v, u, p))


@pytest.mark.parametrize("p", [1.1, 2.0, 6.0])
def test_between_unit_vectors_it_is_one_minus_an_inner_product(p, rng):
    u, v = torch.randn(2, 6, generator=rng, dtype=torch.float64)
    u, v = (w / torch.linalg.vector_norm(w, ord=p) for w in (u, v))
    torch.testing.assert_close(power_bregman(u, v, p), 1 - (mirror_map(v, p) * u).sum())
    assert abs(float(power_bregman(u, 2 * v, p) - 1 + (mirror_map(v, p) * u).sum())) > 1e-3


def test_bad_input_is_named(unchecked):
    with pytest.raises(ValueError, match=r"u and v must have one length, got \(2,\) and \(3,\)"):
        power_bregman(torch.ones(2), torch.ones(3), 2.0)
    with pytest.raises(ValueError, match="p must be finite and above 1, got inf"):
        power_bregman(torch.ones(2), torch.ones(2), math.inf)
