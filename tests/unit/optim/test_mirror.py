"""Mirror descent against what defines it: a proximal step, the least p-norm interpolator, the largest p-margin."""

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ibkit.losses import linear_binary, log_binary_loss
from ibkit.measure import binary_margin, power_bregman
from ibkit.optim import (
    apply_update,
    as_torch,
    chain,
    gradient_descent,
    inverse_mirror_map,
    mirror,
    mirror_descent,
    mirror_map,
    step_size,
)
from ibkit.optim.chain import Rule
from ibkit.oracles import binary_max_margin
from ibkit.scaled import Gradient, autograd_gradient
from ibkit.train import train

EXPONENTS = (1.1, 1.5, 2.0, 3.0, 6.0)


def one_step(rule, w, g):
    zero = torch.zeros(w.shape[:-1], dtype=w.dtype)
    params = {"w": w}
    return apply_update(params, rule.update(Gradient({"w": g}, zero), rule.init(params), params)[0])["w"]


def wrong_mirror(p):
    """A mutant: the potential's exponent where its gradient's belongs."""

    def init(params):
        return {k: v.sign() * v.abs() ** p for k, v in params.items()}

    def update(gradient, state, params):
        z = {k: state[k] + g for k, g in gradient.true().items()}
        return Gradient({k: v.sign() * v.abs() ** (1 / p) - params[k] for k, v in z.items()}, gradient.log_scale), z

    return Rule("wrong", init, update)


@pytest.mark.parametrize("p", EXPONENTS)
def test_the_two_maps_undo_each_other(p, rng):
    w = torch.randn(3, 4, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(inverse_mirror_map(mirror_map(w, p), p), w)
    potential = autograd_gradient(lambda params: (params["w"].abs() ** p).sum(-1) / p)
    torch.testing.assert_close(mirror_map(w, p), potential({"w": w}).tensors["w"])


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_a_step_is_the_proximal_step_of_the_bregman_divergence(p, rng):
    """w' minimises <g, w> + D(w, w_t) / eta: the definition of mirror descent, solved by scipy."""
    w, g = torch.randn(2, 5, generator=rng, dtype=torch.float64)

    def objective(x):
        return float(g @ torch.from_numpy(x) + power_bregman(torch.from_numpy(x), w, p) / 0.3)

    best = minimize(objective, w.numpy(), method="Nelder-Mead", options=dict(xatol=1e-9, fatol=1e-14, maxfev=20_000)).x
    ours = one_step(mirror_descent(p, 0.3), w, g)
    np.testing.assert_allclose(ours.numpy(), best, atol=2e-5)
    mutant = one_step(chain(step_size(0.3), wrong_mirror(p)), w, g)
    assert np.abs(mutant.numpy() - best).max() > 1e-2


def interpolator(rule, X, y, steps):
    loss = autograd_gradient(lambda params: ((params["w"] @ X.mT - y) ** 2).mean(-1) / 2)
    start = {"w": torch.zeros(X.shape[-1], dtype=X.dtype)}
    return train(start, loss, rule, steps, lambda params: {"w": params["w"]}, [steps])["w"][-1]


@pytest.mark.parametrize(("p", "eta"), [(1.5, 0.05), (2.0, 0.2), (3.0, 0.01)])
def test_on_regression_it_finds_the_interpolator_of_least_p_norm(p, eta, rng):
    """From zero the dual variable stays in the span of the inputs, the optimality condition of min |w|_p, Xw = y."""
    X, y = torch.randn(4, 10, generator=rng, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    w = cp.Variable(10)
    cp.Problem(cp.Minimize(cp.pnorm(w, p)), [X.numpy() @ w == y.numpy()]).solve(solver="CLARABEL")
    found = interpolator(mirror_descent(p, eta), X, y, 4_000)
    np.testing.assert_allclose(found, w.value, atol=1e-4)
    other = interpolator(mirror_descent(p + 0.5, eta), X, y, 4_000)
    np.testing.assert_allclose(X.numpy() @ other, y.numpy(), atol=1e-4)
    assert np.abs(other - w.value).max() > 1e-2, "a mutant with another p interpolates too, elsewhere"


def shares(rule, rows, p, steps, runs):
    plain = linear_binary(rows, "exponential")

    def relative(params):  # the gradient over the loss: the same path in another time
        g = plain(params)
        return Gradient(g.tensors, g.log_scale - log_binary_loss(params["w"] @ rows.mT, "exponential"))

    start = {"w": torch.zeros(*runs, rows.shape[-1], dtype=rows.dtype)}
    end = train(start, relative, rule, steps, lambda params: {"w": params["w"]}, [steps]).params["w"]
    best = binary_max_margin(rows, p)
    return binary_margin(end, rows, p) / best.margin, power_bregman(
        best.w, end / torch.linalg.vector_norm(end, ord=p, dim=-1, keepdim=True), p
    )


@pytest.mark.parametrize("p", [1.5, 3.0])
def test_on_separable_data_it_finds_the_largest_margin_of_its_norm(p, rng):
    rows = torch.randn(4, 12, generator=rng, dtype=torch.float64)
    share, distance = shares(mirror_descent(p, 0.1), rows, p, 3_000, ())
    assert float(share) > 0.99
    assert float(distance) < 1e-4
    plain, far = shares(gradient_descent(0.1), rows, p, 3_000, ())
    assert float(plain) < 0.98
    assert float(far) > 1e-3


def test_one_batch_holds_several_exponents_and_steps(rng):
    rows = torch.randn(4, 12, generator=rng, dtype=torch.float64)
    gradient = linear_binary(rows, "exponential")
    p, eta = torch.tensor(EXPONENTS, dtype=torch.float64), torch.linspace(0.01, 0.05, 5, dtype=torch.float64)
    start = 0.1 * torch.randn(12, generator=rng, dtype=torch.float64)
    see = lambda params: {"size": params["w"].norm(dim=-1)}  # noqa: E731
    together = train({"w": start.expand(5, 12)}, gradient, mirror_descent(p, eta), 50, see).params["w"]
    for run in range(5):
        rule = mirror_descent(float(p[run]), float(eta[run]))
        torch.testing.assert_close(together[run], train({"w": start}, gradient, rule, 50, see).params["w"])
    assert (together[1:] - together[:-1]).abs().amax(-1).min() > 1e-3


def test_for_two_it_is_gradient_descent_with_momentum_too(rng):
    w, g = torch.randn(2, 7, generator=rng, dtype=torch.float64)
    for beta in (0.0, 0.9):
        ours, theirs = mirror_descent(2.0, 0.1, beta), gradient_descent(0.1, beta)
        a, b = {"w": w}, {"w": w}
        state, other = ours.init(a), theirs.init(b)
        for _ in range(5):
            G = Gradient({"w": g}, torch.zeros((), dtype=torch.float64))
            step, state = ours.update(G, state, a)
            a = apply_update(a, step)
            step, other = theirs.update(G, other, b)
            b = apply_update(b, step)
        torch.testing.assert_close(a["w"], b["w"], rtol=1e-14, atol=1e-14)


def test_the_dual_variable_is_kept_not_recomputed():
    """Near p = 1 a weight of 1e-40 carries a dual variable of 1e-4, which in float32 no weight could give back."""
    params, rule = {"w": torch.zeros(1)}, mirror_descent(1.1, 1e-5)
    state, G = rule.init(params), Gradient({"w": -torch.ones(1)}, torch.tensor(0.0))
    for _ in range(1000):
        step, state = rule.update(G, state, params)
        params = apply_update(params, step)
    assert float(params["w"]) == pytest.approx(1e-20, rel=1e-2)
    stuck = torch.zeros(1)
    for _ in range(1000):
        stuck = inverse_mirror_map(mirror_map(stuck, 1.1) + 1e-5, 1.1)
    assert float(stuck) == 0.0, "a mutant that recomputes the dual variable never leaves zero"


def test_any_module_trains_by_it(rng):
    layer = torch.nn.Linear(3, 2, dtype=torch.float64)
    before = [value.detach().clone() for value in layer.parameters()]
    optimizer = as_torch(mirror_descent(3.0, 0.1))(layer.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.ones(3, dtype=torch.float64)).sum().backward()
        optimizer.step()
    for value, old in zip(layer.parameters(), before, strict=True):
        torch.testing.assert_close(value.detach(), inverse_mirror_map(mirror_map(old, 3.0) - 0.3, 3.0))


def test_a_rule_that_cannot_be_multiplied_refuses_a_learning_rate():
    layer = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="lr must be 1 for p-GD"):
        as_torch(mirror_descent(3.0, 0.1))(layer.parameters(), lr=0.5)
    optimizer = as_torch(chain(step_size(0.1), mirror(3.0), name="p-GD"))(layer.parameters())
    optimizer.param_groups[0]["lr"] = 0.1
    with pytest.raises(ValueError, match="lr must be 1 for p-GD"):
        optimizer.step()
    as_torch(gradient_descent(0.1))(layer.parameters(), lr=0.5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: mirror_descent(1.0, 0.1), "p must be finite and above 1, got 1.0"),
        (lambda: mirror(float("inf")), "p must be finite and above 1, got inf"),
        (lambda: mirror_map(torch.ones(3), torch.tensor([1.5, 0.5, 2.0])), "p must be finite and above 1"),
        (lambda: mirror_map(torch.ones(3), torch.tensor([1.5, 2.0])), r"leading dimensions of \(3,\), got \(2,\)"),
        (lambda: mirror_descent(2.0, -0.1), "step size must be positive"),
        (lambda: mirror_descent(2.0, 0.1, beta=1.0), r"beta must lie in \[0, 1\)"),
        (
            lambda: mirror(torch.tensor([2.0, 3.0])).update(
                Gradient({"w": torch.ones(3, 2)}, torch.zeros(3)), {"w": torch.ones(3, 2)}, {"w": torch.ones(3, 2)}
            ),
            r"p must be a number or \(3,\), got shape \(2,\)",
        ),
    ],
)
def test_bad_input_is_named(make, says, unchecked):
    with pytest.raises(ValueError, match=says):
        make()
