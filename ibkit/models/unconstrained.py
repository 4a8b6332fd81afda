r"""Unconstrained features: a linear classifier whose inputs are trained too, standing for a network's last layer.

Logits are :math:`z_i=Wh_i` with both :math:`W` and every :math:`h_i` free. Several samples that share an embedding are
kept as *one* row, with their number :math:`n_i` beside it. Rows are stored in **isometric coordinates**
:math:`\tilde h_i=\sqrt{n_i}\,h_i`. Moving the :math:`n_i` samples together by :math:`\delta` is a step of length
:math:`\sqrt{n_i}\|\delta\|` in the space of all samples, which is :math:`\|\tilde\delta\|`: so plain Euclidean
gradients, norms and update rules on :math:`(W,\tilde H)` are exactly those of the whole sample-level model on
embeddings that have collapsed, and nothing in `ibkit.optim` has to know about the counts. With all counts one, the two
levels are the same.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params


def unconstrained_start(
    seed: int, runs: int, classes: int, features: int, counts: Float[Tensor, "*settings rows"], scale: float = 0.1
) -> Params:
    r"""Return Gaussian classifiers and embeddings, :math:`W_{cj},h_{ij}\sim N(0,\text{scale}^2)`.

    Every setting of the counts starts from the same W and h, so that settings can be compared run by run.

    Args:
        seed: non-negative.
        runs: how many starts.
        classes: k.
        features: d.
        counts: :math:`n_i`, samples that each row of H stands for; leading dimensions become run dimensions.
        scale: standard deviation.

    Returns:
        ``W`` of shape ``(*settings, runs, classes, features)`` and ``H`` of shape ``(*settings, runs, rows, features)``
        in isometric coordinates, float64.

    Raises:
        ValueError: sizes below one, a scale that is not positive, or counts that are not.

    Example:
        >>> params = unconstrained_start(0, runs=5, classes=3, features=4, counts=torch.ones(2, 3))
        >>> params["W"].shape
        torch.Size([2, 5, 3, 4])
    """
    require(classes >= 2 and features >= 1, f"need classes >= 2 and features >= 1, got {classes} and {features}")
    require(scale > 0, f"scale must be positive, got {scale}")
    positive_counts(counts)
    rows = counts.shape[-1]
    generators = run_generators(seed, runs)
    W = torch.from_numpy(np.stack([scale * rng.normal(size=(classes, features)) for rng in generators]))
    h = torch.from_numpy(np.stack([scale * rng.normal(size=(rows, features)) for rng in generators]))
    H = h.to(counts.device) * counts.to(torch.float64)[..., None, :, None].sqrt()
    return {"W": W.to(H.device).expand(*counts.shape[:-1], *W.shape).clone(), "H": H}


def unconstrained_embeddings(
    H: Float[Tensor, "*runs rows features"], counts: Float[Tensor, "*count_runs rows"]
) -> Float[Tensor, "*runs rows features"]:
    r"""Return the embeddings :math:`h_i=\tilde h_i/\sqrt{n_i}`.

    Args:
        H: isometric coordinates.
        counts: :math:`n_i`; leading dimensions broadcast against the runs.

    Raises:
        ValueError: counts that are not positive, or not one a row of H.

    Example:
        >>> unconstrained_embeddings(torch.ones(2, 3), torch.tensor([1.0, 4.0]))[:, 0]
        tensor([1.0000, 0.5000])
    """
    positive_counts(counts)
    require(counts.shape[-1] == H.shape[-2], f"counts must hold one a row of H ({H.shape[-2]}), got {counts.shape[-1]}")
    return H / counts.sqrt().unsqueeze(-1)


def unconstrained_logits(
    params: Params, counts: Float[Tensor, "*count_runs rows"]
) -> Float[Tensor, "*runs rows classes"]:
    r"""Return the logits :math:`z_i=Wh_i`, one row for each row of H.

    Args:
        params: ``W`` of shape ``(*runs, classes, features)`` and ``H`` of shape ``(*runs, rows, features)``.
        counts: :math:`n_i`.

    Raises:
        ValueError: as `unconstrained_embeddings`.

    Example:
        >>> unconstrained_logits({"W": torch.eye(2), "H": 2 * torch.eye(2)}, torch.tensor([1.0, 4.0]))
        tensor([[2., 0.],
                [0., 1.]])
    """
    return unconstrained_embeddings(params["H"], counts) @ params["W"].mT


def positive_counts(counts: Tensor) -> Tensor:
    """Return `counts` if all are finite and positive.

    Raises:
        ValueError: otherwise.

    Example:
        >>> positive_counts(torch.tensor([3.0, 0.0]))
        Traceback (most recent call last):
        ...
        ValueError: counts must be positive, got 0.0
    """
    finite("counts", counts)
    require(counts.numel() > 0, "counts must not be empty")
    require(bool((counts > 0).all()), f"counts must be positive, got {float(counts.min())}")
    return counts
