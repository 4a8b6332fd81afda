r"""One layer of multi-head softmax attention with a linear read-out of every token, many at once.

.. math:: f(X)=\frac1{\sqrt H}\sum_{h=1}^H\langle U_h,\,A_hX\rangle,\qquad A_h=\operatorname{softmax}(XW_hX^\top)
   \ \text{row by row},

with all :math:`U_h\in\mathbb R^{T\times d}` and :math:`W_h\in\mathbb R^{d\times d}` trained: the setting of Deora,
Ghaderi, Taheri and Thrampoulidis (2023). Parameters are ``{"U": (*runs, heads, tokens, features),
"W": (*runs, heads, features, features)}``.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require, shape
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params, expand_runs


def multi_head_start(
    seed: int, runs: int, heads: int, tokens: int, features: int, value_scale: float = 1.0, key_scale: float = 1.0
) -> Params:
    r"""Return Gaussian heads, every entry of U and of W of a standard deviation of its own.

    Args:
        seed: non-negative.
        runs: how many layers.
        heads: H.
        tokens: T.
        features: d.
        value_scale: standard deviation in U; may be zero.
        key_scale: standard deviation in W; may be zero.

    Returns:
        ``U`` and ``W``, float64. The first heads of a layer with many are those of a layer with few.

    Raises:
        ValueError: sizes below one, or a negative scale.

    Example:
        >>> {name: tuple(value.shape) for name, value in multi_head_start(0, 2, 3, tokens=4, features=5).items()}
        {'U': (2, 3, 4, 5), 'W': (2, 3, 5, 5)}
    """
    require(min(heads, tokens, features) >= 1, f"sizes must be at least 1, got {heads}, {tokens}, {features}")
    require(min(value_scale, key_scale) >= 0, f"scales must not be negative, got {value_scale} and {key_scale}")
    drawn = [rng.normal(size=(heads, tokens + features, features)) for rng in run_generators(seed, runs)]
    both = torch.from_numpy(np.stack(drawn))
    return {"U": value_scale * both[..., :tokens, :], "W": key_scale * both[..., tokens:, :]}


def multi_head_signed_start(
    X: Float[Tensor, "*data_runs samples tokens features"],
    y: Float[Tensor, "*data_runs samples"],
    signs: Float[Tensor, " heads"],
    strength: float | Tensor = 1.0,
) -> Params:
    r"""Return heads after one gradient step from zero, taken forwards or backwards by a sign for each head.

    .. math:: W_h=0,\qquad U_h=\alpha\,s_h\,\mathbf 1G^\top,\qquad G=\frac1{2n}\sum_iy_i\bar x_i,

    with :math:`\bar x_i` the mean token of sequence i. At zero the gradient of the mean logistic loss in :math:`U_h` is
    :math:`-\mathbf 1G^\top/\sqrt H` and that in :math:`W_h` is zero: this is a step of size :math:`\alpha\sqrt H` whose
    sign each head chooses for itself. If the signs add up to zero, so does the layer's output, for every input.

    Args:
        X: sequences.
        y: labels -1 and 1.
        signs: :math:`s_h`.
        strength: :math:`\alpha`, a number or one a run; its dimensions, which must end with those of the data or be
            broadcastable with them, are those of the parameters.

    Returns:
        ``U`` and ``W``, of the leading dimensions of the data and the strength together.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> X = torch.tensor([[[2.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 4.0]]])
        >>> multi_head_signed_start(X, torch.tensor([1.0, -1.0]), torch.tensor([1.0, -1.0]), 4.0)["U"][:, 0]
        tensor([[ 1., -2.],
                [-1.,  2.]])
    """
    _require_labels(X, y)
    tokens, features = X.shape[-2:]
    alpha = torch.as_tensor(strength, dtype=X.dtype, device=X.device)
    step = alpha.unsqueeze(-1) * _first_step(X, y)
    U = signs.to(step)[:, None, None] * step[..., None, None, :].expand(*step.shape[:-1], len(signs), tokens, features)
    return {"U": U.clone(), "W": U.new_zeros(*U.shape[:-2], features, features)}


def multi_head_signed_features(
    X: Float[Tensor, "*data_runs samples tokens features"],
    y: Float[Tensor, "*data_runs samples"],
    strength: float = 1.0,
) -> Float[Tensor, "*data_runs samples width"]:
    r"""Return features whose inner products are those of the gradients at a signed start with balanced signs.

    .. math:: \bigl(\sqrt T\,\bar x_i,\ \alpha T\,\bar x_i\otimes C_iG\bigr),\qquad
       C_i=\frac1T\sum_t(x_t-\bar x_i)(x_t-\bar x_i)^\top,

    for every even number of heads: d entries for U and d^2 for W, in place of H (T d + d^2).

    Args:
        X: sequences.
        y: labels -1 and 1.
        strength: :math:`\alpha`; with 0 they belong to the start at zero.

    Raises:
        ValueError: labels that do not fit the sequences.

    Example:
        >>> multi_head_signed_features(torch.ones(1, 5, 3, 2).double(), torch.ones(1, 5).double()).shape
        torch.Size([1, 5, 6])
    """
    _require_labels(X, y)
    length, mean = X.shape[-2], X.mean(-2)
    spread = X - mean.unsqueeze(-2)
    step = _first_step(X, y)[..., None, :, None]
    pulled = (spread.mT @ (spread @ step)).squeeze(-1) / length
    by_key = strength * length * (mean.unsqueeze(-1) * pulled.unsqueeze(-2)).flatten(-2)
    return torch.cat([length**0.5 * mean, by_key], -1)


def multi_head_attention(
    params: Params, X: Float[Tensor, "*data_runs samples tokens features"]
) -> Float[Tensor, "*runs samples heads tokens tokens"]:
    r"""Return the attention maps :math:`A_h(X_i)`; each row adds up to one.

    Args:
        params: ``U`` and ``W``.
        X: sequences, shared by the runs or one set a run.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> multi_head_attention(multi_head_start(0, 1, 2, 3, 4, key_scale=0.0), torch.ones(5, 3, 4).double())[0, 0, 0]
        tensor([[0.3333, 0.3333, 0.3333],
                [0.3333, 0.3333, 0.3333],
                [0.3333, 0.3333, 0.3333]], dtype=torch.float64)
    """
    _, W = _checked(params, X)
    tokens = X.unsqueeze(-3)
    return torch.softmax(tokens @ W.unsqueeze(-4) @ tokens.mT, -1)


def multi_head_output(
    params: Params, X: Float[Tensor, "*data_runs samples tokens features"], copies: float | Tensor = 1.0
) -> Float[Tensor, "*runs samples"]:
    r"""Return the outputs :math:`f(X_i)`.

    Heads that are equal at the start stay equal under gradient descent. A layer in which each of h different heads
    occurs c times is computed at the price of h heads: with ``copies=c`` the output is that of all :math:`H=ch` heads,
    and the gradient in a head is the sum over its copies, so that a step of size :math:`\eta/c` does what
    :math:`\eta` does to each of the H heads.

    Args:
        params: ``U`` and ``W``.
        X: sequences, shared by the runs or one set a run.
        copies: c, a number or one a run, shape ``(*runs)``.

    Raises:
        ValueError: shapes that do not fit, or copies that are not positive.

    Example:
        >>> params = {"U": torch.ones(1, 2, 1), "W": torch.zeros(1, 1, 1)}  # two tokens, each row reads their mean
        >>> multi_head_output(params, torch.tensor([[[1.0], [3.0]]])), multi_head_output(params, torch.ones(1, 2, 1), 9)
        (tensor([4.]), tensor([6.]))
    """
    U, W = _checked(params, X)
    per_run = torch.as_tensor(copies, dtype=X.dtype, device=X.device)
    require(bool((per_run > 0).all()), f"copies must be positive, got {copies}")
    runs, data, heads = U.shape[:-3], X.shape[:-3], U.shape[-3]
    if runs[len(runs) - len(data) :] != data:  # else runs on the same data are computed as further heads
        runs = data = torch.broadcast_shapes(runs, data)
        U, W, X = U.expand(*runs, -1, -1, -1), W.expand(*runs, -1, -1, -1), X.expand(*runs, -1, -1, -1)
    samples, tokens, features = X.shape[-3:]
    more = runs[: len(runs) - len(data)]
    U, W = (torch.movedim(v.reshape(-1, *data, *v.shape[-3:]), 0, len(data)).flatten(-4, -3) for v in (U, W))
    keys = X.flatten(-3, -2) @ W.movedim(-2, -3).flatten(-2, -1)  # one product for all heads
    values = X.flatten(-3, -2) @ U.movedim(-1, -3).transpose(-2, -1).flatten(-2)  # (sequence and token, row and head)
    attention = torch.softmax(X @ keys.reshape(*data, samples, -1, features).mT, -2)  # faster than along a short row
    read = (attention * values.reshape(attention.shape)).sum(-2)
    each = read.reshape(*data, samples, tokens, -1).sum(-2)
    outputs = torch.movedim(each.reshape(*data, samples, -1, heads).sum(-1), -1, 0).reshape(*more, *data, samples)
    scale = torch.sqrt(per_run / heads)
    return (expand_runs(scale, outputs, scale.ndim) if scale.ndim else scale) * outputs


def multi_head_jacobian(
    params: Params, X: Float[Tensor, "*data_runs samples tokens features"]
) -> Float[Tensor, "*runs samples weights"]:
    r"""Return the gradients :math:`\nabla_\theta f(X_i)` by their closed form, one row a sequence.

    .. math:: \frac{\partial f}{\partial U_h}=\frac{A_hX}{\sqrt H},\qquad
       \frac{\partial f}{\partial W_h}=\frac{X^\top B_hX}{\sqrt H},\qquad
       B_h=A_h\circ\bigl(V_h-(A_h\circ V_h)\mathbf 1\mathbf 1^\top\bigr),\quad V_h=U_hX^\top .

    Args:
        params: ``U`` and ``W``.
        X: sequences, shared by the runs or one set a run.

    Returns:
        Rows ordered head by head; within a head U, then W, each row by row: H (T d + d^2) weights.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> params = multi_head_start(0, 1, heads=4, tokens=3, features=2)
        >>> multi_head_jacobian(params, torch.ones(5, 3, 2).double()).shape
        torch.Size([1, 5, 40])
    """
    U, _ = _checked(params, X)
    attention = multi_head_attention(params, X)
    tokens = X.unsqueeze(-3)
    values = U.unsqueeze(-4) @ tokens.mT
    pull = attention * (values - (attention * values).sum(-1, keepdim=True))
    by_value, by_key = attention @ tokens, tokens.mT @ pull @ tokens
    rows = torch.cat([by_value.flatten(-2), by_key.flatten(-2)], -1)
    return rows.flatten(-2) / math.sqrt(U.shape[-3])


def _first_step(X: Tensor, y: Tensor) -> Tensor:
    """Return G, half the mean of label times mean token."""
    return (y.unsqueeze(-1) * X.mean(-2)).sum(-2) / (2 * X.shape[-3])


def _require_labels(X: Tensor, y: Tensor) -> None:
    require(
        X.ndim >= 3 and y.shape == X.shape[:-2],
        f"y must hold one label a sequence, got {tuple(y.shape)} for X of shape {tuple(X.shape)}",
    )


def _checked(params: Params, X: Tensor) -> tuple[Tensor, Tensor]:
    """Return U and W if they fit each other and the sequences."""
    require(X.ndim >= 3, f"X must be (*runs, samples, tokens, features), got shape {tuple(X.shape)}")
    tokens, features = X.shape[-2:]
    U = shape("U", params["U"], ("heads", tokens, features))
    W = shape("W", params["W"], (U.shape[-3], features, features))
    require(U.shape[:-2] == W.shape[:-2], f"U and W must share their runs, got {tuple(U.shape)} and {tuple(W.shape)}")
    return U, W
