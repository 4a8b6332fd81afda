"""Real data that scikit-learn ships: no download."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from torch import Tensor

from ibkit.checks import require


def digits() -> tuple[Float[Tensor, "samples 64"], Int[Tensor, " samples"]]:
    """Return 1797 handwritten digits as 8 by 8 grey images, values in [0, 1] (UCI; Alpaydin and Kaynak 1998).

    Returns:
        Images as rows ``(1797, 64)`` in float64, and labels 0 to 9.

    Example:
        >>> X, y = digits()
        >>> X.shape, int(y.max())
        (torch.Size([1797, 64]), 9)
    """
    images, labels = _digits()
    return images.clone(), labels.clone()


def digit_pair(
    first: int, second: int, bias: bool = True
) -> tuple[Float[Tensor, "samples features"], Float[Tensor, " samples"]]:
    """Return the images of two digits with labels of opposite sign, for binary classification.

    Args:
        first: the digit that gets label -1.
        second: the digit that gets label +1.
        bias: append a column of ones, so that a linear classifier has an intercept.

    Returns:
        Images as rows, ``(samples, 65)`` with the column of ones or ``(samples, 64)`` without, and labels -1 and 1,
        both float64, in the order of the set.

    Raises:
        ValueError: unless both are digits from 0 to 9 and differ.

    Example:
        >>> X, y = digit_pair(3, 8)
        >>> X.shape, y.sum()
        (torch.Size([357, 65]), tensor(-9., dtype=torch.float64))
    """
    fits = 0 <= first <= 9 and 0 <= second <= 9 and first != second
    require(fits, f"first and second must be two different digits from 0 to 9, got {first} and {second}")
    images, labels = _digits()
    kept = (labels == first) | (labels == second)
    X = images[kept]
    if bias:
        X = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1)
    return X, torch.where(labels[kept] == second, 1.0, -1.0).to(X.dtype)


@cache
def _digits() -> tuple[Tensor, Tensor]:
    bunch = load_digits()
    return torch.from_numpy(bunch.data / 16.0), torch.from_numpy(bunch.target.astype("int64"))
