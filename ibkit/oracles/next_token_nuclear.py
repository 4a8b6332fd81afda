r"""The logits of least nuclear norm that separate supports: where free word and context embeddings run to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from ibkit.checks import require
from ibkit.oracles.certificate import OracleError
from ibkit.oracles.support_geometry import centered_support, polar_factor, support_mask

GAP_TOLERANCE = 1e-6
"""Largest relative duality gap that an answer may have."""

_RELAXATION = 1.6


class NextTokenNuclear(NamedTuple):
    r"""The solution of the nuclear-norm support vector machine, and its proof.

    Args:
        logits: :math:`L^{\mathrm{mm}}`, one row a context, rows that sum to zero, ``(*runs, contexts, vocabulary)``.
        dual: the certificate G, of spectral norm one, rows that sum to zero, no positive entry off the supports.
        norm: the nuclear norm of the logits, ``(*runs)``.
        gap: relative duality gap: `norm` is within this share of the least possible, ``(*runs)``.
    """

    logits: Tensor
    dual: Tensor
    norm: Tensor
    gap: Tensor


def next_token_nuclear(
    support: Bool[Tensor, "*runs contexts vocabulary"], tolerance: float = 1e-10, iterations: int = 20_000
) -> NextTokenNuclear:
    r"""Return the logits of least nuclear norm that tie every support and put it at least one above the rest.

    .. math:: L^{\mathrm{mm}}\in\arg\min\|L\|_*\quad\text{s.t.}\quad L_{jz}=L_{jz'},\
       L_{jz}-L_{jv}\ge1\qquad z,z'\in S_j,\ v\notin S_j

    (Zhao, Behnia, Vakilian and Thrampoulidis 2024). By the alternating direction method of multipliers: one step
    shrinks singular values, the other projects each row on its constraints, which has a closed form. It starts from the
    centred support matrix and its polar factor, so that where those are optimal it ends at once.

    The certificate does not trust the iteration. A projection leaves a multiplier G with
    :math:`\langle G,L\rangle\ge\langle G,L^{\mathrm{mm}}\rangle` for *all* feasible L, and any G proves
    :math:`\|L\|_*\ge\langle G,L\rangle/\|G\|_2`. The logits returned are exactly feasible.

    Args:
        support: whether a token may follow a context; with leading runs, one program each.
        tolerance: relative duality gap at which a run ends.
        iterations: most steps.

    Returns:
        A minimiser (contexts with one support share their row), float64.

    Raises:
        ValueError: a context that nothing may follow, or a tolerance that is not positive.
        OracleError: if the gap stays above `GAP_TOLERANCE`.

    Example:
        >>> pairs = torch.combinations(torch.arange(5), 2)
        >>> all_pairs = torch.zeros(10, 5).scatter(1, pairs, 1.0) > 0
        >>> best = next_token_nuclear(all_pairs)
        >>> float(best.norm), best.logits[0].round(decimals=6)  # 4 sqrt(3), and the centred support matrix
        (6.928..., tensor([ 0.6000,  0.6000, -0.4000, -0.4000, -0.4000], dtype=torch.float64))
    """
    require(tolerance > 0, f"tolerance must be positive, got {tolerance}")
    mask = support_mask(support)
    runs, each = mask.shape[:-2], mask.shape[-2:]
    mask = mask.reshape(-1, *each)
    Z = centered_support(mask)
    s = torch.linalg.svdvals(Z)
    rho = torch.where(s > 1e-9, 1 / s.clamp(min=1e-9), torch.nan).nanmedian(-1).values.nan_to_num(1.0)
    rho = rho[:, None, None]
    U = -polar_factor(Z) / rho
    # the first multiplier must pass the certificate as it is: no positive entries off the supports
    G, gap = -U, _gap(Z, -U)
    gap = torch.where(_bounds(mask, G), gap, torch.inf)
    live = gap > tolerance
    for step in range(iterations):
        if not live.any():
            break
        X = _shrink(Z - U, 1 / rho)
        mixed = _RELAXATION * X + (1 - _RELAXATION) * Z + U
        projected = _project(mixed, mask)
        moving = live[:, None, None]
        Z, U = torch.where(moving, projected, Z), torch.where(moving, mixed - projected, U)
        if step % 10 == 9 or step == iterations - 1:
            G = torch.where(moving, -U, G)
            gap = torch.where(live, _gap(Z, -U), gap)
            live = gap > tolerance
    worst = float(gap.max())
    if not worst <= GAP_TOLERANCE:
        raise OracleError(f"next-token nuclear norm: relative duality gap {worst:.1e} after {iterations} steps")
    G = G / torch.linalg.matrix_norm(G, 2).clamp(min=1e-300)[:, None, None]
    norm = torch.linalg.svdvals(Z).sum(-1)
    return NextTokenNuclear(
        Z.reshape(*runs, *each), G.reshape(*runs, *each), norm.reshape(runs), gap.clamp(min=0.0).reshape(runs)
    )


def _bounds(mask: Tensor, G: Tensor) -> Tensor:
    """Return for each run whether G has no positive entry off the supports: then it proves a lower bound."""
    return (G.masked_fill(mask, 0.0) <= 0).all((-2, -1))


def _gap(Z: Tensor, G: Tensor) -> Tensor:
    """Relative gap between the nuclear norm of Z and the bound that G proves; zero where there is nothing to do."""
    bound = (G * Z).sum((-2, -1))
    norm = torch.linalg.svdvals(Z).sum(-1) * torch.linalg.matrix_norm(G, 2)
    return torch.where(norm > 0, torch.where(bound > 0, norm / bound.clamp(min=1e-300) - 1, torch.inf), 0.0)


def _shrink(X: Tensor, by: Tensor) -> Tensor:
    U, s, Vh = torch.linalg.svd(X, full_matrices=False)
    return (U * (s.unsqueeze(-2) - by).clamp(min=0)) @ Vh


def _project(Y: Tensor, mask: Tensor) -> Tensor:
    r"""Return the nearest rows that equal a on the support and are at most a - 1 outside.

    Given a, entries outside become :math:`\min(y_v,a-1)`; a is the mean of the in-support entries and of those
    :math:`y_v+1` that exceed it. With these in falling order it is the largest of the running means.
    """
    size = mask.sum(-1, keepdim=True)
    raised = (Y + 1).masked_fill(mask, -torch.inf).sort(-1, descending=True).values
    outside = raised.isfinite()
    inside = torch.where(mask, Y, 0.0).sum(-1, keepdim=True)
    count = size + torch.arange(1, Y.shape[-1] + 1, device=Y.device)
    means = (inside + torch.where(outside, raised, 0.0).cumsum(-1)) / count
    a = torch.maximum(inside / size, means.masked_fill(~outside, -torch.inf).amax(-1, keepdim=True))
    return torch.where(mask, a, torch.minimum(Y, a - 1))
