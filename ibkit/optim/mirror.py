r"""Mirror descent with the potential :math:`\psi(w)=\frac1p\sum_j|w_j|^p`: gradient descent in the dual variable.

Sun, Ahn, Thrampoulidis and Azizan (2022) call it p-GD. It is elementwise, hence as cheap and as parallel as gradient
descent, which it is for p = 2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.optim.chain import Rule, State, chain, zero_scale
from ibkit.optim.pieces import momentum
from ibkit.optim.steps import Schedule, Step, step_size
from ibkit.scaled import Gradient, Params, expand_runs

Exponent = float | Tensor


def mirror_map(w: Float[Tensor, "*shape"], p: Exponent) -> Float[Tensor, "*shape"]:
    r"""Return the dual variable :math:`z=\nabla\psi(w)=|w|^{p-1}\operatorname{sign}(w)`, entry by entry.

    Args:
        w: parameters.
        p: the exponent, above one; a number, or a tensor whose dimensions are the leading ones of `w`.

    Raises:
        ValueError: an exponent that is not finite and above one, or of a shape that does not fit.

    Example:
        >>> mirror_map(torch.tensor([2.0, -3.0]), 3.0)
        tensor([ 4., -9.])
    """
    return _signed_power(w, _exponent(p, w) - 1)


def inverse_mirror_map(z: Float[Tensor, "*shape"], p: Exponent) -> Float[Tensor, "*shape"]:
    r"""Return the parameters :math:`w=\nabla\psi^*(z)=|z|^{1/(p-1)}\operatorname{sign}(z)`, entry by entry.

    Args:
        z: dual variable.
        p: the exponent, above one; a number, or a tensor whose dimensions are the leading ones of `z`.

    Raises:
        ValueError: an exponent that is not finite and above one, or of a shape that does not fit.

    Example:
        >>> inverse_mirror_map(torch.tensor([4.0, -9.0]), 3.0)
        tensor([ 2., -3.])
    """
    return _signed_power(z, 1 / (_exponent(p, z) - 1))


def mirror(p: Exponent) -> Rule:
    r"""Return the last piece of a chain: it adds what comes in to the dual variable, and moves the parameters along.

    The state is :math:`z`, never recomputed from :math:`w`, which would lose digits for p near one, where
    :math:`w=z^{1/(p-1)}` spans many orders of magnitude.

    Args:
        p: the exponent, above one; a number, or one a run, shape ``(*runs)``.

    Raises:
        ValueError: an exponent that is not finite and above one, or not one a run.

    Example:
        >>> piece, params = mirror(3.0), {"w": torch.tensor([2.0])}
        >>> step = Gradient({"w": torch.tensor([5.0])}, torch.tensor(0.0))
        >>> update, state = piece.update(step, piece.init(params), params)
        >>> update.tensors["w"], state["w"]  # the dual variable goes from 4 to 9, the parameter from 2 to 3
        (tensor([1.]), tensor([9.]))
    """
    _require_exponent(p)
    power = 1 / (p - 1)

    def init(params: Params) -> State:
        return {name: mirror_map(value, p) for name, value in params.items()}

    def update(gradient: Gradient, state: State, params: Params) -> tuple[Gradient, State]:
        runs = gradient.log_scale.shape
        if isinstance(p, Tensor) and p.ndim:
            require(p.shape == runs, f"p must be a number or {tuple(runs)}, got shape {tuple(p.shape)}")
        moved = {name: state[name] + change for name, change in gradient.true().items()}
        steps = {name: _signed_power(z, _broadcast(power, z)) - params[name] for name, z in moved.items()}
        return zero_scale(gradient, steps), moved

    return Rule("mirror", init, update, scalable=False)


def mirror_descent(p: Exponent, eta: Step | Schedule, beta: float | Tensor = 0.0) -> Rule:
    r"""Return p-GD: :math:`z\leftarrow z-\eta M`, :math:`w=|z|^{1/(p-1)}\operatorname{sign}(z)`.

    With :math:`M` the gradient this is mirror descent with the potential :math:`\frac1p\|w\|_p^p` (Sun et al. 2022,
    the algorithm p-GD); with `beta` heavy-ball momentum, :math:`M\leftarrow\beta M+G`, which the theory leaves out.
    On separable data its direction tends to the classifier of the largest margin in the p-norm.

    Args:
        p: the exponent, above one; a number, or one a run, shape ``(*runs)``.
        eta: step size, in units of the dual variable per gradient.
        beta: heavy-ball momentum, as in `torch.optim.SGD`.

    Raises:
        ValueError: bad `p`, `eta` or `beta`.

    Example:
        >>> rule, params = mirror_descent(1.5, 0.1), {"w": torch.tensor([4.0])}
        >>> g = Gradient({"w": torch.tensor([-10.0])}, torch.tensor(0.0))
        >>> rule.update(g, rule.init(params), params)[0].tensors["w"]  # the dual variable goes from 2 to 3
        tensor([5.])
    """
    return chain(momentum(beta, average=False), step_size(eta), mirror(p), name="p-GD")


def _signed_power(x: Tensor, exponent: Exponent) -> Tensor:
    return x.sign() * x.abs() ** exponent


def _require_exponent(p: Exponent) -> None:
    low, high = float(torch.as_tensor(p).min()), float(torch.as_tensor(p).max())
    require(low > 1 and high < float("inf"), f"p must be finite and above 1, got {p}")


def _exponent(p: Exponent, like: Tensor) -> Exponent:
    """Return a checked `p` that broadcasts against ``(*runs, ...)``."""
    _require_exponent(p)
    if isinstance(p, Tensor):
        fits, came = p.shape == like.shape[: p.ndim], tuple(p.shape)
        require(fits, f"p must be a number or have the leading dimensions of {tuple(like.shape)}, got {came}")
    return _broadcast(p, like)


def _broadcast(value: Exponent, like: Tensor) -> Exponent:
    """Return a number, or one number a run, so that it broadcasts against ``(*runs, ...)``."""
    return expand_runs(value, like, value.ndim) if isinstance(value, Tensor) and value.ndim else value
