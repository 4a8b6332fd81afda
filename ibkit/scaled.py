"""Numbers kept as (value, log of a scale), so that gradients stay exact long after the loss has underflowed.

Once a classifier separates its data, the gradient of cross-entropy shrinks like ``exp(-margin)`` and soon cannot be
told from rounding noise, while its *direction*, which decides where training ends up, is as sharp as ever. Losses in
ibkit therefore return gradients divided by a known scale, one a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Params = dict[str, Tensor]
"""The trained tensors by name, each of shape ``(*runs, ...)``."""


class Scaled(NamedTuple):
    """A tensor times ``exp(log_scale)``.

    Args:
        value: shape ``(*runs, ...)``, of order one.
        log_scale: natural logarithm of the factor, shape ``(*runs)``.
    """

    value: Tensor
    log_scale: Tensor


class Gradient(NamedTuple):
    """A gradient or an update: tensors by name, all times ``exp(log_scale)`` of their run.

    Args:
        tensors: one for each parameter, of its shape ``(*runs, ...)``.
        log_scale: natural logarithm of the common factor, shape ``(*runs)``; its dimensions *are* the run dimensions.
    """

    tensors: Params
    log_scale: Tensor

    def true(self) -> Params:
        """Return the tensors times their scale (they may underflow to zero).

        Example:
            >>> g = Gradient({"W": torch.ones(2, 3)}, torch.log(torch.tensor(0.5)))
            >>> g.true()["W"][0]
            tensor([0.5000, 0.5000, 0.5000])
        """
        return {
            name: expand_runs(self.log_scale.exp(), value, self.log_scale.ndim) * value
            for name, value in self.tensors.items()
        }


def expand_runs(per_run: Tensor, like: Tensor, run_ndim: int) -> Tensor:
    """Reshape one number a run, shape ``(*runs)``, so that it broadcasts against ``(*runs, ...)``.

    Args:
        per_run: one number a run.
        like: the tensor to broadcast against.
        run_ndim: how many run dimensions there are.

    Example:
        >>> expand_runs(torch.ones(4), torch.zeros(4, 2, 3), 1).shape
        torch.Size([4, 1, 1])
    """
    return per_run.reshape(per_run.shape + (1,) * (like.ndim - run_ndim))


def autograd_gradient(loss: Callable[[Params], Tensor]) -> Callable[[Params], Gradient]:
    """Return the gradient of a per-run loss, by automatic differentiation.

    Args:
        loss: takes the parameters and returns one number a run, shape ``(*runs)``. Runs must not mix.

    Returns:
        A function of the parameters that gives a `Gradient` with scale one. It underflows where the loss does; for
        cross-entropy far beyond separation use the closed forms of `ibkit.losses`.

    Example:
        >>> grad = autograd_gradient(lambda p: (p["W"] ** 2).sum((-2, -1)))
        >>> grad({"W": torch.ones(5, 2, 3)}).tensors["W"][0, 0]
        tensor([2., 2., 2.])
    """

    def gradient(params: Params) -> Gradient:
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        with torch.enable_grad():
            per_run = loss(leaves)
            grads = torch.autograd.grad(per_run.sum(), list(leaves.values()))
        return Gradient(dict(zip(leaves, grads, strict=True)), torch.zeros_like(per_run))

    return gradient
