r"""The best linear decoder on fixed context embeddings, and how far above the entropy it stays."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.losses.soft_labels import soft_label_excess
from ibkit.optim.lbfgs import minimize_lbfgs
from ibkit.scaled import Params


class BestDecoder(NamedTuple):
    """What the best decoder reaches.

    Args:
        gap: least cross-entropy less the entropy, in nats, ``(*runs)``.
        logits: that decoder's, ``(*runs, contexts, vocabulary)``.
        rank: numerical rank of the embeddings, ``(*runs)``.
        slope: largest absolute entry of the gradient in the logits' coordinates, ``(*runs)``; zero at the minimum.
    """

    gap: Float[Tensor, "*runs"]
    logits: Float[Tensor, "*runs contexts vocabulary"]
    rank: Int[Tensor, "*runs"]
    slope: Float[Tensor, "*runs"]


def best_decoder(
    embeddings: Float[Tensor, "*runs contexts features"],
    probabilities: Float[Tensor, "*data_runs contexts vocabulary"],
    tolerance: float = 1e-9,
    iterations: int = 2000,
    rank_tolerance: float = 1e-13,
) -> BestDecoder:
    r"""Minimise :math:`\frac1n\sum_j\mathrm{KL}(p_j\,\|\,S(Wh_j))` over all :math:`W`: a convex problem.

    Only the span of the embeddings' columns matters, :math:`\{(Wh_j)_j\}=\{UA\}` with :math:`U` their left singular
    vectors; in :math:`A` the problem is well conditioned even where the embeddings are nearly dependent.

    Args:
        embeddings: :math:`h_j` as rows, float64; a column of ones makes room for a bias.
        probabilities: :math:`p_j`, all positive, so that the minimum is attained.
        tolerance: largest entry of the gradient at which the search ends.
        iterations: most steps of L-BFGS.
        rank_tolerance: singular values below this share of the largest count as zero.

    Raises:
        ValueError: NaN, probabilities that are not positive, or shapes that do not fit.

    Example:
        >>> h = torch.eye(3, dtype=torch.float64)
        >>> p = torch.tensor([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]], dtype=torch.float64)
        >>> bool(best_decoder(h, p).gap < 1e-12), float(best_decoder(h[:, :1], p).gap)  # two contexts at (1/2, 1/2)
        (True, 0.1869...)
    """
    finite("embeddings", embeddings)
    contexts = embeddings.shape[-2]
    require(
        probabilities.shape[-2] == contexts,
        f"probabilities must have one row a context ({contexts}), got {probabilities.shape[-2]}",
    )
    require(bool((probabilities > 0).all()), f"probabilities must be positive, got {float(probabilities.min()):g}")
    runs = torch.broadcast_shapes(embeddings.shape[:-2], probabilities.shape[:-2])
    U, s, _ = torch.linalg.svd(embeddings.expand(*runs, *embeddings.shape[-2:]), full_matrices=False)
    kept = s > rank_tolerance * s[..., :1]
    U = U * kept.unsqueeze(-2)

    def loss(params: Params) -> Tensor:
        logits = U @ params["A"]
        return -(probabilities * torch.log_softmax(logits, -1)).sum((-2, -1))

    centred = probabilities.log() - probabilities.log().mean(-1, keepdim=True)
    start = U.mT @ centred.expand(*runs, *centred.shape[-2:])  # exact where the embeddings are independent
    found = minimize_lbfgs({"A": start}, loss, tolerance, iterations)
    logits = U @ found.params["A"]
    return BestDecoder(soft_label_excess(logits, probabilities).mean(-1), logits, kept.sum(-1), found.slope)
