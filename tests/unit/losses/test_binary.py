import mpmath
import pytest
import torch

from ibkit.losses import binary_residual, linear_binary, log_binary_loss, model_binary
from ibkit.losses.binary import BINARY_LOSSES
from ibkit.scaled import autograd_gradient

MARGINS = torch.tensor([[-800.0, -3.0, 0.0], [2.0, 35.0, 700.0], [900.0, 905.0, 1000.0]], dtype=torch.float64)


def many_digits(kind, margins):
    """log of the mean loss and every -loss', to fifty digits."""
    with mpmath.workdps(500):
        m = [mpmath.mpf(float(each)) for each in margins]
        losses = [mpmath.exp(-x) if kind == "exponential" else mpmath.log1p(mpmath.exp(-x)) for x in m]
        pulls = [mpmath.exp(-x) if kind == "exponential" else 1 / (1 + mpmath.exp(x)) for x in m]
        return float(mpmath.log(sum(losses) / len(m))), [float(mpmath.log(pull)) for pull in pulls]


@pytest.mark.parametrize("kind", BINARY_LOSSES)
@pytest.mark.parametrize("run", range(3))
def test_loss_and_pull_agree_with_many_digits_where_float64_underflows(kind, run):
    loss, pulls = many_digits(kind, MARGINS[run])
    assert float(log_binary_loss(MARGINS, kind)[run]) == pytest.approx(loss, rel=1e-14)
    residual = binary_residual(MARGINS, kind)
    expected = torch.tensor(pulls, dtype=torch.float64) - residual.log_scale[run]
    torch.testing.assert_close(residual.value[run], expected.exp(), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kind", BINARY_LOSSES)
def test_gradient_is_that_of_the_loss_with_a_mutant_that_forgets_the_sigmoid(kind, rng):
    rows = torch.randn(2, 7, 3, generator=rng, dtype=torch.float64)
    w = torch.randn(2, 3, generator=rng, dtype=torch.float64)
    by_autograd = autograd_gradient(lambda p: log_binary_loss((rows @ p["w"][..., None]).squeeze(-1), kind).exp())
    expected = by_autograd({"w": w}).true()["w"]
    torch.testing.assert_close(linear_binary(rows, kind)({"w": w}).true()["w"], expected)
    other = "logistic" if kind == "exponential" else "exponential"
    assert not torch.allclose(linear_binary(rows, other)({"w": w}).true()["w"], expected, rtol=1e-3)


def test_logistic_and_exponential_agree_once_separated():
    far = torch.tensor([50.0, 60.0], dtype=torch.float64)
    torch.testing.assert_close(log_binary_loss(far, "logistic"), log_binary_loss(far, "exponential"))


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match="kind must be one of exponential, logistic, got 'hinge'"):
        log_binary_loss(MARGINS, "hinge")
    with pytest.raises(ValueError, match="margins must be numbers, got NaN"):
        binary_residual(torch.tensor([float("nan")]))
    with pytest.raises(ValueError, match=r"w must have trailing shape \(3\), got \(4,\)"):
        linear_binary(torch.ones(2, 3))({"w": torch.zeros(4)})
    with pytest.raises(ValueError, match="at least 1 sample"):
        log_binary_loss(torch.zeros(2, 0))


@pytest.mark.parametrize("kind", BINARY_LOSSES)
def test_a_linear_gradient_over_the_loss_is_that_of_the_model_with_a_mutant_of_another_power(kind, rng):
    rows = torch.randn(3, 7, 4, generator=rng, dtype=torch.float64)
    params = {"w": torch.randn(3, 4, generator=rng, dtype=torch.float64)}
    powers = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    margins = lambda p: (rows @ p["w"][..., None]).squeeze(-1)  # noqa: E731
    found = linear_binary(rows, kind, powers)(params).true()["w"]
    torch.testing.assert_close(found, model_binary(margins, kind, powers)(params).true()["w"])
    assert not torch.allclose(found[1:], linear_binary(rows, kind)(params).true()["w"][1:], rtol=1e-2)
    far = linear_binary(torch.eye(2), "exponential", 1.0)({"w": torch.tensor([900.0, 900.0])})
    torch.testing.assert_close(far.true()["w"], torch.tensor([-0.5, -0.5]))
