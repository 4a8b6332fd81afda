r"""The Matrix Nuclear-Norm of hidden states: a sum of column norms that stands in for the sum of singular values.

Li, Xia, Chang and Wu (2024), arXiv:2410.10672. With columns :math:`x_j` and singular values :math:`\sigma_j` of an
n x d matrix of n >= d rows,

.. math:: \sum_j\sigma_j\ \le\ \sum_j\|x_j\|\ \le\ \sqrt d\,\|X\|_F ,

with equality on the left where the columns are orthogonal, on the right where they are equally long. The left side does
not depend on the basis of the features, the middle does. The nuclear norm itself is ``ibkit.norms.as_norm("nuclear")``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.measure.spectra import unit_states


def column_norm_sum(X: Float[Tensor, "*runs rows columns"], most: int | None = None) -> Float[Tensor, "*runs"]:
    r"""Return the sum of the largest column norms :math:`\|x_j\|_2`, the :math:`L_{1,2}` norm where all are summed.

    Args:
        X: any matrix; it is neither centred nor scaled.
        most: how many columns are summed; by default D = min(rows, columns), as many as there are singular values. With
            fewer rows than columns the sum of all of them is ``most=columns``, and only that bounds the nuclear norm.

    Returns:
        One number a run.

    Raises:
        ValueError: NaN or infinity, no matrix, or `most` outside 1 .. columns.

    Example:
        >>> X = torch.tensor([[3.0, 0.0, 1.0], [4.0, 0.0, 0.0]])
        >>> column_norm_sum(X), column_norm_sum(X, most=1)
        (tensor(6.), tensor(5.))
    """
    finite("X", X)
    require(X.ndim >= 2 and X.numel() > 0, f"X must be a matrix and not empty, got shape {tuple(X.shape)}")
    rows, columns = X.shape[-2:]
    most = min(rows, columns) if most is None else most
    require(1 <= most <= columns, f"most must be 1 to {columns} columns, got {most}")
    largest = X.abs().amax((-2, -1), keepdim=True)
    scale = torch.where(largest > 0, largest, 1.0)  # squares of tiny or huge entries would leave the range
    lengths = (X / scale).square().sum(-2).sqrt()  # PyTorch's own norm along columns takes ten times as long
    return scale[..., 0, 0] * lengths.topk(most).values.sum(-1)


def matrix_nuclear_norm(
    features: Float[Tensor, "*runs samples features"], center: bool = True
) -> Float[Tensor, "*runs"]:
    r"""Return the Matrix Nuclear-Norm of hidden states, divided by how many there are.

    The states are centred and scaled to unit length (`ibkit.measure.unit_states`); then the D = min(n, d) largest
    column norms are summed and divided by n, as in the authors' code. It lies between :math:`1/\sqrt n` and
    :math:`\sqrt{d/n}` for n >= d, and is at most one for n < d. The states of one text make one matrix; average the
    results over texts.

    Args:
        features: n states, one a row; rows that equal their mean stay zero.
        center: whether to subtract the mean row first.

    Returns:
        One number a run.

    Raises:
        ValueError: NaN or infinity in the features, or no samples.

    Example:
        >>> matrix_nuclear_norm(torch.tensor([[2.0, 0.0], [0.0, 5.0], [-3.0, 0.0], [0.0, -1.0]]), center=False)
        tensor(0.7071)
    """
    X = unit_states(features, center)
    return column_norm_sum(X) / X.shape[-2]
