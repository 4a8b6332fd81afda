r"""The pieces that update rules are chained from. Norms are taken a run at a time, never across runs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ibkit.checks import require
from ibkit.norms import MatrixNorm, as_norm
from ibkit.optim.chain import Rule, State, stateless, zero_scale
from ibkit.optim.steps import Step
from ibkit.scaled import Gradient, Params, expand_runs

MUON_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Quintic coefficients of Muon's public reference implementation (K. Jordan et al., 2024)."""


def momentum(beta: float | Tensor, average: bool = True) -> Rule:
    r"""Return momentum: :math:`M_t=\beta M_{t-1}+(1-\beta)G_t`, or heavy ball with weight one on :math:`G_t`.

    The buffer keeps a log-scale of its own, never below the newest gradient's nor below :math:`\beta` times its last
    one, so that it neither overflows nor loses the newest gradient when losses underflow.

    Args:
        beta: :math:`\beta`, in [0, 1); a number, or one a run, shape ``(*runs)``.
        average: True for the moving average (signum, Muon's buffer in PyTorch), False for heavy ball.

    Raises:
        ValueError: if `beta` is outside [0, 1).

    Example:
        >>> piece, params = momentum(0.5), {"w": torch.zeros(1)}
        >>> one = Gradient({"w": torch.ones(1)}, torch.tensor(0.0))
        >>> first, state = piece.update(one, piece.init(params), params)
        >>> piece.update(one, state, params)[0].true()["w"]
        tensor([0.7500])
    """
    _require_decay("beta", beta)
    gain = 1 - beta if average else 1.0

    def update(gradient: Gradient, state: State, params: Params) -> tuple[Gradient, State]:
        if not isinstance(beta, Tensor) and beta == 0:
            return gradient, state
        moved = _times(gradient, gain) if state is None else _average(state, gradient, beta, gain)
        return moved, moved

    return Rule("momentum", lambda params: None, update)


def _average(buffer: Gradient, gradient: Gradient, beta: float | Tensor, gain: float | Tensor) -> Gradient:
    """Return ``beta * buffer + gain * gradient`` in a scale at which both are representable."""
    decayed = buffer.log_scale + torch.log(torch.as_tensor(beta, dtype=buffer.log_scale.dtype))
    log_scale = torch.maximum(decayed, gradient.log_scale)
    old, new = torch.exp(decayed - log_scale), gain * torch.exp(gradient.log_scale - log_scale)
    ndim = log_scale.ndim
    tensors = {
        name: expand_runs(old, value, ndim) * buffer.tensors[name] + expand_runs(new, value, ndim) * value
        for name, value in gradient.tensors.items()
    }
    return Gradient(tensors, log_scale)


def steepest(norm: str | MatrixNorm, rtol: float = 1e-12) -> Rule:
    r"""Return the steepest direction of a norm, tensor by tensor: :math:`\arg\max_{\|D\|\le1}\langle G,D\rangle`.

    ``"max"`` gives signs, ``"frobenius"`` the normalised gradient, ``"spectral"`` the polar factor, ``"nuclear"`` the
    leading pair of singular vectors. Vectors count as one column; tensors of order three and more are flattened to
    ``(first, rest)``.

    Args:
        norm: a name or a `MatrixNorm`.
        rtol: singular values below `rtol` times the largest count as zero.

    Raises:
        ValueError: if the norm is not known.

    Example:
        >>> g = Gradient({"W": torch.tensor([[3.0, -4.0]])}, torch.tensor(-700.0))
        >>> steepest("max").update(g, (), {})[0].tensors["W"]
        tensor([[ 1., -1.]])
    """
    norm = as_norm(norm)

    def transform(gradient: Gradient, params: Params) -> Gradient:
        return _on_matrices(gradient, lambda G: norm.steepest(G, rtol))

    return stateless(f"steepest({norm.kind} {norm.p:g})", transform)


def newton_schulz(steps: int = 5, coefficients: tuple[float, float, float] = MUON_COEFFICIENTS) -> Rule:
    r"""Return Muon's cheap stand-in for the polar factor: an odd quintic polynomial applied `steps` times.

    From :math:`X_0=G/\|G\|_F`: :math:`X\leftarrow aX+bXX^\top X+c(XX^\top)^2X`. Each singular value goes through
    :math:`s\mapsto as+bs^3+cs^5`; the default coefficients push it to roughly [0.7, 1.2], not to one.

    Args:
        steps: number of iterations.
        coefficients: :math:`(a,b,c)`; the default is Muon's.

    Raises:
        ValueError: if `steps` is below one.

    Example:
        >>> g = Gradient({"W": torch.diag(torch.tensor([1.0, 0.5]))}, torch.tensor(0.0))
        >>> s = torch.linalg.svdvals(newton_schulz().update(g, (), {})[0].tensors["W"])
        >>> bool(((s > 0.6) & (s < 1.3)).all())
        True
    """
    require(steps >= 1, f"steps must be at least 1, got {steps}")
    a, b, c = coefficients

    def polynomial(G: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(G, dim=(-2, -1), keepdim=True)
        X = G / torch.where(size > 0, size, 1.0)
        tall = X.shape[-2] > X.shape[-1]
        X = X.mT if tall else X
        for _ in range(steps):
            gram = X @ X.mT
            X = a * X + (b * gram + c * gram @ gram) @ X
        return X.mT if tall else X

    return stateless(f"newton_schulz({steps})", lambda gradient, params: _on_matrices(gradient, polynomial))


def normalize(power: Step = 1.0) -> Rule:
    r"""Return division by the Euclidean norm over *all* tensors of a run together: :math:`G/\|G\|^a`.

    Args:
        power: :math:`a`, a number in [0, 1] or one a run: 1 forgets the gradient's size, 0 keeps it. One batch can so
            hold plain and normalised descents side by side.

    Raises:
        ValueError: if `power` is outside [0, 1], or its shape is not that of the runs.

    Example:
        >>> g = Gradient({"a": torch.tensor([3.0]), "b": torch.tensor([4.0])}, torch.tensor(-900.0))
        >>> normalize().update(g, (), {})[0].tensors
        {'a': tensor([0.6000]), 'b': tensor([0.8000])}
    """
    low, high = float(torch.as_tensor(power).min()), float(torch.as_tensor(power).max())
    require(low >= 0 and high <= 1, f"power must lie in [0, 1], got {power}")

    def transform(gradient: Gradient, params: Params) -> Gradient:
        size = joint_norm(gradient)
        if isinstance(power, Tensor) and power.ndim:
            require(
                power.shape == size.shape, f"power must be a number or {tuple(size.shape)}, got {tuple(power.shape)}"
            )
        inverse = torch.where(size > 0, torch.where(size > 0, size, 1.0) ** -power, 0.0)
        ndim = gradient.log_scale.ndim
        tensors = {k: expand_runs(inverse, v, ndim) * v for k, v in gradient.tensors.items()}
        return Gradient(tensors, (1 - power) * gradient.log_scale)

    return stateless("normalize", transform)


def normalize_rows() -> Rule:
    """Return division of every row (last dimension) by its own Euclidean norm; zero rows stay zero.

    Example:
        >>> g = Gradient({"W": torch.tensor([[3.0, 4.0], [0.0, 0.0]])}, torch.tensor(0.0))
        >>> normalize_rows().update(g, (), {})[0].tensors["W"]
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """

    def rows(value: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(value, dim=-1, keepdim=True)
        return value / torch.where(size > 0, size, 1.0)

    return stateless(
        "normalize_rows",
        lambda gradient, params: zero_scale(gradient, {k: rows(v) for k, v in gradient.tensors.items()}),
    )


def clip_norm(largest: float) -> Rule:
    """Return clipping of the joint Euclidean norm of a run at `largest`.

    Raises:
        ValueError: if `largest` is not positive.

    Example:
        >>> g = Gradient({"w": torch.tensor([30.0, 40.0])}, torch.tensor(0.0))
        >>> clip_norm(5.0).update(g, (), {})[0].true()["w"].round(decimals=3)
        tensor([3., 4.])
    """
    require(largest > 0, f"largest must be positive, got {largest}")

    def transform(gradient: Gradient, params: Params) -> Gradient:
        log_size = torch.log(joint_norm(gradient)) + gradient.log_scale
        excess = (log_size - torch.log(torch.as_tensor(largest, dtype=log_size.dtype))).clamp(min=0.0)
        return Gradient(gradient.tensors, gradient.log_scale - excess)

    return stateless(f"clip_norm({largest:g})", transform)


def adam_ratio(
    beta1: float | Tensor = 0.9, beta2: float | Tensor = 0.999, epsilon: float = 1e-8, correct_bias: bool = True
) -> Rule:
    r"""Return Adam's direction :math:`\hat M/(\sqrt{\hat V}+\epsilon)`, elementwise.

    :math:`M\leftarrow\beta_1M+(1-\beta_1)G`, :math:`V\leftarrow\beta_2V+(1-\beta_2)G^2`, with
    :math:`\hat M=M/(1-\beta_1^t)`, :math:`\hat V=V/(1-\beta_2^t)` (Kingma and Ba 2015, Algorithm 1). Both averages keep
    log-scales, so that with :math:`\epsilon=0` the ratio stays exact for gradients of any size.

    Args:
        beta1: :math:`\beta_1`, in [0, 1); a number, or one a run.
        beta2: :math:`\beta_2`, in [0, 1); a number, or one a run.
        epsilon: :math:`\epsilon`, in units of the true gradient; zero in most theory.
        correct_bias: False leaves out the hats.

    Raises:
        ValueError: a decay outside [0, 1) or a negative epsilon.

    Example:
        >>> piece, params = adam_ratio(epsilon=0.0), {"w": torch.zeros(2)}
        >>> g = Gradient({"w": torch.tensor([1e-3, -2.0])}, torch.tensor(-500.0))
        >>> piece.update(g, piece.init(params), params)[0].tensors["w"].round(decimals=3)
        tensor([ 1., -1.])
    """
    _require_decay("beta1", beta1)
    _require_decay("beta2", beta2)
    require(epsilon >= 0, f"epsilon must not be negative, got {epsilon}")

    slowest = torch.as_tensor(torch.maximum(torch.as_tensor(beta1), torch.as_tensor(beta2) ** 0.5)).log()

    def update(gradient: Gradient, state: State, params: Params) -> tuple[Gradient, State]:
        scale, ndim = gradient.log_scale, gradient.log_scale.ndim
        first, second, t, keep, gain = {}, {}, 1, None, torch.ones_like(scale)
        if state is not None:
            old_first, old_second, t, old_scale = state[0], state[1], state[2] + 1, state[3]
            scale = torch.maximum(old_scale + slowest.to(old_scale), gradient.log_scale)  # of both averages
            keep, gain = torch.exp(old_scale - scale), torch.exp(gradient.log_scale - scale)
        direction = {}
        bias1, bias2 = (1 - beta1**t, (1 - beta2**t) ** 0.5) if correct_bias else (1.0, 1.0)
        floor = epsilon * torch.exp(-scale) * bias2 if epsilon else None
        for name, value in gradient.tensors.items():
            new1, new2 = (expand_runs(c, value, ndim) for c in (gain * (1 - beta1), gain**2 * (1 - beta2)))
            first[name], second[name] = new1 * value, new2 * value * value
            if keep is not None:
                old1, old2 = (expand_runs(c, value, ndim) for c in (keep * beta1, keep**2 * beta2))
                first[name] = torch.addcmul(first[name], old1, old_first[name])
                second[name] = torch.addcmul(second[name], old2, old_second[name])
            root = second[name].sqrt()
            if floor is not None:
                root = root + expand_runs(floor, value, ndim)
            direction[name] = torch.where(root > 0, first[name] / root, 0.0)  # dead coordinates do not move
        ratio = zero_scale(gradient, direction)
        return _times(ratio, bias2 / bias1) if correct_bias else ratio, (first, second, t, scale)

    return Rule("adam", lambda params: None, update)


def weight_decay(strength: float) -> Rule:
    """Return decoupled weight decay: adds ``strength * params`` to the direction, before the step size.

    Raises:
        ValueError: if `strength` is negative.

    Example:
        >>> g = Gradient({"w": torch.zeros(1)}, torch.tensor(0.0))
        >>> weight_decay(0.1).update(g, (), {"w": torch.ones(1)})[0].tensors["w"]
        tensor([0.1000])
    """
    require(strength >= 0, f"strength must not be negative, got {strength}")

    def transform(gradient: Gradient, params: Params) -> Gradient:
        return zero_scale(gradient, {k: v + strength * params[k] for k, v in gradient.true().items()})

    return stateless(f"weight_decay({strength:g})", transform)


def _times(gradient: Gradient, factor: float | Tensor) -> Gradient:
    """Return the gradient times a number, or one number a run."""
    if isinstance(factor, Tensor):
        ndim = gradient.log_scale.ndim
        factor = factor.expand(gradient.log_scale.shape)
        return Gradient({k: expand_runs(factor, v, ndim) * v for k, v in gradient.tensors.items()}, gradient.log_scale)
    return Gradient({k: factor * v for k, v in gradient.tensors.items()}, gradient.log_scale)


def joint_norm(gradient: Gradient) -> Tensor:
    """Return the Euclidean norm over all tensors of a run together, without the scale, shape ``(*runs)``.

    Example:
        >>> joint_norm(Gradient({"a": torch.tensor([3.0]), "b": torch.tensor([4.0])}, torch.tensor(-900.0)))
        tensor(5.)
    """
    ndim = gradient.log_scale.ndim
    parts = [torch.linalg.vector_norm(v.flatten(ndim), dim=-1) for v in gradient.tensors.values()]
    return torch.linalg.vector_norm(torch.stack(parts), dim=0) if len(parts) > 1 else parts[0]


def _on_matrices(gradient: Gradient, transform: Callable[[Tensor], Tensor]) -> Gradient:
    """Apply a map of matrices to every tensor, whatever its order."""
    ndim = gradient.log_scale.ndim

    def apply(value: Tensor) -> Tensor:
        order = value.ndim - ndim
        if order == 2:
            return transform(value)
        matrix = value.unsqueeze(-1) if order == 1 else value.flatten(ndim + 1)
        require(order >= 1, f"a matrix rule needs tensors, got a number a run of shape {tuple(value.shape)}")
        return transform(matrix).reshape(value.shape)

    return zero_scale(gradient, {name: apply(value) for name, value in gradient.tensors.items()})


def _require_decay(name: str, value: float | Tensor) -> None:
    inside = bool(((value >= 0) & (value < 1)).all()) if isinstance(value, Tensor) else 0 <= value < 1
    require(inside, f"{name} must lie in [0, 1), got {value}")
