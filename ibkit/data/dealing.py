"""Data dealt out to agents that train together, alike or unlike."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.seeding import run_generators


def deal_to_agents(
    seed: int, scores: Float[Tensor, "*runs samples"], agents: int, share: float = 0.0
) -> Int[Tensor, "*runs agents per_agent"]:
    r"""Return which samples each agent holds: a share of them dealt out in the order of a score, the others at random.

    With share 0 all agents see the same distribution. With share 1 the first agent gets the samples of lowest score and
    so on; with labels for scores the agents at either end hold one class each.

    Args:
        seed: non-negative; each run has a stream of its own.
        scores: what the sorted share is sorted by, one a sample. Equal scores come in random order.
        agents: N; it must divide the number of samples.
        share: of each agent's samples that are dealt in order, in [0, 1]; rounded to whole samples.

    Raises:
        ValueError: a number of samples that the agents cannot share out evenly, a share outside [0, 1], or NaN.

    Example:
        >>> deal_to_agents(0, torch.tensor([3.0, 1.0, 2.0, 0.0]), agents=2, share=1.0).sort().values.tolist()
        [[1, 3], [0, 2]]
    """
    finite("scores", scores)
    require(0 <= share <= 1, f"share must lie in [0, 1], got {share}")
    samples = scores.shape[-1]
    even = agents >= 1 and samples >= agents and samples % agents == 0
    require(even, f"agents must divide the number of samples, got {agents} agents for {samples} samples")
    each = samples // agents
    ordered = round(share * each)
    flat = scores.detach().cpu().numpy().reshape(-1, samples)
    dealt = []
    for rng, score in zip(run_generators(seed, len(flat)), flat, strict=True):
        shuffled = rng.permutation(samples)
        picked, rest = shuffled[: agents * ordered], shuffled[agents * ordered :]
        picked = picked[np.argsort(score[picked], kind="stable")]
        dealt.append(np.concatenate([picked.reshape(agents, ordered), rest.reshape(agents, each - ordered)], 1))
    return torch.from_numpy(np.stack(dealt)).reshape(*scores.shape[:-1], agents, each)
