r"""The shapes that last layers collapse to: the simplex ETF of balanced classes and SELI for any class sizes.

Grams are those of class-level vectors: ``classifier[c, c'] = <w_c, w_c'>``, ``embedding[c, c'] = <h_c, h_c'>`` with
:math:`h_c` the embedding that all samples of class c share.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.models.unconstrained import positive_counts


def simplex_etf_gram(classes: int) -> Float[Tensor, "classes classes"]:
    r"""Return the Gram matrix :math:`P=I_k-\frac1k\mathbf 1\mathbf 1^\top` of a simplex equiangular tight frame.

    k vectors of equal norm whose cosines are all :math:`-1/(k-1)`, the least possible; the scale is that of a
    projection. It is also the class-level matrix of simplex-encoded labels: label entry :math:`1-1/k`, others
    :math:`-1/k` (Papyan, Han and Donoho 2020; Thrampoulidis et al. 2022).

    Raises:
        ValueError: fewer than two classes.

    Example:
        >>> simplex_etf_gram(2)
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]], dtype=torch.float64)
    """
    require(classes >= 2, f"classes must be at least 2, got {classes}")
    return centring(classes)


def centring(size: int) -> Float[Tensor, "size size"]:
    r"""Return the projection :math:`I-\frac1s\mathbf 1\mathbf 1^\top` that takes the mean away; zero for size one.

    Example:
        >>> centring(1)
        tensor([[0.]], dtype=torch.float64)
    """
    return torch.eye(size, dtype=torch.float64) - 1 / size


def sel_matrix(counts: Float[Tensor, "*runs classes"]) -> Float[Tensor, "*runs classes classes"]:
    r"""Return the simplex-encoded labels in isometric coordinates, :math:`\tilde Z=P\,\mathrm{diag}(\sqrt{n_c})`.

    The k by n matrix of all samples' encoded labels repeats column c :math:`n_c` times; merging the copies into one
    column of weight :math:`\sqrt{n_c}` keeps its singular values and left singular vectors.

    Args:
        counts: :math:`n_c`, positive.

    Raises:
        ValueError: counts that are not positive.

    Example:
        >>> torch.linalg.svdvals(sel_matrix(torch.tensor([9.0, 9.0, 1.0, 1.0])))[0].round(decimals=6)
        tensor(3., dtype=torch.float64)
    """
    counts = positive_counts(counts).to(torch.float64)
    return simplex_etf_gram(counts.shape[-1]).to(counts.device) * counts.sqrt().unsqueeze(-2)


class CollapseGeometry(NamedTuple):
    r"""Where classifiers and embeddings end up, up to one rotation.

    Args:
        classifier: Gram matrix of the classifiers, :math:`V\Lambda V^\top`, shape ``(*runs, classes, classes)``.
        embedding: Gram matrix of the class embeddings.
        logits: class-level logits; row c is a sample of class c.
        singular_values: :math:`\Lambda` of the logits of all samples, the nonzero ones, falling, ``(*runs, rank)``.
    """

    classifier: Tensor
    embedding: Tensor
    logits: Tensor
    singular_values: Tensor


def seli_geometry(counts: Float[Tensor, "*runs classes"]) -> CollapseGeometry:
    r"""Return the simplex-encoded-labels interpolation (SELI) geometry for any class sizes.

    With :math:`P=I-\frac1k\mathbf 1\mathbf 1^\top` and :math:`D=\mathrm{diag}(n_c)`, the two Grams are

    .. math:: G_W=(PDP)^{1/2},\qquad G_H=(PDP)^{\dagger1/2}=G_W^\dagger,

    the factors :math:`V\Lambda V^\top` and :math:`D^{-1/2}U\Lambda U^\top D^{-1/2}` of the SVD
    :math:`PD^{1/2}=V\Lambda U^\top` (Thrampoulidis et al. 2022).

    Args:
        counts: :math:`n_c`, positive.

    Raises:
        ValueError: counts that are not positive, or fewer than two classes.

    Example:
        >>> even, uneven = seli_geometry(torch.tensor([[3.0, 3.0, 3.0], [3.0, 3.0, 1.0]]).double()).classifier
        >>> even.diagonal().round(decimals=4), uneven.diagonal().round(decimals=4)
        (tensor([1.1547, 1.1547, 1.1547], dtype=torch.float64), tensor([1.0812, 1.0812, 0.8607], dtype=torch.float64))
    """
    V, singular_values, _ = torch.linalg.svd(sel_matrix(counts))
    V, singular_values = V[..., :-1], singular_values[..., :-1]  # the last left vector is the constant one
    return CollapseGeometry(
        (V * singular_values.unsqueeze(-2)) @ V.mT,
        (V / singular_values.unsqueeze(-2)) @ V.mT,
        simplex_etf_gram(counts.shape[-1]).to(V.device).expand(*counts.shape[:-1], -1, -1),
        singular_values,
    )
