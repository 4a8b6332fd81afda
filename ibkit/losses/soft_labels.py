r"""Cross-entropy with soft, possibly sparse labels: the excess over the labels' entropy, and its gradient."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.scaled import Scaled


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
        ValueError: rows that are not probabilities, NaN in the logits, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> z = torch.tensor([[60.0, 60.0, 0.0]], dtype=torch.float64)
        >>> float(soft_label_excess(z, p))  # half of exp(-60), which the plain difference would lose
        4.378...e-27
    """
    inside, log_odds, deviation = _parts(logits, probabilities)
    fit = torch.where(inside, probabilities * (torch.expm1(deviation) - deviation), 0.0).sum(-1)
    return fit + torch.logaddexp(log_odds, torch.zeros_like(log_odds))


def soft_label_residual(
    logits: Float[Tensor, "*runs contexts classes"],
    probabilities: Float[Tensor, "*data_runs contexts classes"],
) -> Scaled:
    r"""Return the derivative of each context's cross-entropy in its logits, :math:`S(z_j)-p_j`, in scaled form.

    Outside the support it is :math:`S_c`; inside, with :math:`\varepsilon_j` the mass outside,
    :math:`p_{jc}(e^{u_c}-1) - \varepsilon_j q_{jc}`: both small parts are formed as such, never as a difference of
    numbers of order one. (The log-odds inside the support are known to rounding, about 1e-16: an outside mass far
    below that is lost against their misfit unless they are met exactly.)

    Args:
        logits: :math:`z`, shape ``(*runs, contexts, classes)``.
        probabilities: :math:`p`, rows that sum to one; zeros are allowed.

    Returns:
        Value of the shape of the logits and ``log_scale`` of shape ``(*runs)``.

    Raises:
        ValueError: rows that are not probabilities, NaN in the logits, or shapes that do not fit.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> r = soft_label_residual(torch.tensor([[800.0, 800.0, 0.0]], dtype=torch.float64), p)
        >>> r.value
        tensor([[-0.5000, -0.5000,  1.0000]], dtype=torch.float64)
    """
    inside, log_odds, deviation = _parts(logits, probabilities)
    log_softmax = logits - torch.logsumexp(logits, -1, keepdim=True)
    log_outside = -torch.logaddexp(-log_odds, torch.zeros_like(log_odds)).unsqueeze(-1)  # log of the mass outside
    misfit = torch.where(inside, probabilities * torch.expm1(deviation), 0.0)
    log_q = torch.where(inside, deviation + torch.log(torch.where(inside, probabilities, 1.0)), -torch.inf)
    parts = torch.cat([torch.where(inside, -torch.inf, log_softmax), misfit.abs().log(), log_outside], -1)
    log_scale = parts.flatten(-2).amax(-1)
    log_scale = torch.where(torch.isneginf(log_scale), 0.0, log_scale)  # exact fit on full supports: residual zero
    s = log_scale[..., None, None]
    fitted = torch.sign(misfit) * torch.exp(misfit.abs().log() - s) - torch.exp(log_q + log_outside - s)
    return Scaled(torch.where(inside, fitted, torch.exp(log_softmax - s)), log_scale)


def _parts(logits: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Support mask, log of (mass outside / mass inside), and log q - log p inside the support (zero outside)."""
    require(
        logits.ndim >= 2 and probabilities.ndim >= 2 and logits.shape[-2:] == probabilities.shape[-2:],
        f"logits and probabilities must agree in (contexts, classes), got {tuple(logits.shape)} and "
        f"{tuple(probabilities.shape)}",
    )
    inside = (probabilities > 0).expand(logits.shape)
    sums = probabilities.sum(-1)
    require(
        bool((probabilities >= 0).all()) and bool(((sums - 1).abs() < 1e-6).all()),
        "probabilities must be rows that are non-negative and sum to one, got a row that is not",
    )
    logits = logits - torch.where(inside, logits, -torch.inf).amax(
        -1, keepdim=True
    )  # rounding relative to one, not to z
    lse_in = torch.logsumexp(torch.where(inside, logits, -torch.inf), -1)
    lse_out = torch.logsumexp(torch.where(inside, -torch.inf, logits), -1)
    require(not bool(lse_in.isnan().any() | lse_out.isnan().any()), "logits must be finite, got NaN")
    log_p = torch.log(torch.where(probabilities > 0, probabilities, 1.0))
    deviation = torch.where(inside, logits - lse_in.unsqueeze(-1) - log_p, 0.0)
    return inside, lse_out - lse_in, deviation
