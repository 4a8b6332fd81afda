import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from ibkit.data import outvoted_point, separated_halfspaces
from ibkit.losses import linear_perceptron
from ibkit.models import linear_margins
from ibkit.optim import gradient_descent
from ibkit.oracles import binary_max_margin, outvoted_point_steps, perceptron_step_bound
from ibkit.oracles.perceptron import KAPPA
from ibkit.train import train

INF = float("inf")


def halfspace_rows(*sizes):
    X, y, _ = separated_halfspaces(*sizes, shift=0.0)
    return y.unsqueeze(-1) * X * sizes[-1] ** 0.5


def solve(rows, gamma, shares=None, mass=False, limit=4000):
    start = {"w": torch.zeros(*gamma.shape, rows.shape[-1], dtype=torch.float64)}
    gradient = linear_perceptron(rows, gamma, shares=shares, mass_normalised=mass)
    history = train(
        start,
        gradient,
        gradient_descent(1.0),
        limit,
        lambda p: {"margin": linear_margins(p["w"], rows).amin(-1)},
        range(limit + 1),
        until=lambda seen: bool((seen["margin"] > 0).all()),
    )
    return history.first(history["margin"] > 0)


def test_kappa_is_a_maximum():
    best = minimize_scalar(lambda z: -z / (1 + np.exp(z)), bounds=(0, 5), method="bounded", options={"xatol": 1e-10})
    assert abs(KAPPA + best.fun) < 1e-12
    assert abs(KAPPA + minimize_scalar(lambda z: -z / (2 + np.exp(z)), bounds=(0, 5), method="bounded").fun) > 0.01


@pytest.mark.parametrize("mass", [False, True])
def test_no_run_needs_more_steps_than_the_bound(mass):
    rows = halfspace_rows(0, 6, 30, 5)
    gamma = torch.tensor([0.3, 3.0, 30.0, INF], dtype=torch.float64)[:, None].expand(-1, 6)
    best = binary_max_margin(rows)
    bound = perceptron_step_bound(rows.norm(dim=-1).amax(-1), best.margin, 30, gamma, mass_normalised=mass)
    assert (solve(rows, gamma, mass=mass) <= bound.numpy()).all()


def test_the_factor_n_is_real_and_the_other_rule_is_rid_of_it():
    """The bound without n would be broken by gradient descent; the mutant that drops it must not pass."""
    n = torch.tensor([30.0, 300.0, 3000.0], dtype=torch.float64)
    rows, shares = outvoted_point(n)
    radius = rows.norm(dim=-1).amax(-1)
    margin = binary_max_margin(rows).margin
    torch.testing.assert_close(margin, torch.full_like(margin, 0.3), rtol=1e-6, atol=0)
    infinite = torch.full_like(n, INF)
    plain, divided = solve(rows, infinite, shares), solve(rows, infinite, shares, mass=True)
    with_n = perceptron_step_bound(radius, margin, n).numpy()
    without = perceptron_step_bound(radius, margin, n, mass_normalised=True).numpy()
    assert (plain <= with_n).all()
    assert (divided <= without).all()
    assert (plain > without).all(), "a bound without n is wrong for gradient descent"


def test_the_closed_form_is_the_run():
    rng = np.random.default_rng(0)
    n = torch.from_numpy(rng.integers(10, 900, size=60)).to(torch.float64)
    alpha, b = (torch.from_numpy(rng.uniform(*ends, size=60)) for ends in ((0.05, 1.0), (0.05, 0.6)))
    rows, shares = outvoted_point(n, alpha, b)
    run = solve(rows, torch.full_like(n, INF), shares)
    found = outvoted_point_steps(n, alpha, b).numpy()
    assert np.array_equal(run, found)
    assert (found == 1).any(), "the draw must cover points that are right from the first step on"
    lag = (n * (alpha - b**2) - alpha * (1 + alpha)) / (alpha**2 + b**2)
    full_first_step = torch.where(lag < 0, 1.0, 2 + torch.floor(lag)).numpy()
    assert not np.array_equal(run, full_first_step), "a whole first step, instead of half of one, must not pass"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: perceptron_step_bound(1.0, 0.0, 3), "margin must be positive, got 0"),
        (lambda: perceptron_step_bound(1.0, 2.0, 3), "margin must be at most the radius"),
        (lambda: perceptron_step_bound(1.0, 0.5, 3, -1.0), "gamma must be positive, got -1"),
        (lambda: outvoted_point_steps(1.0), "samples must be at least 2, got 1"),
        (lambda: outvoted_point_steps(10.0, b=0.0), "b must be positive, got 0"),
        (lambda: outvoted_point_steps(2.0, 3.0, 0.1), "samples must be so many that the lone point never outvotes"),
    ],
)
def test_bad_input_is_one_clear_line(call, says, unchecked):
    with pytest.raises(ValueError, match=says):
        call()
