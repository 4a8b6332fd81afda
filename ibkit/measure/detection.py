"""How well a score tells two groups apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from ibkit.checks import require


class Roc(NamedTuple):
    """The receiver operating characteristic of a score.

    Args:
        false_positives: share of the negatives at or above each threshold, growing from 0 to 1.
        true_positives: share of the positives, at the same thresholds.
        area: under the curve: how likely a positive outscores a negative, ties counted half.
    """

    false_positives: np.ndarray
    true_positives: np.ndarray
    area: float


def roc(scores: np.ndarray, positive: np.ndarray) -> Roc:
    """Return the curve of true against false positives as the threshold on a score falls, and the area under it.

    Args:
        scores: shape ``(samples,)``, larger for what looks positive.
        positive: which samples are; at least one is, and one is not.

    Raises:
        ValueError: shapes that differ, NaN, or one group empty.

    Example:
        >>> roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])).area
        0.75
    """
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    require(
        scores.ndim == 1 and scores.shape == positive.shape,
        f"scores and positive must have one shape (samples,), got {scores.shape} and {positive.shape}",
    )
    require(not np.isnan(scores).any(), "scores must not hold NaN")
    p, n = int(positive.sum()), int((~positive).sum())
    require(p > 0 and n > 0, f"positive must hold both groups, got {p} positives and {n} negatives")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # one point for equal scores
    hits, alarms = np.cumsum(positive[order])[last] / p, np.cumsum(~positive[order])[last] / n
    area = (rankdata(scores)[positive].sum() - p * (p + 1) / 2) / (p * n)
    return Roc(np.concatenate([[0.0], alarms]), np.concatenate([[0.0], hits]), float(area))
