"""Graphs, Metropolis weights and dealing, against closed forms, networkx and plain loops."""

import networkx as nx
import numpy as np
import pytest
import torch

from ibkit.data import (
    GRAPH_KINDS,
    communication_graph,
    deal_to_agents,
    metropolis,
    mixing_rate,
    separated_halfspaces,
)
from ibkit.data.graphs import require_mixing


@pytest.mark.parametrize("kind", GRAPH_KINDS)
@pytest.mark.parametrize("agents", [6, 10, 13])
def test_graphs_are_connected_and_drawable(kind, agents):
    degree = 4
    graph = communication_graph(kind, agents, seed=3, degree=degree)
    A = graph.adjacency.numpy()
    assert (A == A.T).all()
    assert set(np.unique(A)) <= {0.0, 1.0}
    assert not A.diagonal().any()
    assert nx.is_connected(nx.from_numpy_array(A))
    assert len(graph.edges()) * 2 == A.sum()
    places = graph.positions.numpy()
    assert places.shape == (agents, 2)
    assert np.abs(places).max() <= 1 + 1e-12
    assert len(np.unique(places.round(6), axis=0)) == agents
    if kind == "expander":
        assert (A.sum(0) == degree).all()


def test_random_graphs_depend_on_the_seed_alone():
    first, again, other = (communication_graph("random", 12, seed=s).adjacency for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def doubly_stochastic(A):
    return torch.allclose(A.sum(-1), torch.ones(A.shape[-1]).double()) and torch.allclose(A, A.mT)


@pytest.mark.parametrize("kind", GRAPH_KINDS)
def test_metropolis_is_symmetric_doubly_stochastic_and_local(kind):
    adjacency = communication_graph(kind, 10, seed=0).adjacency
    A = metropolis(adjacency)
    assert doubly_stochastic(A)
    assert (A >= 0).all()
    assert not A[(adjacency + torch.eye(10)) == 0].any()
    degrees = adjacency.sum(-1)
    for i, j in communication_graph(kind, 10, seed=0).edges().tolist():
        assert A[i, j] == pytest.approx(1 / (1 + max(degrees[i], degrees[j]).item()))


def test_the_weights_of_a_random_walk_are_told_apart():
    adjacency = communication_graph("star", 10).adjacency
    walk = (adjacency + torch.eye(10)) / (adjacency.sum(-1, keepdim=True) + 1)
    assert not doubly_stochastic(walk)
    with pytest.raises(ValueError, match="mixing must be symmetric with rows that sum to one"):
        mixing_rate(walk)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("complete", lambda N: 0.0),
        ("ring", lambda N: (1 + 2 * np.cos(2 * np.pi / N)) / 3),
        ("star", lambda N: 1 - 1 / N),
        ("path", lambda N: (1 + 2 * np.cos(np.pi / N)) / 3),
    ],
)
@pytest.mark.parametrize("agents", [5, 10, 17])
def test_mixing_rates_in_closed_form(kind, expected, agents):
    A = metropolis(communication_graph(kind, agents).adjacency)
    assert float(mixing_rate(A)) == pytest.approx(expected(agents), abs=1e-12)


def test_mixing_rate_is_the_worst_shrinkage_of_a_disagreement(rng):
    A = metropolis(communication_graph("random", 9, seed=5).adjacency)
    W = torch.randn(9, 400, generator=rng, dtype=torch.float64)
    D = W - W.mean(0)
    for _ in range(400):
        D = A @ D
        D = D - D.mean(0)
        D = D / D.norm(dim=0)
    shrink = (A @ D).norm(dim=0).max()
    assert float(mixing_rate(A)) == pytest.approx(float(shrink), rel=1e-6)
    bipartite = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    assert float(mixing_rate(bipartite)) == pytest.approx(1.0)
    assert float(torch.linalg.eigvalsh(bipartite)[-2]) < 0  # the mutant: forgets that negative eigenvalues count too
    assert float(mixing_rate(torch.eye(4))) == pytest.approx(1.0)


def test_graphs_batch_as_runs():
    graphs = torch.stack([communication_graph(kind, 8).adjacency for kind in ("ring", "star", "complete")])
    A = metropolis(graphs)
    for one, each in zip(A, graphs, strict=True):
        assert torch.equal(one, metropolis(each))
    assert torch.allclose(mixing_rate(A), torch.stack([mixing_rate(one) for one in A]), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cube", 8), "kind must be one of"),
        (("ring", 2), "agents must be at least 3, got 2"),
        (("ring", 5, -1), "seed must not be negative"),
        (("expander", 5, 0, 5), "degree must lie in 2..4"),
        (("expander", 5, 0, 3), "agents \\* degree be even"),
        (("random", 5, 0, 4, 0.0), "probability must lie in"),
        (("random", 60, 0, 4, 0.001), "probability 0.001 is too small: none of 200 draws of 60 agents is connected"),
    ],
)
def test_bad_graphs(unchecked, arguments, message):
    with pytest.raises(ValueError, match=message):
        communication_graph(*arguments)


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        (torch.zeros(2, 3), "adjacency must be square"),
        (torch.tensor([[0.0, 1.0], [0.0, 0.0]]), "adjacency must be symmetric"),
        (torch.tensor([[0.0, 0.5], [0.5, 0.0]]), "adjacency must be symmetric, 0 or 1"),
        (torch.eye(2), "zero on the diagonal"),
        (torch.full((2, 2), torch.nan), "adjacency must be finite"),
    ],
)
def test_bad_adjacency(unchecked, adjacency, message):
    with pytest.raises(ValueError, match=message):
        metropolis(adjacency)


def test_mixing_must_be_square(unchecked):
    with pytest.raises(ValueError, match="mixing must be \\(\\*runs, agents, agents\\)"):
        require_mixing("mixing", torch.zeros(3))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_every_sample_goes_to_one_agent(share):
    scores = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    held = deal_to_agents(1, scores, agents=8, share=share)
    assert held.shape == (2, 3, 8, 5)
    assert torch.equal(held.flatten(-2).sort().values, torch.arange(40).expand(2, 3, 40))


def test_the_sorted_share_is_what_was_asked_for():
    labels = torch.tensor([1.0, -1.0] * 60)
    spread = []
    for share in (0.0, 0.5, 1.0):
        mean = labels[deal_to_agents(0, labels, 10, share)].mean(-1)
        spread.append(float(mean.abs().mean()))
        if share == 1.0:
            assert mean[:5].tolist() == [-1.0] * 5
            assert mean[5:].tolist() == [1.0] * 5
    assert spread[0] < 0.35
    assert spread[0] < spread[1] < spread[2] == 1.0


def test_dealing_checks(unchecked):
    with pytest.raises(ValueError, match="agents must divide the number of samples, got 3 agents for 10"):
        deal_to_agents(0, torch.zeros(10), 3)
    with pytest.raises(ValueError, match="share must lie in"):
        deal_to_agents(0, torch.zeros(10), 5, 1.5)
    with pytest.raises(ValueError, match="scores must be finite"):
        deal_to_agents(0, torch.full((10,), torch.nan), 5)


def test_halfspaces_are_separated_by_their_own_plane():
    X, y, u = separated_halfspaces(seed=4, runs=3, samples=400, features=16, shift=0.5)
    side = (X @ u[..., None]).squeeze(-1)
    assert torch.allclose(u.norm(dim=-1), torch.ones(3).double())
    assert ((y * side) >= 0.5 / 4 - 1e-12).all()
    across = X - side[..., None] * u[:, None]
    assert float(across.square().sum(-1).mean()) == pytest.approx(15 / 16, rel=0.05)
    assert float(y.mean().abs()) < 0.15
    plain, _, _ = separated_halfspaces(seed=4, runs=1, samples=400, features=16, shift=0.0)
    assert float((y[0] * (plain[0] @ u[0])).min()) < 0.05  # the mutant without a gap


def test_halfspace_checks(unchecked):
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        separated_halfspaces(0, 1, 0, 3)
    with pytest.raises(ValueError, match="shift must not be negative"):
        separated_halfspaces(0, 1, 4, 3, -0.1)
