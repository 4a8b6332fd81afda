"""Where averaging and local steps balance: the disagreement that steady local gradients keep up."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.graphs import mixing_rate


def steady_disagreement(
    mixing: Float[Tensor, "*graphs agents agents"],
    gradients: Float[Tensor, "*runs agents features"],
    eta: float | Tensor,
) -> Float[Tensor, "*out agents features"]:
    r"""Return the deviations from the mean at which decentralised descent with fixed local gradients comes to rest.

    With :math:`J=\frac1N\mathbf 1\mathbf 1^\top` they solve :math:`D=(A-J)D-\eta(I-J)G`:

    .. math:: D=-\eta\,(I-A+J)^{-1}(I-J)G=-\eta\,(I-A)^+\,(I-J)G .

    Args:
        mixing: :math:`A`, symmetric and doubly stochastic, of a connected graph.
        gradients: :math:`G`, the local gradients, one row an agent.
        eta: step size, positive; a number or one a run.

    Raises:
        ValueError: a graph that is not connected, NaN, or shapes that do not fit.

    Example:
        >>> A = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
        >>> steady_disagreement(A, torch.tensor([[1.0], [-1.0]]), 0.1)
        tensor([[-0.2000],
                [ 0.2000]])
    """
    finite("gradients", gradients)
    fits = gradients.ndim >= 2 and gradients.shape[-2] == mixing.shape[-1]
    require(fits, f"gradients must be (*runs, {mixing.shape[-1]}, features), got {tuple(gradients.shape)}")
    rate = float(mixing_rate(mixing).max())
    require(rate < 1 - 1e-9, f"mixing must belong to a connected graph, got mixing rate {rate:.6f}")
    require(float(torch.as_tensor(eta).min()) > 0, f"eta must be positive, got {eta}")
    if isinstance(eta, Tensor) and eta.ndim:
        eta = eta[..., None, None]
    agents = mixing.shape[-1]
    system = torch.eye(agents, dtype=mixing.dtype, device=mixing.device) - mixing + 1 / agents
    uneven = gradients - gradients.mean(-2, keepdim=True)
    return -eta * (torch.linalg.inv(system) @ uneven)
