r"""One layer of softmax attention in front of a fixed linear head: logistic loss, exact long after attention saturates.

A sequence :math:`X_i\in\mathbb R^{T\times d}` with query token :math:`z_i` and label :math:`Y_i=\pm1` is classified by
:math:`f_i=v^\top X_i^\top s_i`, :math:`s_i=\mathrm{softmax}(X_iWz_i)`. With the scores
:math:`\gamma_{it}=Y_iv^\top x_{it}` only differences of logits matter to

.. math:: F(W)=\frac1n\sum_i\log\bigl(1+e^{-\sum_ts_{it}\gamma_{it}}\bigr).

Once attention is almost all on one token, :math:`s_{it}(\gamma_{it}-\sum_us_{iu}\gamma_{iu})` is rounding noise there,
and zero elsewhere soon after. So derivatives are written by differences to a reference token, with the weights off it
as logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, require, shape
from ibkit.scaled import Gradient, Params, Scaled


def attention_scores(
    tokens: Float[Tensor, "*runs samples length features"],
    head: Float[Tensor, "*head_runs features"],
    labels: Float[Tensor, "*label_runs samples"],
) -> Float[Tensor, "*broadcast samples length"]:
    r"""Return :math:`\gamma_{it}=Y_iv^\top x_{it}`: what full attention on a token makes of the signed output.

    Args:
        tokens: :math:`x_{it}` as rows.
        head: v.
        labels: plus or minus one, as floating point.

    Raises:
        ValueError: labels other than plus and minus one, or shapes that do not fit.

    Example:
        >>> attention_scores(torch.eye(2).unsqueeze(0), torch.tensor([3.0, 1.0]), torch.tensor([-1.0]))
        tensor([[-3., -1.]])
    """
    _require_tokens(tokens)
    shape("head", head, (tokens.shape[-1],))
    shape("labels", labels, (tokens.shape[-3],))
    require(bool((labels.abs() == 1).all()), "labels must be -1 or 1")
    return labels.unsqueeze(-1) * (tokens * head[..., None, None, :]).sum(-1)


def attention_logits(
    tokens: Float[Tensor, "*data_runs samples length features"],
    queries: Float[Tensor, "*data_runs samples features"],
    W: Float[Tensor, "*runs features features"],
) -> Float[Tensor, "*broadcast samples length"]:
    r"""Return :math:`x_{it}^\top Wz_i`, whose softmax over t is attention.

    Args:
        tokens: :math:`x_{it}` as rows; one data set shared by all runs, or one a run.
        queries: :math:`z_i`, one a sequence.
        W: key-query matrices; for factors pass ``K @ Q.mT``.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> attention_logits(torch.eye(2).unsqueeze(0), torch.tensor([[1.0, 2.0]]), torch.eye(2))
        tensor([[1., 2.]])
    """
    _require_data(tokens, queries)
    shape("W", W, (tokens.shape[-1], tokens.shape[-1]))
    return (tokens * (queries @ W.mT).unsqueeze(-2)).sum(-1)


def token_differences(
    tokens: Float[Tensor, "*runs samples length features"], selected: Int[Tensor, "*runs samples"]
) -> Float[Tensor, "*runs samples length features"]:
    r"""Return :math:`x_{i\alpha_i}-x_{it}`, how each token differs from the selected one of its sequence.

    With the queries these make the constraints :math:`D_{it}=(x_{i\alpha_i}-x_{it})z_i^\top` of a separating W.

    Args:
        tokens: :math:`x_{it}` as rows.
        selected: :math:`\alpha_i`, one token a sequence.

    Raises:
        ValueError: tokens out of range, or shapes that do not fit.

    Example:
        >>> token_differences(torch.tensor([[[1.0], [4.0]]]), torch.tensor([1]))
        tensor([[[3.],
                 [0.]]])
    """
    _require_tokens(tokens)
    labels_in_range("selected", selected, tokens.shape[-2])
    wanted = tuple(tokens.shape[:-2])
    require(selected.shape == wanted, f"selected must have shape {wanted}, got {tuple(selected.shape)}")
    return tokens.take_along_dim(selected[..., None, None], -2) - tokens


def attention_margins(
    logits: Float[Tensor, "*runs samples length"], selected: Int[Tensor, "*selection_runs samples"]
) -> Float[Tensor, "*broadcast samples length"]:
    """Return by how much the logit of the selected token of each sequence exceeds each logit; zero at that token.

    Args:
        logits: of attention.
        selected: one token a sequence.

    Raises:
        ValueError: tokens out of range, or shapes that do not fit.

    Example:
        >>> attention_margins(torch.tensor([[1.0, 4.0, 2.0]]), torch.tensor([1]))
        tensor([[3., 0., 2.]])
    """
    chosen, logits = _selected(logits, selected)
    return logits.gather(-1, chosen) - logits


def least_attention_margin(
    logits: Float[Tensor, "*runs samples length"], selected: Int[Tensor, "*selection_runs samples"]
) -> Float[Tensor, "*broadcast samples"]:
    """Return the lead of the selected token of each sequence over the strongest other; negative where it is behind.

    Args:
        logits: of attention, of at least two tokens.
        selected: one token a sequence.

    Raises:
        ValueError: tokens out of range, or shapes that do not fit.

    Example:
        >>> least_attention_margin(torch.tensor([[1.0, 4.0, 2.0]]), torch.tensor([1]))
        tensor([2.])
    """
    chosen, logits = _selected(logits, selected)
    return (logits.gather(-1, chosen) - logits.scatter(-1, chosen, -torch.inf)).amin(-1)


def log_mass_off(
    logits: Float[Tensor, "*runs samples length"], selected: Int[Tensor, "*selection_runs samples"]
) -> Float[Tensor, "*broadcast samples"]:
    r"""Return the logarithm of the attention off the selected token of each sequence, :math:`\log(1-s_{i\alpha_i})`.

    Args:
        logits: of attention.
        selected: one token a sequence.

    Raises:
        ValueError: tokens out of range, or shapes that do not fit.

    Example:
        >>> log_mass_off(torch.tensor([[1000.0, 0.0]]), torch.tensor([0]))
        tensor([-1000.])
    """
    chosen, logits = _selected(logits, selected)
    others = logits.scatter(-1, chosen, -torch.inf)
    return torch.logsumexp(others, -1) - torch.logsumexp(logits, -1)


def attention_loss(
    logits: Float[Tensor, "*runs samples length"], scores: Float[Tensor, "*data_runs samples length"]
) -> Float[Tensor, "*broadcast"]:
    r"""Return the mean logistic loss F, one number a run.

    The plain formula, for plots and for automatic differentiation; train with `token_attention`.

    Args:
        logits: of attention.
        scores: :math:`\gamma_{it}`.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> attention_loss(torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]))  # output zero
        tensor(0.6931)
    """
    _require_scores(logits, scores)
    outputs = (torch.softmax(logits, -1) * scores).sum(-1)
    return torch.nn.functional.softplus(-outputs).mean(-1)


def attention_residual(
    logits: Float[Tensor, "*runs samples length"], scores: Float[Tensor, "*data_runs samples length"]
) -> Scaled:
    r"""Return the derivatives of F by the logits, in scaled form.

    They are :math:`-\frac1n\sigma(-f_i)\,s_{it}(\gamma_{it}-f_i)`. With the reference r of the largest weight,
    :math:`\delta_t=\gamma_r-\gamma_t` and :math:`a=\sum_ts_t\delta_t` this is :math:`\gamma_t-f=a-\delta_t`, without
    cancellation for t other than r; and as the derivatives of a sequence sum to zero, that of r is minus the sum of the
    others. The weights off the references are divided by the largest of the run as logarithms.

    Args:
        logits: of attention.
        scores: :math:`\gamma_{it}`.

    Returns:
        Value of shape ``(*runs, samples, length)``, and ``log_scale`` of shape ``(*runs)``.

    Raises:
        ValueError: NaN in the logits, a single token a sequence, or shapes that do not fit.

    Example:
        >>> pull = attention_residual(torch.tensor([[2000.0, 1000.0]]), torch.tensor([[1.0, -1.0]]))
        >>> pull.value, float(pull.log_scale)  # two times the logistic function at minus one, times exp(-1000)
        (tensor([[-0.5379,  0.5379]]), -1000.0)
    """
    _require_scores(logits, scores)
    require(not bool(logits.isnan().any()), "logits must be numbers, got NaN")
    logits, scores = torch.broadcast_tensors(logits, scores)
    log_weights = torch.log_softmax(logits, -1)
    reference = logits.argmax(-1, keepdim=True)
    log_off = log_weights.scatter(-1, reference, -torch.inf)
    log_scale = log_off.amax((-2, -1))
    off = torch.exp(log_off - log_scale[..., None, None])  # zero at the reference
    delta = scores.gather(-1, reference) - scores
    weights = log_weights.exp()
    fall = (weights * delta).sum(-1, keepdim=True)
    outputs = (weights * scores).sum(-1, keepdim=True)
    value = -torch.sigmoid(-outputs) / scores.shape[-2] * off * (fall - delta)
    return Scaled(value.scatter(-1, reference, -value.sum(-1, keepdim=True)), log_scale)


def token_attention(
    tokens: Float[Tensor, "*data_runs samples length features"],
    queries: Float[Tensor, "*data_runs samples features"],
    scores: Float[Tensor, "*data_runs samples length"],
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the mean logistic loss of one attention layer with a fixed head.

    .. math:: \nabla F(W)=\sum_i\Bigl(\sum_tr_{it}x_{it}\Bigr)z_i^\top,\qquad
       \nabla_KF=\nabla F(W)\,Q,\quad\nabla_QF=\nabla F(W)^\top K\quad\text{at }W=KQ^\top,

    with r the derivatives of `attention_residual` (Ataee Tarzanagh, Li, Thrampoulidis and Oymak 2023).

    Args:
        tokens: :math:`x_{it}` as rows; one data set shared by all runs, or one a run.
        queries: :math:`z_i`; ``tokens[..., 0, :]`` for self-attention.
        scores: :math:`\gamma_{it}`, as `attention_scores` gives them.

    Returns:
        A function of ``{"W": (*runs, d, d)}``, or of the factors ``{"K": (*runs, d, m), "Q": (*runs, d, m)}``.

    Raises:
        ValueError: NaN in the data, a single token a sequence, shapes that do not fit; or (later) parameters that are
            neither W nor K and Q.

    Example:
        >>> gradient = token_attention(torch.eye(2).unsqueeze(0), torch.ones(1, 2), torch.tensor([[1.0, -1.0]]))
        >>> gradient({"W": torch.zeros(2, 2)}).true()["W"]
        tensor([[-0.2500, -0.2500],
                [ 0.2500,  0.2500]])
    """
    _require_data(tokens, queries)
    _require_scores(tokens[..., 0], scores)
    for name, values in (("tokens", tokens), ("queries", queries), ("scores", scores)):
        finite(name, values)

    def gradient(params: Params) -> Gradient:
        factored = set(params) == {"K", "Q"}
        require(factored or set(params) == {"W"}, f"params must hold W, or K and Q, got {', '.join(sorted(params))}")
        W = params["K"] @ params["Q"].mT if factored else params["W"]
        residual = attention_residual(attention_logits(tokens, queries, W), scores)
        pulled = (residual.value.unsqueeze(-1) * tokens).sum(-2)
        G = pulled.mT @ queries
        if not factored:
            return Gradient({"W": G}, residual.log_scale)
        return Gradient({"K": G @ params["Q"], "Q": G.mT @ params["K"]}, residual.log_scale)

    return gradient


def log_attention_excess(
    logits: Float[Tensor, "*runs samples length"], scores: Float[Tensor, "*data_runs samples length"]
) -> Float[Tensor, "*broadcast"]:
    r"""Return :math:`\log(F-F^\star)`, :math:`F^\star=\frac1n\sum_i\log(1+e^{-\max_t\gamma_{it}})`, one number a run.

    With :math:`u_i=\sum_ts_{it}(\gamma_i^\star-\gamma_{it})` sequence i is
    :math:`\log\bigl(1+\sigma(-\gamma_i^\star)(e^{u_i}-1)\bigr)` above its infimum: no subtraction, and a logarithm
    where u underflows.

    Args:
        logits: of attention.
        scores: :math:`\gamma_{it}`.

    Returns:
        Natural logarithms; minus infinity where all tokens of every sequence score alike.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> log_attention_excess(torch.tensor([[1000.0, 0.0]]), torch.tensor([[0.0, -1.0]]))  # exp(-1000) / 2
        tensor(-1000.6932)
    """
    _require_scores(logits, scores)
    best = scores.amax(-1)
    log_u = torch.logsumexp(torch.log_softmax(logits, -1) + (best.unsqueeze(-1) - scores).log(), -1)
    u, log_pull = log_u.exp(), torch.nn.functional.logsigmoid(-best)
    tiny, large = u < torch.finfo(u.dtype).eps / 4, u > 1
    softplus = torch.nn.functional.softplus
    # each formula sees a harmless u where it is not taken, so that automatic differentiation finds no NaN
    near = torch.log1p(log_pull.exp() * torch.expm1(u.masked_fill(tiny | large, 1.0))).log()
    far = (softplus(u.masked_fill(~large, 2.0) - best) - softplus(-best)).log()
    each = torch.where(tiny, log_pull + log_u, torch.where(large, far, near))
    return torch.logsumexp(each, -1) - math.log(each.shape[-1])


def _selected(logits: Tensor, selected: Tensor) -> tuple[Tensor, Tensor]:
    """Return the selected tokens as indices into the logits, and the logits, of one shape."""
    require(logits.ndim >= 2, f"logits must be (*runs, samples, length), got shape {tuple(logits.shape)}")
    labels_in_range("selected", selected, logits.shape[-1])
    shape("selected", selected, (logits.shape[-2],))
    runs = torch.broadcast_shapes(logits.shape[:-1], selected.shape)
    return selected.expand(runs).unsqueeze(-1), logits.expand(*runs, logits.shape[-1])


def _require_tokens(tokens: Tensor) -> None:
    require(tokens.ndim >= 3, f"tokens must be (*runs, samples, length, features), got shape {tuple(tokens.shape)}")


def _require_data(tokens: Tensor, queries: Tensor) -> None:
    _require_tokens(tokens)
    shape("queries", queries, (tokens.shape[-3], tokens.shape[-1]))


def _require_scores(logits: Tensor, scores: Tensor) -> None:
    require(logits.ndim >= 2, f"logits must be (*runs, samples, length), got shape {tuple(logits.shape)}")
    shape("scores", scores, tuple(logits.shape[-2:]))
    require(logits.shape[-1] >= 2, "a sequence must have at least 2 tokens, got 1")
