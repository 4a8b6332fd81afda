r"""Descent by many agents that average with their neighbours. The agents are the *last run dimension*.

A parameter has shape ``(*runs, agents, ...)`` and a gradient's scales ``(*runs, agents)``: every piece of `ibkit.optim`
then acts agent by agent, and the two pieces here are the ones that let agents talk. The training loop stays the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibkit.checks import require
from ibkit.data.graphs import require_mixing
from ibkit.optim.chain import Rule, State, chain, stateless, zero_scale
from ibkit.optim.pieces import momentum, normalize
from ibkit.optim.steps import Schedule, Step, step_size
from ibkit.scaled import Gradient, Params, expand_runs


def mix_agents(mixing: Tensor) -> Rule:
    r"""Return the last piece of a decentralised rule: :math:`u\mapsto(A-I)w+u`, so that :math:`w\leftarrow Aw+u`.

    Agents average their old parameters and add the update that they found there ("combine, then adapt").

    Args:
        mixing: :math:`A`, symmetric with rows that sum to one, ``(*graphs, agents, agents)``; its leading dimensions
            broadcast against the runs before the agents.

    Raises:
        ValueError: another matrix, or (later) another number of agents.

    Example:
        >>> piece = mix_agents(torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
        >>> still = Gradient({"w": torch.zeros(2, 1)}, torch.zeros(2))
        >>> piece.update(still, (), {"w": torch.tensor([[0.0], [4.0]])})[0].tensors["w"]
        tensor([[ 1.],
                [-1.]])
    """
    require_mixing("mixing", mixing)
    pull = mixing - torch.eye(mixing.shape[-1], dtype=mixing.dtype, device=mixing.device)

    def transform(update: Gradient, params: Params) -> Gradient:
        _require_agents(update, mixing)
        own = update.true()
        ndim = update.log_scale.ndim
        return zero_scale(update, {name: _across(pull, params[name], ndim) + u for name, u in own.items()})

    return stateless("mix", transform)


def track_gradients(mixing: Tensor) -> Rule:
    r"""Return gradient tracking: :math:`V_t=AV_{t-1}+G_t-G_{t-1}`, :math:`V_0=G_0`, one row an agent.

    The mean over the agents of :math:`V_t` is that of :math:`G_t` at all times, and averaging makes the rows agree, so
    that each agent follows the gradient of the whole. In floating point the mean would keep every rounding error it
    ever made, and they outweigh gradients that have shrunk by sixteen digits; it is therefore set, at every step, to
    what it is in exact arithmetic, :math:`\frac1N\mathbf 1^\top G_t`. Values are kept with a log-scale.

    Args:
        mixing: :math:`A`, as in `mix_agents`.

    Raises:
        ValueError: another matrix, or (later) another number of agents.

    Example:
        >>> piece = track_gradients(torch.full((2, 2), 0.5))
        >>> params = {"w": torch.zeros(2, 1)}
        >>> g = Gradient({"w": torch.tensor([[1.0], [3.0]])}, torch.zeros(2))
        >>> first, state = piece.update(g, piece.init(params), params)
        >>> piece.update(g, state, params)[0].true()["w"]
        tensor([[2.],
                [2.]])
    """
    require_mixing("mixing", mixing)

    def update(gradient: Gradient, state: State, params: Params) -> tuple[Gradient, State]:
        _require_agents(gradient, mixing)
        if state is None:
            return gradient, (gradient, gradient)
        tracked, previous = state
        scales = torch.stack([gradient.log_scale, tracked.log_scale, previous.log_scale])
        common = scales.amax((0, -1)).unsqueeze(-1)  # one a run: agents add their vectors
        ndim = gradient.log_scale.ndim
        now, old, v = (_in_scale(each, common) for each in (gradient, previous, tracked))
        moved = {}
        for name, g in now.items():
            value = _across(mixing, v[name], ndim) + g - old[name]
            moved[name] = value + (g - value).mean(ndim - 1, keepdim=True)
        sizes = torch.stack([x.abs().flatten(ndim - 1).amax(-1) for x in moved.values()]).amax(0).unsqueeze(-1)
        sizes = torch.where(sizes > 0, sizes, 1.0)
        value = {name: x / expand_runs(sizes, x, ndim) for name, x in moved.items()}
        tracked = Gradient(value, (common + sizes.log()).expand(gradient.log_scale.shape))
        return tracked, (tracked, gradient)

    return Rule("track", lambda params: None, update)


def decentralized_gradient_descent(mixing: Tensor, eta: Step | Schedule) -> Rule:
    r"""Return decentralised gradient descent: :math:`w_l\leftarrow\sum_{l'}A_{ll'}w_{l'}-\eta\nabla F_l(w_l)`.

    Args:
        mixing: :math:`A`, as in `mix_agents`.
        eta: step size; if a tensor, of shape ``(*runs, agents)``.

    Raises:
        ValueError: bad `mixing` or `eta`.

    Example:
        >>> decentralized_gradient_descent(torch.full((2, 2), 0.5), 0.1).name
        'DGD'
    """
    return chain(step_size(eta), mix_agents(mixing), name="DGD")


def tracked_gradient_descent(
    mixing: Tensor, eta: Step | Schedule, power: Step = 1.0, beta: float | Tensor = 0.0
) -> Rule:
    r"""Return descent along tracked gradients, each agent's divided by a power of its length.

    :math:`w_l\leftarrow\sum_{l'}A_{ll'}w_{l'}-\eta\,v_l/\|v_l\|^a` with :math:`v` from `track_gradients` (and, with
    `beta`, its moving average).

    Args:
        mixing: :math:`A`, as in `mix_agents`.
        eta: step size.
        power: :math:`a`: 1 for steps of length :math:`\eta`, 0 for plain gradient tracking; a tensor of shape
            ``(*runs, agents)`` runs both in one batch.
        beta: momentum of the moving average, in [0, 1).

    Raises:
        ValueError: bad `mixing`, `eta`, `power` or `beta`.

    Example:
        >>> tracked_gradient_descent(torch.full((2, 2), 0.5), 0.1).name
        'tracked descent'
    """
    pieces = (track_gradients(mixing), momentum(beta), normalize(power), step_size(eta), mix_agents(mixing))
    return chain(*pieces, name="tracked descent")


def _across(matrix: Tensor, value: Tensor, ndim: int) -> Tensor:
    """Apply a matrix over the agents, the last of `ndim` run dimensions."""
    flat = value.flatten(ndim) if value.ndim > ndim else value.unsqueeze(-1)
    return (matrix @ flat).reshape(value.shape)


def _in_scale(gradient: Gradient, log_scale: Tensor) -> Params:
    factor = torch.exp(gradient.log_scale - log_scale)
    return {name: expand_runs(factor, value, factor.ndim) * value for name, value in gradient.tensors.items()}


def _require_agents(gradient: Gradient, mixing: Tensor) -> None:
    agents, shape = mixing.shape[-1], tuple(gradient.log_scale.shape)
    require(
        bool(shape) and shape[-1] == agents,
        f"the last run dimension must be the {agents} agents of mixing, got runs of shape {shape}",
    )
