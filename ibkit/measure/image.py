"""What a model can fit: the dimensions its predictions move in, and what is left of targets after each feature."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import require
from ibkit.scaled import Params


def prediction_rank(
    logits_of: Callable[[Params], Tensor], params: Params, tolerance: float = 1e-13
) -> Int[Tensor, " runs"]:
    r"""Return the rank of the derivative of all predicted log-odds in all parameters, one a run.

    With n contexts and :math:`\omega` tokens there are :math:`n(\omega-1)` log-odds :math:`z_{jc}-z_{j\omega}`. Where
    the rank is full at some point, the model fits an open set of distributions exactly; where it is smaller everywhere,
    what it fits has measure zero (Sard). For analytic models the rank is the same at almost every point.

    Args:
        logits_of: from the parameters of one run, without run dimension, to logits ``(contexts, vocabulary)``.
        params: float64, each ``(runs, ...)``.
        tolerance: singular values below this share of the largest count as zero. Parameters are measured in their own
            units.

    Raises:
        ValueError: params that are not float64.

    Example:
        >>> H = torch.eye(4, dtype=torch.float64)[:, :3]  # the fourth context is zero
        >>> prediction_rank(lambda p: H @ p["W"].mT, {"W": torch.zeros(2, 5, 3, dtype=torch.float64)})
        tensor([12, 12])
    """
    for name, value in params.items():
        require(value.dtype == torch.float64, f"params[{name!r}] must be float64, got {value.dtype}")
    runs = next(iter(params.values())).shape[0]

    def log_odds(one: Params) -> Tensor:
        logits = logits_of(one)
        return (logits[..., :-1] - logits[..., -1:]).flatten()

    ranks = []
    for run in range(runs):  # one Jacobian at a time: they are the largest thing in a chapter
        parts = torch.func.jacrev(log_odds)({name: value[run] for name, value in params.items()})
        J = torch.cat([part.flatten(1) for part in parts.values()], 1)
        s = torch.linalg.svdvals(J)
        ranks.append(int((s > tolerance * s[0]).sum()))
    return torch.tensor(ranks)


def nested_misfit(
    embeddings: Float[Tensor, "*runs contexts features"],
    targets: Float[Tensor, "*runs contexts outputs"],
    tolerance: float = 1e-13,
) -> Float[Tensor, "*runs features_and_none"]:
    r"""Return how far the targets are from what the first m features can give linearly, for every m.

    :math:`\min_W\bigl(\frac1{no}\sum_j\|Wh_j^{(m)}-t_j\|^2\bigr)^{1/2}` over the n contexts and o outputs, with
    :math:`h^{(m)}` the first m entries of h.

    Args:
        embeddings: :math:`h_j` as rows, float64.
        targets: :math:`t_j` as rows.
        tolerance: a feature whose part outside the span of those before it is below this share of it adds nothing.

    Returns:
        Root mean squares for m = 0, 1, ..., features, in the targets' unit.

    Raises:
        ValueError: embeddings and targets of different contexts.

    Example:
        >>> h, t = torch.eye(2, dtype=torch.float64), torch.tensor([[3.0], [4.0]], dtype=torch.float64)
        >>> nested_misfit(h, t).round(decimals=3)
        tensor([3.5360, 2.8280, 0.0000], dtype=torch.float64)
    """
    contexts, features = embeddings.shape[-2:]
    require(targets.shape[-2] == contexts, f"targets must have one row a context ({contexts}), got {targets.shape[-2]}")
    runs = torch.broadcast_shapes(embeddings.shape[:-2], targets.shape[:-2])
    Q = embeddings.new_zeros(*runs, contexts, features)
    rest = targets.expand(*runs, *targets.shape[-2:])
    left = [rest.square().mean((-2, -1)).sqrt()]
    for m in range(features):  # Gram and Schmidt, twice: a QR decomposition would need pivots for dependent features
        feature = embeddings[..., m : m + 1].expand(*runs, contexts, 1)
        new, before = feature, Q[..., :m]
        for _ in range(2):
            new = new - before @ (before.mT @ new)
        size = torch.linalg.vector_norm(new, dim=-2, keepdim=True)
        adds = size > tolerance * torch.linalg.vector_norm(feature, dim=-2, keepdim=True)
        q = torch.where(adds, new / torch.where(adds, size, 1.0), 0.0)
        Q[..., m : m + 1] = q
        rest = rest - q @ (q.mT @ rest)
        left.append(rest.square().mean((-2, -1)).sqrt())
    return torch.stack(left, -1)
