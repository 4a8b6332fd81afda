"""Matrix norms (entrywise and Schatten), their duals and their steepest-descent directions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require


@dataclass(frozen=True)
class MatrixNorm:
    r"""A norm of matrices: the vector p-norm of the entries, or of the singular values.

    Args:
        kind: ``"entrywise"`` (:math:`\|W\|_p = (\sum_{ij}|W_{ij}|^p)^{1/p}`) or ``"schatten"`` (the same of the
            singular values).
        p: the exponent, from 1 to infinity.

    Raises:
        ValueError: if `kind` is neither, or ``p < 1``.

    Example:
        >>> spectral = MatrixNorm("schatten", math.inf)
        >>> float(spectral(torch.diag(torch.tensor([3.0, 4.0]))))
        4.0
        >>> spectral.dual
        MatrixNorm(kind='schatten', p=1.0)
    """

    kind: Literal["entrywise", "schatten"]
    p: float

    def __post_init__(self) -> None:
        require(self.kind in ("entrywise", "schatten"), f"kind must be entrywise or schatten, got {self.kind!r}")
        require(self.p >= 1, f"p must be at least 1 (and may be infinite), got {self.p}")

    def __call__(self, W: Float[Tensor, "*runs rows columns"]) -> Float[Tensor, "*runs"]:
        """Return the norm of each trailing matrix, shape ``(*runs)``."""
        _require_matrix(W)
        values = W.flatten(-2) if self.kind == "entrywise" else torch.linalg.svdvals(W)
        return torch.linalg.vector_norm(values, ord=self.p, dim=-1)

    @property
    def dual(self) -> MatrixNorm:
        """The dual norm: same kind, exponent q with 1/p + 1/q = 1."""
        q = math.inf if self.p == 1 else 1.0 if math.isinf(self.p) else self.p / (self.p - 1)
        return MatrixNorm(self.kind, q)

    def steepest(
        self, G: Float[Tensor, "*runs rows columns"], rtol: float = 1e-12
    ) -> Float[Tensor, "*runs rows columns"]:
        r"""Return the unit-norm matrix most aligned with `G`: :math:`\arg\max_{\|D\|\le1}\langle G, D\rangle`.

        The sign matrix for the entrywise maximum, ``G / |G|`` for Frobenius, the polar factor :math:`UV^\top` for the
        spectral norm, the leading :math:`u_1v_1^\top` for the nuclear norm. Not unique where `G` has zero entries or
        singular values: those get zero (for p = 1, the first of several largest entries is taken).

        Args:
            G: any matrix; its scale does not matter.
            rtol: singular values below `rtol` times the largest count as zero.

        Returns:
            D, with ``<G, D>`` equal to the dual norm of `G`. Zero for a zero matrix.
        """
        _require_matrix(G)
        if self.kind == "entrywise":
            return _steepest_vector(G.flatten(-2), self.p).reshape(G.shape)
        U, singular_values, Vh = torch.linalg.svd(G, full_matrices=False)
        kept = singular_values > rtol * singular_values[..., :1]
        weights = _steepest_vector(torch.where(kept, singular_values, 0.0), self.p)
        return (U * weights.unsqueeze(-2)) @ Vh


def _steepest_vector(g: Tensor, p: float) -> Tensor:
    """Maximise ``<g, d>`` over the unit p-ball of vectors, for each leading index."""
    if math.isinf(p):
        return g.sign()
    if p == 1:
        largest = g.abs().argmax(-1, keepdim=True)
        return torch.zeros_like(g).scatter(-1, largest, g.gather(-1, largest).sign())
    q = p / (p - 1)
    top = g.abs().amax(-1, keepdim=True)
    scaled = g / torch.where(top > 0, top, 1.0)  # powers of a tiny gradient would underflow
    powered = scaled.sign() * scaled.abs() ** (q - 1)
    size = torch.linalg.vector_norm(scaled, ord=q, dim=-1, keepdim=True) ** (q - 1)
    return powered / torch.where(size > 0, size, 1.0)


def _require_matrix(W: Tensor) -> None:
    require(W.ndim >= 2, f"W must be a matrix with optional leading run dimensions, got shape {tuple(W.shape)}")


NAMED_NORMS: dict[str, MatrixNorm] = {
    "max": MatrixNorm("entrywise", math.inf),
    "sum": MatrixNorm("entrywise", 1.0),
    "frobenius": MatrixNorm("entrywise", 2.0),
    "spectral": MatrixNorm("schatten", math.inf),
    "nuclear": MatrixNorm("schatten", 1.0),
}


def as_norm(norm: str | MatrixNorm) -> MatrixNorm:
    """Return the norm that a name stands for: max, sum, frobenius, spectral or nuclear; a norm passes through.

    Raises:
        ValueError: if the name is not known.

    Example:
        >>> as_norm("nuclear")
        MatrixNorm(kind='schatten', p=1.0)
    """
    if isinstance(norm, MatrixNorm):
        return norm
    require(norm in NAMED_NORMS, f"norm must be one of {', '.join(NAMED_NORMS)} or a MatrixNorm, got {norm!r}")
    return NAMED_NORMS[norm]
