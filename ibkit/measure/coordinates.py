"""Vectors that have a given Gram matrix, in an orientation that the matrix alone decides."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require

_SAME_DIRECTION = 1e-6  # of the longest vector: what is left of a vector that depends on those before it


def gram_coordinates(
    G: Float[Tensor, "*runs k k"], dimensions: int, tolerance: float = 1e-3
) -> Float[Tensor, "*runs k dimensions"]:
    r"""Return vectors :math:`x_1,\dots,x_k` of a given dimension with :math:`\langle x_i,x_j\rangle=G_{ij}`.

    A Gram matrix fixes its vectors up to rotation and reflection. The leading eigenpairs :math:`V\Lambda V^\top` give
    :math:`X=V\Lambda^{1/2}`, but eigenvectors of equal eigenvalues are arbitrary; so X is turned to where each vector
    that is independent of those before it lies in the span of the first axes, with a positive last coordinate: the
    first vector along the first axis, the second in the upper half of the plane of the first two, and so on. Nearby
    matrices then get nearby coordinates, as long as the same vectors are independent.

    Args:
        G: symmetric, a Gram matrix a run.
        dimensions: of the vectors; 3 for a picture in space.
        tolerance: the largest eigenvalue that may be lost, in size, as a share of the largest of all. What is lost
            is negative, or beyond the number of dimensions; `torch.inf` gives the nearest picture whatever is lost.

    Returns:
        The vectors as rows.

    Raises:
        ValueError: G is not square, finite and symmetric, fewer than one dimension, or more is lost than tolerated.

    Example:
        >>> gram_coordinates(torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 4.0]]), 2).round(decimals=4)
        tensor([[ 1.,  0.],
                [-1.,  0.],
                [ 0.,  2.]])
    """
    require(G.shape[-1] == G.shape[-2], f"G must be square, got {tuple(G.shape)}")
    finite("G", G)
    require(dimensions >= 1, f"dimensions must be at least 1, got {dimensions}")
    size = G.abs().amax((-2, -1))
    skew = (G - G.mT).abs().amax((-2, -1))
    require(bool((skew <= 1e-6 * size).all()), f"G must be symmetric, got entries that differ by {float(skew.max()):g}")
    values, vectors = torch.linalg.eigh((G + G.mT) / 2)
    values, vectors = values.flip(-1), vectors.flip(-1)
    kept = values.clamp(min=0)[..., :dimensions]
    lost = (values - torch.nn.functional.pad(kept, (0, values.shape[-1] - kept.shape[-1]))).abs().amax(-1)
    share = torch.where(lost > 0, lost / values[..., 0].clamp(min=torch.finfo(values.dtype).tiny), 0.0)
    require(
        bool((share <= tolerance).all()),
        f"G must be positive semidefinite of rank {dimensions} at most, "
        f"got an eigenvalue of {float(share.max()):.2g} of the largest beyond that",
    )
    X = vectors[..., :dimensions] * kept.sqrt().unsqueeze(-2)
    coordinates = X @ _axes_by_turn(X)
    return torch.nn.functional.pad(coordinates, (0, dimensions - coordinates.shape[-1]))


def _axes_by_turn(X: Float[Tensor, "*runs k d"]) -> Float[Tensor, "*runs d d"]:
    """Give an orthonormal basis (as columns) from the rows of X by Gram and Schmidt, leaving out dependent rows."""
    rest = X.clone()
    scale = torch.linalg.vector_norm(X, dim=-1).amax(-1, keepdim=True)
    axes = []
    for _ in range(X.shape[-1]):
        norms = torch.linalg.vector_norm(rest, dim=-1)
        new = norms > _SAME_DIRECTION * scale
        first = new.to(torch.int8).argmax(-1)
        row = rest.gather(-2, first[..., None, None].expand(*first.shape, 1, X.shape[-1])).squeeze(-2)
        # Where no row is left the axis is zero: all coordinates along it are.
        axis = torch.where(new.any(-1, keepdim=True), torch.nn.functional.normalize(row, dim=-1), 0.0)
        rest = rest - (rest @ axis.unsqueeze(-1)) * axis.unsqueeze(-2)
        axes.append(axis)
    return torch.stack(axes, -1)
