r"""The perceptron's loss, and the logistic loss as its smoothed version.

Gradient descent on the logistic loss :math:`f(\theta)=\sum_is_i\log(1+e^{-a_i^\top\theta})` with the constant step
:math:`\gamma` is, in the coordinates :math:`w=\theta/\gamma`, gradient descent with step *one* on

.. math:: h_\gamma(w)=\frac{f(\gamma w)}\gamma=\sum_i\frac{s_i}\gamma\log\bigl(1+e^{-\gamma a_i^\top w}\bigr)
   \ \xrightarrow{\ \gamma\to\infty\ }\ h_\infty(w)=\sum_is_i\max(0,-a_i^\top w),

the loss of the batch perceptron. Nothing overflows in these coordinates, and :math:`\gamma=\infty` is a step like any
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require, shape
from ibkit.models import linear_margins
from ibkit.scaled import Gradient, Params

Step = float | Float[Tensor, "*runs"]


def perceptron_weights(
    margins: Float[Tensor, "*runs samples"], gamma: Step = math.inf
) -> Float[Tensor, "*runs samples"]:
    r"""Return how strongly each sample pulls, :math:`p_i=1/(1+e^{\gamma m_i})`.

    At :math:`\gamma=\infty` this is 1 for a wrong sample, 0 for a right one, and 1/2 on the boundary :math:`m_i=0`,
    where every finite :math:`\gamma` has 1/2 too. Taking 1 or 0 there is another algorithm.

    Args:
        margins: :math:`m_i`.
        gamma: the step size :math:`\gamma>0`, a number or one a run; may be infinite.

    Raises:
        ValueError: NaN in the margins, or a step that is not positive.

    Example:
        >>> perceptron_weights(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([1.0000, 0.5000, 0.0000])
    """
    require(not bool(margins.isnan().any()), "margins must be numbers, got NaN")
    g = _steps(gamma, margins)
    return torch.exp(_log_weights(margins, g))


def smoothed_perceptron_loss(
    margins: Float[Tensor, "*runs samples"],
    gamma: Step = math.inf,
    shares: Float[Tensor, "*runs samples"] | None = None,
) -> Float[Tensor, "*runs"]:
    r"""Return :math:`h_\gamma=\sum_is_i\log(1+e^{-\gamma m_i})/\gamma`; :math:`\gamma h_\gamma` is the logistic loss.

    It lies above the perceptron's loss :math:`h_\infty=\sum_is_i\max(0,-m_i)`, by at most :math:`\log 2/\gamma`.

    Args:
        margins: :math:`m_i`, in the coordinates :math:`w=\theta/\gamma`.
        gamma: the step size, a number or one a run; infinite for the perceptron's loss.
        shares: :math:`s_i`; by default the mean.

    Raises:
        ValueError: NaN in the margins, or a step that is not positive.

    Example:
        >>> smoothed_perceptron_loss(torch.tensor([-2.0, 4.0]))
        tensor(1.)
        >>> smoothed_perceptron_loss(torch.zeros(3), gamma=2.0)  # log(2) / 2
        tensor(0.3466)
    """
    require(not bool(margins.isnan().any()), "margins must be numbers, got NaN")
    g = _steps(gamma, margins)
    tame = torch.where(g.isinf(), 1.0, g)
    smooth = torch.logaddexp(-tame * margins, torch.zeros_like(margins)) / tame
    loss = torch.where(g.isinf(), (-margins).clamp(min=0), smooth)
    return loss.mean(-1) if shares is None else (loss * shares).sum(-1)


def linear_perceptron(
    rows: Float[Tensor, "*data_runs samples features"],
    gamma: Step = math.inf,
    *,
    shares: Float[Tensor, "*data_runs samples"] | None = None,
    mass_normalised: bool = False,
) -> Callable[[Params], Gradient]:
    r"""Return the gradient of :math:`h_\gamma` for a linear classifier; unit steps along it are logistic regression.

    .. math:: w_{t+1}=w_t+\sum_is_ip_ia_i,\qquad p_i=\frac1{1+e^{\gamma a_i^\top w_t}},\qquad \theta_t=\gamma w_t .

    With `mass_normalised` the sum is divided by the mass :math:`\sum_is_ip_i` of what pulls, so that the weights sum to
    one and no sample's pull is diluted by those that are right already (the remedy of Tyurin 2024); where nothing
    pulls, which takes an infinite :math:`\gamma`, it is zero.

    Args:
        rows: :math:`a_i=y_ix_i`; one set shared by all runs, or one a run (their run dimensions come last).
        gamma: the step size, a number or one a run; infinite for the perceptron.
        shares: :math:`s_i\ge0`, summing to one; by default ``1 / samples``. A row that stands for many copies has
            their share.
        mass_normalised: divide by the mass.

    Returns:
        A function of ``{"w": (*runs, features)}`` for the training loop.

    Raises:
        ValueError: rows or shares that are not finite, shares that are negative or do not sum to one, a step that is
            not positive, or (later) a w of another width.

    Example:
        >>> gradient = linear_perceptron(torch.tensor([[1.0, 0.0], [-3.0, 1.0]]))
        >>> gradient({"w": torch.tensor([1.0, 0.0])}).true()["w"]  # minus the mean over the wrong rows
        tensor([ 1.5000, -0.5000])
    """
    require(rows.ndim >= 2, f"rows must be (*runs, samples, features), got shape {tuple(rows.shape)}")
    finite("rows", rows)
    if shares is None:
        shares = rows.new_full(rows.shape[:-1], 1 / rows.shape[-2])
    finite("shares", shares)
    require(shares.shape == rows.shape[:-1], f"shares must be {tuple(rows.shape[:-1])}, got {tuple(shares.shape)}")
    sums_to_one = bool((shares >= 0).all()) and bool(((shares.sum(-1) - 1).abs() < 1e-6).all())
    require(sums_to_one, "shares must be at least 0 and sum to one")

    def gradient(params: Params) -> Gradient:
        w = shape("w", params["w"], (rows.shape[-1],))
        margins = linear_margins(w, rows)
        log_pull = _log_weights(margins, _steps(gamma, margins)) + shares.log()
        pull = _sum_to_one(log_pull) if mass_normalised else log_pull.exp()
        return Gradient({"w": -_combine(pull, rows)}, torch.zeros_like(margins[..., 0]))

    return gradient


def _combine(pull: Tensor, rows: Tensor) -> Tensor:
    """Return sum_i pull_i a_i, a margin's transpose, without copying data sets that runs share."""
    return linear_margins(pull, rows.mT)


def _sum_to_one(log_pull: Tensor) -> Tensor:
    """Divide by the sum in the log domain, where ratios survive when every weight underflows; all zero stays zero."""
    nothing = log_pull.amax(-1, keepdim=True) == -torch.inf
    return torch.where(nothing, 0.0, torch.softmax(torch.where(nothing, 0.0, log_pull), -1))


def _log_weights(margins: Tensor, gamma: Tensor) -> Tensor:
    """Return log p; log 0 where an infinite step leaves a right sample alone."""
    if bool(gamma.isinf().all()):
        return _log_limit(margins)
    tame = torch.where(gamma.isinf(), 1.0, gamma)
    return torch.where(gamma.isinf(), _log_limit(margins), torch.nn.functional.logsigmoid(-tame * margins))


def _log_limit(margins: Tensor) -> Tensor:
    return torch.log(0.5 - 0.5 * torch.sign(margins))


def _steps(gamma: float | Tensor, margins: Tensor) -> Tensor:
    """Return the steps so that they broadcast against margins ``(*runs, samples)``."""
    g = torch.as_tensor(gamma, dtype=margins.dtype, device=margins.device)
    require(
        bool((g > 0).all()),
        f"gamma must be positive, got {gamma if isinstance(gamma, float | int) else float(g.min())}",
    )
    require(
        g.ndim == 0 or g.shape == margins.shape[:-1],
        f"gamma must be a number or one a run {tuple(margins.shape[:-1])}, got shape {tuple(g.shape)}",
    )
    return g.unsqueeze(-1)
