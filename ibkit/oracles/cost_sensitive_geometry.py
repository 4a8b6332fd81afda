r"""Where cross-entropy with class temperatures ends: the geometry of the cost-sensitive margins that it asks for.

Temperatures are those of `ibkit.losses.LogitAdjustment`: with labels' temperatures :math:`\delta` and classes'
temperatures :math:`\kappa` the adjusted margin of a sample of class y is
:math:`\delta_y(\kappa_yz_y-\kappa_cz_c)`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.imbalance import group_sizes
from ibkit.models.unconstrained import positive_counts
from ibkit.oracles.collapse_geometry import CollapseGeometry, centring


def cost_sensitive_geometry(
    counts: Float[Tensor, "*runs classes"],
    label_temperature: Float[Tensor, "*label_runs classes"] | None = None,
    class_temperature: Float[Tensor, "*class_runs classes"] | None = None,
) -> CollapseGeometry:
    r"""Return the geometry of least :math:`\frac12\|W\|_F^2+\frac12\|H\|_F^2` with adjusted margins of at least one.

    With :math:`b_c=1/(\delta_c\kappa_c)`, :math:`A=\mathrm{diag}(n_cb_c^2)` and the projection
    :math:`\Pi=I-uu^\top` along the unit vector :math:`u\propto(1/\kappa_c)`,

    .. math:: Z=\Pi\,\mathrm{diag}(b),\qquad G_W=(\Pi A\Pi)^{1/2},\qquad
       G_H=\mathrm{diag}(b)\,(\Pi A\Pi)^{\dagger1/2}\,\mathrm{diag}(b),

    column c of Z being the logits of a sample of class c. Without temperatures this is `seli_geometry` (Behnia et al.
    2023, the global minimisers of the cost-sensitive SVM over unconstrained features).

    Args:
        counts: :math:`n_c`, positive.
        label_temperature: :math:`\delta`, positive; ones by default. Leading dimensions broadcast against the counts.
        class_temperature: :math:`\kappa`, positive; ones by default. Leading dimensions broadcast against the counts.

    Raises:
        ValueError: counts or temperatures that are not positive or do not fit; fewer than two classes.

    Example:
        >>> counts = torch.tensor([100.0, 1.0, 1.0])
        >>> tuned = cost_sensitive_geometry(counts, label_temperature=(counts / 100).sqrt())
        >>> (tuned.classifier / tuned.classifier[0, 0]).round(decimals=6)[0]
        tensor([ 1.0000, -0.5000, -0.5000], dtype=torch.float64)
    """
    n = positive_counts(counts).to(torch.float64)
    k = n.shape[-1]
    require(k >= 2, f"counts must hold at least 2 classes, got {k}")
    delta = _temperature("label_temperature", label_temperature, n)
    kappa = _temperature("class_temperature", class_temperature, n)
    b = 1 / (delta * kappa)
    u = (1 / kappa) / torch.linalg.vector_norm(1 / kappa, dim=-1, keepdim=True)
    projection = torch.eye(k, dtype=n.dtype, device=n.device) - u.unsqueeze(-1) * u.unsqueeze(-2)
    V, values, _ = torch.linalg.svd(projection * (n.sqrt() * b).unsqueeze(-2))
    V, values = V[..., :-1], values[..., :-1]  # the last left vector is u
    root, inverse_root = (V * values.unsqueeze(-2)) @ V.mT, (V / values.unsqueeze(-2)) @ V.mT
    logits = (projection * b.unsqueeze(-2)).mT
    return CollapseGeometry(root, b.unsqueeze(-1) * inverse_root * b.unsqueeze(-2), logits.expand_as(root), values)


def _temperature(name: str, given: Tensor | None, counts: Tensor) -> Tensor:
    if given is None:
        return torch.ones_like(counts)
    finite(name, given)
    require(bool((given > 0).all()), f"{name} must be positive, got {float(given.min())}")
    require(
        given.shape[-1] == counts.shape[-1],
        f"{name} must hold one number a class ({counts.shape[-1]}), got {given.shape[-1]}",
    )
    return given.to(counts)


def step_cost_sensitive_geometry(
    classes: int,
    minority_share: float,
    ratio: float | Float[Tensor, "*runs"],
    label_temperature: float | Float[Tensor, "*label_runs"] = 1.0,
    class_temperature: float | Float[Tensor, "*class_runs"] = 1.0,
) -> CollapseGeometry:
    r"""Return `cost_sensitive_geometry` of STEP imbalance in closed form, for :math:`n_{\min}=1`.

    M majorities of R samples have temperatures one; m minorities of one sample have :math:`\delta` and
    :math:`\kappa`, and :math:`b=1/(\delta\kappa)`. Everything follows from three numbers,

    .. math:: \sqrt R,\qquad \mu=\sqrt{\frac{mR\kappa^{-2}+Mb^2}{M+m\kappa^{-2}}},\qquad b,

    the singular values, :math:`M-1`, one and :math:`m-1` times. With C the centring of a group and
    :math:`v\propto(\sqrt m\,\kappa^{-1}/\sqrt M,\dots;-\sqrt M/\sqrt m,\dots)` of unit norm,

    .. math:: G_W=\sqrt R\,C_M\oplus b\,C_m+\mu\,vv^\top,\qquad
       G_H=\mathrm{diag}(1;b)\Bigl(\frac{C_M}{\sqrt R}\oplus\frac{C_m}{b}+\frac{vv^\top}\mu\Bigr)\mathrm{diag}(1;b).

    Args:
        classes: k.
        minority_share: :math:`\rho=m/k`.
        ratio: R, positive; a tensor gives one geometry each.
        label_temperature: :math:`\delta` of the minorities.
        class_temperature: :math:`\kappa` of the minorities.

    Raises:
        ValueError: a share that does not cut the classes into whole groups; a ratio or a temperature not positive.

    Example:
        >>> G = step_cost_sensitive_geometry(4, 0.5, 100.0, label_temperature=0.1).classifier
        >>> (G / G[0, 0]).round(decimals=6)[0]
        tensor([ 1.0000, -0.3333, -0.3333, -0.3333], dtype=torch.float64)
    """
    M, m = group_sizes(classes, minority_share)
    named = {"ratio": ratio, "label_temperature": label_temperature, "class_temperature": class_temperature}
    for name, value in named.items():
        low = float(torch.as_tensor(value).min())
        require(0 < low < torch.inf, f"{name} must be positive, got {round(low, 6)}")
    R, delta, kappa = torch.broadcast_tensors(*(torch.as_tensor(each, dtype=torch.float64) for each in named.values()))
    b, majority, minority = (
        1 / (delta * kappa),
        torch.zeros(classes, classes).double(),
        torch.zeros(classes, classes).double(),
    )
    majority[:M, :M], minority[M:, M:] = centring(M), centring(m)
    size = (M + m / kappa**2).sqrt()
    mu = (m * R / kappa**2 + M * b**2).sqrt() / size
    v = torch.cat([_repeat((m / M) ** 0.5 / kappa / size, M), _repeat(-((M / m) ** 0.5) / size, m)], -1)
    u = torch.cat([_repeat(1 / size, M), _repeat(1 / kappa / size, m)], -1)
    scale = torch.cat([_repeat(torch.ones_like(b), M), _repeat(b, m)], -1)

    def combine(large: Tensor, middle: Tensor, small: Tensor) -> Tensor:
        large, middle, small = (each[..., None, None] for each in (large, middle, small))
        return large * majority + middle * v.unsqueeze(-1) * v.unsqueeze(-2) + small * minority

    values = torch.cat([_repeat(R.sqrt(), M - 1), mu.unsqueeze(-1), _repeat(b, m - 1)], -1)
    projection = torch.eye(classes, dtype=torch.float64) - u.unsqueeze(-1) * u.unsqueeze(-2)
    return CollapseGeometry(
        combine(R.sqrt(), mu, b),
        scale.unsqueeze(-1) * combine(1 / R.sqrt(), 1 / mu, 1 / b) * scale.unsqueeze(-2),
        scale.unsqueeze(-1) * projection,
        values.sort(-1, descending=True).values,
    )


def _repeat(values: Tensor, times: int) -> Tensor:
    return values.unsqueeze(-1).expand(*values.shape, times)


def step_seli_geometry(classes: int, minority_share: float, ratio: float | Float[Tensor, "*runs"]) -> CollapseGeometry:
    r"""Return the SELI geometry of STEP imbalance in closed form, for :math:`n_{\min}=1`.

    With M majorities of R samples and m minorities of one, :math:`k=M+m`, :math:`\rho=m/k`, the singular values are
    :math:`\sqrt R` (M - 1 times), :math:`\mu=\sqrt{R\rho+1-\rho}` and 1 (m - 1 times), and

    .. math:: G_W=\sqrt R\,(I_M-\tfrac1MJ)\ \oplus\ (I_m-\tfrac1mJ)\ +\ \mu\,vv^\top,\qquad
       v=\sqrt{\tfrac{Mm}{k}}\,(\tfrac1M,\dots;-\tfrac1m,\dots),

    while in :math:`G_H` the factors :math:`\sqrt R` and :math:`\mu` become their inverses. It is
    `step_cost_sensitive_geometry` without temperatures.

    Args:
        classes: k.
        minority_share: :math:`\rho`.
        ratio: R, at least one; a tensor gives one geometry each.

    Raises:
        ValueError: as `ibkit.data.step_counts`.

    Example:
        >>> G = step_seli_geometry(4, 0.5, 10.0).classifier
        >>> round(float(G[0, 0] / G[-1, -1]), 3)
        1.995
    """
    group_sizes(classes, minority_share)
    low = float(torch.as_tensor(ratio).min())
    require(low >= 1, f"ratio must be at least 1, got {round(low, 6)}")
    return step_cost_sensitive_geometry(classes, minority_share, ratio)
