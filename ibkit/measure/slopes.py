"""Rates read off log-log plots."""

from __future__ import annotations

import numpy as np

from ibkit.checks import require


def log_log_slope(x: np.ndarray, y: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    r"""Return the least-squares slope of :math:`\log y` against :math:`\log x` inside a window of x.

    Args:
        x: positive, shape ``(recorded,)``.
        y: shape ``(recorded, *runs)``; non-positive values inside the window make their run's slope NaN.
        window: lowest and highest x, both included.

    Returns:
        One slope a run, shape ``(*runs)``.

    Raises:
        ValueError: if fewer than three points lie in the window, or the shapes do not fit.

    Example:
        >>> x = np.arange(1.0, 100.0)
        >>> float(log_log_slope(x, 3 * x**-0.5, (10, 90)).round(6))
        -0.5
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    require(y.shape[:1] == x.shape, f"y must have one entry an x ({x.shape[0]}), got shape {y.shape}")
    inside = (x >= window[0]) & (x <= window[1]) & (x > 0)
    require(int(inside.sum()) >= 3, f"window {window} must hold at least 3 recorded points, got {int(inside.sum())}")
    log_x = np.log(x[inside])
    values = y[inside]
    log_y = np.log(np.where(values > 0, values, np.nan))
    centred = log_x - log_x.mean()
    return np.asarray(np.tensordot(centred, log_y, axes=(0, 0)) / (centred**2).sum())
