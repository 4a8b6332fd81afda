r"""A decoder of one attention and one hidden layer, without residual path or layer norm: many at once.

The smallest transformer whose capacity can be counted (Madden, Fox and Thrampoulidis 2024): what it predicts after a
context is a linear function of ``hidden`` numbers, each an activation of what attention made of the context.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, one_of, require
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": torch.nn.functional.gelu,
    "square": torch.square,
}


@dataclass(frozen=True)
class OneLayerDecoder:
    r"""The sizes of the decoder; its parameters live outside, as everywhere in ibkit.

    A context :math:`\alpha_1\dots\alpha_t` becomes :math:`x_i=E_{\alpha_i}+p_i`, attention at its last position
    :math:`a=W_oW_v\sum_i s_ix_i` with :math:`s=\mathrm{softmax}_i(\langle W_qx_t,W_kx_i\rangle/\sqrt d)`, then
    :math:`\varphi=\psi(Va+b)` and the logits :math:`W\varphi+c`. Positions :math:`p_i` are sines and cosines (Vaswani
    et al. 2017), which are not trained.

    Args:
        vocabulary: :math:`\omega`, tokens.
        context: :math:`\tau`, the most tokens that are read at once.
        features: d, width of embeddings and attention; even.
        hidden: m, width of the hidden layer.
        positions: whether positions are added to the embeddings.
        activation: ``"gelu"``, or ``"square"``, a polynomial whose capacity is too small.

    Raises:
        ValueError: sizes below one, odd features, or an unknown activation.

    Example:
        >>> model = OneLayerDecoder(vocabulary=6, context=4, features=8, hidden=10)
        >>> params = model.start(seed=0, runs=3)
        >>> contexts = torch.tensor([[5, 0, 0, 1], [2, 3, -1, -1]])  # the second holds two tokens
        >>> model.logits(params, contexts).shape
        torch.Size([3, 2, 6])
    """

    vocabulary: int
    context: int
    features: int
    hidden: int
    positions: bool = True
    activation: str = "gelu"

    def __post_init__(self) -> None:
        sizes = (self.vocabulary, self.context, self.features, self.hidden)
        require(min(sizes) >= 1, f"the sizes of a decoder must be at least 1, got {sizes}")
        require(self.features % 2 == 0, f"features must be even, a sine for every cosine, got {self.features}")
        one_of("activation", self.activation, ACTIVATIONS)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter, without runs."""
        d, m = self.features, self.hidden
        attention: dict[str, tuple[int, ...]] = {name: (d, d) for name in ("query", "key", "value", "output")}
        network = {"inner": (m, d), "inner_bias": (m,), "head": (self.vocabulary, m), "head_bias": (self.vocabulary,)}
        return {"token": (self.vocabulary, d), **attention, **network}

    @property
    def numbers(self) -> int:
        r"""How many parameters there are: :math:`\omega d+4d^2+m(d+1)+\omega(m+1)`.

        Example:
            >>> OneLayerDecoder(vocabulary=6, context=4, features=8, hidden=10).numbers
            460
        """
        return sum(math.prod(shape) for shape in self.shapes().values())

    def start(self, seed: int, runs: int, dtype: torch.dtype = torch.float64) -> Params:
        r"""Return random parameters: embeddings and inner biases N(0, 1), matrices N(0, 1/fan-in), ``head_bias`` zero.

        Args:
            seed: non-negative.
            runs: how many models.
            dtype: of the parameters.

        Returns:
            By the names of `shapes`, each ``(runs, ...)``.
        """
        generators = run_generators(seed, runs)
        params = {}
        for name, shape in self.shapes().items():
            scale = 1.0 if name in ("token", "inner_bias") else 0.0 if name == "head_bias" else shape[-1] ** -0.5
            drawn = np.stack([scale * rng.normal(size=shape) for rng in generators])
            params[name] = torch.from_numpy(drawn).to(dtype)
        return params

    def narrowed(self, params: Params, widths: Int[Tensor, "*runs"]) -> Params:
        r"""Return the parameters with only the first so many hidden units alive: decoders of many widths in one batch.

        A unit whose weights in and out are zero has an activation of zero and a gradient of zero, so that every rule
        without noise leaves it so. The weights of the others grow by :math:`\sqrt{m/\text{width}}`, as if drawn for
        the smaller width.

        Args:
            params: as `start` gives them.
            widths: in ``1 .. hidden``, one a run.

        Raises:
            ValueError: widths outside that range, or not one a run.

        Example:
            >>> model = OneLayerDecoder(vocabulary=6, context=4, features=8, hidden=10)
            >>> narrow = model.narrowed(model.start(seed=0, runs=2), torch.tensor([10, 3]))
            >>> (narrow["head"] != 0).any(-2).sum(-1)
            tensor([10,  3])
        """
        runs = params["head"].shape[:-2]
        require(widths.shape == runs, f"widths must be one a run, {tuple(runs)}, got {tuple(widths.shape)}")
        labels_in_range("widths - 1", widths - 1, self.hidden)
        alive = (torch.arange(self.hidden, device=widths.device) < widths[..., None]).to(params["head"].dtype)
        grow = (self.hidden / widths.to(alive.dtype)).sqrt()[..., None, None]
        return params | {
            "inner": params["inner"] * alive[..., None],
            "inner_bias": params["inner_bias"] * alive,
            "head": params["head"] * alive[..., None, :] * grow,
        }

    def attended(
        self, params: Params, contexts: Int[Tensor, "*context_runs contexts length"]
    ) -> Float[Tensor, "*runs contexts features"]:
        """Return what attention makes of each context, at its last position.

        Args:
            params: as `start` gives them, with any leading run dimensions.
            contexts: tokens, shared by the runs or one set a run; shorter contexts end in -1.

        Raises:
            ValueError: too many tokens, numbers outside the vocabulary, or -1 before a token.
        """
        present = contexts >= 0
        length = contexts.shape[-1]
        require(1 <= length <= self.context, f"contexts must be 1 to {self.context} long, got {length}")
        require(
            bool(present[..., 0].all()) and bool((present[..., 1:] <= present[..., :-1]).all()),
            "contexts must hold a token before every -1 and none after, got another order",
        )
        labels_in_range("contexts", contexts.clamp(min=0), self.vocabulary)
        runs, d = params["token"].shape[:-2], self.features
        tokens = contexts.clamp(min=0).expand(*runs, *contexts.shape[-2:])
        index = tokens.flatten(-2).unsqueeze(-1).expand(*tokens.shape[:-2], -1, d)
        x = params["token"].gather(-2, index).unflatten(-2, tokens.shape[-2:])
        if self.positions:
            x = x + _positions(length, d, x.dtype, x.device)
        last = (present.sum(-1) - 1)[..., None, None].expand(*runs, contexts.shape[-2], 1, d)
        asked = x.gather(-2, last).squeeze(-2) @ params["query"].mT @ params["key"]  # (*runs, contexts, d)
        scores = (x * asked.unsqueeze(-2)).sum(-1) / math.sqrt(d)  # faster than thousands of tiny matrix products
        weights = torch.softmax(scores.masked_fill(~present, -torch.inf), -1)
        seen = (weights.unsqueeze(-1) * x).sum(-2)
        return seen @ params["value"].mT @ params["output"].mT

    def embeddings(
        self, params: Params, contexts: Int[Tensor, "*context_runs contexts length"]
    ) -> Float[Tensor, "*runs contexts hidden"]:
        r"""Return the context embeddings :math:`\varphi=\psi(Va+b)` that logits are linear in.

        Args:
            params: as `start` gives them.
            contexts: as for `attended`.

        Raises:
            ValueError: as `attended`.
        """
        return self.activated(params, self.attended(params, contexts))

    def activated(
        self, params: Params, attended: Float[Tensor, "*runs contexts features"]
    ) -> Float[Tensor, "*runs contexts hidden"]:
        """Return the hidden layer on given outputs of attention, for training with attention frozen."""
        return ACTIVATIONS[self.activation](attended @ params["inner"].mT + params["inner_bias"].unsqueeze(-2))

    def decoded(
        self, params: Params, embeddings: Float[Tensor, "*runs contexts hidden"]
    ) -> Float[Tensor, "*runs contexts vocabulary"]:
        r"""Return the logits :math:`W\varphi+c` of given context embeddings."""
        return embeddings @ params["head"].mT + params["head_bias"].unsqueeze(-2)

    def logits(
        self, params: Params, contexts: Int[Tensor, "*context_runs contexts length"]
    ) -> Float[Tensor, "*runs contexts vocabulary"]:
        """Return the logits of the token that follows each context.

        Args:
            params: as `start` gives them.
            contexts: as for `attended`.

        Raises:
            ValueError: as `attended`.
        """
        return self.decoded(params, self.embeddings(params, contexts))


def sinusoids(length: int, features: int) -> Float[Tensor, "length features"]:
    r"""Return fixed positions: :math:`\sin` and :math:`\cos` of :math:`i\,10000^{-2k/d}`, in turns, float64.

    Args:
        length: positions :math:`i=0,1,\dots`.
        features: d, even.

    Raises:
        ValueError: odd features.

    Example:
        >>> sinusoids(2, 2)
        tensor([[0.0000, 1.0000],
                [0.8415, 0.5403]], dtype=torch.float64)
    """
    require(features % 2 == 0, f"features must be even, got {features}")
    frequencies = 10_000.0 ** (-torch.arange(0, features, 2, dtype=torch.float64) / features)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)


@cache
def _positions(length: int, features: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return sinusoids(length, features).to(dtype=dtype, device=device)
