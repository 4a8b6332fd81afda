"""Polyak's step against its definition, against what it promises on convex losses, and far below underflow."""

import math

import pytest
import torch

from ibkit.losses import linear_binary, log_binary_loss
from ibkit.optim import apply_update, log_polyak_length, polyak
from ibkit.scaled import Gradient, autograd_gradient
from ibkit.train import train


def one_step(rule, gradient, params):
    return apply_update(params, rule.update(gradient, rule.init(params), params)[0])


@pytest.fixture
def regression(rng):
    """Consistent least squares, so that the infimum is zero: loss, log of it, gradient, start, solution; four runs."""
    X = torch.randn(4, 9, 6, generator=rng, dtype=torch.float64)
    solution, start = torch.randn(2, 4, 6, generator=rng, dtype=torch.float64)

    def loss(params):
        return (X @ (params["w"] - solution).unsqueeze(-1)).squeeze(-1).square().mean(-1) / 2

    return loss, lambda params: loss(params).log(), autograd_gradient(loss), {"w": start}, solution


def wrong_powers(log_excess, divisor):
    """Mutants: the root of the excess, and the gradient's length in place of its square."""
    for excess_power, slope_power in ((0.5, 2), (1, 1)):

        def step(gradient, params, excess_power=excess_power, slope_power=slope_power):
            g = gradient.true()["w"]
            eta = log_excess(params).exp() ** excess_power / (divisor * g.norm(dim=-1) ** slope_power)
            return {"w": params["w"] - eta.unsqueeze(-1) * g}

        yield step


@pytest.mark.parametrize("divisor", [1.0, 2.0, 3.5])
def test_it_is_the_step_of_its_definition(regression, divisor):
    """The linear model of the loss at the new point has lost the share 1/c of the excess."""
    loss, log_excess, gradient, start, _ = regression
    g = gradient(start)

    def share_lost(new):
        return (g.tensors["w"] * (start["w"] - new["w"])).sum(-1) / loss(start)

    expected = torch.full((4,), 1 / divisor, dtype=torch.float64)
    torch.testing.assert_close(share_lost(one_step(polyak(log_excess, divisor), g, start)), expected)
    for mutant in wrong_powers(log_excess, divisor):
        assert not torch.allclose(share_lost(mutant(g, start)), expected, rtol=1e-2)


@pytest.mark.parametrize("divisor", [1.0, 2.0])
def test_on_a_convex_loss_it_gains_on_the_minimiser_as_polyak_proved(regression, divisor):
    r"""|w' - w*|^2 <= |w - w*|^2 - (2/c - 1/c^2) (F - F*)^2 / |g|^2, at every step."""
    loss, log_excess, gradient, params, solution = regression
    for _ in range(30):
        g = gradient(params)
        sure = (2 / divisor - 1 / divisor**2) * loss(params) ** 2 / g.tensors["w"].square().sum(-1)
        new = one_step(polyak(log_excess, divisor), g, params)
        gained = (params["w"] - solution).square().sum(-1) - (new["w"] - solution).square().sum(-1)
        assert bool((gained >= sure * (1 - 1e-9)).all())
        length = log_polyak_length(g, log_excess(params), divisor).exp()
        torch.testing.assert_close(length, (new["w"] - params["w"]).norm(dim=-1))
        assert bool((length <= (params["w"] - solution).norm(dim=-1)).all())
        params = new


def test_margins_grow_by_the_same_amount_long_after_the_loss_has_underflowed():
    """For F = exp(-a w) with one sample the step is a / (c |a|^2): the margin grows by 1/c, whatever its size."""
    a = torch.tensor([[3.0, -4.0]], dtype=torch.float64)
    margins = torch.tensor([0.0, 50.0, 900.0, 5e4], dtype=torch.float64)
    params = {"w": margins.unsqueeze(-1) * a / 25}
    gradient = linear_binary(a, "exponential")
    rule = polyak(lambda p: log_binary_loss(p["w"] @ a.mT, "exponential"))

    def growth(new):
        return (new["w"] @ a.mT).squeeze(-1) - margins

    grown = growth(one_step(rule, gradient(params), params))
    torch.testing.assert_close(grown, torch.full((4,), 0.5, dtype=torch.float64))
    true = gradient(params).true()["w"]  # mutant: the formula in plain numbers
    eta = torch.exp(-margins) / (2 * true.square().sum(-1))
    plain = growth({"w": params["w"] - eta.unsqueeze(-1) * true})
    assert not torch.allclose(plain, grown, equal_nan=True)


def test_one_run_that_is_trapped_stays_and_the_others_go_on():
    r"""F(w) = w^2 exp(-w) rises to a hump at 2; beyond it the slope leads away from the infimum at 0."""
    start = {"w": torch.tensor([[1.0], [2.0], [2.0 + 1e-9], [0.0], [40.0]], dtype=torch.float64)}

    def loss(p):
        return (p["w"] ** 2 * torch.exp(-p["w"])).sum(-1)

    def log_excess(p):
        return loss(p).log()

    gradient = autograd_gradient(loss)
    length = log_polyak_length(gradient(start), log_excess(start))
    assert (length > math.log(1e6)).tolist() == [False, True, True, False, False]
    assert (length[1], length[3]) == (math.inf, -math.inf)  # no slope above the infimum; and at the infimum
    rule = polyak(log_excess)
    history = train(start, gradient, rule, 60, lambda p: {"w": p["w"].squeeze(-1), "length": length}, [0, 60])
    first, last = history["w"]
    assert abs(last[0]) < 1e-6
    assert (last[1:4] == first[1:4]).all()
    assert last[4] > first[4]
    plain = loss(start) / (2 * gradient(start).tensors["w"].square().sum(-1))  # mutant: without the guard
    assert not bool(torch.isfinite(plain).all())


def test_a_gradient_of_zero_gives_no_nan_at_any_excess():
    g = Gradient({"w": torch.zeros(3, 2)}, torch.tensor([0.0, -1e4, 0.0]))
    log_excess = torch.tensor([-math.inf, -1e4, math.inf])
    rule = polyak(lambda p: log_excess)
    update, _ = rule.update(g, (), {"w": torch.ones(3, 2)})
    assert bool((apply_update({"w": torch.ones(3, 2)}, update)["w"] == 1).all())
    assert log_polyak_length(g, log_excess).tolist() == [-math.inf, math.inf, math.inf]


def test_longest_is_in_units_of_length():
    g, zero = Gradient({"w": torch.tensor([[3.0, 4.0]])}, torch.zeros(1)), torch.zeros(1, 2)
    rules = [polyak(lambda p: torch.tensor([100.0]).log(), longest=longest) for longest in (9.99, 10.01)]
    short, long = (one_step(rule, g, {"w": zero})["w"] for rule in rules)  # 100 / (2 * 5) = 10
    torch.testing.assert_close(short, zero)
    torch.testing.assert_close(long, torch.tensor([[-6.0, -8.0]]))


def test_neither_the_split_into_tensors_nor_the_split_into_scale_and_value_matters(rng):
    value = torch.randn(3, 5, generator=rng, dtype=torch.float64)
    scale, log_excess = torch.randn(2, 3, generator=rng, dtype=torch.float64)
    rule, params = polyak(lambda p: log_excess), {"w": torch.zeros(3, 5, dtype=torch.float64)}
    whole = one_step(rule, Gradient({"w": value}, scale), params)["w"]
    moved = one_step(rule, Gradient({"w": 8 * value}, scale - math.log(8)), params)["w"]
    parts = {"a": value[:, :2], "b": value[:, 2:]}
    split = one_step(rule, Gradient(parts, scale), {k: torch.zeros_like(v) for k, v in parts.items()})
    torch.testing.assert_close(moved, whole)
    torch.testing.assert_close(torch.cat([split["a"], split["b"]], -1), whole)
    eta = (log_excess - scale).exp().unsqueeze(-1) / 2
    mutant = torch.cat([-eta * v / v.square().sum(-1, keepdim=True) for v in parts.values()], -1)  # tensor by tensor
    assert not torch.allclose(mutant, whole)


def test_the_batch_is_the_loop(regression):
    _, log_excess, gradient, start, solution = regression
    measure = lambda p: {"w": p["w"]}  # noqa: E731
    together = train(start, gradient, polyak(log_excess), 20, measure, [20])["w"][-1]

    def freeze(run):  # all other runs start at their solution
        w = solution.clone()
        w[run] = start["w"][run]
        return {"w": w}

    for run in range(4):
        alone = train(freeze(run), gradient, polyak(log_excess), 20, measure, [20])["w"][-1]
        assert abs(alone[run] - together[run]).max() < 1e-13


@pytest.mark.parametrize(
    "setting", [dict(divisor=0.0), dict(divisor=math.inf), dict(longest=-1.0), dict(longest=math.inf)]
)
def test_bad_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f"{name} must be positive and finite"):
        polyak(lambda p: torch.zeros(()), **setting)


def test_a_bad_excess_is_refused(unchecked):
    g = Gradient({"w": torch.ones(3, 2)}, torch.zeros(3))
    with pytest.raises(ValueError, match="log_excess must be numbers or -inf, got NaN"):
        log_polyak_length(g, torch.full((3,), math.nan))
    with pytest.raises(ValueError, match=r"log_excess must have the shape \(3,\)"):
        log_polyak_length(g, torch.zeros(2))
