"""Any update rule of ibkit as a `torch.optim.Optimizer`, for any module."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ibkit.checks import require
from ibkit.optim.chain import Rule
from ibkit.scaled import Gradient


class RuleOptimizer(torch.optim.Optimizer):
    """A `torch.optim.Optimizer` that steps by an ibkit rule.

    Args:
        params: parameters or parameter groups, as for every torch optimizer. A group is one run: joint norms are taken
            over all its tensors, matrix rules act tensor by tensor.
        rule: the update rule; its step size is multiplied by the group's ``lr``.
        lr: multiplier of the rule's step size, for torch's schedulers; it must stay one for a rule that is not
            `scalable` (mirror descent), whose schedule belongs into the rule.

    Raises:
        ValueError: another `lr` than one for such a rule, here or in a later step.
    """

    def __init__(self, params: Iterable[Any], rule: Rule, lr: float = 1.0) -> None:
        super().__init__(params, {"lr": lr})
        self.rule = rule
        for group in self.param_groups:
            self._require_scalable(group["lr"])

    def _require_scalable(self, lr: float) -> None:
        require(
            self.rule.scalable or lr == 1,
            f"lr must be 1 for {self.rule.name}, whose update cannot be multiplied, got {lr}: "
            "put the step size, or its schedule, into the rule",
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step; parameters without a gradient keep their place and do not move."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            self._require_scalable(group["lr"])
            params = {str(i): p for i, p in enumerate(group["params"])}
            grads = {k: torch.zeros_like(p) if p.grad is None else p.grad for k, p in params.items()}
            like = next(iter(params.values()))
            key = f"group {index}"
            state = self.state.get(key)
            state = self.rule.init(params) if state is None else state["rule"]
            scale = torch.zeros((), dtype=like.dtype, device=like.device)
            update, state = self.rule.update(Gradient(grads, scale), state, params)
            self.state[key] = {"rule": state}
            for name, change in update.true().items():
                if params[name].grad is not None:
                    params[name].add_(change, alpha=group["lr"])
        return loss


def as_torch(rule: Rule) -> Callable[..., RuleOptimizer]:
    """Return a constructor of torch optimizers that step by `rule`.

    Args:
        rule: any rule of ibkit.

    Returns:
        A callable ``(params, lr=1.0) -> torch.optim.Optimizer``; ``lr`` multiplies the rule's own step size (and
        must be one where that makes no sense, as in mirror descent).

    Example:
        >>> from ibkit.optim import sign_descent
        >>> layer = torch.nn.Linear(2, 1, bias=False)
        >>> before = layer.weight.detach().clone()
        >>> optimizer = as_torch(sign_descent(0.5))(layer.parameters())
        >>> layer(torch.tensor([[1.0, -1.0]])).sum().backward()
        >>> optimizer.step()
        >>> layer.weight.detach() - before
        tensor([[-0.5000,  0.5000]])
    """
    return lambda params, lr=1.0: RuleOptimizer(params, rule, lr)
