r"""Where supervised contrastive training of free unit embeddings ends: a convex program in their inner products.

The loss depends on the embeddings through :math:`G_{ij}=h_i^\top h_j` alone, is convex in G, and ignores the diagonal.
Dropping the bound on the rank of G leaves a convex program; its solution is one vector a class, at most k - 1 of them
independent, so that embeddings of k - 1 dimensions attain it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.imbalance import group_sizes
from ibkit.losses.contrastive import supervised_contrastive_gram
from ibkit.optim.lbfgs import minimize_lbfgs
from ibkit.oracles.certificate import OracleError, solve

GAP_TOLERANCE = 1e-8
"""Largest gap an answer may have, as a share of its loss."""

_NEAR_ZERO, _DIGITS, _MOST_STEPS = 1e-9, 1e-15, 60  # of a search for a root between zero and one


class ContrastiveGram(NamedTuple):
    """The inner products at which the loss is least, and the proof.

    Args:
        gram: class Gram with unit diagonal, ``(classes, classes)``.
        loss: summed over all samples' anchors.
        gap: the loss is at most this much above the least possible.
    """

    gram: Tensor
    loss: float
    gap: float


def contrastive_gram(counts: Float[Tensor, " classes"], temperature: float = 1.0) -> ContrastiveGram:
    r"""Return the class Gram of the supervised contrastive optimum over free unit embeddings, for any class sizes.

    .. math:: \min_{M\succeq0,\ M_{cc}=1}\ \sum_cn_c\log\Bigl(n_c-1+\sum_{c'\ne c}n_{c'}\,e^{(M_{cc'}-1)/\tau}\Bigr),

    the convex relaxation of the problem with one free vector a sample, after embeddings of a class have collapsed; the
    minimiser is unique (Behnia and Thrampoulidis 2024). An interior point gives the start and a quasi-Newton
    method on its factors more digits; `contrastive_gap` then certifies the answer whatever gave it.

    Args:
        counts: :math:`n_c`, above one: a class of one sample has no positive pair.
        temperature: :math:`\tau`, positive.

    Raises:
        ValueError: counts that are not a vector of at least two numbers above one, or a temperature that is not
            positive.
        OracleError: if the solver fails or its answer does not pass the certificate.

    Example:
        >>> contrastive_gram(torch.tensor([20.0, 20.0, 2.0, 2.0])).gram[0].round(decimals=3)
        tensor([ 1.0000, -0.8940, -0.2030, -0.2030], dtype=torch.float64)
    """
    require(counts.ndim == 1 and len(counts) >= 2, f"counts must be (classes,), at least 2, got {tuple(counts.shape)}")
    finite("counts", counts)
    require(bool((counts > 1).all()), f"counts must be above 1, got {float(counts.min())}")
    require(0 < temperature < np.inf, f"temperature must be positive, got {temperature}")
    sizes = counts.detach().cpu().double()
    k, labels = len(sizes), torch.arange(len(sizes))
    M = cp.Variable((k, k), PSD=True)
    log_sizes = torch.log(sizes.expand(k, k) - torch.eye(k)).numpy()
    terms = [
        n * (cp.log_sum_exp(M[c] / temperature + log_sizes[c]) - M[c, c] / temperature)
        for c, n in enumerate((sizes / sizes.sum()).tolist())
    ]
    solve(cp.Problem(cp.Minimize(cp.sum(terms)), [cp.diag(M) == 1]), "supervised contrastive Gram")
    values, vectors = torch.linalg.eigh(torch.from_numpy(M.value))

    def loss(params: dict[str, Tensor]) -> Tensor:
        H = torch.nn.functional.normalize(params["X"], dim=-1)
        return supervised_contrastive_gram(H @ H.mT, labels, temperature, counts=sizes)

    found = minimize_lbfgs({"X": vectors * values.clamp(min=0).sqrt()}, loss, 1e-12)
    H = torch.nn.functional.normalize(found.params["X"], dim=-1)
    gram, gap = H @ H.mT, float(contrastive_gap(H @ H.mT, labels, temperature, sizes))
    if not gap <= GAP_TOLERANCE * (1 + float(found.value)):
        raise OracleError(f"supervised contrastive Gram: gap of {gap:.1e} at loss {float(found.value):.6g}")
    return ContrastiveGram(gram, float(found.value), gap)


def contrastive_gap(
    G: Float[Tensor, "*runs rows rows"],
    labels: Int[Tensor, " rows"],
    temperature: float | Tensor = 1.0,
    counts: Float[Tensor, "*count_runs rows"] | None = None,
) -> Float[Tensor, "*runs"]:
    r"""Return how far the loss at G can be above the least that unit embeddings of any dimension attain.

    With the gradient :math:`A=\nabla L(G)` and :math:`S=A+\mathrm{diag}(\nu)`, :math:`\nu_i=-(AG)_{ii}`, convexity
    gives for every Gram matrix with unit diagonal
    :math:`L(G')\ge L(G)+\langle S,G'\rangle\ge L(G)+n\,\lambda_{\min}(S)`. So the gap is
    :math:`n\max(0,-\lambda_{\min}(S))`. Where it is large at a stationary point, the eigenvector of
    :math:`\lambda_{\min}` says which samples a further dimension would move, and which way.

    Args:
        G: inner products of unit vectors.
        labels: classes, shared by the runs.
        temperature: :math:`\tau`, a positive number or one a run.
        counts: how many samples each row stands for; by default one.

    Raises:
        ValueError: as `ibkit.losses.supervised_contrastive_gram`, or a diagonal that is not one.

    Example:
        >>> simplex = torch.eye(3, dtype=torch.float64) * 1.5 - 0.5
        >>> sizes = torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64)
        >>> bool(contrastive_gap(simplex, torch.arange(3), counts=sizes) < 1e-12)
        True
    """
    diagonal = G.diagonal(dim1=-2, dim2=-1)
    off = float((diagonal - 1).abs().max())
    require(off <= 1e-6, f"G must have ones on its diagonal, got a value that is {off:.2g} off")
    leaf = G.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(
            supervised_contrastive_gram(leaf, labels, temperature, counts=counts).sum(), leaf
        )
    A = (slope + slope.mT) / 2
    S = A - torch.diag_embed((A * G).sum(-1))
    return G.shape[-1] * (-torch.linalg.eigvalsh(S)[..., 0]).clamp(min=0)


class StepContrastive(NamedTuple):
    """The optimum under STEP imbalance: one number a pair of groups, each of shape ``(*runs)``.

    Args:
        majority: cosine of two majority classes; NaN for a single one.
        minority: cosine of two minority classes; NaN for a single one.
        across: cosine of a majority and a minority class.
        gram: class Gram, majorities first, ``(*runs, classes, classes)``.
        loss: summed over all samples' anchors.
    """

    majority: Tensor
    minority: Tensor
    across: Tensor
    gram: Tensor
    loss: Tensor


def step_contrastive(
    classes: int,
    minority_share: float,
    ratio: float | Float[Tensor, "*ratio_runs"],
    temperature: float | Float[Tensor, "*temperature_runs"] = 1.0,
    smallest: float = 2.0,
) -> StepContrastive:
    r"""Return `contrastive_gram` under STEP imbalance, from a convex problem in two numbers; batched.

    With M majorities of :math:`Rn_{\min}` samples and m minorities, the optimum has cosines :math:`\alpha,\beta,\theta`
    with :math:`\theta=-\sqrt{(1+(M-1)\alpha)(1+(m-1)\beta)/(Mm)}`: the Gram is singular. In
    :math:`u^2=(1+(M-1)\alpha)/M` and :math:`v^2=(1+(m-1)\beta)/m`, both in [0, 1], :math:`\theta=-uv`, and the loss has
    one minimum, which is found by a nested search for the roots of its derivatives: exact to rounding, also where
    minority classes coincide (:math:`v=1`).

    Args:
        classes: k.
        minority_share: :math:`\rho`; :math:`\rho k` classes are minorities.
        ratio: R, at least one; broadcasts against the temperature.
        temperature: :math:`\tau`, positive.
        smallest: :math:`n_{\min}`, above one.

    Raises:
        ValueError: a share that does not cut the classes into whole groups, a ratio below one, a temperature that is
            not positive, or `smallest` not above one.

    Example:
        >>> ends = step_contrastive(4, 0.5, torch.tensor([1.0, 10.0, 1000.0]).double())
        >>> ends.minority.round(decimals=4)
        tensor([-0.3333,  0.5469,  1.0000], dtype=torch.float64)
    """
    M, m = group_sizes(classes, minority_share)
    R, tau = torch.broadcast_tensors(
        torch.as_tensor(ratio, dtype=torch.float64), torch.as_tensor(temperature, dtype=torch.float64)
    )
    require(bool((R >= 1).all()), f"ratio must be at least 1, got {float(R.min())}")
    require(bool((tau > 0).all()), f"temperature must be positive, got {float(tau.min())}")
    require(smallest > 1, f"smallest must be above 1, got {smallest}")
    N, n = R * smallest, smallest

    def slopes(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Give tau times the derivatives of the loss by u and by v."""
        alpha = torch.exp(((M * u**2 - M) / max(M - 1, 1)) / tau)  # relative to a positive pair
        beta = torch.exp(((m * v**2 - m) / max(m - 1, 1)) / tau)
        theta = torch.exp((-u * v - 1) / tau)
        large, small = N - 1 + (M - 1) * N * alpha + m * n * theta, n - 1 + (m - 1) * n * beta + M * N * theta
        across = M * N * m * n * theta * (1 / large + 1 / small)
        return M * N * N * alpha / large * 2 * M * u - across * v, m * n * n * beta / small * 2 * m * v - across * u

    def best_u(v: Tensor) -> Tensor:
        return _rising_root(lambda u: slopes(u, v)[0], v) if M > 1 else torch.ones_like(v)

    v = _rising_root(lambda v: slopes(best_u(v), v)[1], tau) if m > 1 else torch.ones_like(tau)
    return _step_geometry(best_u(v), v, M, m, N, n, tau)


def _rising_root(f: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Return where f changes from negative to positive in (0, 1], one where it does not; by the method of Ridders.

    Every step at least halves the bracket, and near the root the number of digits doubles.
    """
    low, high = torch.full_like(like, _NEAR_ZERO), torch.ones_like(like)
    f_low, f_high = f(low), f(high)
    inside = f_high > 0
    root = torch.where(inside, (low + high) / 2, 1.0)
    for _ in range(_MOST_STEPS):
        middle = (low + high) / 2
        f_middle = f(torch.where(inside, middle, 1.0))
        bent = (f_middle**2 - f_low * f_high).clamp(min=0).sqrt()
        shift = torch.where(bent > 0, -(middle - low) * f_middle / bent, 0.0)
        guess = torch.where(inside, middle + shift, 1.0)
        f_guess = f(guess)
        for point, value in ((middle, f_middle), (guess, f_guess)):
            left = (value < 0) & (point > low)
            right = (value >= 0) & (point < high)
            low, f_low = torch.where(left, point, low), torch.where(left, value, f_low)
            high, f_high = torch.where(right, point, high), torch.where(right, value, f_high)
        settled = ~inside | ((guess - root).abs() <= _DIGITS) | (high - low <= _DIGITS)
        root = guess
        if settled.all():
            break
    return root


def _step_geometry(u: Tensor, v: Tensor, M: int, m: int, N: Tensor, n: float, tau: Tensor) -> StepContrastive:
    nan = torch.full_like(u, torch.nan)
    majority = (M * u**2 - 1) / (M - 1) if M > 1 else nan
    minority = (m * v**2 - 1) / (m - 1) if m > 1 else nan
    across = -u * v
    groups = torch.arange(M + m) >= M
    pairs = groups[:, None].long() + groups.long()  # 0, 1, 2: both majorities, one, none
    gram = torch.stack([majority, across, minority], -1)[..., pairs]
    gram = torch.where(torch.eye(M + m, dtype=torch.bool), 1.0, gram)
    counts = torch.where(groups, torch.as_tensor(n, dtype=torch.float64), N[..., None])
    loss = supervised_contrastive_gram(gram, torch.arange(M + m), tau, counts=counts)
    return StepContrastive(majority, minority, across, gram, loss)


def contrastive_minority_limit(majorities: int, temperature: float | Float[Tensor, "*runs"] = 1.0) -> Tensor:
    r"""Return the cosine of two minority classes at the optimum as the imbalance ratio grows without bound.

    .. math:: \min\Bigl\{1,\ \frac1{M-1}+\tau\log\frac{(D+M)^2}{4MD}\Bigr\},\qquad
       D=e^{1/\tau}+(M-1)\,e^{-1/((M-1)\tau)} .

    It depends neither on the number of minorities nor on their size. For two majorities it is one, and for
    finite ratios beyond some value the cosine *is* one; for more majorities at a high temperature minorities
    stay apart (derived in the chapter on the landscape of supervised contrastive learning).

    Args:
        majorities: M, at least 2.
        temperature: :math:`\tau`, positive.

    Raises:
        ValueError: fewer than two majorities or a temperature that is not positive.

    Example:
        >>> [round(float(contrastive_minority_limit(M)), 4) for M in (2, 3, 5)]
        [1.0, 0.5182, 0.2559]
    """
    require(majorities >= 2, f"majorities must be at least 2, got {majorities}")
    tau = torch.as_tensor(temperature, dtype=torch.float64)
    require(bool((tau > 0).all()), f"temperature must be positive, got {float(tau.min())}")
    M = majorities
    log_D = torch.logaddexp(1 / tau, np.log(M - 1) - 1 / ((M - 1) * tau))
    log_ratio = 2 * torch.logaddexp(log_D, torch.log(torch.tensor(float(M)))) - np.log(4 * M) - log_D
    return (1 / (M - 1) + tau * log_ratio).clamp(max=1.0)
