r"""A two-layer network with a smooth, leaky activation and a fixed outer layer, many at once.

.. math:: \Phi(W,x)=\sum_{j=1}^m a_j\,\sigma(w_j^\top x),\qquad a_j=\pm\frac1m,\qquad
   \sigma(u)=\alpha u+(1-\alpha)\log(1+e^u).

Only the inner weights are trained, which is the setting of Taheri and Thrampoulidis (AAAI 2023). The slope of the
activation lies between its leak :math:`\alpha` and one, and its curvature is at most :math:`(1-\alpha)/4`.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params, expand_runs


def leaky_softplus(u: Float[Tensor, "*shape"], leak: float | Tensor = 0.2) -> Float[Tensor, "*shape"]:
    r"""Return :math:`\sigma(u)=\alpha u+(1-\alpha)\log(1+e^u)`: the line :math:`u` at leak one, softplus at leak zero.

    Args:
        u: what comes in.
        leak: :math:`\alpha` in [0, 1], the slope far to the left; a number, or one a run, shape ``(*runs)``, for the
            leading dimensions of `u`.

    Raises:
        ValueError: a leak outside [0, 1], or of a shape that is not that of the runs.

    Example:
        >>> leaky_softplus(torch.tensor([-20.0, 0.0, 20.0]), 0.5)
        tensor([-10.0000,   0.3466,  20.0000])
    """
    _require_leak(leak)
    leak = _per_run(leak, u)
    return leak * u + (1 - leak) * torch.nn.functional.softplus(u)


def smooth_two_layer_start(seed: int, runs: int, features: int, hidden: int, scale: float = 1.0) -> Params:
    r"""Return Gaussian inner weights, every entry of standard deviation `scale`.

    Args:
        seed: non-negative.
        runs: how many networks.
        features: d.
        hidden: m, hidden units.
        scale: standard deviation.

    Returns:
        ``inner`` of shape ``(runs, hidden, features)``, float64. The first units of a wide network are those of a
        narrow one.

    Raises:
        ValueError: sizes below one, or a scale that is not positive.

    Example:
        >>> smooth_two_layer_start(0, runs=2, features=5, hidden=4)["inner"].shape
        torch.Size([2, 4, 5])
    """
    require(min(features, hidden) >= 1, f"sizes must be at least 1, got features {features} and hidden {hidden}")
    require(scale > 0, f"scale must be positive, got {scale}")
    inner = [scale * rng.normal(size=(hidden, features)) for rng in run_generators(seed, runs)]
    return {"inner": torch.from_numpy(np.stack(inner))}


def smooth_two_layer_output(
    params: Params, X: Float[Tensor, "*data_runs samples features"], leak: float | Tensor = 0.2
) -> Float[Tensor, "*runs samples"]:
    r"""Return the outputs :math:`\Phi(W,x_i)`; the outer weights are :math:`+1/m` and :math:`-1/m` in turn.

    Args:
        params: ``inner`` of shape ``(*runs, hidden, features)``.
        X: inputs, shared by the runs or one set a run.
        leak: :math:`\alpha`, a number or one a run.

    Raises:
        ValueError: inputs that do not fit the layer, or a leak as `leaky_softplus` refuses it.

    Example:
        >>> params = {"inner": torch.tensor([[2.0, 0.0], [0.0, 4.0]])}
        >>> smooth_two_layer_output(params, torch.tensor([[1.0, 1.0]]), leak=1.0)  # linear: (2 - 4) / 2
        tensor([-1.])
    """
    inner = params["inner"]
    require(
        inner.ndim >= 2 and X.ndim >= 2 and inner.shape[-1] == X.shape[-1],
        f"inner (hidden, features) and X (samples, features) must fit, got {tuple(inner.shape)} and {tuple(X.shape)}",
    )
    _require_leak(leak)
    outer = _outer(inner)
    linear = (X @ (outer @ inner).unsqueeze(-1)).squeeze(-1)  # the leaks of all units add up to one linear model
    leak = _per_run(leak, linear)
    return leak * linear + (1 - leak) * (torch.nn.functional.softplus(X @ inner.mT) @ outer)


def _outer(inner: Tensor) -> Tensor:
    """Return the fixed outer weights, +1/m and -1/m in turn."""
    hidden = inner.shape[-2]
    signs = 1 - 2 * (torch.arange(hidden, device=inner.device) % 2)
    return signs.to(inner.dtype) / hidden


def _require_leak(leak: float | Tensor) -> None:
    low, high = (float(leak.min()), float(leak.max())) if isinstance(leak, Tensor) else (leak, leak)
    require(low >= 0 and high <= 1, f"leak must lie in [0, 1], got {leak}")


def _per_run(leak: float | Tensor, like: Tensor) -> float | Tensor:
    """Return a leak that broadcasts against a tensor whose leading dimensions are the runs."""
    if not isinstance(leak, Tensor):
        return leak
    require(
        leak.shape == like.shape[: leak.ndim],
        f"leak must be a number or have the shape of the runs, got {tuple(leak.shape)} for {tuple(like.shape)}",
    )
    return expand_runs(leak, like, leak.ndim)
