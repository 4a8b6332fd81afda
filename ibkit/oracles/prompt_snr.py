r"""How well a prompt can do on a contextual mixture: the signal-to-noise law, finite samples, the first gradient steps.

The core model of Oymak et al. (2023): a share :math:`\zeta` of T tokens is :math:`q_\star+yw_\star`, the others are
:math:`-\delta q_\star+z_t` with :math:`z_t\sim\mathcal N(0,\sigma^2I)`; :math:`q_\star\perp w_\star` have lengths Q, W.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import one_of, require

Number = float | int | Float[Tensor, "*#runs"]


@dataclass(frozen=True)
class PromptLaw:
    r"""What a prompt along the context achieves when sequences are long.

    Args:
        mass: s, the share of attention that goes to the relevant tokens.
        spread: :math:`\kappa=\lim T\sum_{t\text{ irrelevant}}a_t^2` of the attention weights :math:`a_t`.
        snr: :math:`\rho=s^2W^2T/(\sigma^2\kappa)`.
        error: :math:`\Phi(-\sqrt\rho)`, the test error of the head :math:`w_\star`.
    """

    mass: Tensor
    spread: Tensor
    snr: Tensor
    error: Tensor


def prompt_law(
    strength: Number,
    tokens: Number,
    share: Number,
    context: Number = 1.0,
    signal: Number = 1.0,
    offset: Number = 0.0,
    noise: Number = 1.0,
) -> PromptLaw:
    r"""Return attention mass, spread, signal-to-noise ratio and error of the prompt :math:`\tau q_\star/Q`, T large.

    .. math:: s=\frac{\zeta e^{\tau Q}}D,\quad \kappa=\frac{(1-\zeta)e^{-2\delta\tau Q+2\tau^2\sigma^2}}{D^2},\quad
       D=\zeta e^{\tau Q}+(1-\zeta)e^{-\delta\tau Q+\tau^2\sigma^2/2},\quad
       \rho=\frac{\zeta^2W^2T}{\sigma^2(1-\zeta)}e^{2(1+\delta)\tau Q-2\tau^2\sigma^2} .

    Sums over the irrelevant tokens are replaced by their means, which asks for
    :math:`2\tau\sigma<\sqrt{2\log T}`: beyond that the mean is made by tokens too rare to occur.

    Args:
        strength: :math:`\tau\ge0`, the length of the prompt. All arguments broadcast.
        tokens: T.
        share: :math:`\zeta`, between 0 and 1.
        context: Q.
        signal: W.
        offset: :math:`\delta`.
        noise: :math:`\sigma`, positive.

    Raises:
        ValueError: a share outside (0, 1), or lengths that are not positive.

    Example:
        >>> law = prompt_law(torch.tensor([0.0, 0.5]), tokens=100, share=0.1, signal=0.8)
        >>> law.snr.sqrt().round(decimals=3), law.error.round(decimals=4)
        (tensor([0.8430, 1.0830], ...), tensor([0.1995, 0.1395], ...))
    """
    tau, T, zeta, Q, W, delta, sigma = _broadcast(strength, tokens, share, context, signal, offset, noise)
    _require_share(zeta)
    for name, value in (("tokens", T), ("context", Q), ("signal", W), ("noise", sigma)):
        _require_positive(name, value)
    require(bool((tau >= 0).all()), f"strength must not be negative, got {float(tau.min()):g}")
    relevant = zeta.log() + tau * Q
    others = torch.log1p(-zeta) - delta * tau * Q + tau**2 * sigma**2 / 2
    log_total = torch.logaddexp(relevant, others)
    log_spread = torch.log1p(-zeta) - 2 * delta * tau * Q + 2 * tau**2 * sigma**2 - 2 * log_total
    snr = zeta**2 * W**2 * T / (sigma**2 * (1 - zeta)) * torch.exp(2 * (1 + delta) * tau * Q - 2 * tau**2 * sigma**2)
    return PromptLaw((relevant - log_total).exp(), log_spread.exp(), snr, torch.special.ndtr(-snr.sqrt()))


def best_prompt_strength(context: Number = 1.0, offset: Number = 0.0, noise: Number = 1.0) -> Tensor:
    r"""Return the length of the prompt with the largest signal-to-noise ratio, :math:`(1+\delta)Q/(2\sigma^2)`.

    Args:
        context: Q, positive.
        offset: :math:`\delta>-1`.
        noise: :math:`\sigma`, positive.

    Raises:
        ValueError: lengths that are not positive.

    Example:
        >>> float(best_prompt_strength(context=1.0, offset=0.5))
        0.75
    """
    Q, delta, sigma = _broadcast(context, offset, noise)
    for name, value in (("context", Q), ("1 + offset", 1 + delta), ("noise", sigma)):
        _require_positive(name, value)
    return (1 + delta) * Q / (2 * sigma**2)


def discriminant_error(snr: Number, aspect: Number, covariance: Literal["estimated", "known"] = "estimated") -> Tensor:
    r"""Return the test error of a linear rule learnt from n samples of two Gaussian classes, :math:`d/n\to\gamma`.

    The classes are :math:`\mathcal N(\pm\mu,\Sigma)`, equally likely, with :math:`\rho=\mu^\top\Sigma^{-1}\mu`. Least
    squares, or Fisher's rule with estimated mean and covariance, errs with probability
    :math:`\Phi(-\rho\sqrt{1-\gamma}/\sqrt{\rho+\gamma})`; if the covariance is known the factor
    :math:`\sqrt{1-\gamma}` is absent.

    Args:
        snr: :math:`\rho>0`.
        aspect: :math:`\gamma=d/n\ge0`; below 1 if the covariance is estimated.
        covariance: ``"estimated"`` or ``"known"``.

    Raises:
        ValueError: a ratio outside its range, or another covariance.

    Example:
        >>> discriminant_error(torch.tensor([1.0, 4.0]), 0.5).round(decimals=3)
        tensor([0.2820, 0.0910], dtype=torch.float64)
    """
    one_of("covariance", covariance, ("estimated", "known"))
    rho, gamma = _broadcast(snr, aspect)
    _require_positive("snr", rho)
    require(bool((gamma >= 0).all()), f"aspect must not be negative, got {float(gamma.min()):g}")
    if covariance == "estimated":
        require(
            bool((gamma < 1).all()), f"aspect must be below 1, more samples than features, got {float(gamma.max()):g}"
        )
        return torch.special.ndtr(-rho * ((1 - gamma) / (rho + gamma)).sqrt())
    return torch.special.ndtr(-rho / (rho + gamma).sqrt())


def first_steps_cosines(
    aspect: Number,
    tokens: Number,
    share: Number,
    context: Number = 1.0,
    signal: Number = 1.0,
    offset: Number = 0.0,
    noise: Number = 1.0,
) -> tuple[Tensor, Tensor]:
    r"""Return how well gradient descent from zero finds head and prompt in its first two steps.

    Each step sees n fresh sequences with as many labels 1 as -1; :math:`\gamma=d/n` is fixed and d large. With
    :math:`\rho_0=\zeta^2W^2T/(\sigma^2(1-\zeta))`, :math:`c_w=\cos(w_1,w_\star)` and :math:`c_q=\cos(q_1,q_\star)`

    .. math:: c_w^{-2}=1+\frac\gamma{\rho_0},\qquad
       c_q^{-2}=1+\gamma\,\frac{\sigma^2(\zeta^2W^2c_w^2+\sigma^2)}{T\zeta^2(1-\zeta)(1+\delta)^2Q^2W^2c_w^2}

    up to terms of order 1/T in the last fraction.

    Args:
        aspect: :math:`\gamma\ge0`.
        tokens: T.
        share: :math:`\zeta`, between 0 and 1.
        context: Q.
        signal: W.
        offset: :math:`\delta\ge-1`.
        noise: :math:`\sigma`, positive.

    Returns:
        :math:`(c_w,c_q)`.

    Raises:
        ValueError: a share outside (0, 1), or lengths that are not positive.

    Example:
        >>> head, prompt = first_steps_cosines(1 / 8, tokens=50, share=0.1, context=2.0, signal=2.0)
        >>> round(float(head), 3), round(float(prompt), 3)
        (0.973, 0.991)
    """
    gamma, T, zeta, Q, W, delta, sigma = _broadcast(aspect, tokens, share, context, signal, offset, noise)
    _require_share(zeta)
    for name, value in (("tokens", T), ("context", Q), ("signal", W), ("noise", sigma)):
        _require_positive(name, value)
    for name, value in (("aspect", gamma), ("1 + offset", 1 + delta)):
        require(bool((value >= 0).all()), f"{name} must not be negative, got {float(value.min()):g}")
    head = (1 + gamma * sigma**2 * (1 - zeta) / (zeta**2 * W**2 * T)).rsqrt()
    disturbance = sigma**2 * (1 - zeta) * (zeta**2 * W**2 * head**2 + sigma**2) / T
    pull = zeta * (1 - zeta) * (1 + delta) * Q * W * head
    return head, pull / (pull**2 + gamma * disturbance).sqrt()


def _broadcast(*values: Number) -> list[Tensor]:
    return list(torch.broadcast_tensors(*(torch.as_tensor(value, dtype=torch.float64) for value in values)))


def _require_positive(name: str, value: Tensor) -> None:
    require(bool((value > 0).all()), f"{name} must be positive, got {float(value.min()):g}")


def _require_share(zeta: Tensor) -> None:
    inside = bool(((zeta > 0) & (zeta < 1)).all())
    require(inside, f"share must lie in (0, 1), got {float(zeta.min()):g} to {float(zeta.max()):g}")
