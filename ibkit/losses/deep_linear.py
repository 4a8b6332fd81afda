r"""Losses of deep linear networks: gradients of the layers, and objectives with a ridge on every layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, one_of, require
from ibkit.losses.cross_entropy import cross_entropy, cross_entropy_residual
from ibkit.models.deep_linear import deep_linear_map, in_order
from ibkit.scaled import Gradient, Params


def deep_linear_chain(params: Params, end: Float[Tensor, "*runs outputs inputs"]) -> Params:
    r"""Return the gradients of the layers from that of the end-to-end matrix :math:`Z=W_N\cdots W_1`.

    .. math:: \nabla_{W_i}=(W_N\cdots W_{i+1})^\top\,\nabla_Z\,(W_{i-1}\cdots W_1)^\top

    For any loss of Z: the chain rule is linear in :math:`\nabla_Z`, so that a scaled one gives scaled gradients.

    Args:
        params: ``layer1 ... layerN``.
        end: :math:`\nabla_Z`.

    Raises:
        ValueError: layers that do not fit together or to `end`.

    Example:
        >>> import torch
        >>> layers = {"layer1": torch.tensor([[3.0]]), "layer2": torch.tensor([[5.0]])}
        >>> deep_linear_chain(layers, torch.tensor([[1.0]]))
        {'layer1': tensor([[5.]]), 'layer2': tensor([[3.]])}
    """
    layers = in_order(params)
    shape = (layers[-1].shape[-2], layers[0].shape[-1])
    require(end.shape[-2:] == shape, f"end must have the shape of the product {shape}, got {tuple(end.shape[-2:])}")
    below: list[Tensor | None] = [None]  # W_{i-1} ... W_1, nothing for the first layer
    for layer in layers[:-1]:
        below.append(layer if below[-1] is None else layer @ below[-1])
    gradients: Params = {}
    above = end  # (W_N ... W_{i+1})^T times the gradient of the product
    for i in range(len(layers), 0, -1):
        product = below[i - 1]
        gradients[f"layer{i}"] = above if product is None else above @ product.mT
        if i > 1:
            above = layers[i - 1].mT @ above
    return {name: gradients[name] for name in params}


def deep_linear_cross_entropy(
    labels: Int[Tensor, " samples"], X: Float[Tensor, "samples inputs"] | None = None
) -> Callable[[Params], Gradient]:
    r"""Return the scaled gradient of the mean cross-entropy of the logits :math:`W_N\cdots W_1x_i`.

    With the residuals :math:`r_i=S(z_i)-e_{y_i}` the end-to-end gradient is :math:`\frac1n\sum_ir_ix_i^\top`. Its scale
    is kept apart, so that directions stay exact when the loss underflows.

    Args:
        labels: one a sample.
        X: inputs; without them the standard basis, one sample an input: the deep unconstrained features model.

    Returns:
        A function of ``layer1 ... layerN`` for the training loop.

    Raises:
        ValueError: labels that are not one a row of X; later, labels out of range or layers that do not fit.

    Example:
        >>> import torch
        >>> gradient = deep_linear_cross_entropy(torch.tensor([0, 1]))
        >>> gradient({"layer1": torch.eye(2), "layer2": torch.zeros(2, 2)}).true()["layer2"]
        tensor([[-0.2500,  0.2500],
                [ 0.2500, -0.2500]])
    """
    n = labels.shape[-1]
    require(X is None or X.shape[-2] == n, f"labels must hold one a row of X ({0 if X is None else len(X)}), got {n}")

    def gradient(params: Params) -> Gradient:
        layers = in_order(params)
        inputs, outputs = layers[0].shape[-1], layers[-1].shape[-2]
        wanted = n if X is None else X.shape[-1]
        require(inputs == wanted, f"layer1 must take {wanted} inputs, got {inputs}")
        labels_in_range("labels", labels, outputs)
        hidden = [layers[0].mT if X is None else X @ layers[0].mT]  # after each layer, one row a sample
        for layer in layers[1:]:
            hidden.append(hidden[-1] @ layer.mT)
        residual = cross_entropy_residual(hidden[-1], labels)
        back = residual.value / n  # the derivative in what stands after the layer
        tensors: Params = {}
        for i in range(len(layers) - 1, 0, -1):
            tensors[f"layer{i + 1}"] = back.mT @ hidden[i - 1]
            back = back @ layers[i]
        tensors["layer1"] = back.mT if X is None else back.mT @ X
        return Gradient({name: tensors[name] for name in params}, residual.log_scale)

    return gradient


def deep_linear_objective(
    labels: Int[Tensor, " samples"], classes: int, ridges: Float[Tensor, "*ridge_runs layers"], kind: str = "squared"
) -> Callable[[Params], Tensor]:
    r"""Return the regularised loss of the deep unconstrained features model.

    .. math:: \frac1n\sum_i\ell(z_i,y_i)+\sum_j\frac{\lambda_j}2\|W_j\|_F^2,\qquad
       [z_1,\dots,z_n]=W_N\cdots W_1+\mathbf b\mathbf 1^\top,

    where the columns of :math:`W_1` are the samples' features, and :math:`\ell(z,y)` is :math:`\frac12\|z-e_y\|^2` or
    cross-entropy.

    Args:
        labels: one a sample.
        classes: k.
        ridges: :math:`\lambda_1,\dots,\lambda_N`, features first, positive; leading dimensions broadcast against the
            runs.
        kind: ``"squared"`` or ``"cross-entropy"``.

    Returns:
        A function of ``layer1 ... layerN``, of shape ``(*runs, after, before)``, and if there is one of ``bias``,
        ``(*runs, classes)``, which has no ridge. It gives one number a run and is differentiable.

    Raises:
        ValueError: labels out of range, ridges that are not positive, an unknown kind; later, layers that do not fit.

    Example:
        >>> import torch
        >>> loss = deep_linear_objective(torch.tensor([0, 1]), 2, torch.tensor([0.1, 0.1]))
        >>> loss({"layer1": torch.eye(2), "layer2": torch.eye(2)})
        tensor(0.2000)
    """
    labels_in_range("labels", labels, classes)
    finite("ridges", ridges)
    require(bool((ridges > 0).all()), f"ridges must be positive, got {round(float(ridges.min()), 9)}")
    one_of("kind", kind, ("squared", "cross-entropy"))
    target = torch.nn.functional.one_hot(labels, classes).mT

    def objective(params: Params) -> Tensor:
        layers = {name: value for name, value in params.items() if name != "bias"}
        require(len(layers) == ridges.shape[-1], f"ridges must be {len(layers)}, one a layer, got {ridges.shape[-1]}")
        Z = deep_linear_map(layers)
        require(
            Z.shape[-2:] == target.shape,
            f"layers must take {target.shape[1]} samples to {classes} classes, got {tuple(Z.shape[-2:])}",
        )
        if "bias" in params:
            Z = Z + params["bias"].unsqueeze(-1)
        if kind == "squared":
            fit = ((Z - target) ** 2).sum((-2, -1)) / (2 * target.shape[1])
        else:
            fit = cross_entropy(Z.mT, labels)
        squares = torch.stack([(params[f"layer{j + 1}"] ** 2).sum((-2, -1)) for j in range(len(layers))], -1)
        return fit + (ridges * squares).sum(-1) / 2

    return objective
