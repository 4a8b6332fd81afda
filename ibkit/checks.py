"""Argument checks: one clear line that names the argument, what came and what was expected."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def require(condition: bool, message: str) -> None:
    """Raise ``ValueError(message)`` unless `condition` holds.

    Args:
        condition: what must be true.
        message: what came and what was expected.

    Raises:
        ValueError: if it is not.

    Example:
        >>> require(1 < 0, "steps must be at least 1, got 0")
        Traceback (most recent call last):
        ...
        ValueError: steps must be at least 1, got 0
    """
    if not condition:
        raise ValueError(message)


def finite(name: str, values: Tensor) -> Tensor:
    """Return `values` if none of them is NaN or infinite.

    Args:
        name: the argument's name, for the error line.
        values: any tensor.

    Raises:
        ValueError: if an entry is not finite; the line counts such entries.

    Example:
        >>> finite("X", torch.tensor([1.0, float("nan")]))
        Traceback (most recent call last):
        ...
        ValueError: X must be finite, got 1 of 2 entries NaN or infinite
    """
    bad = int((~torch.isfinite(values)).sum())
    require(bad == 0, f"{name} must be finite, got {bad} of {values.numel()} entries NaN or infinite")
    return values


def shape(name: str, values: Tensor, expected: tuple[int | str, ...]) -> Tensor:
    """Return `values` if its trailing dimensions match `expected`; strings stand for any size.

    Leading (run) dimensions are free.

    Args:
        name: the argument's name, for the error line.
        values: any tensor.
        expected: sizes; a string stands for any size and names it.

    Raises:
        ValueError: if there are too few dimensions or a size differs.

    Example:
        >>> shape("W", torch.zeros(2, 3), ("classes", 4))
        Traceback (most recent call last):
        ...
        ValueError: W must have trailing shape (classes, 4), got (2, 3)
    """
    trailing = tuple(values.shape[max(0, values.ndim - len(expected)) :])
    fits = len(trailing) == len(expected) and all(
        isinstance(want, str) or got == want for got, want in zip(trailing, expected, strict=True)
    )
    wanted = ", ".join(str(size) for size in expected)
    require(fits, f"{name} must have trailing shape ({wanted}), got {tuple(values.shape)}")
    return values


def labels_in_range(name: str, labels: Tensor, classes: int) -> Tensor:
    """Return integer `labels` if all lie in ``0 .. classes - 1``.

    Args:
        name: the argument's name, for the error line.
        labels: class numbers.
        classes: how many classes there are.

    Raises:
        ValueError: if a label is out of range, or the labels are not integers.

    Example:
        >>> labels_in_range("y", torch.tensor([0, 3]), 3)
        Traceback (most recent call last):
        ...
        ValueError: y must hold integers in 0..2, got values from 0 to 3
    """
    require(
        not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool),
        f"{name} must hold integers, got {labels.dtype}",
    )
    if labels.numel():
        low, high = int(labels.min()), int(labels.max())
        fits = low >= 0 and high < classes
        require(fits, f"{name} must hold integers in 0..{classes - 1}, got values from {low} to {high}")
    return labels


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`.

    Args:
        name: the argument's name, for the error line.
        value: what came.
        choices: what may come.

    Raises:
        ValueError: otherwise; the line lists the choices.

    Example:
        >>> one_of("norm", "spectrum", ["max", "spectral"])
        Traceback (most recent call last):
        ...
        ValueError: norm must be one of max, spectral, got 'spectrum'
    """
    choices = list(choices)
    require(value in choices, f"{name} must be one of {', '.join(choices)}, got {value!r}")
    return value
