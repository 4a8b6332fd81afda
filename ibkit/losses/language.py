r"""Next-token cross-entropy of a language model on windows of text."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require
from ibkit.scaled import Gradient, Params


def language_cross_entropy(
    logits: Float[Tensor, "*runs batch length vocabulary"], targets: Int[Tensor, "*target_runs batch length"]
) -> Float[Tensor, "*runs"]:
    """Return the mean cross-entropy of the next token over all positions of all windows, in nats.

    Args:
        logits: at each position, for the token after it.
        targets: that token; shared by the runs or one set a run.

    Raises:
        ValueError: targets that do not fit the logits.

    Example:
        >>> language_cross_entropy(torch.zeros(2, 3, 5, 4), torch.zeros(3, 5, dtype=torch.long))
        tensor([1.3863, 1.3863])
    """
    require(
        targets.shape[-2:] == logits.shape[-3:-1],
        f"targets must be {tuple(logits.shape[-3:-1])} (batch, length), got {tuple(targets.shape[-2:])}",
    )
    log_probabilities = torch.log_softmax(logits, -1)
    index = targets.expand(logits.shape[:-1]).unsqueeze(-1)
    return -log_probabilities.gather(-1, index).squeeze(-1).mean((-2, -1))


def language_gradient(
    logits_of: Callable[[Params, Tensor], Tensor], draw: Callable[[], Int[Tensor, "*runs batch size"]]
) -> Callable[[Params], Gradient]:
    """Return the stochastic gradient of a language model for the training loop: new windows at every call.

    Args:
        logits_of: from parameters and tokens ``(*runs, batch, length)`` to logits.
        draw: gives the next windows, one token longer than what is read: the first tokens are read, the last ones are
            the targets. Each run should draw its own.

    Returns:
        A function of the parameters; its gradients carry no scale, since a language model's loss stays well above zero.

    Example:
        >>> from ibkit.models import GPT
        >>> model = GPT(vocabulary=4, features=8, blocks=1, heads=2, context=5)
        >>> gradient = language_gradient(model.logits, lambda: torch.zeros(2, 3, 6, dtype=torch.long))
        >>> gradient(model.start(seed=0, runs=2)).tensors["head"].shape
        torch.Size([2, 4, 8])
    """

    def gradient(params: Params) -> Gradient:
        windows = draw()
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        with torch.enable_grad():
            per_run = language_cross_entropy(logits_of(leaves, windows[..., :-1]), windows[..., 1:])
            grads = torch.autograd.grad(per_run.sum(), list(leaves.values()))
        return Gradient(dict(zip(leaves, grads, strict=True)), torch.zeros_like(per_run))

    return gradient
