"""Rates read off plots, with straight lines."""

from __future__ import annotations

from typing import NamedTuple

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


class LineFit(NamedTuple):
    """A least-squares line a run.

    Args:
        slope: in units of y per x, shape ``(*runs)``.
        r_squared: the share of the variance of y that the line explains; one for a straight line, and for a constant.
    """

    slope: np.ndarray
    r_squared: np.ndarray


def line_fit(x: np.ndarray, y: np.ndarray, window: tuple[float, float]) -> LineFit:
    r"""Return the least-squares slope of y against x inside a window of x, and how straight the points lie.

    Fitted to :math:`\log F` against the step count it tells linear convergence (a straight line) from a power law.

    Args:
        x: shape ``(recorded,)``.
        y: shape ``(recorded, *runs)``.
        window: lowest and highest x, both included.

    Returns:
        Slope and :math:`R^2` of each run.

    Raises:
        ValueError: if fewer than three points lie in the window, or the shapes do not fit.

    Example:
        >>> x = np.arange(10.0)
        >>> fit = line_fit(x, 5 - 2 * x, (3, 9))
        >>> float(fit.slope), float(fit.r_squared)
        (-2.0, 1.0)
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    require(y.shape[:1] == x.shape, f"y must have one entry an x ({x.shape[0]}), got shape {y.shape}")
    inside = (x >= window[0]) & (x <= window[1])
    require(int(inside.sum()) >= 3, f"window {window} must hold at least 3 recorded points, got {int(inside.sum())}")
    dx, dy = x[inside] - x[inside].mean(), y[inside] - y[inside].mean(axis=0)
    slope = np.asarray(np.tensordot(dx, dy, axes=(0, 0)) / (dx**2).sum())
    spread = (dy**2).sum(axis=0)
    rest = ((dy - np.multiply.outer(dx, slope)) ** 2).sum(axis=0)
    return LineFit(slope, np.where(spread > 0, 1 - rest / np.where(spread > 0, spread, 1.0), 1.0))
