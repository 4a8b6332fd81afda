r"""Supervised contrastive loss: embeddings of a class attract each other, all others repel.

Everything here depends on the embeddings through their inner products alone. A row may stand for several equal samples:
its *count* is the number of copies, of which the row itself is one when it is the anchor. Fixed prototypes are nothing
but such rows. Copies enter as :math:`\log n` inside one log-sum-exp and are never laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, require

Batches = Sequence[Tensor | Sequence[int]] | None
"""Row numbers of each mini-batch; None for one batch of all rows."""


def supervised_contrastive(
    embeddings: Float[Tensor, "*runs rows features"],
    labels: Int[Tensor, " rows"],
    temperature: float | Tensor = 1.0,
    batches: Batches = None,
    counts: Float[Tensor, "*count_runs rows"] | None = None,
) -> Float[Tensor, ...]:
    r"""Return the supervised contrastive loss, summed over anchors (Khosla et al. 2020, the form "out").

    .. math:: L(H)=\sum_i\frac1{n_{y_i}-1}\sum_{j\ne i,\;y_j=y_i}\log\sum_{l\ne i}e^{(h_i^\top h_l-h_i^\top h_j)/\tau}

    Anchors without another sample of their class have no term. With mini-batches the sum runs over batches, each with
    the same expression of its own rows and its own class sizes.

    Args:
        embeddings: :math:`h_i`, taken as they are: normalise them first where that is meant.
        labels: classes, shared by the runs.
        temperature: :math:`\tau`, a positive number or one a run.
        batches: row numbers of each mini-batch; by default one batch of all rows.
        counts: how many samples each row stands for; by default one. Leading dimensions broadcast against the runs.

    Returns:
        One number a run, in nats.

    Raises:
        ValueError: labels that are not integers from 0, one a row; NaN; a temperature that is not positive; an empty
            batch or row numbers out of range; counts below one that are not zero.

    Example:
        >>> frame = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1]]  # two classes on two axes
        >>> loss = supervised_contrastive(frame, torch.tensor([0, 0, 1, 1]))
        >>> torch.isclose(loss, 4 * torch.log(1 + 2 * torch.tensor(-1.0, dtype=torch.float64).exp()))
        tensor(True)
    """
    return supervised_contrastive_gram(embeddings @ embeddings.mT, labels, temperature, batches, counts)


def supervised_contrastive_gram(
    G: Float[Tensor, "*runs rows rows"],
    labels: Int[Tensor, " rows"],
    temperature: float | Tensor = 1.0,
    batches: Batches = None,
    counts: Float[Tensor, "*count_runs rows"] | None = None,
) -> Float[Tensor, ...]:
    r"""Return `supervised_contrastive` as a function of the inner products :math:`G_{il}=h_i^\top h_l`; convex in G.

    Args:
        G: inner products.
        labels: classes, shared by the runs.
        temperature: :math:`\tau`, a positive number or one a run.
        batches: row numbers of each mini-batch; by default one batch of all rows.
        counts: how many samples each row stands for; ``arange(k)`` as labels and class sizes as counts give the loss of
            a class Gram.

    Raises:
        ValueError: as `supervised_contrastive`, or if G is not square.

    Example:
        >>> sizes = torch.tensor([2.0, 2.0], dtype=torch.float64)
        >>> loss = supervised_contrastive_gram(torch.eye(2, dtype=torch.float64), torch.arange(2), counts=sizes)
        >>> torch.isclose(loss, 4 * torch.log(1 + 2 * torch.tensor(-1.0, dtype=torch.float64).exp()))
        tensor(True)
    """
    require(G.shape[-1] == G.shape[-2], f"G must be square, got {tuple(G.shape)}")
    labels = checked_labels(labels, G.shape[-1])
    counts = checked_counts(counts, len(labels), G.dtype, G.device)
    S = G / per_run(temperature, G)[..., None, None]
    anchors = torch.ones(len(labels), dtype=torch.bool, device=G.device)
    if batches is None:
        total = sum_over_anchors(S, labels, counts, anchors)
    else:
        total = torch.zeros((), dtype=G.dtype, device=G.device)
        for rows in rows_by_size(batches, len(labels), G.device):
            part = S[..., rows[:, :, None], rows[:, None, :]]
            total = total + sum_over_anchors(part, labels[rows], counts[..., rows], anchors[rows]).sum(-1)
    require(not bool(total.isnan().any()), "embeddings must be finite, got NaN")
    return total


def contrastive_lower_bound(
    labels: Int[Tensor, " rows"],
    temperature: float | Tensor = 1.0,
    batches: Batches = None,
    counts: Float[Tensor, "*count_runs rows"] | None = None,
) -> Float[Tensor, ...]:
    r"""Return the least supervised contrastive loss of unit embeddings in the positive orthant.

    .. math:: \sum_B\ \sum_{c:\,n_{B,c}\ge2}n_{B,c}\,\log\bigl(n_{B,c}-1+(n_B-n_{B,c})\,e^{-1/\tau}\bigr)

    Attained, for every batch at once, by an orthogonal frame: one axis a class (Kini et al. 2024).

    Args:
        labels: classes.
        temperature: :math:`\tau`, a positive number or one a run.
        batches: row numbers of each mini-batch; by default one batch of all rows.
        counts: how many samples each row stands for; by default one.

    Returns:
        Float64, one number a run.

    Raises:
        ValueError: as `supervised_contrastive`.

    Example:
        >>> bound = contrastive_lower_bound(torch.tensor([0, 0, 1, 1]))
        >>> torch.isclose(bound, 4 * torch.log(1 + 2 * torch.tensor(-1.0, dtype=torch.float64).exp()))
        tensor(True)
    """
    labels = checked_labels(labels, len(labels))
    weight = checked_counts(counts, len(labels), torch.float64, labels.device)
    cold = torch.exp(-1 / per_run(temperature, weight))[..., None, None]
    total = torch.zeros((), dtype=torch.float64, device=labels.device)
    one_hot = torch.nn.functional.one_hot(labels).double()
    for rows in rows_by_size([range(len(labels))] if batches is None else batches, len(labels), labels.device):
        sizes = (weight[..., rows].unsqueeze(-2) @ one_hot[rows]).squeeze(-2)
        others = sizes.sum(-1, keepdim=True) - sizes
        positives = torch.where(sizes > 1, sizes - 1, 1.0)
        terms = sizes * (positives.log() + torch.log1p(others * cold / positives))
        total = total + torch.where(sizes > 1, terms, 0.0).sum((-2, -1))
    return total


def sum_over_anchors(
    S: Float[Tensor, "*runs rows rows"],
    labels: Int[Tensor, "*batches rows"],
    counts: Float[Tensor, "*count_runs rows"],
    anchors: Bool[Tensor, "*batches rows"],
) -> Float[Tensor, ...]:
    """Return the loss of each batch, whose rows stand for `counts` copies; an anchor does not see itself."""
    self = torch.eye(labels.shape[-1], dtype=torch.bool, device=S.device)
    seen = torch.where(self, (counts - 1).clamp(min=0).unsqueeze(-1), counts.unsqueeze(-2))  # [anchor, other]
    positives = torch.where(labels.unsqueeze(-1) == labels.unsqueeze(-2), seen, 0.0)
    number = positives.sum(-1)
    keep = (number > 0) & anchors
    log_seen = torch.where(keep.unsqueeze(-1), seen.log(), 0.0)  # rows that do not count stay finite
    attraction = (positives * S).sum(-1) / torch.where(number > 0, number, 1.0)
    per_anchor = torch.logsumexp(S + log_seen, -1) - attraction
    return (per_anchor * torch.where(keep, counts, 0.0)).sum(-1)


def checked_labels(labels: Tensor, rows: int) -> Tensor:
    """Return the labels if they are integers from 0, one a row."""
    require(labels.shape == (rows,), f"labels must hold one a row ({rows}), got shape {tuple(labels.shape)}")
    return labels_in_range("labels", labels, int(labels.max()) + 1 if labels.numel() else 1)


def checked_counts(counts: Tensor | None, rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the counts, ones where none are given, if each is zero or at least one."""
    if counts is None:
        return torch.ones(rows, dtype=dtype, device=device)
    require(counts.shape[-1:] == (rows,), f"counts must hold one a row ({rows}), got shape {tuple(counts.shape)}")
    finite("counts", counts)
    whole = bool(((counts == 0) | (counts >= 1)).all())
    require(whole, f"counts must be zero or at least one, got {float(counts.min())}")
    return counts.to(dtype)


def per_run(temperature: float | Tensor, like: Tensor) -> Tensor:
    """Return the temperature as a tensor if it is positive."""
    value = torch.as_tensor(temperature, dtype=like.dtype, device=like.device)
    require(bool((value > 0).all()), f"temperature must be positive, got {float(value.min())}")
    return value


def rows_by_size(batches: Sequence[Tensor | Sequence[int]], rows: int, device: torch.device) -> Iterator[Tensor]:
    """Give the row numbers of the mini-batches, those of one size together: ``(batches, size)``."""
    require(len(batches) >= 1, "batches must hold at least one batch, got none")
    sizes: dict[int, list[Tensor]] = {}
    for number, given in enumerate(batches):
        batch = torch.as_tensor(given, device=device)
        require(batch.ndim == 1 and batch.numel() > 0, f"batch {number} must be a list of row numbers, got {given}")
        sizes.setdefault(len(batch), []).append(batch)
    for group in sizes.values():
        stacked = labels_in_range("batches", torch.stack(group), rows)
        in_order = stacked.sort(-1).values
        require(
            bool((in_order.diff(dim=-1) > 0).all()), "batches must hold each row once, got a row twice in one batch"
        )
        yield stacked
