"""The smallest instance on which averaging over the samples hurts: one point against copies of another."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require


def outvoted_point(
    samples: float | Float[Tensor, "*#runs"],
    alpha: float | Float[Tensor, "*#runs"] = 0.9,
    b: float | Float[Tensor, "*#runs"] = 0.3,
) -> tuple[Float[Tensor, "*runs 2 2"], Float[Tensor, "*runs 2"]]:
    r"""Return n - 1 copies of the row (1, b) and one row (-alpha, b), each once, with their shares of the n samples.

    The best margin is b, for the direction (0, 1). An average over all samples gives the lone point a say of 1/n.

    Args:
        samples: n, at least 2; a number or one a run (the arguments broadcast).
        alpha: how far the lone point is on the wrong side, positive.
        b: the coordinate in which all agree, positive.

    Returns:
        Rows :math:`a_i=y_ix_i`, float64, the copied one first, and their shares ``((n - 1) / n, 1 / n)``.

    Raises:
        ValueError: fewer than two samples, or alpha or b not positive.

    Example:
        >>> rows, shares = outvoted_point(10.0)
        >>> rows.tolist(), shares.tolist()
        ([[1.0, 0.3], [-0.9, 0.3]], [0.9, 0.1])
    """
    n, alpha, b = torch.broadcast_tensors(*(torch.as_tensor(v, dtype=torch.float64) for v in (samples, alpha, b)))
    require(bool((n >= 2).all()), f"samples must be at least 2, got {float(n.min()):g}")
    for name, value in (("alpha", alpha), ("b", b)):
        require(bool((value > 0).all()), f"{name} must be positive, got {float(value.min()):g}")
    rows = torch.stack([torch.stack([torch.ones_like(b), b], -1), torch.stack([-alpha, b], -1)], -2)
    return rows, torch.stack([(n - 1) / n, 1 / n], -1)
