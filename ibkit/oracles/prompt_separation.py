r"""What four ways of pooling can and cannot do on three kinds of context: the exact best errors.

Noise-free contextual mixtures with offsets :math:`(\delta^q,\delta^w)` uniform on :math:`\{(0,0),(\Delta,\Delta),
(\Delta,-\Delta)\}` and a fair label: six sequences, in which a share :math:`\zeta` of the tokens is relevant.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, logit

from ibkit.checks import one_of, require
from ibkit.models.prompt_attention import POOLINGS


def separation_error(kind: str, share: float, gap: float) -> float:
    r"""Return the smallest error that any parameters of a pooling reach on the six sequences.

    The prompt reaches 0. The average is left with 1/3 from :math:`\Delta=\zeta/(1-\zeta)` on, the linear prompt with
    1/6 from :math:`\Delta^2=\zeta/(1-\zeta)` on, self-attention with 1/3 from `self_attention_threshold` on; all
    reach 0 below. An output of exactly zero counts as an error.

    Args:
        kind: ``"prompt"``, ``"linear prompt"``, ``"self-attention"`` or ``"average"``.
        share: :math:`\zeta`, between 0 and 1.
        gap: :math:`\Delta`, positive.

    Raises:
        ValueError: another kind, a share outside (0, 1), or a gap that is not positive.

    Example:
        >>> [round(separation_error(kind, share=0.3, gap=4.0), 3) for kind in POOLINGS]
        [0.0, 0.167, 0.333, 0.333]
    """
    one_of("kind", kind, POOLINGS)
    _require_share(share)
    require(gap > 0, f"gap must be positive, got {gap:g}")
    odds = share / (1 - share)
    if kind == "linear prompt":
        return 1 / 6 if gap**2 >= odds else 0.0
    if kind == "average":
        return 1 / 3 if gap >= odds else 0.0
    if kind == "self-attention":
        return 1 / 3 if largest_relevant_mass(share, gap) <= gap / (1 + gap) else 0.0
    return 0.0


def relevant_mass_of_self_attention(score: torch.Tensor, share: float, gap: float) -> tuple[torch.Tensor, ...]:
    r"""Return how much self-attention looks at relevant tokens where the others are their mirror image, times gap.

    With :math:`i=-\Delta r` and the score :math:`g=r^\top Mr`, a relevant token spends
    :math:`p_r=\varsigma(\operatorname{logit}\zeta+(1+\Delta)g)` of its attention on relevant tokens, an irrelevant one
    :math:`p_i=\varsigma(\operatorname{logit}\zeta-\Delta(1+\Delta)g)`; the pooled token is
    :math:`[P(1+\Delta)-\Delta]\,r` with :math:`P=\zeta p_r+(1-\zeta)p_i`.

    Args:
        score: g, any shape.
        share: :math:`\zeta`.
        gap: :math:`\Delta`.

    Returns:
        :math:`(P,p_r,p_i)`, each of the shape of `score`.

    Raises:
        ValueError: a share outside (0, 1).

    Example:
        >>> relevant_mass_of_self_attention(torch.zeros(1), share=0.3, gap=4.0)  # looks at all tokens alike
        (tensor([0.3000]), tensor([0.3000]), tensor([0.3000]))
    """
    _require_share(share)
    prior = float(logit(share))
    relevant = torch.sigmoid(prior + (1 + gap) * score)
    other = torch.sigmoid(prior - gap * (1 + gap) * score)
    return share * relevant + (1 - share) * other, relevant, other


def largest_relevant_mass(share: float, gap: float) -> float:
    r"""Return :math:`\max_gP(g)`, the most that self-attention as a whole can look at relevant tokens.

    Self-attention is right on the mirrored sequences just when :math:`P>\Delta/(1+\Delta)`. Whatever the gap,
    :math:`P\le1-\min\{(1-\zeta)^2,\zeta(1-\zeta)\}`.

    Args:
        share: :math:`\zeta`, between 0 and 1.
        gap: :math:`\Delta`, positive.

    Raises:
        ValueError: a share outside (0, 1), or a gap that is not positive.

    Example:
        >>> round(largest_relevant_mass(0.3, 4.0), 3), 1 - 0.3 * 0.7
        (0.723, 0.79)
    """
    _require_share(share)
    require(gap > 0, f"gap must be positive, got {gap:g}")
    prior = logit(share)

    def mass(g: float | np.ndarray) -> float | np.ndarray:
        return share * expit(prior + (1 + gap) * g) + (1 - share) * expit(prior - gap * (1 + gap) * g)

    # Both terms are flat beyond their own scale 1/(1 + gap) and 1/(gap (1 + gap)): scan both, then polish the best.
    reach = np.concatenate([np.linspace(0, 40, 801) / (1 + gap), np.linspace(0, 40, 801) / (gap * (1 + gap))])
    grid = np.unique(np.concatenate([-reach, reach]))
    best = int(np.argmax(mass(grid)))
    bounds = grid[max(best - 4, 0)], grid[min(best + 4, len(grid) - 1)]  # wide, as points of both scans may coincide
    polished = minimize_scalar(lambda g: -mass(g), bounds=bounds, method="bounded", options={"xatol": 1e-12})
    return float(max(-polished.fun, mass(grid[best])))


def self_attention_threshold(share: float) -> float:
    r"""Return the gap from which on self-attention cannot solve the six sequences: :math:`\max_gP=\Delta/(1+\Delta)`.

    It lies between :math:`\zeta/(1-\zeta)`, from which on the average fails, and the simple bound
    :math:`1/\min\{(1-\zeta)^2,\zeta(1-\zeta)\}-1`.

    Args:
        share: :math:`\zeta`, between 0 and 1.

    Raises:
        ValueError: a share outside (0, 1).

    Example:
        >>> gap = self_attention_threshold(0.3)
        >>> separation_error("self-attention", 0.3, gap - 0.01), separation_error("self-attention", 0.3, gap + 0.01)
        (0.0, 0.3333333333333333)
    """
    _require_share(share)
    bound = 1 / min((1 - share) ** 2, share * (1 - share))
    odds = share / (1 - share)

    def room(gap: float) -> float:
        return largest_relevant_mass(share, gap) - gap / (1 + gap)

    low = odds * (1 + 1e-6)  # up to the odds a score of zero will do
    return float(brentq(room, low, bound)) if room(low) > 0 else odds


def _require_share(share: float) -> None:
    require(0 < share < 1, f"share must lie in (0, 1), got {share:g}")
