r"""Regularisation paths :math:`\arg\min_xf(x)+\tfrac\lambda2\|x\|^2` down to tiny strengths, by damped Newton steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.losses.soft_labels import soft_label_residual
from ibkit.oracles.certificate import OracleError

Derivatives = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From x of shape ``(*runs, n)`` to the gradient ``(*runs, n)`` and Hessian ``(*runs, n, n)`` of f."""


@dataclass(frozen=True)
class RidgePath:
    r"""Minimisers of :math:`f(x)+\tfrac\lambda2\|x\|^2`, one for each strength.

    Args:
        points: the minimisers, ``(strengths, *runs, ...)``.
        residual: :math:`\|\nabla f+\lambda x\|/(\lambda\|x\|)` at each, ``(strengths, *runs)``: the relative error in
            the stationarity that defines the path.
    """

    points: Tensor
    residual: Tensor


def ridge_path(
    derivatives: Derivatives,
    reach: Callable[[Tensor], Tensor],
    start: Float[Tensor, "*runs n"],
    strengths: Sequence[float],
    tolerance: float = 1e-4,
    iterations: int = 100,
) -> RidgePath:
    r"""Follow the ridge path of a convex loss from strong to weak regularisation.

    Newton steps :math:`\Delta=-(\nabla^2f+\lambda I)^{-1}(\nabla f+\lambda x)`, shortened to
    :math:`\tfrac{\log(1+\delta)}{\delta}\Delta`, need no line search where f is generalised self-concordant (Sun and
    Tran-Dinh 2019), :math:`|D^3f[u,u,\Delta]|\le\delta(\Delta)\,D^2f[u,u]`: along the step the curvature then grows at
    most like :math:`e^{\delta t}`, and this t minimises the upper bound that follows. For cross-entropy :math:`\delta`
    is the widest range of one sample's logits under :math:`\Delta`. From one strength to the next the start is moved
    along the tangent, :math:`dx/d\log\lambda=-\lambda(\nabla^2f+\lambda I)^{-1}x`: far down the path x is nearly linear
    in :math:`\log\lambda`.

    Args:
        derivatives: gradient and Hessian of f.
        reach: :math:`\delta`, from a step ``(*runs, n)`` to one number a run.
        start: where the first search begins.
        strengths: :math:`\lambda`, positive and falling.
        tolerance: largest accepted `RidgePath.residual`. Gradients carry rounding of about 1e-16 times their largest
            term, so that strengths far below 1e-13 cannot be certified in float64.
        iterations: most Newton steps at one strength.

    Raises:
        ValueError: strengths that are not positive and falling.
        OracleError: if a point does not reach the tolerance; the line says at which strength.

    Example:
        >>> bowl = lambda x: (x - 1.0, torch.eye(2, dtype=x.dtype))  # f = |x - 1|^2 / 2
        >>> path = ridge_path(bowl, lambda step: step.abs().amax(-1), torch.zeros(2, dtype=torch.float64), [1.0, 0.25])
        >>> path.points
        tensor([[0.5000, 0.5000],
                [0.8000, 0.8000]], dtype=torch.float64)
    """
    values = [float(s) for s in strengths]
    falling = all(a > b for a, b in pairwise(values))
    require(bool(values) and values[-1] > 0 and falling, f"strengths must be positive and falling, got {values}")
    x, ridge = start, torch.eye(start.shape[-1], dtype=start.dtype, device=start.device)
    points, residuals = [], []
    factor = None
    for place, strength in enumerate(values):
        if factor is not None:
            last = values[place - 1]
            x = x + last * torch.log(torch.tensor(last / strength)) * _solve(factor, x)
        best = None
        for _ in range(iterations):
            gradient, hessian = derivatives(x)
            gradient = gradient + strength * x
            try:
                factor = torch.linalg.cholesky(hessian + strength * ridge)
            except torch.linalg.LinAlgError as error:
                raise OracleError(f"ridge path: curvature lost to rounding at strength {strength:g}") from error
            residual = _norm(gradient) / (strength * _norm(x)).clamp(min=torch.finfo(x.dtype).tiny)
            # at rounding's floor the residual stops falling: that is the end, good enough or not
            done = residual < 1e-10 if best is None else (residual < 1e-10) | (residual >= best) & (best < tolerance)
            if bool(done.all()):
                break
            best = residual if best is None else torch.minimum(best, residual)
            step = -_solve(factor, gradient)
            delta = reach(step).clamp(min=1e-12)
            x = x + (torch.log1p(delta) / delta).unsqueeze(-1) * step
        worst = float(residual.max())
        if not worst <= tolerance:
            raise OracleError(
                f"ridge path: relative residual {worst:.1e} at strength {strength:g} (at most {tolerance:g})"
            )
        points.append(x)
        residuals.append(residual)
    return RidgePath(torch.stack(points), torch.stack(residuals))


def next_token_ridge_path(
    contexts: Float[Tensor, "*runs contexts features"],
    probabilities: Float[Tensor, "*runs contexts vocabulary"],
    weights: Float[Tensor, "*runs contexts"],
    strengths: Sequence[float],
) -> RidgePath:
    r"""Return :math:`\arg\min_W\mathrm{CE}(W)+\tfrac\lambda2\|W\|_F^2` for a linear next-token decoder.

    As :math:`\lambda\to0` its points run through the norm-constrained minimisers of Thrampoulidis 2024, Theorem 1: each
    is the best W in the ball of its own norm. Solved in coordinates that keep norms and leave out what the minimiser
    never uses: the common shift of all rows, and directions that no context has.

    Args:
        contexts: embeddings as rows.
        probabilities: rows that sum to one; zeros are exact.
        weights: frequencies of the contexts.
        strengths: :math:`\lambda`, positive and falling, not far below 1e-12.

    Returns:
        Points of shape ``(strengths, *runs, vocabulary, features)``, float64.

    Raises:
        ValueError: NaN, rows that are not probabilities, shapes that do not fit, or strengths that do not fall.
        OracleError: if a point misses its certificate.

    Example:
        >>> p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
        >>> one = torch.ones(1, 1, dtype=torch.float64)
        >>> path = next_token_ridge_path(one, p, one[0], [0.1, 1e-4, 1e-8])
        >>> path.points[:, :, 0].round(decimals=2)
        tensor([[  0.5000,   0.5000,  -1.0000],
                [  2.3300,   2.3300,  -4.6500],
                [  5.1300,   5.1300, -10.2700]], dtype=torch.float64)
    """
    finite("contexts", contexts)
    H, P, pi = contexts.double(), probabilities.double(), weights.double()
    vocabulary = P.shape[-1]
    shifted = torch.eye(vocabulary, dtype=P.dtype, device=P.device)
    shifted[:, 0] = 1.0
    contrasts = torch.linalg.qr(shifted)[0][:, 1:]  # orthonormal columns, each summing to zero
    directions = torch.linalg.qr(H.mT)[0]  # orthonormal columns that span the contexts
    X = H @ directions
    rank = X.shape[-1]
    pairs = (X.unsqueeze(-1) * X.unsqueeze(-2)).flatten(-2)
    runs, n = X.shape[:-2], (vocabulary - 1) * rank

    def logits(z: Tensor) -> Tensor:
        return X @ z.reshape(*runs, vocabulary - 1, rank).mT @ contrasts.mT

    def derivatives(z: Tensor) -> tuple[Tensor, Tensor]:
        output = logits(z)
        scaled = soft_label_residual(output, P)
        residual = scaled.value * scaled.log_scale.exp()[..., None, None] * pi.unsqueeze(-1)
        gradient = (residual @ contrasts).mT @ X
        s = torch.softmax(output, -1)
        centred = contrasts - (s @ contrasts).unsqueeze(-2)  # (*runs, contexts, vocabulary, vocabulary - 1)
        curvature = (centred * (pi.unsqueeze(-1) * s).unsqueeze(-1)).mT @ centred
        blocks = curvature.flatten(-2).mT @ pairs
        hessian = blocks.reshape(*runs, vocabulary - 1, vocabulary - 1, rank, rank).transpose(-3, -2)
        return gradient.flatten(-2), hessian.reshape(*runs, n, n)

    def reach(step: Tensor) -> Tensor:
        moved = logits(step)
        return (moved.amax(-1) - moved.amin(-1)).amax(-1)

    path = ridge_path(derivatives, reach, torch.zeros(*runs, n, dtype=P.dtype, device=P.device), strengths)
    z = path.points.reshape(-1, *runs, vocabulary - 1, rank)
    return RidgePath(contrasts @ z @ directions.mT, path.residual)


def _solve(factor: Tensor, right: Tensor) -> Tensor:
    return torch.cholesky_solve(right.unsqueeze(-1), factor).squeeze(-1)


def _norm(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=-1)
