"""Multilayer perceptrons without biases, many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params


def mlp_start(seed: int, runs: int, widths: Sequence[int]) -> Params:
    r"""Return Gaussian weights of variance :math:`2/\text{fan in}` for every layer (He et al. 2015).

    Args:
        seed: non-negative.
        runs: how many networks.
        widths: inputs, hidden widths, outputs: at least one hidden layer.

    Returns:
        ``layer1, layer2, ...`` of shape ``(runs, width after, width before)``, float64; the last is the classifier.

    Raises:
        ValueError: fewer than three widths, or one below one.

    Example:
        >>> {name: tuple(w.shape) for name, w in mlp_start(0, 2, [5, 7, 3]).items()}
        {'layer1': (2, 7, 5), 'layer2': (2, 3, 7)}
    """
    require(len(widths) >= 3, f"widths must name inputs, hidden layers and outputs, got {list(widths)}")
    require(min(widths) >= 1, f"widths must be at least 1, got {list(widths)}")
    generators = run_generators(seed, runs)
    return {
        f"layer{depth + 1}": torch.from_numpy(
            np.stack(
                [np.sqrt(2 / widths[depth]) * rng.normal(size=(widths[depth + 1], widths[depth])) for rng in generators]
            )
        )
        for depth in range(len(widths) - 1)
    }


def mlp_embeddings(
    params: Params, X: Float[Tensor, "*data_runs samples inputs"]
) -> Float[Tensor, "*runs samples features"]:
    r"""Return the last hidden layer, :math:`h(x)=\max(W_{L-1}\cdots\max(W_1x,0)\cdots,0)`.

    The logits are ``h @ params["layerL"].mT`` with the last of the L layers.

    Args:
        params: as `mlp_start` gives them.
        X: inputs, shared by the runs or one set a run.

    Raises:
        ValueError: inputs that do not fit the first layer.

    Example:
        >>> params = {"layer1": torch.eye(2), "layer2": torch.ones(1, 2)}
        >>> mlp_embeddings(params, torch.tensor([[1.0, -3.0]]))
        tensor([[1., 0.]])
    """
    inputs = params["layer1"].shape[-1]
    require(X.shape[-1] == inputs, f"X must have {inputs} columns, one an input of layer1, got {X.shape[-1]}")
    hidden = X
    for depth in range(1, len(params)):
        hidden = torch.relu(hidden @ params[f"layer{depth}"].mT)
    return hidden
