"""Real data that scikit-learn ships: no download."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from torch import Tensor


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


@cache
def _digits() -> tuple[Tensor, Tensor]:
    bunch = load_digits()
    return torch.from_numpy(bunch.data / 16.0), torch.from_numpy(bunch.target.astype("int64"))
