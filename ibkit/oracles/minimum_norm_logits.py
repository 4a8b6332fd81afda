r"""The logits of least nuclear norm with unit margins: the convex side of the unconstrained-features SVM."""

from __future__ import annotations

from typing import NamedTuple

import cvxpy as cp
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.models.unconstrained import positive_counts
from ibkit.oracles.certificate import OracleError, solve

GAP_TOLERANCE = 1e-5
"""Largest relative duality gap an answer may have."""

_TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}  # the minimum is flat: logits need more digits


class MinimumNormLogits(NamedTuple):
    """The least nuclear norm, what attains it, and the proof.

    Args:
        logits: row c holds the logits of a sample of class c, shape ``(classes, classes)``.
        norm: their nuclear norm over all samples.
        gap: relative duality gap: the norm is within this share of the least possible.
    """

    logits: Tensor
    norm: float
    gap: float


def minimum_norm_logits(
    counts: Float[Tensor, " classes"],
    label_temperature: Float[Tensor, " classes"] | None = None,
    class_temperature: Float[Tensor, " classes"] | None = None,
) -> MinimumNormLogits:
    r"""Return the logits with unit margins whose nuclear norm is least.

    .. math:: \min_Z\ \|Z\,\mathrm{diag}(\sqrt{n_c})\|_*\quad\text{s.t.}\quad
       \delta_y(\kappa_yZ_{yy}-\kappa_cZ_{cy})\ge1\ \ (c\ne y),

    columns being classes of samples; without temperatures the margins are :math:`Z_{yy}-Z_{cy}`. Equivalent to
    :math:`\min\frac12\|W\|_F^2+\frac12\|H\|_F^2` under the same margins
    for :math:`d\ge k-1`, the limit of vanishing ridge (Thrampoulidis et al. 2022). The certificate does not
    trust the solver: multipliers :math:`\beta\ge0` with
    :math:`B=\sum\beta_{cy}\delta_y(\kappa_ye_y-\kappa_ce_c)e_y^\top/\sqrt{n_y}` prove the lower
    bound :math:`\sum\beta/\|B\|_2`.

    Args:
        counts: :math:`n_c`, positive.
        label_temperature: :math:`\delta`, positive; ones by default.
        class_temperature: :math:`\kappa`, positive; ones by default.

    Raises:
        ValueError: counts that are not a vector of at least two positive numbers, or temperatures that are not as many
            positive numbers.
        OracleError: if the solver fails or its answer does not pass the certificate.

    Example:
        >>> best = minimum_norm_logits(torch.tensor([5.0, 1.0, 1.0]))
        >>> (best.logits + 1e-9).round(decimals=5)[0]
        tensor([ 0.6667, -0.3333, -0.3333], dtype=torch.float64)
    """
    require(counts.ndim == 1 and len(counts) >= 2, f"counts must be (classes,), at least 2, got {tuple(counts.shape)}")
    root = positive_counts(counts).detach().cpu().double().sqrt().numpy()
    k = len(root)
    delta, kappa = (
        _temperature(name, given, k)
        for name, given in (("label_temperature", label_temperature), ("class_temperature", class_temperature))
    )
    scale = kappa[:, None] * delta  # of entry (c, y)
    Z = cp.Variable((k, k))
    wrong = 1 - np.eye(k)
    adjusted = cp.multiply(scale, Z)
    margins = np.ones((k, 1)) @ cp.reshape(cp.diag(adjusted), (1, k), order="C") - adjusted >= wrong  # or 0 >= 0
    solve(cp.Problem(cp.Minimize(cp.normNuc(Z @ np.diag(root))), [margins]), "minimum-norm logits", **_TIGHT)
    found = Z.value
    tightest = np.min((np.diag(scale * found)[None, :] - scale * found)[wrong > 0])
    found = found / tightest  # exactly feasible
    norm = float(np.linalg.svd(found * root, compute_uv=False).sum())
    beta = np.abs(margins.dual_value) * wrong
    bound = beta.sum() / np.linalg.norm(scale * (np.diag(beta.sum(0)) - beta) / root, 2)
    gap = norm / bound - 1
    if not (tightest > 0.5 and gap <= GAP_TOLERANCE):
        raise OracleError(f"minimum-norm logits: margin {tightest:.2f} before scaling, relative duality gap {gap:.1e}")
    return MinimumNormLogits(torch.from_numpy(found.T.copy()), norm, max(float(gap), 0.0))


def _temperature(name: str, given: Tensor | None, classes: int) -> np.ndarray:
    if given is None:
        return np.ones(classes)
    require(tuple(given.shape) == (classes,), f"{name} must have shape ({classes},), got {tuple(given.shape)}")
    low = float(given.min())
    require(low > 0 and bool(given.isfinite().all()), f"{name} must be positive and finite, got {low}")
    return given.detach().cpu().double().numpy()
