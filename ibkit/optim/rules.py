"""Named update rules, each one chain. Where the literature has two conventions, the docstring says which is taken."""

from __future__ import annotations

from torch import Tensor

from ibkit.norms import MatrixNorm, as_norm
from ibkit.optim.chain import Rule, chain
from ibkit.optim.pieces import adam_ratio, momentum, newton_schulz, normalize, steepest, weight_decay
from ibkit.optim.steps import Schedule, Step, step_size


def gradient_descent(eta: Step | Schedule, beta: float | Tensor = 0.0) -> Rule:
    r"""Return (heavy-ball) gradient descent: :math:`W\leftarrow W-\eta M`, :math:`M\leftarrow\beta M+G`.

    Args:
        eta: step size, in units of weight per gradient.
        beta: heavy-ball momentum as in `torch.optim.SGD`; zero for plain descent.

    Raises:
        ValueError: bad `eta` or `beta`.

    Example:
        >>> gradient_descent(0.1).name
        'GD'
    """
    return chain(momentum(beta, average=False), step_size(eta), name="GD")


def normalized_gradient_descent(eta: Step | Schedule) -> Rule:
    r"""Return normalised gradient descent: steps of Euclidean length :math:`\eta` over all tensors together.

    Args:
        eta: step size, in units of Euclidean length per step.

    Raises:
        ValueError: bad `eta`.

    Example:
        >>> normalized_gradient_descent(0.1).name
        'NGD'
    """
    return chain(normalize(), step_size(eta), name="NGD")


def steepest_descent(norm: str | MatrixNorm, eta: Step | Schedule, beta: float | Tensor = 0.0) -> Rule:
    r"""Return normalised steepest descent in a matrix norm, with momentum if `beta` is positive.

    :math:`W_{t+1}=W_t-\eta_tD_t`, :math:`D_t=\arg\max_{\|D\|\le1}\langle M_t,D\rangle`,
    :math:`M_t=\beta M_{t-1}+(1-\beta)G_t` (Fan, Schmidt and Thrampoulidis 2025, the algorithms NSD and NMD).

    Args:
        norm: a name (max, sum, frobenius, spectral, nuclear) or a `MatrixNorm`; tensor by tensor.
        eta: step size, in units of `norm` per step.
        beta: momentum of the moving average.

    Raises:
        ValueError: unknown norm, bad `eta` or `beta`.

    Example:
        >>> steepest_descent("spectral", 0.1, beta=0.9).name
        'steepest descent (schatten inf)'
    """
    norm = as_norm(norm)
    name = f"steepest descent ({norm.kind} {norm.p:g})"
    return chain(momentum(beta), steepest(norm), step_size(eta), name=name)


def sign_descent(eta: Step | Schedule, beta: float | Tensor = 0.0) -> Rule:
    """Return sign descent, the steepest descent of the entrywise maximum norm; with momentum it is signum.

    Args:
        eta: step size: what every entry moves by.
        beta: momentum of the moving average.

    Raises:
        ValueError: bad `eta` or `beta`.

    Example:
        >>> sign_descent(0.1).name
        'sign descent'
    """
    return chain(momentum(beta), steepest("max"), step_size(eta), name="sign descent")


def spectral_descent(eta: Step | Schedule) -> Rule:
    """Return spectral descent: the polar factor of the gradient, exact by SVD.

    Args:
        eta: step size, in units of spectral norm per step.

    Raises:
        ValueError: bad `eta`.

    Example:
        >>> spectral_descent(0.1).name
        'spectral descent'
    """
    return chain(steepest("spectral"), step_size(eta), name="spectral descent")


def muon(eta: Step | Schedule, beta: float | Tensor = 0.9, decay: float = 0.0) -> Rule:
    r"""Return Muon with the exact polar factor: spectral descent on a moving average of gradients.

    Args:
        eta: step size, in units of spectral norm per step (no shape-dependent factor).
        beta: momentum of the moving average, without Nesterov's look-ahead.
        decay: decoupled weight decay.

    Raises:
        ValueError: bad `eta`, `beta` or `decay`.

    Example:
        >>> muon(0.02).name
        'Muon'
    """
    pieces = (weight_decay(decay),) if decay else ()
    return chain(momentum(beta), steepest("spectral"), *pieces, step_size(eta), name="Muon")


def muon_newton_schulz(eta: Step | Schedule, beta: float | Tensor = 0.9, steps: int = 5) -> Rule:
    """Return Muon as it is run in practice: five quintic Newton-Schulz iterations in place of the polar factor.

    Args:
        eta: step size.
        beta: momentum of the moving average.
        steps: Newton-Schulz iterations.

    Raises:
        ValueError: bad `eta`, `beta` or `steps`.

    Example:
        >>> muon_newton_schulz(0.02).name
        'Muon (Newton-Schulz)'
    """
    return chain(momentum(beta), newton_schulz(steps), step_size(eta), name="Muon (Newton-Schulz)")


def adam(
    eta: Step | Schedule,
    beta1: float | Tensor = 0.9,
    beta2: float | Tensor = 0.999,
    epsilon: float = 1e-8,
    correct_bias: bool = True,
    decay: float = 0.0,
) -> Rule:
    """Return Adam, or AdamW where `decay` is positive (Kingma and Ba 2015; defaults are theirs).

    Args:
        eta: step size.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        epsilon: added to the root of the second moment; theory takes zero.
        correct_bias: whether both moments are divided by one minus their decay's power.
        decay: decoupled weight decay.

    Raises:
        ValueError: bad `eta`, decays or `epsilon`.

    Example:
        >>> adam(1e-3).name
        'Adam'
    """
    pieces = (weight_decay(decay),) if decay else ()
    return chain(adam_ratio(beta1, beta2, epsilon, correct_bias), *pieces, step_size(eta), name="Adam")
