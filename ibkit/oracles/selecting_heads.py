r"""Key and query maps by construction: heads that select tokens, freely on their own examples.

With :math:`r=\min(n,d_h)`, each of H heads owns r - 1 examples. Its bilinear form takes prescribed values on the
queries of these, and adds :math:`\Lambda uw^\top` with w orthogonal to them: on every other example the softmax
saturates at the token with the largest or smallest :math:`\langle x,u\rangle`, by the sign of
:math:`\langle w,e\rangle` (Mahdavi, Liao and Thrampoulidis 2024). One example belongs to nobody. The tokens on own
examples are chosen one after another, each outside the span of what stands already; that this is always possible makes
:math:`H(r-1)+1` examples memorisable by the values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require, shape
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params


@dataclass(frozen=True)
class SelectingHeads:
    """Heads that select.

    Args:
        params: ``key`` and ``query``, each ``(*runs, heads, features, width)``.
        selected: the token that each head selects on each example, ``(*runs, examples, heads)``.
        owner: the head that each example belongs to, ``(examples)``; -1 for the first, which belongs to none.
    """

    params: Params
    selected: Int[Tensor, "*runs examples heads"]
    owner: Int[Tensor, " examples"]


def selecting_heads(
    contexts: Float[Tensor, "*runs groups tokens features"],
    queries: Float[Tensor, "*runs examples features"],
    heads: int,
    width: int,
    sharpness: float = 40.0,
    seed: int = 0,
) -> SelectingHeads:
    r"""Return maps with which H heads give :math:`H(r-1)+1` examples linearly independent features.

    All logits of a head are at least `sharpness` below that of the selected token (those of
    `ibkit.models.QueryAttention`, with its factor :math:`1/\sqrt d`).

    Args:
        contexts: tokens, linearly independent; one context an example or one for all, float64.
        queries: any r of them linearly independent.
        heads: H.
        width: :math:`d_h`, at least 2.
        sharpness: how far logits are apart, positive.
        seed: of the directions u and w, of which almost every one will do.

    Raises:
        ValueError: fewer or more than :math:`H(r-1)+1` examples, dependent tokens, or r dependent queries where the
            construction needs them independent.

    Example:
        >>> E, e = torch.eye(6).double()[:3], torch.linspace(0, 3, 5).double()[:, None] ** torch.arange(6)
        >>> heads = selecting_heads(E[None], e, heads=2, width=6)
        >>> heads.owner
        tensor([-1,  0,  0,  1,  1])
        >>> heads.params["key"].shape
        torch.Size([2, 6, 6])
    """
    groups, tokens, d = contexts.shape[-3:]
    shape("queries", queries, ("examples", d))
    examples, r = queries.shape[-2], min(tokens, width)
    require(r >= 2, f"tokens and width must be at least 2, got {tokens} and {width}")
    require(sharpness > 0, f"sharpness must be positive, got {sharpness}")
    require(groups in (1, examples), f"contexts must be one or one an example ({examples}), got {groups}")
    wanted = heads * (r - 1) + 1
    require(examples == wanted, f"queries must hold H(r-1)+1 = {wanted} examples, got {examples}")
    ratio = float(np.linalg.cond(contexts.numpy(force=True)).max()) if tokens <= d else math.inf
    require(ratio < 1e12, "contexts must have linearly independent tokens, got dependent ones")

    runs = torch.broadcast_shapes(contexts.shape[:-3], queries.shape[:-2])
    E = contexts.expand(*runs, examples, tokens, d).reshape(-1, examples, tokens, d).numpy(force=True)
    e = queries.expand(*runs, examples, d).reshape(-1, examples, d).numpy(force=True)
    owner = np.repeat(np.arange(-1, heads), [1] + [r - 1] * heads)
    built = [_one_run(E[i], e[i], owner, heads, sharpness, rng) for i, rng in enumerate(run_generators(seed, len(E)))]
    key, query, selected = (np.stack(part) for part in zip(*built, strict=True))
    grown = [np.pad(part, [(0, 0)] * 3 + [(0, width - r)]) for part in (key * math.sqrt(d), query)]
    key, query = (torch.from_numpy(part).reshape(*runs, *part.shape[1:]).to(queries) for part in grown)
    chosen = torch.from_numpy(selected).reshape(*runs, examples, heads).to(queries.device)
    return SelectingHeads({"key": key, "query": query}, chosen, torch.from_numpy(owner))


def _one_run(
    E: np.ndarray, e: np.ndarray, owner: np.ndarray, heads: int, sharpness: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    examples, tokens, d = E.shape
    directions = rng.normal(size=(heads, 2, d))
    side, selected = np.empty((heads, examples)), np.empty((examples, heads), dtype=np.int64)
    for h, (u, w) in enumerate(directions):  # what heads select on examples of others
        own = e[owner == h]
        independent = np.linalg.svd(e[owner == h], compute_uv=False)
        require(bool(independent[-1] > 1e-10 * independent[0]), "queries must be linearly independent, r at a time")
        w -= own.T @ np.linalg.lstsq(own.T, w, rcond=None)[0]
        side[h] = e @ w
        away = np.abs(side[h][owner != h]) / np.linalg.norm(e[owner != h], axis=1).clip(1e-300)
        require(bool(away.min() > 1e-10 * np.linalg.norm(w)), "queries must be linearly independent, r at a time")
        heights = E @ u * np.sign(side[h])[:, None]
        selected[:, h] = heights.argmax(1)
    _choose(E, owner, selected)
    key, query = [], []
    for h, (u, w) in enumerate(directions):
        own = owner == h
        wished = sharpness * np.eye(tokens)[selected[own, h]]  # logits on own examples
        values = np.stack([np.linalg.lstsq(E_t, y, rcond=None)[0] for E_t, y in zip(E[own], wished, strict=True)])
        dual = np.linalg.pinv(e[own])  # (features, r - 1): reads off the coordinates of a query among its own
        before = np.einsum("tnd,td->tn", E, e @ dual @ values)[~own]
        heights = np.sort((E @ u)[~own] * side[h][~own, None], axis=1)
        gap = heights[:, -1] - heights[:, -2]
        strength = ((sharpness + np.ptp(before, axis=1)) / gap).max()
        key.append(np.concatenate([values, strength * u[None]]).T)
        query.append(np.concatenate([dual, w[:, None]], axis=1))
    return np.stack(key), np.stack(query), selected


def _choose(E: np.ndarray, owner: np.ndarray, selected: np.ndarray) -> None:
    """Choose the tokens on own examples: head by head, each row outside the span of those before it."""
    examples, tokens = E.shape[:2]
    every = np.arange(examples)
    for h in range(selected.shape[1]):
        done = [every[owner < h]]
        for t in every[owner == h]:
            rows = np.concatenate(done)
            now = E[rows[:, None], selected[rows, : h + 1]].reshape(len(rows), -1)  # what stands, in the first blocks
            tries = np.repeat(selected[t : t + 1, : h + 1], tokens, axis=0)
            tries[:, h] = np.arange(tokens)
            candidates = E[t][tries].reshape(tokens, -1)
            basis = np.linalg.qr(now.T)[0]
            left = np.linalg.norm(candidates - candidates @ basis @ basis.T, axis=1)
            selected[t, h] = left.argmax()
            done.append(np.array([t]))
