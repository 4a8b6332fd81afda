"""Communication graphs, and the weights with which neighbours average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, one_of, require

GraphKind = Literal["complete", "expander", "random", "grid", "star", "ring", "path"]
GRAPH_KINDS = ("complete", "expander", "random", "grid", "star", "ring", "path")
DRAWS = 200
"""How often a random graph is drawn before it counts as hopeless that it be connected."""


@dataclass(frozen=True)
class CommunicationGraph:
    """Who talks to whom, and where to draw them.

    Args:
        kind: one of ``GRAPH_KINDS``.
        adjacency: 1 where two agents are neighbours, 0 elsewhere and on the diagonal, ``(agents, agents)`` in float64.
        positions: places for a drawing, within the square from -1 to 1, ``(agents, 2)`` in float64.
    """

    kind: str
    adjacency: Tensor
    positions: Tensor

    def edges(self) -> Int[Tensor, "edges 2"]:
        """Return the pairs of neighbours, each once, the smaller number first."""
        return torch.nonzero(torch.triu(self.adjacency))


def communication_graph(
    kind: GraphKind, agents: int, seed: int = 0, degree: int = 4, probability: float = 0.35
) -> CommunicationGraph:
    r"""Return a connected undirected graph of agents, made by networkx.

    - ``"complete"``: all pairs; ``"ring"``, ``"path"``, ``"star"``: as they say;
    - ``"grid"``: the rectangle of two factors of the number of agents that are as near as can be;
    - ``"expander"``: a random regular graph, an expander with high probability;
    - ``"random"``: Erdős-Rényi, every pair with the same probability.

    The random kinds are drawn again, from the next number of the same stream, until they are connected.

    Args:
        kind: one of the above.
        agents: N, at least 3.
        seed: of the random kinds, non-negative.
        degree: of the regular graph; ``agents * degree`` must be even.
        probability: of an edge of the Erdős-Rényi graph, in (0, 1].

    Raises:
        ValueError: an unknown kind, fewer than three agents, a degree or probability that no connected graph has, or
            no connected graph among 200 draws.

    Example:
        >>> communication_graph("grid", 6).edges().tolist()
        [[0, 1], [0, 3], [1, 2], [1, 4], [2, 5], [3, 4], [4, 5]]
    """
    import networkx as nx  # here, for a chapter without graphs need not wait for it

    one_of("kind", kind, GRAPH_KINDS)
    require(agents >= 3, f"agents must be at least 3, got {agents}")
    require(seed >= 0, f"seed must not be negative, got {seed}")
    if kind == "expander":
        fits = 2 <= degree < agents and agents * degree % 2 == 0
        require(
            fits, f"degree must lie in 2..{agents - 1} and agents * degree be even, got {degree} for {agents} agents"
        )
    require(0 < probability <= 1, f"probability must lie in (0, 1], got {probability}")
    rows = max(r for r in range(1, int(agents**0.5) + 1) if agents % r == 0)
    sides = (rows, agents // rows)
    makers = {
        "complete": lambda draw: nx.complete_graph(agents),
        "ring": lambda draw: nx.cycle_graph(agents),
        "path": lambda draw: nx.path_graph(agents),
        "star": lambda draw: nx.star_graph(agents - 1),
        "grid": lambda draw: nx.convert_node_labels_to_integers(nx.grid_2d_graph(*sides), ordering="sorted"),
        "expander": lambda draw: nx.random_regular_graph(degree, agents, draw),
        "random": lambda draw: nx.gnp_random_graph(agents, probability, draw),
    }
    rng = np.random.default_rng(seed)
    draws = (makers[kind](int(rng.integers(2**31))) for _ in range(DRAWS))
    graph = next((drawn for drawn in draws if nx.is_connected(drawn)), None)
    if graph is None:
        what = f"none of {DRAWS} draws of {agents} agents is connected"
        raise ValueError(f"probability {probability} is too small: {what}")
    adjacency = torch.from_numpy(nx.to_numpy_array(graph, nodelist=range(agents)))
    return CommunicationGraph(kind, adjacency, _positions(kind, agents, rows))


def metropolis(adjacency: Float[Tensor, "*runs agents agents"]) -> Float[Tensor, "*runs agents agents"]:
    r"""Return the Metropolis weights of a graph: :math:`A_{ij}=1/(1+\max(d_i,d_j))` on edges, the rest on the diagonal.

    :math:`A` is symmetric and doubly stochastic for every graph, and each agent finds its row from its neighbours'
    degrees alone (Xiao, Boyd and Lashkari 2005).

    Args:
        adjacency: symmetric, 0 or 1, zero diagonal; several graphs as leading runs. Need not be connected.

    Raises:
        ValueError: if it is not an adjacency matrix.

    Example:
        >>> metropolis(communication_graph("ring", 4).adjacency)[0]
        tensor([0.3333, 0.3333, 0.0000, 0.3333], dtype=torch.float64)
    """
    finite("adjacency", adjacency)
    square = adjacency.ndim >= 2 and adjacency.shape[-1] == adjacency.shape[-2]
    require(square, f"adjacency must be square, got shape {tuple(adjacency.shape)}")
    plain = bool(((adjacency == 0) | (adjacency == 1)).all()) and not bool(adjacency.diagonal(dim1=-2, dim2=-1).any())
    require(
        plain and bool((adjacency == adjacency.mT).all()), "adjacency must be symmetric, 0 or 1, zero on the diagonal"
    )
    degrees = adjacency.sum(-1)
    weights = adjacency / (1 + torch.maximum(degrees.unsqueeze(-1), degrees.unsqueeze(-2)))
    return weights + torch.diag_embed(1 - weights.sum(-1))


def mixing_rate(mixing: Float[Tensor, "*runs agents agents"]) -> Float[Tensor, "*runs"]:
    r"""Return :math:`\lambda=\max(|\lambda_2|,|\lambda_N|)`, what a round of averaging leaves of disagreement.

    It is the spectral norm of :math:`A-\frac1N\mathbf 1\mathbf 1^\top`; one where the graph is not connected.

    Args:
        mixing: :math:`A`, symmetric and doubly stochastic; several as leading runs.

    Raises:
        ValueError: if it is not symmetric with rows that sum to one.

    Example:
        >>> round(float(mixing_rate(metropolis(communication_graph("star", 5).adjacency))), 6)
        0.8
    """
    require_mixing("mixing", mixing)
    return torch.linalg.eigvalsh(mixing - 1 / mixing.shape[-1]).abs().amax(-1)


def require_mixing(name: str, mixing: Tensor) -> Tensor:
    """Return `mixing` if it is symmetric with rows that sum to one.

    Args:
        name: the argument's name, for the error line.
        mixing: ``(*runs, agents, agents)``.

    Raises:
        ValueError: otherwise.

    Example:
        >>> require_mixing("mixing", torch.tensor([[0.5, 0.4], [0.4, 0.5]]))
        Traceback (most recent call last):
        ...
        ValueError: mixing must be symmetric with rows that sum to one, got row sums from 0.9 to 0.9
    """
    finite(name, mixing)
    square = mixing.ndim >= 2 and mixing.shape[-1] == mixing.shape[-2]
    require(square, f"{name} must be (*runs, agents, agents), got shape {tuple(mixing.shape)}")
    sums, slack = mixing.sum(-1), 100 * torch.finfo(mixing.dtype).eps
    fits = bool((sums - 1).abs().max() <= slack) and bool((mixing - mixing.mT).abs().max() <= slack)
    low, high = round(float(sums.min()), 6), round(float(sums.max()), 6)
    require(fits, f"{name} must be symmetric with rows that sum to one, got row sums from {low} to {high}")
    return mixing


def _positions(kind: str, agents: int, rows: int) -> Tensor:
    if kind in ("grid", "path"):
        rows = rows if kind == "grid" else 1
        columns = agents // rows
        i = np.arange(agents)
        step = 2 / max(columns - 1, 1)
        return torch.from_numpy(np.stack([-1 + step * (i % columns), step * ((rows - 1) / 2 - i // columns)], 1))
    hub = 1 if kind == "star" else 0
    angle = np.arange(agents - hub) * (2 * np.pi / (agents - hub))
    circle = np.stack([np.sin(angle), np.cos(angle)], 1)
    return torch.from_numpy(np.concatenate([np.zeros((hub, 2)), circle]))
