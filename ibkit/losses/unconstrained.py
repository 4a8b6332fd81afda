r"""Cross-entropy of the unconstrained-features model, with the gradients of both factors."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require
from ibkit.losses.logit_adjustment import LogitAdjustment, adjusted_residual
from ibkit.losses.soft_labels import soft_label_residual
from ibkit.models.unconstrained import positive_counts
from ibkit.scaled import Gradient, Params


def unconstrained_cross_entropy(
    labels: Int[Tensor, " rows"], counts: Float[Tensor, "*count_runs rows"], adjustment: LogitAdjustment | None = None
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the *summed* cross-entropy in :math:`(W,\tilde H)`.

    .. math:: L(W,\tilde H)=\sum_i n_i\,\ell(Wh_i,y_i)

    In the isometric coordinates :math:`\tilde h_i=\sqrt{n_i}h_i` of `ibkit.models.unconstrained`, with the residual
    :math:`r_i=S(z_i)-e_{y_i}` of one sample,

    .. math:: \nabla_WL=\sum_i\sqrt{n_i}\,r_i\tilde h_i^\top,\qquad \nabla_{\tilde h_i}L=\sqrt{n_i}\,W^\top r_i .

    With an adjustment, :math:`\ell` is the adjusted loss and :math:`r_i` its derivative in the logits themselves.

    Their joint Euclidean norm is that of the gradient in all samples' embeddings, so `normalized_gradient_descent` and
    every other rule serve as they are.

    Args:
        labels: class of each row of H; ``torch.arange(k)`` for one row a class.
        counts: :math:`n_i`; leading dimensions broadcast against the runs of the parameters.
        adjustment: temperatures, offsets and weights of the classes; none by default.

    Returns:
        A function of ``{"W": (*runs, classes, features), "H": (*runs, rows, features)}`` for the training loop.

    Raises:
        ValueError: counts that are not positive, labels that are not one a row; later, labels out of range.

    Example:
        >>> import torch
        >>> gradient = unconstrained_cross_entropy(torch.tensor([0, 1]), torch.tensor([1.0, 4.0]))
        >>> gradient({"W": torch.eye(2), "H": torch.zeros(2, 2)}).true()["H"]
        tensor([[-0.5000,  0.5000],
                [ 1.0000, -1.0000]])
    """
    adjustment = LogitAdjustment() if adjustment is None else adjustment
    root = positive_counts(counts).sqrt().unsqueeze(-1)
    require(
        labels.shape[-1] == counts.shape[-1], f"labels must hold one a row ({counts.shape[-1]}), got {labels.shape[-1]}"
    )

    def gradient(params: Params) -> Gradient:
        W, H = params["W"], params["H"]
        require(H.shape[-2] == root.shape[-2], f"H must have one row a count ({root.shape[-2]}), got {H.shape[-2]}")
        residual = adjusted_residual((H / root) @ W.mT, labels, adjustment)
        weighted = root * residual.value
        return Gradient({"W": weighted.mT @ H, "H": weighted @ W}, residual.log_scale)

    return gradient


def unconstrained_next_token(
    probabilities: Float[Tensor, "*data_runs contexts vocabulary"], weights: Float[Tensor, "*data_runs contexts"]
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of next-token cross-entropy in free word and context embeddings.

    With logits :math:`\ell_j=Wh_j` and :math:`r_j=\pi_j(S(\ell_j)-p_j)`:
    :math:`\nabla_W\mathrm{CE}=\sum_jr_jh_j^\top` and :math:`\nabla_{h_j}\mathrm{CE}=W^\top r_j`.

    Args:
        probabilities: next-token probabilities :math:`p_j`, rows that sum to one; zeros are allowed.
        weights: frequencies :math:`\pi_j`, positive.

    Returns:
        A function of ``{"W": (*runs, vocabulary, features), "H": (*runs, contexts, features)}`` for the training loop.

    Raises:
        ValueError: weights that are not positive, or not one a context; later, rows that are not probabilities.

    Example:
        >>> import torch
        >>> p = torch.tensor([[0.5, 0.5, 0.0]])
        >>> gradient = unconstrained_next_token(p, torch.ones(1))
        >>> gradient({"W": torch.zeros(3, 1), "H": torch.ones(1, 1)}).true()["W"].ravel()
        tensor([-0.1667, -0.1667,  0.3333])
    """
    positive_counts(weights)
    require(
        weights.shape[-1] == probabilities.shape[-2],
        f"weights must hold one a context ({probabilities.shape[-2]}), got {weights.shape[-1]}",
    )

    def gradient(params: Params) -> Gradient:
        W, H = params["W"], params["H"]
        residual = soft_label_residual(H @ W.mT, probabilities)
        weighted = weights.unsqueeze(-1) * residual.value
        return Gradient({"W": weighted.mT @ H, "H": weighted @ W}, residual.log_scale)

    return gradient
