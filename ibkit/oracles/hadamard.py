r"""Cross-entropy on matrices that are diagonal in the Hadamard basis: the softmax is diagonal too.

For :math:`k=2^m` classes let :math:`i\cdot x` be the dot product of the binary digits of i and x. The Sylvester matrix
:math:`V_{ix}=(-1)^{i\cdot x}/\sqrt k` is symmetric and orthogonal, and the entries of :math:`Z=V\,\mathrm{diag}(s)\,V`
depend on the exclusive-or of row and column alone. So do those of its column softmax, which makes gradient flow of
(deep) linear networks a differential equation for the singular values (Garrod, Keating and Thrampoulidis 2025).

The constant mode i = 0 never moves and changes no margin: singular values here are :math:`s_1,\dots,s_{k-1}`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.oracles.flow import log_time_flow


def hadamard_matrix(classes: int) -> Float[Tensor, "classes classes"]:
    r"""Return Sylvester's Hadamard matrix divided by :math:`\sqrt k`: symmetric, orthogonal, first column constant.

    Other Hadamard matrices of the same size need not diagonalise the softmax: the group structure of this one is used.

    Args:
        classes: k, a power of two, at least 2.

    Raises:
        ValueError: otherwise.

    Example:
        >>> 2 * hadamard_matrix(4)
        tensor([[ 1.,  1.,  1.,  1.],
                [ 1., -1.,  1., -1.],
                [ 1.,  1., -1., -1.],
                [ 1., -1., -1.,  1.]], dtype=torch.float64)
    """
    _require_power_of_two(classes)
    V = torch.ones(1, 1, dtype=torch.float64)
    while len(V) < classes:
        V = torch.cat([torch.cat([V, V], 1), torch.cat([V, -V], 1)])
    return V / classes**0.5


def hadamard_modes(classes: int) -> Bool[Tensor, "modes classes"]:
    r"""Return which classes a mode tells from class 0: ``[i - 1, x]`` is true where :math:`i\cdot x` is odd.

    Args:
        classes: k, a power of two, at least 2.

    Raises:
        ValueError: otherwise.

    Example:
        >>> hadamard_modes(4).int()
        tensor([[0, 1, 0, 1],
                [0, 0, 1, 1],
                [0, 1, 1, 0]], dtype=torch.int32)
    """
    return hadamard_matrix(classes)[1:] < 0


def paley_matrix(order: int) -> Float[Tensor, "order order"]:
    r"""Return Paley's Hadamard matrix divided by the root of its order: orthogonal, made of quadratic residues.

    It exists for sizes that are no power of two, and lacks the group structure by which Sylvester's matrix diagonalises
    the softmax: the counterexample to "any Hadamard matrix will do".

    Args:
        order: q + 1 for a prime q of the form 4 n + 3, such as 4, 8, 12, 20, 24.

    Raises:
        ValueError: otherwise.

    Example:
        >>> V = paley_matrix(12)
        >>> torch.allclose(V.mT @ V, torch.eye(12, dtype=torch.float64))
        True
    """
    q = order - 1
    prime = q >= 3 and all(q % d for d in range(2, int(q**0.5) + 1))
    require(prime and q % 4 == 3, f"order must be q + 1 for a prime q of the form 4 n + 3, got {order}")
    residues = {x * x % q for x in range(1, q)}
    character = torch.tensor([0.0] + [1.0 if x in residues else -1.0 for x in range(1, q)], dtype=torch.float64)
    skew = torch.zeros(order, order, dtype=torch.float64)
    skew[0, 1:], skew[1:, 0] = 1.0, -1.0
    skew[1:, 1:] = character[(torch.arange(q)[:, None] - torch.arange(q)) % q]
    return (torch.eye(order, dtype=torch.float64) + skew) / order**0.5


class HadamardSoftmax(NamedTuple):
    r"""What the softmax of :math:`V\,\mathrm{diag}(s)\,V` looks like.

    Args:
        margins: :math:`m(x)=Z_{jj}-Z_{j\oplus x,\,j}`, shape ``(*runs, classes)``; zero for x = 0.
        probabilities: :math:`p(x)`, of class :math:`j\oplus x` at class j's example.
        gaps: :math:`g_i=1-\pi_i`, with :math:`\pi_i` the eigenvalues of the softmax, shape ``(*runs, classes - 1)``.
        loss: the cross-entropy, :math:`-\log p(0)`, shape ``(*runs)``.
    """

    margins: Tensor
    probabilities: Tensor
    gaps: Tensor
    loss: Tensor


def hadamard_softmax(singular_values: Float[Tensor, "*runs modes"]) -> HadamardSoftmax:
    r"""Return margins, probabilities, and the diagonal form of the cross-entropy gradient.

    .. math:: m(x)=\frac2k\sum_{i\cdot x\text{ odd}}s_i,\qquad p(x)=\frac{e^{-m(x)}}{\sum_{x'}e^{-m(x')}},\qquad
       g_i=2\sum_{i\cdot x\text{ odd}}p(x)

    The column softmax of Z is :math:`V\,\mathrm{diag}(1,1-g_1,\dots)\,V`, and :math:`\partial L/\partial s_i=-g_i/k`.

    Args:
        singular_values: :math:`s_1,\dots,s_{k-1}`; k must be a power of two.

    Raises:
        ValueError: a number of modes that is not a power of two less one, or values that are not finite.

    Example:
        >>> hadamard_softmax(torch.zeros(3)).gaps
        tensor([1., 1., 1.])
    """
    return _softmax(finite("singular_values", singular_values), _modes_of(singular_values))


def _softmax(s: Tensor, odd: Tensor) -> HadamardSoftmax:
    margins = s @ odd * (2 / odd.shape[-1])
    rest = torch.logsumexp(-margins[..., 1:], -1)  # of the wrong classes, against a logit of zero
    loss = torch.logaddexp(rest, torch.zeros_like(rest))
    p = torch.exp(-margins - loss.unsqueeze(-1))
    return HadamardSoftmax(margins, p, 2 * p @ odd.mT, loss)


def hadamard_flow(
    singular_values: Float[Tensor, "*runs modes"],
    times: Float[Tensor, " recorded"],
    depth: int = 2,
) -> Float[Tensor, "recorded *runs modes"]:
    r"""Return the singular values of a balanced deep linear network under gradient flow from a Hadamard start.

    .. math:: \dot s_i=\frac Nk\,s_i^{2-2/N}\,g_i(s)

    for cross-entropy and N layers whose product is :math:`V\,\mathrm{diag}(s)\,V`, one example a class, with the gaps
    of `hadamard_softmax`. Integrated in :math:`\log s` against :math:`\log(1+t)`. Modes that start at zero stay there.

    Args:
        singular_values: the start, not negative; runs share the integrator's steps.
        times: where to record, growing, not negative.
        depth: N, at least 2.

    Raises:
        ValueError: negative or non-finite starts, a number of modes that is not a power of two less one, a depth below
            two, or times that do not grow.
        OracleError: if the integrator gives up.

    Example:
        >>> start = torch.tensor([0.3, 0.2, 0.0], dtype=torch.float64)
        >>> hadamard_flow(start, torch.tensor([0.0, 1e6]))[1].round(decimals=3)
        tensor([33.1100, 33.1100,  0.0000], dtype=torch.float64)
    """
    require(depth >= 2, f"depth must be at least 2, got {depth}")
    s0 = finite("singular_values", singular_values).cpu().to(torch.float64)
    require(bool((s0 >= 0).all()), f"singular_values must not be negative, got {round(float(s0.min()), 6)}")
    odd = _modes_of(s0)
    active = (s0 > 0).numpy().ravel()

    def velocity(log_s: np.ndarray) -> np.ndarray:
        s = torch.from_numpy(np.where(active, np.exp(log_s), 0.0).reshape(s0.shape))
        speed = depth / odd.shape[-1] * s ** (1 - 2 / depth) * _softmax(s, odd).gaps
        return np.where(active, speed.numpy().ravel(), 0.0)

    start = np.log(np.where(active, s0.numpy().ravel(), 1.0))
    path = np.where(active, np.exp(log_time_flow(velocity, start, times)), 0.0)
    return torch.from_numpy(path).reshape(-1, *s0.shape)


def log_mean_ratio(values: Float[Tensor, "*runs size"]) -> Float[Tensor, "*runs"]:
    r"""Return the logarithm of the arithmetic over the geometric mean, zero exactly where all values are equal.

    .. math:: E(s)=\log\Bigl(\frac1{n}\sum_is_i\Bigr)-\frac1{n}\sum_i\log s_i\ \ge0

    A Lyapunov function of `hadamard_flow` with N = 2 and cross-entropy: how far singular values are from those of the
    simplex.

    Args:
        values: positive; with a zero the ratio is infinite.

    Raises:
        ValueError: if a value is negative.

    Example:
        >>> log_mean_ratio(torch.tensor([[2.0, 2.0], [1.0, 4.0]]))
        tensor([0.0000, 0.2231])
    """
    require(bool((values >= 0).all()), f"values must not be negative, got {round(float(values.detach().min()), 6)}")
    size = values / values.amax(-1, keepdim=True)
    return (size.mean(-1).log() - size.log().mean(-1)).clamp(min=0)


def _modes_of(singular_values: Tensor) -> Tensor:
    return hadamard_modes(singular_values.shape[-1] + 1).to(singular_values)


def _require_power_of_two(classes: int) -> None:
    require(classes >= 2 and classes & (classes - 1) == 0, f"classes must be a power of two, at least 2, got {classes}")
