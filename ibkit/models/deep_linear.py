r"""Deep linear networks: a product of matrices :math:`W_N\cdots W_1`, many at once.

With the standard basis as inputs the columns of :math:`W_1` are free, and the network is the *deep unconstrained
features model*: one feature vector a class, then N - 1 linear layers. With N = 2 it is the classical one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import finite, require
from ibkit.data.seeding import run_generators
from ibkit.models.mlp import mlp_start
from ibkit.scaled import Params


def deep_linear_start(
    seed: int, runs: int, widths: Sequence[int], scale: float | Sequence[float] = 1.0
) -> dict[str, Float[Tensor, "runs outputs inputs"]]:
    r"""Return Gaussian layers, :math:`(W_i)_{ab}\sim N(0,\text{scale}_i^2/\text{fan in})`.

    Args:
        seed: non-negative.
        runs: how many networks.
        widths: inputs, hidden widths, outputs: at least one hidden layer.
        scale: one factor for all layers, or one a layer from the inputs on.

    Returns:
        ``layer1, layer2, ...`` of shape ``(runs, width after, width before)``, float64.

    Raises:
        ValueError: as `mlp_start`, or scales that are not positive or not one a layer.

    Example:
        >>> {name: tuple(w.shape) for name, w in deep_linear_start(0, 2, [5, 7, 7, 3]).items()}
        {'layer1': (2, 7, 5), 'layer2': (2, 7, 7), 'layer3': (2, 3, 7)}
    """
    layers = mlp_start(seed, runs, widths)
    scales = [float(scale)] * len(layers) if isinstance(scale, int | float) else [float(each) for each in scale]
    require(len(scales) == len(layers), f"scale must be a number or {len(layers)}, one a layer, got {len(scales)}")
    require(min(scales) > 0, f"scale must be positive, got {min(scales)}")
    return {name: value * (each / 2**0.5) for (name, value), each in zip(layers.items(), scales, strict=True)}


def deep_linear_spectral_start(
    seed: int,
    left: Float[Tensor, "outputs rank"],
    singular_values: Float[Tensor, "*runs rank"],
    right: Float[Tensor, "inputs rank"],
    depth: int,
    width: int,
) -> Params:
    r"""Return balanced layers whose product has a given singular value decomposition.

    .. math:: W_1=Q_1S^{1/N}V^\top,\quad W_i=Q_iS^{1/N}Q_{i-1}^\top,\quad W_N=US^{1/N}Q_{N-1}^\top,

    with random :math:`Q_i` of orthonormal columns. Then :math:`W_{i+1}^\top W_{i+1}=W_iW_i^\top`, and
    :math:`W_N\cdots W_1=USV^\top`: all layers carry the N-th roots of the singular values.

    Args:
        seed: of the :math:`Q_i`, which the runs share.
        left: U, orthonormal columns.
        singular_values: the diagonal of S, not negative.
        right: V, orthonormal columns.
        depth: N, at least 2.
        width: of the hidden layers, at least the rank.

    Returns:
        ``layer1 ... layerN``, of shape ``(*runs, width after, width before)``, float64.

    Raises:
        ValueError: negative or non-finite singular values, factors whose columns are not orthonormal, or sizes that do
            not fit.

    Example:
        >>> basis = torch.eye(3, dtype=torch.float64)
        >>> params = deep_linear_spectral_start(0, basis, torch.tensor([8.0, 1.0, 0.0]), basis, depth=3, width=4)
        >>> deep_linear_map(params).diagonal(dim1=-2, dim2=-1).round(decimals=6) + 0.0
        tensor([8., 1., 0.], dtype=torch.float64)
    """
    s = finite("singular_values", singular_values).to(torch.float64)
    require(bool((s >= 0).all()), f"singular_values must not be negative, got {round(float(s.min()), 6)}")
    rank = s.shape[-1]
    require(depth >= 2, f"depth must be at least 2, got {depth}")
    require(width >= rank, f"width must be at least the rank ({rank}), got {width}")
    for name, factor in (("left", left), ("right", right)):
        require(factor.shape[-1] == rank, f"{name} must have {rank} columns, one a singular value, got {factor.shape}")
        off = float((factor.mT @ factor - torch.eye(rank, dtype=factor.dtype)).abs().max())
        require(off < 1e-6, f"{name} must have orthonormal columns, got inner products off by {off:.1e}")
    generators = run_generators(seed, depth - 1)
    frames = [torch.from_numpy(np.linalg.qr(rng.normal(size=(width, rank)))[0]) for rng in generators]
    chain = [right.to(torch.float64), *frames, left.to(torch.float64)]
    root = (s ** (1 / depth)).unsqueeze(-2)
    return {f"layer{i}": (chain[i] * root) @ chain[i - 1].mT for i in range(1, depth + 1)}


def deep_linear_map(params: Params) -> Float[Tensor, "*runs outputs inputs"]:
    r"""Return the end-to-end matrix :math:`W_N\cdots W_1`; its column j is the output at the j-th unit vector.

    Args:
        params: ``layer1 ... layerN``.

    Raises:
        ValueError: layers that are missing or do not fit together.

    Example:
        >>> deep_linear_map({"layer1": 2 * torch.eye(2), "layer2": torch.ones(1, 2)})
        tensor([[2., 2.]])
    """
    layers = in_order(params)
    product = layers[0]
    for layer in layers[1:]:
        product = layer @ product
    return product


def in_order(params: Params) -> list[Tensor]:
    """Return the layers from the inputs on.

    Args:
        params: ``layer1 ... layerN``.

    Raises:
        ValueError: other names, or layers that do not fit together.

    Example:
        >>> in_order({"layer2": torch.ones(1, 3), "layer1": torch.ones(2, 2)})
        Traceback (most recent call last):
        ...
        ValueError: layer2 must take the 2 outputs of layer1, got shape (1, 3)
    """
    names = [f"layer{i}" for i in range(1, len(params) + 1)]
    require(
        set(names) == set(params) and bool(params), f"params must name layer1 ... layerN, got {', '.join(params) or 0}"
    )
    layers = [params[name] for name in names]
    for i in range(1, len(layers)):
        require(
            layers[i].shape[-1] == layers[i - 1].shape[-2],
            f"layer{i + 1} must take the {layers[i - 1].shape[-2]} outputs of layer{i}, got shape "
            f"{tuple(layers[i].shape)}",
        )
    return layers
