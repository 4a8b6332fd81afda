r"""Four ways to pool a sequence into one token before a linear head.

With tokens :math:`X\in\mathbb R^{T\times d}`, all have the form :math:`f(X)=w^\top p(X)` (Oymak et al. 2023).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import one_of, require, shape
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params

POOLINGS: dict[str, tuple[str, ...]] = {
    "prompt": ("w", "q"),
    "linear prompt": ("w", "q"),
    "self-attention": ("w", "M"),
    "average": ("w",),
}
"""The kinds of pooling, each with the names of its parameters."""


def prompt_weights(
    tokens: Float[Tensor, "*data_runs samples tokens features"], q: Float[Tensor, "*runs features"]
) -> Float[Tensor, "*all_runs samples tokens"]:
    r"""Return how a prompt spreads its attention over the tokens, :math:`\mathrm{softmax}(Xq)`.

    Args:
        tokens: :math:`X`, one set a run or one for all.
        q: the prompt; its length is the inverse temperature.

    Raises:
        ValueError: a prompt of another width, or tokens without a sample dimension.

    Example:
        >>> prompt_weights(torch.eye(2)[None], torch.zeros(2))
        tensor([[0.5000, 0.5000]])
    """
    _require_tokens(tokens)
    shape("q", q, (tokens.shape[-1],))
    return torch.softmax(_along(tokens, q), -1)


def prompt_pool(
    tokens: Float[Tensor, "*data_runs samples tokens features"], q: Float[Tensor, "*runs features"]
) -> Float[Tensor, "*all_runs samples features"]:
    r"""Return the token that a prompt makes of each sequence, :math:`X^\top\mathrm{softmax}(Xq)`.

    Args:
        tokens: :math:`X`, one set a run or one for all.
        q: the prompt.

    Raises:
        ValueError: as `prompt_weights`.

    Example:
        >>> X = torch.tensor([[[1.0, 3.0], [0.0, -3.0]]])
        >>> prompt_pool(X, torch.tensor([[0.0, 0.0], [100.0, 0.0]]))  # the mean, then the first token
        tensor([[[0.5000, 0.0000]],
        <BLANKLINE>
                [[1.0000, 3.0000]]])
    """
    return _mix(prompt_weights(tokens, q), tokens)


def pooled_tokens(
    kind: str, params: Params, tokens: Float[Tensor, "*data_runs samples tokens features"]
) -> Float[Tensor, "*all_runs samples features"]:
    r"""Return the token that each sequence is pooled into.

    ============== =================================================================
    prompt         :math:`X^\top\mathrm{softmax}(Xq)`
    linear prompt  :math:`\frac1TX^\top Xq`
    self-attention :math:`\frac1TX^\top\mathrm{softmax}(XMX^\top)^\top\mathbf 1` (softmax of rows)
    average        :math:`\frac1TX^\top\mathbf 1`
    ============== =================================================================

    Args:
        kind: one of `POOLINGS`.
        params: ``q`` or ``M``, with any leading run dimensions, as `pooling_start` gives them.
        tokens: :math:`X`, one set a run or one for all.

    Raises:
        ValueError: another kind, or parameters that do not fit the tokens.

    Example:
        >>> pooled_tokens("linear prompt", {"q": torch.tensor([1.0, 0.0])}, torch.tensor([[[2.0, 1.0], [0.0, 5.0]]]))
        tensor([[2., 1.]])
    """
    one_of("kind", kind, POOLINGS)
    _require_tokens(tokens)
    length, d = tokens.shape[-2:]
    if kind == "prompt":
        return prompt_pool(tokens, params["q"])
    if kind == "linear prompt":
        return _mix(_along(tokens, shape("q", params["q"], (d,))) / length, tokens)
    if kind == "self-attention":
        M = shape("M", params["M"], (d, d))
        logits = (tokens @ M.unsqueeze(-3)) @ tokens.mT
        return _mix(torch.softmax(logits, -1).mean(-2), tokens)
    return tokens.mean(-2)


def pooled_output(
    kind: str, params: Params, tokens: Float[Tensor, "*data_runs samples tokens features"]
) -> Float[Tensor, "*all_runs samples"]:
    r"""Return :math:`f(X)=w^\top p(X)`, a linear head on the pooled token.

    Args:
        kind: one of `POOLINGS`.
        params: the head ``w`` and what the pooling needs.
        tokens: :math:`X`, one set a run or one for all.

    Raises:
        ValueError: as `pooled_tokens`, or a head of another width.

    Example:
        >>> pooled_output("average", {"w": torch.tensor([1.0, 1.0])}, torch.tensor([[[2.0, 1.0], [0.0, 5.0]]]))
        tensor([4.])
    """
    w = shape("w", params["w"], (tokens.shape[-1],))
    return (pooled_tokens(kind, params, tokens) * w.unsqueeze(-2)).sum(-1)


def pooling_start(kind: str, seed: int, runs: int, features: int, scale: float = 1.0) -> Params:
    r"""Return random parameters, every entry :math:`\mathcal N(0,\text{scale}^2)`.

    Args:
        kind: one of `POOLINGS`.
        seed: non-negative.
        runs: how many models.
        features: d.
        scale: standard deviation.

    Returns:
        ``w`` and ``q`` of shape ``(runs, features)``, ``M`` of shape ``(runs, features, features)``, float64.

    Raises:
        ValueError: another kind, no features, or a scale that is not positive.

    Example:
        >>> {name: tuple(value.shape) for name, value in pooling_start("self-attention", 0, 3, 2).items()}
        {'w': (3, 2), 'M': (3, 2, 2)}
    """
    one_of("kind", kind, POOLINGS)
    require(features >= 1, f"features must be at least 1, got {features}")
    require(scale > 0, f"scale must be positive, got {scale}")
    sizes = {"w": (features,), "q": (features,), "M": (features, features)}
    generators = run_generators(seed, runs)
    return {
        name: torch.from_numpy(np.stack([scale * rng.normal(size=sizes[name]) for rng in generators]))
        for name in POOLINGS[kind]
    }


def _along(tokens: Tensor, q: Tensor) -> Tensor:
    """Return x_t . q; one matrix product where all runs share their tokens."""
    return torch.einsum("...ntd,...d->...nt", tokens, q)


def _mix(weights: Tensor, tokens: Tensor) -> Tensor:
    """Return the sum of the tokens by their weights."""
    return torch.einsum("...nt,...ntd->...nd", weights, tokens)


def _require_tokens(tokens: Tensor) -> None:
    require(
        tokens.ndim >= 3 and tokens.shape[-2] >= 1,
        f"tokens must be (*runs, samples, tokens, features), at least 1 token, got shape {tuple(tokens.shape)}",
    )
