from fractions import Fraction

import numpy as np
import pytest
import torch

from ibkit.data import outvoted_point, separated_halfspaces
from ibkit.losses import linear_binary, linear_perceptron, log_binary_loss, perceptron_weights, smoothed_perceptron_loss
from ibkit.measure import binary_margin
from ibkit.models import linear_margins
from ibkit.optim import gradient_descent
from ibkit.train import train

INF = float("inf")
STEP = gradient_descent(1.0)


def halfspace_rows(*sizes):
    X, y, _ = separated_halfspaces(*sizes, shift=0.0)
    return y.unsqueeze(-1) * X * sizes[-1] ** 0.5


def steps_until_solved(rows, gamma, limit=2000, **options):
    runs = gamma.shape if isinstance(gamma, torch.Tensor) else rows.shape[:-2]
    start = {"w": torch.zeros(*runs, rows.shape[-1], dtype=torch.float64)}
    history = train(
        start,
        linear_perceptron(rows, gamma, **options),
        STEP,
        limit,
        lambda p: {"margin": linear_margins(p["w"], rows).amin(-1)},
        range(limit + 1),
        until=lambda seen: bool((seen["margin"] > 0).all()),
    )
    return history.first(history["margin"] > 0)


def exact_perceptron(rows, tie, mass=False):
    """The batch perceptron in rational arithmetic: the first step at which every margin is positive."""
    rows = [[Fraction(x) for x in row] for row in rows]
    w, t = [Fraction(0)] * len(rows[0]), 0
    while True:
        margins = [sum(a * x for a, x in zip(row, w, strict=True)) for row in rows]
        if min(margins) > 0:
            return t
        pull = [Fraction(m < 0) + tie * Fraction(m == 0) for m in margins]
        total = sum(pull) if mass else len(rows)
        w = [x + sum(p * row[j] for p, row in zip(pull, rows, strict=True)) / total for j, x in enumerate(w)]
        t += 1


@pytest.fixture(scope="module")
def integer_rows():
    """Small integers, so that ties really happen: separable by their first coordinate."""
    rng = np.random.default_rng(3)
    rows = rng.integers(-4, 5, size=(12, 16, 3))
    rows[..., 0] = 1
    rows[..., 1] = np.abs(rows[..., 1]) - 1
    return torch.from_numpy(rows).to(torch.float64)


@pytest.mark.parametrize("mass", [False, True])
def test_the_limit_is_the_perceptron_in_rational_arithmetic(integer_rows, mass):
    found = steps_until_solved(integer_rows, INF, mass_normalised=mass)
    sets = [rows.int().tolist() for rows in integer_rows]
    half, full = ([exact_perceptron(rows, tie, mass) for rows in sets] for tie in (Fraction(1, 2), Fraction(1)))
    assert found.tolist() == half
    assert full != half, "an implementation that counts the boundary as wrong must not pass"


def test_without_pull_on_the_boundary_nothing_would_start():
    rows = torch.eye(2, dtype=torch.float64)
    assert (linear_perceptron(rows)({"w": torch.zeros(2, dtype=torch.float64)}).true()["w"] == -0.25).all()


def test_finite_steps_are_logistic_regression_divided_by_the_step():
    rows = halfspace_rows(0, 3, 20, 4)
    gamma = torch.tensor([0.1, 3.0, 40.0], dtype=torch.float64)
    zero = {"w": torch.zeros(3, 4, dtype=torch.float64)}

    def weights(p):
        return {"w": p["w"]}

    smooth = train(zero, linear_perceptron(rows, gamma), STEP, 30, weights)["w"]
    theta = train(zero, linear_binary(rows), gradient_descent(gamma), 30, weights)["w"]
    np.testing.assert_allclose(smooth, theta / gamma.numpy()[:, None], rtol=1e-9, atol=1e-12)
    wrong = train(zero, linear_perceptron(rows, gamma), gradient_descent(gamma), 30, weights)["w"]
    assert not np.allclose(wrong, theta / gamma.numpy()[:, None], rtol=1e-2)


def test_the_gradient_is_that_of_the_loss():
    rows = halfspace_rows(1, 2, 9, 4)
    shares = torch.softmax(torch.randn(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), -1)
    gamma = torch.tensor([0.7, INF], dtype=torch.float64)
    w = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = smoothed_perceptron_loss(linear_margins(w, rows), gamma, shares)
    (expected,) = torch.autograd.grad(loss.sum(), w)
    found = linear_perceptron(rows, gamma, shares=shares)({"w": w.detach()}).true()["w"]
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(linear_perceptron(rows, gamma)({"w": w.detach()}).true()["w"], expected, rtol=1e-2)


def test_the_loss_is_the_logistic_loss_over_the_step_and_close_to_its_limit():
    margins = torch.randn(5, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 50
    gamma = torch.tensor([0.01, 0.5, 2.0, 10.0, 300.0], dtype=torch.float64)
    smooth, limit = smoothed_perceptron_loss(margins, gamma), smoothed_perceptron_loss(margins)
    torch.testing.assert_close(smooth, log_binary_loss(gamma[:, None] * margins).exp() / gamma)
    assert ((smooth >= limit) & (smooth <= limit + np.log(2) / gamma)).all()
    assert not (smooth <= limit + 0.01 * np.log(2) / gamma).all()


def test_weights_are_the_derivative_and_step_at_infinity():
    margins = torch.tensor([[-1e6, -2.0, 0.0, 2.0, 1e6]], dtype=torch.float64)
    torch.testing.assert_close(perceptron_weights(margins, 0.5), torch.sigmoid(-0.5 * margins))
    assert perceptron_weights(margins).tolist() == [[1, 1, 0.5, 0, 0]]


def test_mass_normalised_weights_sum_to_one_even_where_they_underflow():
    """The pull at margins of 1000: exp(-1000) is zero, its ratio to exp(-1001) is not."""
    rows = torch.diag(torch.tensor([1000.0, 1001.0], dtype=torch.float64))
    w = torch.ones(2, dtype=torch.float64)
    found = -linear_perceptron(rows, 1.0, mass_normalised=True)({"w": w}).true()["w"] / rows.diag()
    torch.testing.assert_close(found, torch.softmax(torch.tensor([0.0, -1.0], dtype=torch.float64), 0))
    assert (linear_perceptron(rows, INF, mass_normalised=True)({"w": w}).true()["w"] == 0).all()
    assert (linear_perceptron(rows, 1.0)({"w": w}).true()["w"] == 0).all()  # not divided, it underflows


def test_mass_normalised_step_is_written_out():
    rows, w = halfspace_rows(2, 1, 15, 3)[0], torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
    p = 1 / (1 + np.exp(2.0 * (rows @ w).numpy()))
    expected = (p[:, None] * rows.numpy()).sum(0) / p.sum()
    found = -linear_perceptron(rows, 2.0, mass_normalised=True)({"w": w}).true()["w"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not np.allclose(found * p.mean(), expected, rtol=1e-2), "the undivided step must not pass"


@pytest.mark.parametrize("mass", [False, True])
def test_a_batch_of_steps_and_sets_is_the_loop(mass):
    rows = halfspace_rows(4, 3, 25, 4)
    gamma = torch.tensor([0.5, 5.0, INF], dtype=torch.float64)[:, None].expand(-1, 3)
    batch = steps_until_solved(rows, gamma, mass_normalised=mass)
    one = [[steps_until_solved(a, float(g[0]), mass_normalised=mass) for a in rows] for g in gamma]
    assert np.array_equal(batch, np.array(one).reshape(3, 3))


def test_shares_stand_for_copies():
    rows, shares = outvoted_point(40.0)
    copies = rows[[0] * 39 + [1]]
    for gamma in (1.0, INF):
        for mass in (False, True):
            counted = steps_until_solved(rows, gamma, shares=shares, mass_normalised=mass)
            assert counted == steps_until_solved(copies, gamma, mass_normalised=mass)
    assert steps_until_solved(rows, INF) != steps_until_solved(copies, INF), "without shares it is another instance"


def test_margins_agree_with_those_measured():
    rows = halfspace_rows(5, 2, 6, 3)
    w = torch.randn(4, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(linear_margins(w, rows).amin(-1), torch.stack([binary_margin(v, rows) for v in w]))
    torch.testing.assert_close(linear_margins(w, rows[0]).amin(-1), binary_margin(w, rows[0]))


ROWS = torch.ones(4, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: linear_perceptron(torch.tensor([[float("nan")]])), "rows must be finite"),
        (lambda: linear_perceptron(ROWS, shares=torch.full((4,), 0.3)), "shares must be at least 0 and sum to one"),
        (lambda: linear_perceptron(ROWS, shares=torch.ones(1)), r"shares must be \(4,\), got \(1,\)"),
        (lambda: linear_perceptron(ROWS, -1.0)({"w": torch.zeros(2).double()}), "gamma must be positive, got -1"),
        (
            lambda: linear_perceptron(ROWS, torch.ones(3))({"w": torch.zeros(2).double()}),
            r"gamma must be a number or one a run \(\), got shape \(3,\)",
        ),
        (lambda: linear_perceptron(ROWS)({"w": torch.zeros(3).double()}), r"w must have trailing shape \(2\)"),
        (lambda: perceptron_weights(torch.tensor([float("nan")])), "margins must be numbers, got NaN"),
        (lambda: smoothed_perceptron_loss(torch.zeros(2), 0.0), "gamma must be positive, got 0"),
        (lambda: linear_margins(torch.zeros(3, 2), torch.zeros(2, 4, 2)), r"w must be \(\*runs, \*\(2,\), 2\)"),
    ],
)
def test_bad_input_is_one_clear_line(call, says, unchecked):
    with pytest.raises(ValueError, match=says):
        call()
