r"""Where free unit embeddings end up under the supervised contrastive loss: the best Gram matrix of the classes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.losses.contrastive import supervised_contrastive_gram
from ibkit.models.unconstrained import positive_counts
from ibkit.models.unit_embeddings import unit_embedding_start, unit_embeddings
from ibkit.optim.lbfgs import minimize_lbfgs
from ibkit.oracles.certificate import OracleError

GAP_TOLERANCE = 1e-8
"""Largest gap an answer may have, for each sample."""


class ContrastiveGram(NamedTuple):
    """The best class Gram, its loss, and the proof.

    Args:
        G: inner products of the class embeddings, ``(*runs, classes, classes)``, unit diagonal.
        value: the loss summed over all samples, ``(*runs)``.
        gap: no embeddings of length at most one have a loss below ``value - gap``.
    """

    G: Tensor
    value: Tensor
    gap: Tensor


def contrastive_gram(
    counts: Float[Tensor, "*runs classes"], temperature: float | Tensor = 1.0, seed: int = 0
) -> ContrastiveGram:
    r"""Return the class Gram that minimises the supervised contrastive loss of free unit embeddings.

    The loss is convex in the Gram matrix of all samples. Averaging over permutations inside the classes and then
    moving the samples of a class together can only lower it, so the problem is one of classes,

    .. math:: \min_{M\succeq0,\;M_{cc}\le1}\ \sum_cn_c\Bigl[\log\Bigl((n_c-1)e^{M_{cc}/\tau}
       +\sum_{c'\ne c}n_{c'}e^{M_{cc'}/\tau}\Bigr)-\frac{M_{cc}}\tau\Bigr]

    (Behnia and Thrampoulidis 2024), attained by embeddings whenever :math:`d\ge k`. L-BFGS in float64 on
    :math:`M=HH^\top` with :math:`d=k+1`. The certificate is a dual one: with the slope :math:`C=\nabla L(M)`, any
    :math:`y\ge0` with :math:`C+\mathrm{diag}(y)\succeq0` proves that no feasible value is lower than
    :math:`L(M)-\langle C,M\rangle-\sum_cy_c`.

    Args:
        counts: :math:`n_c`, at least one, some at least two; a class of one sample is a negative only.
        temperature: :math:`\tau`, a positive number or one a run.
        seed: of the start, which does not matter.

    Raises:
        ValueError: counts below one, or a temperature that is not positive.
        OracleError: if an answer does not pass its certificate.

    Example:
        >>> best = contrastive_gram(torch.tensor([[10.0, 10.0, 10.0], [20.0, 2.0, 2.0]]))
        >>> best.G[:, -1, :2].round(decimals=3)
        tensor([[-0.5000, -0.5000],
                [-0.8540,  0.4590]], dtype=torch.float64)
    """
    counts = positive_counts(counts).to(torch.float64)
    k, tau = counts.shape[-1], torch.as_tensor(temperature, dtype=torch.float64, device=counts.device)
    require(bool((counts >= 1).all()), f"counts must be at least 1, got {float(counts.min())}")
    require(bool((counts > 1).any(-1).all()), "counts must hold a class of two samples or more in every run")
    shape = torch.broadcast_shapes(counts.shape[:-1], tau.shape)
    labels = torch.arange(k, device=counts.device)
    size = counts.sum(-1)

    def mean_loss(G: Tensor) -> Tensor:
        return supervised_contrastive_gram(G, labels, tau, counts=counts) / size

    def loss(params: dict[str, Tensor]) -> Tensor:
        H = unit_embeddings(params["X"])
        return mean_loss(H @ H.mT)

    start = unit_embedding_start(seed, 1, k, k + 1)["X"][0].to(counts.device).expand(*shape, k, k + 1).clone()
    found = minimize_lbfgs({"X": start}, loss, tolerance=1e-11, iterations=5000)
    H = unit_embeddings(found.params["X"])
    G = (H @ H.mT).detach().requires_grad_()
    with torch.enable_grad():
        value = mean_loss(G)
        (slope,) = torch.autograd.grad(value.sum(), G)
    gap = _gap(G.detach(), slope)
    worst = float(gap.max())
    if not worst <= GAP_TOLERANCE:
        raise OracleError(f"contrastive Gram: duality gap {worst:.1e} a sample, slope {float(found.slope.max()):.1e}")
    return ContrastiveGram(G.detach(), value.detach() * size, gap * size)


def _gap(G: Tensor, slope: Tensor) -> Tensor:
    """Return a bound on how far the loss can lie above its minimum, by a feasible dual point."""
    C = (slope + slope.mT) / 2
    y = (-(C @ G).diagonal(dim1=-2, dim2=-1)).clamp(min=0)
    lowest = torch.linalg.eigvalsh(C + torch.diag_embed(y))[..., :1]
    y = y + (-lowest).clamp(min=0)
    return ((C * G).sum((-2, -1)) + y.sum(-1)).clamp(min=0)
