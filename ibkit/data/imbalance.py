"""Class sizes that differ, and subsets of real data that have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, require
from ibkit.data.seeding import run_generators


def group_sizes(classes: int, minority_share: float) -> tuple[int, int]:
    r"""Return how many classes are majorities and minorities, :math:`((1-\rho)k,\ \rho k)`.

    Args:
        classes: k, at least 2.
        minority_share: :math:`\rho`, in (0, 1), with :math:`\rho k` a whole number.

    Raises:
        ValueError: fewer than two classes, or a share that does not cut the classes into two whole groups.

    Example:
        >>> group_sizes(10, 0.2)
        (8, 2)
        >>> group_sizes(4, 0.2)
        Traceback (most recent call last):
        ...
        ValueError: minority_share must make 1 to 3 whole classes of 4 minorities, got 0.2
    """
    require(classes >= 2, f"classes must be at least 2, got {classes}")
    minorities = round(minority_share * classes)
    whole = abs(minorities - minority_share * classes) < 1e-9 and 1 <= minorities < classes
    require(
        whole,
        f"minority_share must make 1 to {classes - 1} whole classes of {classes} minorities, got {minority_share}",
    )
    return classes - minorities, minorities


def step_counts(
    classes: int, minority_share: float, ratio: float | Float[Tensor, "*runs"], smallest: float = 1.0
) -> Float[Tensor, "*runs classes"]:
    r"""Return class sizes with one step: majorities of :math:`Rn_{\min}`, then minorities of :math:`n_{\min}`.

    Sizes are numbers, not whole numbers: theory needs them as weights only (Thrampoulidis et al. 2022:
    :math:`(R,\rho)`-STEP imbalance).

    Args:
        classes: k.
        minority_share: :math:`\rho`; :math:`\rho k` classes are minorities.
        ratio: :math:`R\ge1`; a tensor gives one row of sizes each.
        smallest: :math:`n_{\min}`, positive.

    Returns:
        Float64, shape ``(*runs, classes)``.

    Raises:
        ValueError: a share that does not cut the classes into whole groups, a ratio below one, or `smallest` not
            positive.

    Example:
        >>> step_counts(4, 0.5, 10.0)
        tensor([10., 10.,  1.,  1.], dtype=torch.float64)
    """
    majorities, minorities = group_sizes(classes, minority_share)
    R = torch.as_tensor(ratio, dtype=torch.float64)
    require(bool((R >= 1).all()), f"ratio must be at least 1, got {round(float(R.min()), 6)}")
    require(smallest > 0, f"smallest must be positive, got {smallest}")
    large = (R * smallest).unsqueeze(-1).expand(*R.shape, majorities)
    return torch.cat([large, torch.full((*R.shape, minorities), float(smallest), dtype=torch.float64)], -1)


def draw_by_class(
    labels: Int[Tensor, " samples"], counts: Sequence[int], seed: int, runs: int, shuffle_classes: bool = True
) -> Int[Tensor, "runs drawn"]:
    """Return row numbers of `runs` random subsets with given class sizes, without replacement.

    The drawn rows come class by class, so that one vector of new labels serves all runs:
    ``torch.arange(k).repeat_interleave(torch.tensor(counts))``.

    Args:
        labels: of the whole set, integers from 0.
        counts: how many rows of each new class.
        seed: non-negative.
        runs: how many subsets.
        shuffle_classes: each run takes its new classes from the labels in an order of its own, so that which labels are
            minorities is left to chance; False takes label c for class c.

    Returns:
        Shape ``(runs, sum(counts))``.

    Raises:
        ValueError: more classes than labels, a size below one, or a label with too few rows.

    Example:
        >>> labels = torch.tensor([0, 0, 0, 1, 1, 1])
        >>> rows = draw_by_class(labels, [3, 1], seed=0, runs=2, shuffle_classes=False)
        >>> labels[rows].tolist()
        [[0, 0, 0, 1], [0, 0, 0, 1]]
    """
    available = np.bincount(labels.cpu().numpy())
    labels_in_range("labels", labels, len(available))
    require(
        2 <= len(counts) <= len(available), f"counts must name 2 to {len(available)} class sizes, got {len(counts)}"
    )
    require(min(counts) >= 1, f"counts must be at least 1, got {min(counts)}")
    rows_of = [np.flatnonzero(labels.cpu().numpy() == label) for label in range(len(available))]
    subsets = []
    for rng in run_generators(seed, runs):
        taken = rng.permutation(len(available)) if shuffle_classes else np.arange(len(available))
        for label, count in zip(taken, counts, strict=False):
            require(
                count <= len(rows_of[label]),
                f"counts asks {count} rows of label {label}, which has {len(rows_of[label])}",
            )
        subsets.append(
            np.concatenate([rng.permutation(rows_of[label])[:n] for label, n in zip(taken, counts, strict=False)])
        )
    return torch.from_numpy(np.stack(subsets))
