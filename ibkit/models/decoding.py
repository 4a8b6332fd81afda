r"""Decoding rules: what is done to a language model's next-token distribution before a token is drawn."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ibkit.checks import require


def keep_top(p: Float[Tensor, "*batch tokens"], count: int) -> Float[Tensor, "*batch tokens"]:
    """Keep the likeliest tokens and normalise (top-k; greedy decoding for one token).

    Args:
        p: probabilities.
        count: how many tokens, the first of equally likely ones.

    Raises:
        ValueError: a count outside ``1 .. tokens``.

    Example:
        >>> keep_top(torch.tensor([0.25, 0.5, 0.25]), 1)
        tensor([0., 1., 0.])
    """
    require(1 <= count <= p.shape[-1], f"count must lie in 1..{p.shape[-1]}, got {count}")
    kept = torch.zeros_like(p).scatter(-1, p.argsort(dim=-1, descending=True, stable=True)[..., :count], 1.0) * p
    return kept / kept.sum(-1, keepdim=True)


def nucleus(p: Float[Tensor, "*batch tokens"], mass: float) -> Float[Tensor, "*batch tokens"]:
    """Keep the fewest likeliest tokens that hold a given mass together, and normalise (Holtzman et al. 2020).

    Args:
        p: probabilities.
        mass: in (0, 1].

    Raises:
        ValueError: a mass outside (0, 1].

    Example:
        >>> nucleus(torch.tensor([0.1, 0.6, 0.3]), 0.8)
        tensor([0.0000, 0.6667, 0.3333])
    """
    require(0 < mass <= 1, f"mass must lie in (0, 1], got {mass}")
    ranked, order = p.sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(-1) - ranked
    kept = torch.zeros_like(p).scatter(-1, order, torch.where(before < mass, ranked, 0.0))
    return kept / kept.sum(-1, keepdim=True)


def targeted_boost(
    long: Float[Tensor, "*batch tokens"],
    short: Float[Tensor, "*batch tokens"],
    detected: Bool[Tensor, "*batch"],
    least_shift: float,
    factor: float,
) -> Float[Tensor, "*batch tokens"]:
    r"""Boost the tokens that gain from the long context, where a detector says that it matters.

    Where `detected`, :math:`p(t|s)` is multiplied by `factor` for every token with
    :math:`p(t|s)-p(t|s[-\ell:])` above `least_shift`, then normalised; elsewhere it is left alone. This is the idea of
    TaBoo (Vakilian et al. 2025) in its plainest form.

    Args:
        long: probabilities given the whole context.
        short: the same model's, given a short suffix.
        detected: where to act.
        least_shift: which gain in probability marks a token, at least 0.
        factor: at least 1.

    Raises:
        ValueError: shapes that do not fit, a negative shift, or a factor below 1.

    Example:
        >>> long, short = torch.tensor([0.25, 0.75]), torch.tensor([0.0, 1.0])
        >>> targeted_boost(long, short, torch.tensor(True), least_shift=0.1, factor=3.0)
        tensor([0.5000, 0.5000])
    """
    _same(long, short)
    require(
        detected.shape == long.shape[:-1], f"detected must be {tuple(long.shape[:-1])}, got {tuple(detected.shape)}"
    )
    require(least_shift >= 0, f"least_shift must be at least 0, got {least_shift}")
    require(factor >= 1, f"factor must be at least 1, got {factor}")
    marked = detected.unsqueeze(-1) & (long - short > least_shift)
    boosted = torch.where(marked, factor * long, long)
    return torch.where(marked.any(-1, keepdim=True), boosted / boosted.sum(-1, keepdim=True), long)


def context_aware_decoding(
    long: Float[Tensor, "*batch tokens"], short: Float[Tensor, "*batch tokens"], strength: float
) -> Float[Tensor, "*batch tokens"]:
    r"""Return :math:`p(\cdot|s)^{1+a}/p(\cdot|s[-\ell:])^{a}`, normalised: contrast everywhere (Shi et al. 2024).

    Args:
        long: probabilities given the whole context.
        short: the same model's, given less of it; positive wherever `long` is.
        strength: :math:`a`, at least 0.

    Raises:
        ValueError: shapes that do not fit, a negative strength, or a token that only the long context allows.

    Example:
        >>> context_aware_decoding(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]), 1.0)
        tensor([0.7500, 0.2500])
    """
    _same(long, short)
    require(strength >= 0, f"strength must be at least 0, got {strength}")
    require(bool((short[long > 0] > 0).all()), "short must be positive wherever long is")
    logits = (1 + strength) * long.log() - strength * torch.where(long > 0, short, 1.0).log()
    return torch.softmax(logits, -1)


def _same(long: Tensor, short: Tensor) -> None:
    require(
        long.shape == short.shape, f"long and short must have one shape, got {tuple(long.shape)}, {tuple(short.shape)}"
    )
