import pytest
import torch

from ibkit.models import leaky_softplus, smooth_two_layer_output, smooth_two_layer_start


def unit_by_unit(inner, X, leak):
    """Sum over the hidden units, one at a time, with torch's own modules."""
    out = torch.zeros(X.shape[0], dtype=X.dtype)
    for j, w in enumerate(inner):
        u = X @ w
        out += (-1) ** j / len(inner) * (leak * u + (1 - leak) * torch.nn.Softplus(threshold=200)(u))
    return out


def test_output_is_the_sum_over_units_run_by_run_and_a_mutant_outer_layer_is_not():
    params = smooth_two_layer_start(0, runs=3, features=6, hidden=5)
    X = torch.randn(3, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    leak = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    found = smooth_two_layer_output(params, X, leak)
    for run in range(3):
        torch.testing.assert_close(found[run], unit_by_unit(params["inner"][run], X[run], float(leak[run])))
    same_sign = leaky_softplus(X @ params["inner"].mT, leak).mean(-1)
    assert not torch.allclose(same_sign, found)


def test_slope_and_curvature_stay_between_their_bounds():
    u = torch.linspace(-30, 30, 2001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(leaky_softplus(u, 0.2).sum(), u, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), u)
    slope = slope.detach()
    assert 0.2 <= float(slope.min()) <= 0.2 + 1e-9
    assert 1 - 1e-9 <= float(slope.max()) <= 1
    assert float(curvature.max()) == pytest.approx(0.8 / 4, rel=1e-9)


def test_defect_of_homogeneity_is_the_entropy_of_the_sigmoid():
    u = torch.linspace(-20, 20, 401, dtype=torch.float64, requires_grad=True)
    value = leaky_softplus(u, 0.2)
    (slope,) = torch.autograd.grad(value.sum(), u)
    entropy = torch.distributions.Bernoulli(logits=u.detach()).entropy()
    torch.testing.assert_close((value - u * slope).detach(), 0.8 * entropy)


def test_start_has_its_scale_and_wide_networks_begin_like_narrow_ones():
    wide = smooth_two_layer_start(3, runs=2, features=50, hidden=40, scale=0.5)["inner"]
    assert float(wide.std()) == pytest.approx(0.5, rel=0.05)
    assert torch.equal(smooth_two_layer_start(3, runs=1, features=50, hidden=7, scale=0.5)["inner"][0], wide[0, :7])
    assert not torch.equal(wide[0], wide[1])


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"leak must lie in \[0, 1\], got 1.5"):
        leaky_softplus(torch.zeros(3), 1.5)
    with pytest.raises(ValueError, match="leak must be a number or have the shape of the runs"):
        leaky_softplus(torch.zeros(3, 4), torch.tensor([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"inner .* and X .* must fit"):
        smooth_two_layer_output(smooth_two_layer_start(0, 1, 4, 3), torch.ones(2, 5, dtype=torch.float64))
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        smooth_two_layer_start(0, 1, 4, 0)
    with pytest.raises(ValueError, match="scale must be positive"):
        smooth_two_layer_start(0, 1, 4, 2, scale=0.0)
