"""Linear classifiers of two classes: their margins, for many runs at once."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require


def linear_margins(
    w: Float[Tensor, "*runs features"], rows: Float[Tensor, "*data_runs samples features"]
) -> Float[Tensor, "*runs samples"]:
    r"""Return the margins :math:`m_i=a_i^\top w` of linear classifiers, where :math:`a_i=y_ix_i`.

    Data sets that several runs share are not copied: twenty step sizes on four data sets are four matrix products.

    Args:
        w: classifiers, one a run.
        rows: :math:`a_i`; their run dimensions are the last ones of the runs.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> import torch
        >>> linear_margins(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [-1.0, 3.0]]))
        tensor([[ 1., -1.],
                [ 2.,  6.]])
    """
    shared, samples, features = rows.shape[:-2], rows.shape[-2], rows.shape[-1]
    runs = w.shape[:-1]
    fits = w.shape[-1:] == rows.shape[-1:] and runs[len(runs) - len(shared) :] == shared
    require(fits, f"w must be (*runs, *{tuple(shared)}, {features}) to fit the rows, got {tuple(w.shape)}")
    if runs == shared:
        return (rows @ w.unsqueeze(-1)).squeeze(-1)
    grouped = w.reshape(-1, *shared, features).movedim(0, -2)
    return (grouped @ rows.mT).movedim(-2, 0).reshape(*runs, samples)
