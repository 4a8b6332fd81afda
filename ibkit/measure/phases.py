"""Down, up, down: the turning points of an effective rank along training."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ibkit.checks import require


class RankPhases(NamedTuple):
    """Where a curve turns, as indices of recorded steps, one a run.

    Args:
        low: the end of the first fall, shape ``(*runs)``.
        peak: the end of the rise that follows, shape ``(*runs)``.
    """

    low: np.ndarray
    peak: np.ndarray

    def at(self, values: np.ndarray, when: str) -> np.ndarray:
        """Return one quantity at the start, the low, the peak or the end.

        Args:
            values: its history, shape ``(recorded, *runs)``.
            when: ``"start"``, ``"low"``, ``"peak"`` or ``"end"``.

        Raises:
            ValueError: another word.
        """
        require(when in ("start", "low", "peak", "end"), f"when must be start, low, peak or end, got {when!r}")
        if when in ("start", "end"):
            return np.asarray(values[0 if when == "start" else -1])
        index = getattr(self, when)
        return np.asarray(np.take_along_axis(values, index[None], axis=0)[0])


def rank_phases(rank: np.ndarray, early: float = 0.5) -> RankPhases:
    """Return the turning points: the lowest record of the early ones, and the highest record after it.

    On a logarithmic clock the first half ends at the square root of the last step: a short training needs a larger
    share. A curve that only falls has its peak at the low; one that only rises its low at the start and its peak at the
    end.

    Args:
        rank: an effective rank at each recorded step, shape ``(recorded, *runs)``.
        early: the share of the records among which the low is sought, in (0, 1].

    Raises:
        ValueError: fewer than four records, NaN, or a share outside (0, 1].

    Example:
        >>> phases = rank_phases(np.array([5.0, 2.0, 3.0, 6.0, 6.0, 4.0]))
        >>> int(phases.low), int(phases.peak), float(phases.at(np.arange(6.0), "peak"))
        (1, 3, 3.0)
    """
    require(len(rank) >= 4, f"rank must hold at least four records, got {len(rank)}")
    require(not np.isnan(rank).any(), "rank must hold numbers, got NaN")
    require(0 < early <= 1, f"early must lie in (0, 1], got {early}")
    low = rank[: math.ceil(early * len(rank))].argmin(axis=0)
    after = np.arange(len(rank)).reshape(-1, *(1,) * low.ndim) >= low
    return RankPhases(np.asarray(low), np.asarray(np.where(after, rank, -np.inf).argmax(axis=0)))
