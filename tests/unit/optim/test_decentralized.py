"""Decentralised rules against plain loops, gradient descent on a penalised loss, and exact invariants."""

import numpy as np
import pytest
import torch

from ibkit.data import communication_graph, metropolis
from ibkit.losses import linear_binary
from ibkit.measure import consensus_error
from ibkit.optim import (
    chain,
    decentralized_gradient_descent,
    mix_agents,
    normalize,
    step_size,
    track_gradients,
    tracked_gradient_descent,
)
from ibkit.oracles import steady_disagreement
from ibkit.scaled import Gradient
from ibkit.train import train

N, D, ETA = 6, 4, 0.7


@pytest.fixture
def rows(rng):
    return torch.randn(N, 5, D, generator=rng, dtype=torch.float64) + 0.5


def mixing(kind="ring"):
    return metropolis(communication_graph(kind, N).adjacency)


def textbook_gradient(rows, W):
    """Write the local gradients of the logistic loss agent by agent."""
    return np.stack([-(a / (1 + np.exp(a @ w))[:, None]).mean(0) for a, w in zip(rows.numpy(), W, strict=True)])


def last(rows, rule, steps, start=None):
    start = torch.zeros(N, D, dtype=torch.float64) if start is None else start
    return train({"w": start}, linear_binary(rows, "logistic"), rule, steps, lambda p: {"w": p["w"]}, [steps]).params[
        "w"
    ]


@pytest.mark.parametrize("kind", ["ring", "star", "complete"])
def test_dgd_is_the_textbook_loop(rows, kind):
    A, W = mixing(kind).numpy(), np.zeros((N, D))
    adapt_first = np.zeros((N, D))  # the mutant: steps, then averages
    for _ in range(50):
        W = A @ W - ETA * textbook_gradient(rows, W)
        adapt_first = A @ (adapt_first - ETA * textbook_gradient(rows, adapt_first))
    found = last(rows, decentralized_gradient_descent(mixing(kind), ETA), 50).numpy()
    np.testing.assert_allclose(found, W, atol=1e-12)
    assert np.abs(found - adapt_first).max() > 1e-3


def test_dgd_is_gradient_descent_on_the_penalised_loss(rows, rng):
    A, W = mixing(), torch.randn(N, D, generator=rng, dtype=torch.float64)
    leaf = W.clone().requires_grad_()
    loss = torch.nn.functional.softplus(-(rows @ leaf[..., None]).squeeze(-1)).mean(-1).sum()
    (slope,) = torch.autograd.grad(ETA * loss + 0.5 * (leaf * (leaf - A @ leaf)).sum(), leaf)
    moved = last(rows, decentralized_gradient_descent(A, ETA), 1, W)
    assert torch.allclose(moved, W - slope, atol=1e-13)
    wrong = last(rows, chain(step_size(ETA)), 1, W)  # the mutant: agents that do not talk
    assert not torch.allclose(wrong, W - slope, atol=1e-3)


def test_tracking_is_the_textbook_loop(rows):
    A = mixing().numpy()
    for power in (0.0, 1.0):
        W = np.zeros((N, D))
        G = textbook_gradient(rows, W)
        V = G.copy()
        for _ in range(40):
            size = np.linalg.norm(V, axis=1, keepdims=True) ** power
            W = A @ W - 0.1 * V / size
            new = textbook_gradient(rows, W)
            V, G = A @ V + new - G, new
        found = last(rows, tracked_gradient_descent(mixing(), 0.1, power), 40).numpy()
        np.testing.assert_allclose(found, W, atol=1e-10)
        untracked = chain(normalize(power), step_size(0.1), mix_agents(mixing()))  # the mutant
        assert np.abs(last(rows, untracked, 40).numpy() - W).max() > 1e-3


def tracked_and_true(rows, rule, fading=0.08, steps=900):
    """Return the mean of what is tracked and of the gradients, in one scale, once the gradients have died out."""
    gradient, state = linear_binary(rows, "logistic"), rule.init({})
    for t in range(steps):
        g = gradient({"w": torch.full((N, D), 0.1 * np.sin(t), dtype=torch.float64)})
        g = Gradient(g.tensors, g.log_scale - fading * t)
        v, state = rule.update(g, state, {})
    level = g.log_scale.max()
    return [(x.tensors["w"] * (x.log_scale - level).exp()[:, None]).mean(0) for x in (v, g)]


def plain_tracking(A):
    """Build the mutant: the recursion in double precision, as it stands."""

    def update(g, state, params):
        now = g.true()["w"]
        v = now if state is None else A @ state[0] + now - state[1]
        return Gradient({"w": v}, torch.zeros(N, dtype=v.dtype)), (v, now)

    return type(track_gradients(A))("plain", lambda params: None, update)


def test_the_tracked_mean_survives_vanishing_gradients(rows):
    found, true = tracked_and_true(rows, track_gradients(mixing()))
    assert torch.allclose(found, true, rtol=1e-8, atol=1e-10)
    found, true = tracked_and_true(rows, plain_tracking(mixing()))
    assert not torch.allclose(found, true, rtol=1e-1, atol=1e-2)


def test_tracked_agents_agree_on_the_gradient_of_the_whole(rows):
    rule, g = track_gradients(mixing()), linear_binary(rows)({"w": torch.zeros(N, D, dtype=torch.float64)})
    state = rule.init({})
    for _ in range(300):  # the same gradients again and again
        v, state = rule.update(g, state, {})
    assert torch.allclose(v.true()["w"], g.true()["w"].mean(0).expand(N, D), atol=1e-12)


def test_tracking_starts_with_zero_gradients():
    rule, zero = track_gradients(mixing()), Gradient({"w": torch.zeros(N, D)}, torch.zeros(N))
    rule = track_gradients(mixing().float())
    _, state = rule.update(zero, rule.init({}), {})
    v, _ = rule.update(zero, state, {})
    assert not v.true()["w"].any()


def test_graphs_and_data_sets_batch_like_single_runs(rng):
    kinds = ("ring", "star")
    sets = torch.randn(3, N, 5, D, generator=rng, dtype=torch.float64) + 0.5
    A = torch.stack([mixing(kind) for kind in kinds])[:, None]
    for rule in (decentralized_gradient_descent, tracked_gradient_descent):
        start = {"w": torch.zeros(2, 3, N, D, dtype=torch.float64)}
        batch = train(start, linear_binary(sets), rule(A, 0.3), 30, lambda p: {"w": p["w"]}, [30]).params["w"]
        for i, kind in enumerate(kinds):
            for j, rows in enumerate(sets):
                assert torch.allclose(batch[i, j], last(rows, rule(mixing(kind), 0.3), 30), atol=1e-11)


def test_matrices_and_several_tensors_mix_too(rng):
    A = mixing()
    params = {"W": torch.randn(N, 2, 3, generator=rng, dtype=torch.float64), "b": torch.randn(N, dtype=torch.float64)}
    still = Gradient({k: torch.zeros_like(v) for k, v in params.items()}, torch.zeros(N, dtype=torch.float64))
    moved = mix_agents(A).update(still, (), params)[0].tensors
    assert torch.allclose(params["W"] + moved["W"], torch.einsum("ab,bij->aij", A, params["W"]))
    assert torch.allclose(params["b"] + moved["b"], A @ params["b"])


def test_steady_disagreement_is_where_the_recursion_rests(rng):
    A, G = mixing("star"), torch.randn(N, D, generator=rng, dtype=torch.float64)
    W = torch.zeros(N, D, dtype=torch.float64)
    for _ in range(2000):
        W = A @ W - ETA * G
    D_found = steady_disagreement(A, G, ETA)
    assert torch.allclose(D_found, W - W.mean(0), atol=1e-8)
    J = torch.full((N, N), 1 / N, dtype=torch.float64)
    pseudo = -ETA * torch.linalg.pinv(torch.eye(N) - A) @ (G - G.mean(0))
    assert torch.allclose(D_found, pseudo, atol=1e-10)
    assert not torch.allclose(D_found, -ETA * (torch.eye(N) - J) @ G, atol=1e-2)  # the mutant: blind to the graph
    many = steady_disagreement(A, G.expand(2, N, D), torch.tensor([ETA, 2 * ETA], dtype=torch.float64))
    assert torch.allclose(many[1], 2 * many[0])


def test_consensus_error_is_the_mean_squared_distance(rng):
    W = torch.randn(3, N, D, generator=rng, dtype=torch.float64)
    pairs = torch.cdist(W, W).square().sum((-1, -2)) / (2 * N * N)
    assert torch.allclose(consensus_error(W), pairs)
    assert torch.allclose(consensus_error(W + 7), consensus_error(W))
    assert not torch.allclose(W.square().sum(-1).mean(-1), pairs)  # the mutant: distance from zero


def test_checks(unchecked):
    lopsided = torch.tensor([[0.5, 0.5], [0.2, 0.8]])
    for make in (mix_agents, track_gradients):
        with pytest.raises(ValueError, match="mixing must be symmetric"):
            make(lopsided)
        g = Gradient({"w": torch.zeros(3, 1)}, torch.zeros(3))
        rule = make(torch.full((2, 2), 0.5))
        with pytest.raises(ValueError, match="the last run dimension must be the 2 agents of mixing"):
            rule.update(g, rule.init({}), {"w": torch.zeros(3, 1)})
    with pytest.raises(ValueError, match="connected graph"):
        steady_disagreement(torch.eye(3), torch.zeros(3, 1), 0.1)
    with pytest.raises(ValueError, match="eta must be positive"):
        steady_disagreement(torch.full((2, 2), 0.5), torch.zeros(2, 1), 0.0)
    with pytest.raises(ValueError, match="gradients must be"):
        steady_disagreement(torch.full((2, 2), 0.5), torch.zeros(3, 1), 0.1)
    with pytest.raises(ValueError, match="gradients must be finite"):
        steady_disagreement(torch.full((2, 2), 0.5), torch.full((2, 1), torch.nan), 0.1)
    with pytest.raises(ValueError, match="W must be"):
        consensus_error(torch.zeros(3))
