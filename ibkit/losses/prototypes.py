"""Supervised contrastive loss with prototypes: fixed vectors in every batch, in any number of copies."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, require, shape
from ibkit.losses.contrastive import (
    Batches,
    checked_counts,
    checked_labels,
    per_run,
    rows_by_size,
    sum_over_anchors,
)


def prototype_contrastive(
    embeddings: Float[Tensor, "*runs rows features"],
    labels: Int[Tensor, " rows"],
    prototypes: Float[Tensor, "*prototype_runs classes features"],
    copies: float | Tensor,
    temperature: float | Tensor = 1.0,
    prototype_anchors: bool = True,
    batches: Batches = None,
    counts: Float[Tensor, "*count_runs rows"] | None = None,
) -> Float[Tensor, ...]:
    r"""Return the supervised contrastive loss with fixed prototypes in every batch, :math:`n_w` copies of each.

    The prototype :math:`w_c` is a further sample of class c. Its copies are positives of that class and negatives of
    the others; no copy is ever laid out:

    .. math:: \ell_i=\log\Bigl(\sum_{l\ne i}e^{h_i^\top h_l/\tau}+\sum_ce^{\log n_w+h_i^\top w_c/\tau}\Bigr)
       -\frac{\sum_{j\ne i,\,y_j=y_i}h_i^\top h_j+n_w\,h_i^\top w_{y_i}}{\tau\,(n_{y_i}-1+n_w)} .

    With `prototype_anchors` (what concatenating them to the batch does) the copies are anchors as well, each of which
    sees :math:`n_w-1` copies of itself; without, only samples are (Gill, Vakilian and Thrampoulidis 2023). At
    :math:`n_w=0` both are `supervised_contrastive`.

    Args:
        embeddings: :math:`h_i`.
        labels: classes, shared by the runs.
        prototypes: :math:`w_c`, shared by the runs or one set a run.
        copies: :math:`n_w`, zero or at least one: a number or one a run.
        temperature: :math:`\tau`, a positive number or one a run.
        prototype_anchors: whether prototypes are anchors too.
        batches: row numbers of each mini-batch; the prototypes join each of them.
        counts: how many samples each row stands for; by default one.

    Raises:
        ValueError: as `supervised_contrastive`; labels without a prototype; copies between zero and one.

    Example:
        >>> H, W = torch.eye(3, dtype=torch.float64)[[0, 0, 1]], torch.eye(3, dtype=torch.float64)
        >>> losses = prototype_contrastive(H.expand(3, 3, 3), torch.tensor([0, 0, 1]), W, torch.tensor([0.0, 1.0, 9.0]))
        >>> losses.round(decimals=3)
        tensor([ 0.6270,  5.2070, 83.9030], dtype=torch.float64)
    """
    k = prototypes.shape[-2]
    shape("prototypes", prototypes, ("classes", embeddings.shape[-1]))
    labels = labels_in_range("labels", checked_labels(labels, embeddings.shape[-2]), k)
    runs = torch.broadcast_shapes(embeddings.shape[:-2], prototypes.shape[:-2])
    copies = torch.as_tensor(copies, dtype=embeddings.dtype, device=embeddings.device)
    runs = torch.broadcast_shapes(runs, copies.shape)
    items = torch.cat([embeddings.expand(*runs, -1, -1), prototypes.to(embeddings.dtype).expand(*runs, -1, -1)], -2)
    classes = torch.cat([labels, torch.arange(k, device=labels.device)])
    n = len(labels)
    own = checked_counts(counts, n, items.dtype, items.device)
    shared = torch.broadcast_shapes(own.shape[:-1], copies.shape)
    weights = torch.cat([own.expand(*shared, n), copies[..., None].expand(*shared, k)], -1)
    weights = checked_counts(weights, n + k, items.dtype, items.device)
    anchors = torch.tensor([True] * n + [prototype_anchors] * k, device=embeddings.device)
    fixed = torch.arange(n, n + k, device=embeddings.device)
    total = torch.zeros(runs, dtype=embeddings.dtype, device=embeddings.device)
    for rows in rows_by_size([range(n)] if batches is None else batches, n, embeddings.device):
        rows = torch.cat([rows, fixed.expand(len(rows), k)], -1)
        batch = items[..., rows, :]
        S = batch @ batch.mT / per_run(temperature, items)[..., None, None, None]
        total = total + sum_over_anchors(S, classes[rows], weights[..., rows], anchors[rows]).sum(-1)
    require(not bool(total.isnan().any()), "embeddings must be finite, got NaN")
    return total


def prototype_contrastive_limit(
    embeddings: Float[Tensor, "*runs rows features"],
    labels: Int[Tensor, " rows"],
    prototypes: Float[Tensor, "*prototype_runs classes features"],
    temperature: float | Tensor = 1.0,
    prototype_anchors: bool = True,
    counts: Float[Tensor, "*count_runs rows"] | None = None,
) -> Float[Tensor, ...]:
    r"""Return what `prototype_contrastive` tends to with ever more copies, up to terms without embeddings.

    If only samples are anchors, :math:`L-n\log n_w` tends to cross-entropy with the prototypes as a fixed classifier,

    .. math:: \sum_i\log\sum_ce^{(w_c-w_{y_i})^\top h_i/\tau}.

    Anchors at the prototypes add, with :math:`Z_c=\sum_{c'}e^{w_c^\top w_{c'}/\tau}`, a pull and a push,

    .. math:: \sum_i\Bigl[-\frac{w_{y_i}^\top h_i}\tau+\sum_c\frac{e^{w_c^\top h_i/\tau}}{Z_c}\Bigr].

    Either is a sum over samples: what is left knows nothing of class sizes.

    Args:
        embeddings: :math:`h_i`.
        labels: classes, shared by the runs.
        prototypes: :math:`w_c`, shared by the runs or one set a run.
        temperature: :math:`\tau`, a positive number or one a run.
        prototype_anchors: whether prototypes are anchors too.
        counts: how many samples each row stands for; by default one.

    Raises:
        ValueError: as `prototype_contrastive`.

    Example:
        >>> W = torch.eye(2, dtype=torch.float64)
        >>> loss = prototype_contrastive_limit(W, torch.arange(2), W, prototype_anchors=False)
        >>> torch.isclose(loss, 2 * torch.log(1 + torch.tensor(-1.0, dtype=torch.float64).exp()))
        tensor(True)
    """
    shape("prototypes", prototypes, ("classes", embeddings.shape[-1]))
    labels = labels_in_range("labels", checked_labels(labels, embeddings.shape[-2]), prototypes.shape[-2])
    weight = checked_counts(counts, len(labels), embeddings.dtype, embeddings.device)
    tau = per_run(temperature, embeddings)[..., None, None]
    scores = embeddings @ prototypes.mT.to(embeddings.dtype) / tau
    right = torch.nn.functional.one_hot(labels, prototypes.shape[-2]).to(scores.dtype)
    own = (scores * right).sum(-1)
    per_row = torch.logsumexp(scores, -1) - own
    if prototype_anchors:
        between = torch.logsumexp(prototypes @ prototypes.mT / tau, -1)
        per_row = per_row - own + torch.exp(scores - between.unsqueeze(-2)).sum(-1)
    require(not bool(per_row.isnan().any()), "embeddings must be finite, got NaN")
    return (per_row * weight).sum(-1)
