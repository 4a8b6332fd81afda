r"""Cross-entropy with soft, possibly sparse labels: the excess over the labels' entropy, and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require, shape
from ibkit.scaled import Gradient, Params, Scaled


def soft_label_excess(
    logits: Float[Tensor, "*runs contexts classes"],
    probabilities: Float[Tensor, "*data_runs contexts classes"],
) -> Float[Tensor, "*runs contexts"]:
    r"""Return :math:`\mathrm{KL}(p_j\,\|\,S(z_j))`: what cross-entropy with soft labels exceeds their entropy by.

    Split at the support :math:`S_j=\{c: p_{jc}>0\}`. With :math:`q_j` the softmax inside the support and
    :math:`u=\log q_j-\log p_j`,

    .. math:: \mathrm{KL}_j = \sum_{c\in S_j} p_{jc}\,(e^{u_c}-1-u_c)
       + \log\bigl(1+e^{\mathrm{lse}_{c\notin S_j} z_{jc}-\mathrm{lse}_{c\in S_j} z_{jc}}\bigr),

    a sum of two terms that are never negative, so that no digits are lost however small the excess is.

    Args:
        logits: :math:`z`, shape ``(*runs, contexts, classes)``.
        probabilities: :math:`p`, rows that sum to one; zeros are allowed.

    Returns:
        The excess of each context, in nats, shape ``(*runs, contexts)``.

    Raises:
        ValueError: rows that are not probabilities, NaN or infinity in the logits, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> z = torch.tensor([[60.0, 60.0, 0.0]], dtype=torch.float64)
        >>> float(soft_label_excess(z, p))  # half of exp(-60), which the plain difference would lose
        4.378...e-27
    """
    labels = _labels(probabilities)
    z = _shifted(finite("logits", logits), labels)
    u = torch.where(labels.out, 0.0, torch.log_softmax(z + labels.only_in, -1) - labels.log_p)
    fit = (labels.p * _exp_beyond_linear(u)).sum(-1)
    log_odds = torch.logsumexp(z + labels.only_out, -1) - torch.logsumexp(z + labels.only_in, -1)
    return fit + torch.logaddexp(log_odds, torch.zeros_like(log_odds))


def soft_label_residual(
    logits: Float[Tensor, "*runs contexts classes"],
    probabilities: Float[Tensor, "*data_runs contexts classes"],
) -> Scaled:
    r"""Return the derivative of each context's cross-entropy in its logits, :math:`S(z_j)-p_j`, in scaled form.

    Outside the support it is :math:`S_c`; inside, with :math:`\varepsilon_j` the mass outside and
    :math:`\Delta_c=p_{jc}(e^{u_c}-1)` the misfit, :math:`\Delta_c-\varepsilon_j(p_{jc}+\Delta_c)`: both small parts are
    formed as such, never as a difference of numbers of order one. (The log-odds inside the support are known to
    rounding, about 1e-16: an outside mass far below that is lost against their misfit unless they are met exactly.)

    Args:
        logits: :math:`z`, shape ``(*runs, contexts, classes)``.
        probabilities: :math:`p`, rows that sum to one; zeros are allowed.

    Returns:
        Value of the shape of the logits and ``log_scale`` of shape ``(*runs)``.

    Raises:
        ValueError: rows that are not probabilities, NaN or infinity in the logits, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> r = soft_label_residual(torch.tensor([[800.0, 800.0, 0.0]], dtype=torch.float64), p)
        >>> r.value
        tensor([[-0.5000, -0.5000,  1.0000]], dtype=torch.float64)
    """
    labels = _labels(probabilities)
    return _residual(_shifted(finite("logits", logits), labels), labels)


def next_token_cross_entropy(
    contexts: Float[Tensor, "*data_runs contexts features"],
    probabilities: Float[Tensor, "*data_runs contexts vocabulary"],
    weights: Float[Tensor, "*data_runs contexts"],
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the next-token loss of a linear decoder with logits :math:`Wh_j`.

    :math:`\nabla\mathrm{CE}(W)=\sum_j\pi_j\,(S(Wh_j)-p_j)\,h_j^\top` (Thrampoulidis 2024, section 2).

    Args:
        contexts: embeddings :math:`h_j` as rows.
        probabilities: next-token probabilities :math:`p_j`, rows that sum to one; zeros are allowed.
        weights: frequencies :math:`\pi_j`, non-negative.

    Returns:
        A function of ``{"W": (*runs, vocabulary, features)}`` for the training loop.

    Raises:
        ValueError: NaN, rows that are not probabilities, negative weights, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
        >>> gradient = next_token_cross_entropy(torch.eye(2), p, weights=torch.tensor([0.5, 0.5]))
        >>> gradient({"W": torch.zeros(3, 2)}).true()["W"]
        tensor([[-0.0833, -0.0833],
                [-0.0833, -0.0833],
                [ 0.1667,  0.1667]])
    """
    finite("contexts", contexts)
    require(bool((weights >= 0).all()), f"weights must not be negative, got {float(weights.min()):g}")
    samples, features = contexts.shape[-2:]
    shape("probabilities", probabilities, (samples, "vocabulary"))
    shape("weights", weights, (samples,))
    labels = _labels(probabilities, tokens=-2)  # tokens as rows: softmax over columns is several times faster
    columns, weighted = contexts.mT.contiguous(), weights.unsqueeze(-1) * contexts
    vocabulary = probabilities.shape[-1]

    def gradient(params: Params) -> Gradient:
        W = shape("W", params["W"], (vocabulary, features))
        residual = _residual(_shifted(W @ columns, labels), labels)
        return Gradient({"W": residual.value @ weighted}, residual.log_scale)

    return gradient


class _Labels(NamedTuple):
    """What the loss needs of soft labels, computed once; tokens lie along dimension `tokens`."""

    p: Tensor
    log_p: Tensor  # zero outside the support
    out: Tensor  # mask
    only_in: Tensor  # added to logits: minus infinity outside the support
    only_out: Tensor  # minus infinity inside
    tokens: int


def _labels(p: Tensor, tokens: int = -1) -> _Labels:
    require(p.ndim >= 2, f"probabilities must be (*runs, contexts, classes), got shape {tuple(p.shape)}")
    require(
        bool((p >= 0).all()) and bool(((p.sum(-1) - 1).abs() < 1e-6).all()),
        "probabilities must be rows that are non-negative and sum to one, got a row that is not",
    )
    p = p.movedim(-1, tokens).contiguous()
    out = p == 0
    zero = torch.zeros_like(p)
    log_p = torch.where(out, 1.0, p).log()
    return _Labels(p, log_p, out, zero.masked_fill(out, -torch.inf), zero.masked_fill(~out, -torch.inf), tokens)


def _shifted(logits: Tensor, labels: _Labels) -> Tensor:
    """Logits less the largest inside the support: rounding is relative to their differences, not to their size."""
    require(
        logits.shape[-2:] == labels.p.shape[-2:] and logits.ndim >= 2,
        f"logits and probabilities must agree in (contexts, classes), got {tuple(logits.shape)} and "
        f"{tuple(labels.p.shape)}",
    )
    return logits - (logits + labels.only_in).amax(labels.tokens, keepdim=True)


def _residual(z: Tensor, labels: _Labels) -> Scaled:
    log_q = torch.log_softmax(z + labels.only_in, labels.tokens)
    misfit = labels.p * torch.expm1(log_q - labels.log_p)  # zero outside, where p is
    log_outside = torch.log_softmax(z, labels.tokens) + labels.only_out
    log_scale = torch.maximum(log_outside.amax((-2, -1)), misfit.abs().amax((-2, -1)).log())
    log_scale = torch.where(torch.isneginf(log_scale), 0.0, log_scale)  # exact fit on full supports: residual zero
    s = log_scale[..., None, None]
    outside = torch.exp(log_outside - s)
    grow = torch.exp(-s).clamp(max=torch.finfo(s.dtype).max)  # infinite only where the misfit is zero
    value = misfit * grow + outside - outside.sum(labels.tokens, keepdim=True) * (labels.p + misfit)
    return Scaled(value, log_scale)


def _exp_beyond_linear(u: Tensor) -> Tensor:
    """``exp(u) - 1 - u`` without cancellation near zero."""
    series = u * u / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5 * (1 + u / 6))))
    return torch.where(u.abs() < 1e-2, series, torch.expm1(u) - u)
