"""What an update rule is: pure pieces that turn a scaled gradient into an update, and their composition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ibkit.checks import require
from ibkit.scaled import Gradient, Params, expand_runs

State = Any


@dataclass(frozen=True)
class Rule:
    """A pure update rule, or a piece of one: it changes neither its inputs nor itself.

    Args:
        name: what errors and legends call it.
        init: from the parameters to the first state.
        update: from ``(gradient, state, params)`` to ``(update, next state)``. The last piece of a chain gives what is
            *added* to the parameters.
        scalable: whether a multiple of the update is the update of a longer or shorter step. It is not where the state
            fixes the point that the parameters must go to, as in mirror descent.
    """

    name: str
    init: Callable[[Params], State]
    update: Callable[[Gradient, State, Params], tuple[Gradient, State]]
    scalable: bool = True


def chain(*pieces: Rule, name: str | None = None) -> Rule:
    """Return the rule that applies `pieces` from left to right.

    Args:
        pieces: at least one.
        name: by default the pieces' names joined by arrows.

    Raises:
        ValueError: without pieces.

    Example:
        >>> from ibkit.optim import momentum, steepest, step_size
        >>> muon = chain(momentum(0.9), steepest("spectral"), step_size(0.1), name="Muon")
        >>> params = {"W": torch.zeros(2, 2)}
        >>> g = Gradient({"W": torch.diag(torch.tensor([5.0, 3.0]))}, torch.tensor(0.0))
        >>> update, _ = muon.update(g, muon.init(params), params)
        >>> update.tensors["W"].round(decimals=4) + 0.0
        tensor([[-0.1000,  0.0000],
                [ 0.0000, -0.1000]])
    """
    require(len(pieces) > 0, "chain needs at least one piece, got none")

    def init(params: Params) -> State:
        return tuple(piece.init(params) for piece in pieces)

    def update(gradient: Gradient, state: State, params: Params) -> tuple[Gradient, State]:
        states = []
        for piece, piece_state in zip(pieces, state, strict=True):
            gradient, piece_state = piece.update(gradient, piece_state, params)
            states.append(piece_state)
        return gradient, tuple(states)

    scalable = all(piece.scalable for piece in pieces)
    return Rule(name or " → ".join(piece.name for piece in pieces), init, update, scalable)


def stateless(name: str, transform: Callable[[Gradient, Params], Gradient]) -> Rule:
    """Return a piece without memory.

    Example:
        >>> double = stateless("double", lambda g, _: Gradient({k: 2 * v for k, v in g.tensors.items()}, g.log_scale))
        >>> double.init({})
        ()
    """
    return Rule(name, lambda params: (), lambda gradient, state, params: (transform(gradient, params), state))


def apply_update(params: Params, update: Gradient) -> Params:
    """Return new parameters: the old ones plus the update times its scale.

    Args:
        params: by name, each ``(*runs, ...)``; not changed.
        update: what to add, by the same names.

    Example:
        >>> apply_update({"w": torch.ones(2)}, Gradient({"w": -torch.ones(2)}, torch.tensor(0.0)))["w"]
        tensor([0., 0.])
    """
    factor = update.log_scale.exp()
    run_ndim = update.log_scale.ndim
    return {name: value + expand_runs(factor, value, run_ndim) * update.tensors[name] for name, value in params.items()}


def zero_scale(gradient: Gradient, tensors: Params) -> Gradient:
    """Return `tensors` with scale one: what a piece gives that forgets the gradient's size."""
    return Gradient(tensors, torch.zeros_like(gradient.log_scale))
