r"""Linear attention: features of queries and keys in place of the softmax, at a cost linear in the length.

A query q weighs key j by :math:`a_j=\phi_q(q)^\top\phi_k(k_j)/\sum_l\phi_q(q)^\top\phi_k(k_l)`, with features that are
not negative. As the sum over keys does not depend on the query it is formed once (Katharopoulos et al. 2020). What the
features keep of a query, its signs and its norm, decides how sharply it can look.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require

FeatureMap = Callable[[Tensor], Tensor]


def relu_features(x: Float[Tensor, "*shape features"]) -> Float[Tensor, "*shape features"]:
    r"""Return :math:`\max(x,0)`, entry by entry: homogeneous, so that attention cannot see a query's norm.

    Args:
        x: queries or keys.

    Example:
        >>> relu_features(torch.tensor([2.0, -3.0]))
        tensor([2., 0.])
    """
    return x.clamp(min=0)


def elu_features(x: Float[Tensor, "*shape features"]) -> Float[Tensor, "*shape features"]:
    r"""Return :math:`1+\mathrm{elu}(x)`: :math:`1+x` above zero and :math:`e^x` below (Katharopoulos et al. 2020).

    Args:
        x: queries or keys.

    Example:
        >>> elu_features(torch.tensor([2.0, 0.0]))
        tensor([3., 1.])
    """
    return 1 + torch.nn.functional.elu(x)


def focused_features(x: Float[Tensor, "*shape features"], power: float = 3.0) -> Float[Tensor, "*shape features"]:
    r"""Return :math:`\max(x,0)^p`, rescaled to the length of :math:`\max(x,0)` (Han et al. 2023, less their offset).

    Args:
        x: queries or keys.
        power: p, positive.

    Returns:
        Features; zero where no entry is positive.

    Raises:
        ValueError: a power that is not positive.

    Example:
        >>> focused_features(torch.tensor([3.0, 0.0, -4.0]))
        tensor([3., 0., 0.])
    """
    require(power > 0, f"power must be positive, got {power}")
    positive = x.clamp(min=0)
    raised = _direction(positive) ** power  # of the direction: nothing overflows
    return _direction(raised) * torch.linalg.vector_norm(positive, dim=-1, keepdim=True)


def split_features(x: Float[Tensor, "*shape features"], power: float = 1.0) -> Float[Tensor, "*shape doubled"]:
    r"""Return :math:`[\max(x,0)^p;\max(-x,0)^p]`: negative entries move to a second half, nothing is cut off.

    Two such vectors multiply to :math:`\sum_i|x_iy_i|^p` over the entries whose signs agree; for p = 1 that is
    :math:`(|x|^\top|y|+x^\top y)/2`.

    Args:
        x: queries or keys.
        power: p, positive.

    Raises:
        ValueError: a power that is not positive.

    Example:
        >>> split_features(torch.tensor([2.0, -3.0]))
        tensor([2., 0., 0., 3.])
    """
    require(power > 0, f"power must be positive, got {power}")
    return _by_sign(x, x.abs() ** power)


def cosine_features(x: Float[Tensor, "*shape features"]) -> Float[Tensor, "*shape doubled"]:
    r"""Return :math:`[|x|\cos\theta;|x|\sin\theta]` with the angle :math:`\theta=\frac\pi4(1-\tanh x)` of each entry.

    The angle falls from a right one to zero as the entry grows, so no feature is negative, the length of x is kept, and
    entry i of two vectors adds :math:`|x_iy_i|\cos(\theta(x_i)-\theta(y_i))`: the whole product where the angles agree,
    next to nothing for large entries of opposite signs. With a step for tanh it is `split_features` with power one.

    Args:
        x: queries or keys.

    Example:
        >>> x = torch.tensor([3.0, -4.0])
        >>> round(float(cosine_features(x).norm()), 4)
        5.0
    """
    angle = math.pi / 4 * (1 - torch.tanh(x))
    return torch.cat([x.abs() * angle.cos(), x.abs() * angle.sin()], -1)


def norm_aware_power(
    norms: Float[Tensor, "*shape"], strength: float = 3.0, offset: float = 0.5
) -> Float[Tensor, "*shape"]:
    r"""Return the exponent :math:`\lambda(\tau+\tanh\|q\|)` that a query of a given norm gets.

    Args:
        norms: of the queries, not negative.
        strength: :math:`\lambda`, positive.
        offset: :math:`\tau`, positive; the exponent runs from :math:`\lambda\tau` to :math:`\lambda(\tau+1)`.

    Raises:
        ValueError: a strength or an offset that is not positive.

    Example:
        >>> norm_aware_power(torch.tensor([0.0, 100.0]))
        tensor([1.5000, 4.5000])
    """
    require(min(strength, offset) > 0, f"strength and offset must be positive, got {strength} and {offset}")
    return strength * (offset + torch.tanh(norms))


def norm_aware_queries(
    q: Float[Tensor, "*shape features"], strength: float = 3.0, offset: float = 0.5
) -> Float[Tensor, "*shape doubled"]:
    r"""Return the query side of norm-aware attention: the direction split by sign, to a power that the norm sets.

    :math:`\phi_q(q)=[\max(\hat q,0)^p;\max(-\hat q,0)^p]`, :math:`\hat q=q/\|q\|`, p of `norm_aware_power` (Meng et
    al. 2025, as released). A longer query has a larger exponent and looks more sharply.

    Args:
        q: queries.
        strength: :math:`\lambda` of the exponent.
        offset: :math:`\tau` of the exponent.

    Returns:
        Features; zero for a query that is zero.

    Raises:
        ValueError: a strength or an offset that is not positive.

    Example:
        >>> norm_aware_queries(torch.tensor([60.0, -80.0])).round(decimals=3)
        tensor([0.1000, 0.0000, 0.0000, 0.3660])
    """
    power = norm_aware_power(torch.linalg.vector_norm(q, dim=-1, keepdim=True), strength, offset)
    unit = _direction(q)
    sizes = unit.abs().clamp(min=torch.finfo(unit.dtype).tiny)
    return _by_sign(unit, (power * sizes.log()).exp())  # much faster than a power of tensors, backward above all


def norm_aware_keys(k: Float[Tensor, "*shape features"], power: float = 3.0) -> Float[Tensor, "*shape doubled"]:
    r"""Return the key side of norm-aware attention, `split_features` of the keys themselves, cubed by default.

    A key's norm matters: a long key draws more of every query's attention.

    Args:
        k: keys.
        power: :math:`\lambda_k`, positive.

    Raises:
        ValueError: a power that is not positive.

    Example:
        >>> norm_aware_keys(torch.tensor([2.0, -1.0]))
        tensor([8., 0., 0., 1.])
    """
    return split_features(k, power)


KERNELS: dict[str, tuple[FeatureMap, FeatureMap]] = {
    "relu": (relu_features, relu_features),
    "elu": (elu_features, elu_features),
    "focused": (focused_features, focused_features),
    "split": (split_features, split_features),
    "norm-blind": (lambda q: split_features(_direction(q), 4.5), norm_aware_keys),
    "norm-aware": (norm_aware_queries, norm_aware_keys),
}
"""Features of queries and of keys by name; norm-blind gives all queries the exponent of a very long norm-aware one."""


def kernel_weights(
    phi_q: Float[Tensor, "*runs queries width"], phi_k: Float[Tensor, "*key_runs keys width"], causal: bool = False
) -> Float[Tensor, "*runs queries keys"]:
    r"""Return the attention weights that `linear_attention` never forms; each row sums to one.

    Args:
        phi_q: features of the queries, not negative.
        phi_k: features of the keys.
        causal: whether query i sees only the keys up to i.

    Returns:
        Weights; a row of zeros for a query whose features meet no key.

    Raises:
        ValueError: features of another width, or `causal` with other numbers of queries and keys.

    Example:
        >>> kernel_weights(torch.tensor([[1.0, 1.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        tensor([[0.7500, 0.2500]])
    """
    _require_fit(phi_q, phi_k, causal)
    scores = phi_q @ phi_k.mT
    if causal:
        scores = scores.tril()
    return scores / _positive(scores.sum(-1, keepdim=True))


def linear_attention(
    phi_q: Float[Tensor, "*runs queries width"],
    phi_k: Float[Tensor, "*key_runs keys width"],
    values: Float[Tensor, "*value_runs keys out"],
    causal: bool = False,
    epsilon: float = 0.0,
    chunk: int = 64,
) -> Float[Tensor, "*runs queries out"]:
    r"""Return the attention weights times the values, at a cost linear in the number N of keys and queries.

    In multiply-adds of the matrix products, for features of width w and values of width v: 2Nwv + Nw. Causal attention
    goes by chunks of C positions, quadratic inside and linear across, with NC(w + v) more if N is a multiple of C.

    Args:
        phi_q: features of the queries, not negative.
        phi_k: features of the keys.
        values: of the keys.
        causal: whether query i sees only the keys up to i.
        epsilon: added to the mean score of the keys that a query sees, against division by next to nothing.
        chunk: C, positions that causal attention treats at once.

    Returns:
        One mixture of values a query; zero for a query whose features meet no key.

    Raises:
        ValueError: features of another width, `causal` with other numbers of queries and keys, a negative `epsilon`, or
            an empty chunk.

    Example:
        >>> phi_q, phi_k = torch.tensor([[1.0, 1.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]])
        >>> linear_attention(phi_q, phi_k, torch.tensor([[4.0], [8.0]]))
        tensor([[5.]])
    """
    _require_fit(phi_q, phi_k, causal)
    require(epsilon >= 0, f"epsilon must not be negative, got {epsilon}")
    require(chunk >= 1, f"chunk must be at least 1, got {chunk}")
    keys = phi_k.shape[-2]
    if causal:
        mixed, total = _causal(phi_q, phi_k, values, min(chunk, keys))
        seen = torch.arange(1, keys + 1, dtype=total.dtype, device=total.device).unsqueeze(-1)
    else:
        mixed = phi_q @ (phi_k.mT @ values)
        total = phi_q @ phi_k.sum(-2).unsqueeze(-1)
        seen = keys
    return mixed / _positive(total + epsilon * seen if epsilon else total)


def _causal(phi_q: Tensor, phi_k: Tensor, values: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Return the sums over keys up to each query of score times value, and of the score."""
    length = phi_k.shape[-2]
    q, k, v = (_in_chunks(x, chunk) for x in (phi_q, phi_k, values))  # (*runs, chunks, chunk, width)
    scores = (q @ k.mT).tril()
    mixed, total = scores @ v, scores.sum(-1, keepdim=True)
    if length > chunk:  # what lies in earlier chunks comes through two sums
        moments, sums = k.mT @ v, k.sum(-2).unsqueeze(-1)
        mixed = mixed + q @ (moments.cumsum(-3) - moments)
        total = total + q @ (sums.cumsum(-3) - sums)
    return mixed.flatten(-3, -2)[..., :length, :], total.flatten(-3, -2)[..., :length, :]


def _in_chunks(x: Tensor, chunk: int) -> Tensor:
    missing = -x.shape[-2] % chunk
    return torch.nn.functional.pad(x, (0, 0, 0, missing)).unflatten(-2, (-1, chunk))


def _by_sign(x: Tensor, size: Tensor) -> Tensor:
    """Put the sizes of positive entries into a first half, those of negative ones into a second."""
    signed = x.sign() * size
    return torch.relu(torch.cat([signed, -signed], -1))


def _direction(x: Tensor) -> Tensor:
    return x / _positive(torch.linalg.vector_norm(x, dim=-1, keepdim=True))


def _positive(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 1.0)


def _require_fit(phi_q: Tensor, phi_k: Tensor, causal: bool) -> None:
    widths = phi_q.shape[-1], phi_k.shape[-1]
    require(widths[0] == widths[1], f"phi_q and phi_k must be of one width, got {widths[0]} and {widths[1]}")
    counts = phi_q.shape[-2], phi_k.shape[-2]
    require(
        not causal or counts[0] == counts[1],
        f"causal attention needs as many queries as keys, got {counts[0]} and {counts[1]}",
    )
