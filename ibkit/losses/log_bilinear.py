r"""The log-bilinear model: word and context embeddings, both free, and their inner products as logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import one_of, require
from ibkit.scaled import Gradient, Params


def log_bilinear(
    probabilities: Float[Tensor, "*data_runs contexts vocabulary"],
    weights: Float[Tensor, "*data_runs contexts"],
    loss: Literal["cross-entropy", "squared"] = "cross-entropy",
) -> Callable[[Params], Gradient]:
    r"""Return the gradient of a next-token loss in words W and contexts H, with logits :math:`z_j=Wh_j`.

    Cross-entropy :math:`-\sum_j\pi_j\sum_vp_{jv}\log S_v(z_j)`, or the squared error
    :math:`\frac12\sum_j\pi_j\|z_j-(p_j-\frac1V)\|^2` against the centred probabilities. With the residual
    :math:`R_j=\pi_j(S(z_j)-p_j)`, or :math:`\pi_j(z_j-p_j+\frac1V)`, as rows: :math:`\nabla_W=R^\top H` and
    :math:`\nabla_H=RW`.

    Made for long runs of a loss that stays away from zero, where it is several times faster than the gradients that
    keep their digits below rounding.

    Args:
        probabilities: next-token probabilities :math:`p_j`, rows that sum to one; zeros are allowed.
        weights: frequencies :math:`\pi_j`, not negative.
        loss: which of the two.

    Returns:
        A function of ``{"W": (*runs, vocabulary, features), "H": (*runs, contexts, features)}`` for the training loop.

    Raises:
        ValueError: another loss, rows that are not probabilities, negative weights, or not one a context.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]])
        >>> gradient = log_bilinear(p, torch.ones(1))
        >>> gradient({"W": torch.zeros(3, 1), "H": torch.ones(1, 1)}).true()["W"].ravel()
        tensor([-0.1667, -0.1667,  0.3333])
    """
    one_of("loss", loss, ("cross-entropy", "squared"))
    require(
        bool((probabilities >= 0).all()) and bool(((probabilities.sum(-1) - 1).abs() < 1e-6).all()),
        "probabilities must be rows that are non-negative and sum to one, got a row that is not",
    )
    require(bool((weights >= 0).all()), f"weights must not be negative, got {float(weights.min()):g}")
    contexts, vocabulary = probabilities.shape[-2:]
    require(weights.shape[-1] == contexts, f"weights must hold one a context ({contexts}), got {weights.shape[-1]}")
    share = weights.unsqueeze(-1)
    if loss == "cross-entropy":
        target = share * probabilities
        reading = _softmax
    else:
        target = share * (probabilities - 1 / vocabulary)
        reading = _same

    def gradient(params: Params) -> Gradient:
        W, H = params["W"], params["H"]
        residual = share * reading(H @ W.mT) - target
        grads = {"W": residual.mT @ H, "H": residual @ W}
        return Gradient(grads, residual.new_zeros(residual.shape[:-2]))

    return gradient


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, -1)


def _same(logits: Tensor) -> Tensor:
    return logits
