import pytest
import torch

from ibkit.losses import linear_binary, log_binary_loss, model_binary
from ibkit.losses.binary import BINARY_LOSSES
from ibkit.models import smooth_two_layer_output, smooth_two_layer_start
from ibkit.optim import gradient_descent
from ibkit.scaled import autograd_gradient
from ibkit.train import train


@pytest.fixture
def network(rng):
    X = torch.randn(3, 8, 4, generator=rng, dtype=torch.float64)
    y = torch.tensor([1.0, -1.0] * 4, dtype=torch.float64)
    return smooth_two_layer_start(0, 3, 4, 6), lambda p: y * smooth_two_layer_output(p, X)


@pytest.mark.parametrize("kind", BINARY_LOSSES)
def test_powers_zero_and_one_are_the_gradients_of_the_loss_and_of_its_logarithm(kind, network):
    start, margins = network
    loss = autograd_gradient(lambda p: log_binary_loss(margins(p), kind).exp())(start).tensors["inner"]
    log_loss = autograd_gradient(lambda p: log_binary_loss(margins(p), kind))(start).tensors["inner"]
    torch.testing.assert_close(model_binary(margins, kind)(start).true()["inner"], loss)
    torch.testing.assert_close(model_binary(margins, kind, 1.0)(start).true()["inner"], log_loss)
    assert not torch.allclose(loss, log_loss, rtol=1e-2), "the two must be told apart"
    powers = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    found = model_binary(margins, kind, powers)(start).true()["inner"]
    factor = torch.exp(-0.5 * log_binary_loss(margins(start), kind))[1]
    torch.testing.assert_close(found, torch.stack([loss[0], factor * loss[1], log_loss[2]]))


@pytest.mark.parametrize("kind", BINARY_LOSSES)
def test_linear_margins_give_the_linear_closed_form(kind, rng):
    rows = torch.randn(2, 7, 3, generator=rng, dtype=torch.float64)
    w = {"w": torch.randn(2, 3, generator=rng, dtype=torch.float64)}
    by_model = model_binary(lambda p: (rows @ p["w"].unsqueeze(-1)).squeeze(-1), kind)(w)
    torch.testing.assert_close(by_model.true()["w"], linear_binary(rows, kind)(w).true()["w"])


@pytest.mark.parametrize("kind", BINARY_LOSSES)
def test_normalised_gradient_survives_underflow_where_the_quotient_does_not(kind, network):
    """Shifting every margin by the same large number leaves the gradient of log F as it is, once F is small."""
    start, margins = network
    near = model_binary(lambda p: margins(p) + 60, kind, 1.0)(start).true()["inner"]
    far = model_binary(lambda p: margins(p) + 2000, kind, 1.0)(start).true()["inner"]
    torch.testing.assert_close(far, near, rtol=1e-10, atol=1e-12)
    loss = lambda p: log_binary_loss(margins(p) + 2000, kind).exp()  # noqa: E731
    naive = autograd_gradient(loss)(start).tensors["inner"] / loss(start)[:, None, None]
    assert bool(naive.isnan().all())


def test_one_exponential_sample_falls_by_the_same_factor_every_step():
    """One margin m = w: plain descent follows w' = w + eta e^{-w}, the normalised one w + eta."""
    power = torch.tensor([0.0, 1.0], dtype=torch.float64)
    gradient = model_binary(lambda p: p["w"], "exponential", power)
    start = {"w": torch.zeros(2, 1, dtype=torch.float64)}
    history = train(start, gradient, gradient_descent(0.5), 3000, lambda p: {"w": p["w"].squeeze(-1)}, [3000])
    plain = 0.0
    for _ in range(3000):
        plain += 0.5 * 2.718281828459045**-plain
    assert history["w"][0].tolist() == pytest.approx([plain, 1500.0], rel=1e-12)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(network):
    start, margins = network
    with pytest.raises(ValueError, match="kind must be one of exponential, logistic, got 'hinge'"):
        model_binary(margins, "hinge")
    with pytest.raises(ValueError, match=r"power must lie in \[0, 1\], got 2"):
        model_binary(margins, power=2.0)
    with pytest.raises(ValueError, match=r"power must be a number or \(3,\), got \(2,\)"):
        model_binary(margins, power=torch.tensor([0.0, 1.0]))(start)
    with pytest.raises(ValueError, match="margins must be numbers, got NaN"):
        model_binary(lambda p: margins(p) * float("nan"))(start)
