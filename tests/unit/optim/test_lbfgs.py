import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import ibkit.optim.lbfgs as module
from ibkit.losses import supervised_contrastive
from ibkit.models import unit_embedding_start, unit_embeddings
from ibkit.optim import minimize_lbfgs


def quadratic(rng, runs=3, n=30):
    """Ill-conditioned bowls with known minima."""
    Q = torch.linalg.qr(torch.randn(runs, n, n, generator=rng, dtype=torch.float64)).Q
    A = Q @ torch.diag(torch.logspace(-2, 2, n, dtype=torch.float64)) @ Q.mT
    centre = torch.randn(runs, n, generator=rng, dtype=torch.float64)

    def loss(p):
        x = torch.cat([p["a"], p["b"].flatten(1)], 1) - centre
        return ((x.unsqueeze(1) @ A).squeeze(1) * x).sum(-1) / 2

    start = {"a": torch.zeros(runs, 10).double(), "b": torch.zeros(runs, 4, 5).double()}
    return loss, start, centre


def test_minimum_of_an_ill_conditioned_bowl(rng):
    loss, start, centre = quadratic(rng)
    found = minimize_lbfgs(start, loss, tolerance=1e-8)
    x = torch.cat([found.params["a"], found.params["b"].flatten(1)], 1)
    torch.testing.assert_close(x, centre, rtol=0, atol=1e-5)
    assert (found.slope <= 1e-8).all()
    assert (found.iterations < 600).all()


def test_without_the_memory_it_would_be_gradient_descent(rng, monkeypatch):
    """Mutant: the inverse Hessian is the identity; the same check rejects it."""
    loss, start, _ = quadratic(rng)
    monkeypatch.setattr(module, "_inverse_hessian_times", lambda S, Y, g: g)
    found = minimize_lbfgs(start, loss, tolerance=1e-8, iterations=600)
    assert (found.slope > 1e-8).all()


def test_direction_is_that_of_the_two_loop_recursion(rng):
    """The compact form against the textbook's recursion, with one pair left out."""
    n, m = 7, 5
    A = torch.randn(n, n, generator=rng, dtype=torch.float64)
    A = A @ A.T + torch.eye(n, dtype=torch.float64)
    S = torch.randn(1, m, n, generator=rng, dtype=torch.float64)
    Y = S @ A
    S[:, 2], Y[:, 2] = 0.0, 0.0
    g = torch.randn(1, n, generator=rng, dtype=torch.float64)
    pairs = [(s, y) for s, y in zip(S[0], Y[0], strict=True) if s @ y > 0]
    q, kept = g[0].clone(), []
    for s, y in reversed(pairs):
        kept.append((s @ q) / (s @ y))
        q = q - kept[-1] * y
    q = q * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
    for (s, y), a in zip(pairs, reversed(kept), strict=True):
        q = q + s * (a - (y @ q) / (s @ y))
    torch.testing.assert_close(module._inverse_hessian_times(S, Y, g)[0], q)
    reordered = module._inverse_hessian_times(S.flip(1), Y.flip(1), g)[0]  # mutant: oldest pair last
    assert not torch.allclose(reordered, q, rtol=1e-3)


def test_steps_satisfy_the_strong_wolfe_conditions(rng):
    """Along random lines through a wavy function, from both ends of first guesses."""

    def wavy(p):
        return (p["x"] ** 2).sum(-1) / 20 + torch.sin(3 * p["x"]).sum(-1)

    x = 4 * torch.randn(200, 3, generator=rng, dtype=torch.float64)
    problem = module._Problem({"x": x}, wavy)
    value, g = problem(x)
    along = -(g * g).sum(-1)
    first = torch.logspace(-6, 3, 200, dtype=torch.float64)
    found = module._line_search(problem, x, value, along, -g, first, torch.ones(200, dtype=torch.bool))
    assert found.accepted.all()
    t = ((found.x - x) * -g).sum(-1) / (g * g).sum(-1)
    after = (problem(found.x)[1] * -g).sum(-1)
    assert (found.value <= value + 1e-4 * t * along + 1e-12).all()
    assert (after.abs() <= 0.9 * along.abs() + 1e-12).all()
    plain = problem(x - first[:, None] * g)  # mutant: the first guess as it is
    assert ((plain[1] * -g).sum(-1).abs() > 0.9 * along.abs()).any()


def test_each_run_is_its_own_search():
    """Runs of a batch, some of which end early, against the same runs alone."""
    y = torch.arange(3).repeat_interleave(3)

    def loss(p):
        return supervised_contrastive(unit_embeddings(p["X"]), y, 0.5)

    starts = unit_embedding_start(0, runs=4, rows=9, features=4)["X"]
    starts[1] = torch.eye(4, dtype=torch.float64)[y]  # near a stationary point
    batch = minimize_lbfgs({"X": starts.view(2, 2, 9, 4)}, loss, tolerance=1e-8)
    assert batch.value.shape == (2, 2)
    assert (batch.slope <= 1e-8).all()
    for run in range(4):
        one = minimize_lbfgs({"X": starts[run]}, loss, tolerance=1e-8)
        torch.testing.assert_close(one.value, batch.value.view(4)[run], rtol=1e-12, atol=0)
        assert one.iterations == batch.iterations.view(4)[run]


def test_minimum_equals_that_of_scipy():
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2])

    def loss(p):
        return supervised_contrastive(unit_embeddings(p["X"]), y, 0.5)

    start = unit_embedding_start(3, runs=1, rows=9, features=5)
    found = minimize_lbfgs(start, loss)

    def objective(x):
        X = torch.from_numpy(x).view(1, 9, 5).requires_grad_()
        value = loss({"X": X}).sum()
        return value.item(), torch.autograd.grad(value, X)[0].numpy().ravel()

    options = {"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-10}
    other = minimize(objective, start["X"].numpy().ravel(), jac=True, method="L-BFGS-B", options=options)
    assert float(found.value) == pytest.approx(other.fun, rel=1e-10)


def test_it_ends_where_float64_ends():
    """A tolerance that rounding forbids: the run stops by itself, with its slope told."""
    offset = torch.tensor([1e8], dtype=torch.float64)
    found = minimize_lbfgs(
        {"x": torch.tensor([[3.0, 4.0]]).double()}, lambda p: offset + torch.cosh(p["x"]).sum(-1), tolerance=1e-300
    )
    assert found.iterations < 200
    assert found.slope < 1e-3
    with pytest.raises(ValueError, match="loss must be finite"):
        minimize_lbfgs({"x": torch.ones(1, 1).double()}, lambda p: p["x"].sum(-1) * np.inf)


@pytest.mark.parametrize(
    ("params", "options", "line"),
    [
        ({"x": torch.ones(2, 2)}, {}, "must be float64"),
        ({"x": torch.full((2, 2), torch.nan).double()}, {}, "must be finite"),
        ({}, {}, "at least one tensor"),
        ({"x": torch.ones(2, 2).double()}, {"tolerance": 0.0}, "tolerance must be positive"),
        ({"x": torch.ones(2, 2).double()}, {"memory": 0}, "memory must be at least 1"),
    ],
)
def test_bad_input_is_refused(params, options, line):
    with pytest.raises(ValueError, match=line):
        minimize_lbfgs(params, lambda p: (p["x"] ** 2).sum(-1), **options)


def test_a_loss_must_give_one_number_a_run():
    with pytest.raises(ValueError, match="one number a run"):
        minimize_lbfgs({"x": torch.ones(2, 3).double()}, lambda p: p["x"].sum(0))
