r"""A small GPT: a decoder-only transformer, many at once.

Token and position embeddings, then blocks of causal self-attention and of a two-layer network with GELU, each behind a
layer norm and beside a residual path (pre-norm; Radford et al. 2019), a last layer norm, and a linear decoder that may
share the token embeddings (Press and Wolf 2017). No biases; layer norms have gains only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, one_of, require
from ibkit.data.seeding import run_generators
from ibkit.models.linear_attention import KERNELS, linear_attention
from ibkit.scaled import Params


@dataclass(frozen=True)
class GPT:
    r"""The sizes of a small GPT; its parameters live outside, as everywhere in ibkit.

    Args:
        vocabulary: V, tokens.
        features: d, width of the residual path; a multiple of `heads`.
        blocks: how many times attention and network follow each other.
        heads: of each attention.
        context: T, the most tokens that are read at once.
        tied: whether the decoder is the token embedding; else it is ``head``.
        hidden: width of the two-layer networks, four times the features by default.
        attention: ``"softmax"``, or linear attention by one of `ibkit.models.KERNELS`.

    Raises:
        ValueError: sizes below one, features that the heads cannot share, or an unknown attention.

    Example:
        >>> model = GPT(vocabulary=10, features=8, blocks=1, heads=2, context=5)
        >>> params = model.start(seed=0, runs=3)
        >>> model.logits(params, torch.zeros(4, 5, dtype=torch.long)).shape
        torch.Size([3, 4, 5, 10])
    """

    vocabulary: int
    features: int
    blocks: int
    heads: int
    context: int
    tied: bool = False
    hidden: int | None = None
    attention: str = "softmax"

    def __post_init__(self) -> None:
        sizes = (self.vocabulary, self.features, self.blocks, self.heads, self.context, self.hidden or 1)
        require(min(sizes) >= 1, f"the sizes of a GPT must be at least 1, got {sizes}")
        require(
            self.features % self.heads == 0,
            f"features must be a multiple of heads, got {self.features} and {self.heads}",
        )
        one_of("attention", self.attention, ["softmax", *KERNELS])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter, without runs.

        Example:
            >>> sum(int(np.prod(shape)) for shape in GPT(10, 8, 1, 2, 5).shapes().values())  # how many numbers
            992
        """
        d, m = self.features, self.hidden or 4 * self.features
        shapes: dict[str, tuple[int, ...]] = {"token": (self.vocabulary, d), "position": (self.context, d)}
        for block in range(1, self.blocks + 1):
            shapes |= {f"block{block}.{name}": (d, d) for name in ("query", "key", "value", "output")}
            shapes |= {f"block{block}.inner": (m, d), f"block{block}.outer": (d, m)}
            shapes |= {f"block{block}.gain_attention": (d,), f"block{block}.gain_network": (d,)}
        shapes["gain"] = (d,)
        return shapes if self.tied else {**shapes, "head": (self.vocabulary, d)}

    def start(self, seed: int, runs: int, dtype: torch.dtype = torch.float32) -> Params:
        r"""Return random parameters: gains one, matrices :math:`N(0, 1/d)`, embeddings, decoder :math:`N(0, 0.02^2)`.

        What is added to the residual path (``output``, ``outer``) is smaller by :math:`\sqrt{2\cdot\text{blocks}}`.

        Args:
            seed: non-negative.
            runs: how many models.
            dtype: float32 for training, float64 where digits matter.

        Returns:
            By the names of `shapes`, each ``(runs, ...)``.
        """
        generators = run_generators(seed, runs)
        params = {}
        for name, shape in self.shapes().items():
            if name.split(".")[-1].startswith("gain"):
                params[name] = torch.ones(runs, *shape, dtype=dtype)
                continue
            scale = 0.02 if "." not in name else shape[-1] ** -0.5
            if name.endswith((".output", ".outer")):
                scale /= (2 * self.blocks) ** 0.5
            drawn = np.stack([scale * rng.normal(size=shape) for rng in generators])
            params[name] = torch.from_numpy(drawn).to(dtype)
        return params

    def embeddings(
        self, params: Params, tokens: Int[Tensor, "*token_runs batch length"]
    ) -> Float[Tensor, "*runs batch length features"]:
        """Return the context embeddings: the states behind the last layer norm, one at each position.

        Args:
            params: as `start` gives them, with any leading run dimensions.
            tokens: shared by the runs, or one set a run.

        Raises:
            ValueError: more tokens than the context, or numbers outside the vocabulary.
        """
        return _normed(self._residual(params, tokens, self.blocks), params["gain"])

    def queries(
        self, params: Params, tokens: Int[Tensor, "*token_runs batch length"], block: int = 1
    ) -> Float[Tensor, "*runs batch length heads width"]:
        """Return what each position asks for in a block's attention, one query a head.

        Args:
            params: as `start` gives them.
            tokens: shared by the runs, or one set a run.
            block: the first is 1.

        Raises:
            ValueError: no such block, or as `embeddings`.

        Example:
            >>> model = GPT(vocabulary=10, features=8, blocks=1, heads=2, context=5)
            >>> model.queries(model.start(seed=0, runs=3), torch.zeros(4, 5, dtype=torch.long)).shape
            torch.Size([3, 4, 5, 2, 4])
        """
        require(1 <= block <= self.blocks, f"block must lie in 1..{self.blocks}, got {block}")
        x = _normed(self._residual(params, tokens, block - 1), params[f"block{block}.gain_attention"])
        return _times(x, params[f"block{block}.query"]).unflatten(-1, (self.heads, -1))

    def decoder(self, params: Params) -> Float[Tensor, "*runs vocabulary features"]:
        """Return the decoder's matrix, whose rows are the word embeddings that logits are taken with."""
        return params["token"] if self.tied else params["head"]

    def logits(
        self, params: Params, tokens: Int[Tensor, "*token_runs batch length"]
    ) -> Float[Tensor, "*runs batch length vocabulary"]:
        """Return the logits of the next token at each position.

        Args:
            params: as `start` gives them.
            tokens: shared by the runs, or one set a run.

        Raises:
            ValueError: as `embeddings`.
        """
        return _times(self.embeddings(params, tokens), self.decoder(params))

    def continuation(
        self,
        params: Params,
        prompt: Int[Tensor, "*token_runs batch length"],
        draws: Float[Tensor, "*draw_runs batch count"],
    ) -> Int[Tensor, "*runs batch total"]:
        r"""Let models write on: tokens drawn one after the other, each given the last T before it.

        A number u in [0, 1) draws the first token at which the cumulated probability exceeds u; the same draws let one
        compare models, as they differ only where their distributions do.

        Args:
            params: as `start` gives them.
            prompt: what stands already, shared by the runs, or one set a run.
            draws: uniform numbers, as many as tokens to write, shared by the runs, or one set a run.

        Returns:
            The prompt and what was written.

        Raises:
            ValueError: draws outside [0, 1), another batch than the prompt's, or as `embeddings`.

        Example:
            >>> model = GPT(vocabulary=2, features=4, blocks=1, heads=1, context=3)
            >>> still = {name: 0 * value for name, value in model.start(seed=0, runs=1).items()}  # both tokens alike
            >>> model.continuation(still, torch.tensor([[0]]), torch.tensor([[0.4, 0.6, 0.4]]))
            tensor([[[0, 0, 1, 0]]])
        """
        require(bool(((draws >= 0) & (draws < 1)).all()), "draws must lie in [0, 1)")
        require(
            draws.shape[-2] == prompt.shape[-2], f"draws must be for {prompt.shape[-2]} texts, got {draws.shape[-2]}"
        )
        runs = params["token"].shape[:-2]
        text = prompt.expand(*runs, *prompt.shape[-2:])
        for u in draws.expand(*runs, *draws.shape[-2:]).unbind(-1):
            logits = self.logits(params, text[..., -self.context :])[..., -1, :]
            reached = torch.softmax(logits.double(), -1).cumsum(-1)
            token = (reached <= u.unsqueeze(-1)).sum(-1, keepdim=True).clamp(max=self.vocabulary - 1)
            text = torch.cat([text, token], -1)
        return text

    def _residual(self, params: Params, tokens: Tensor, blocks: int) -> Tensor:
        """Return the residual path behind so many blocks, ``(*runs, batch, length, features)``."""
        length = tokens.shape[-1]
        require(1 <= length <= self.context, f"tokens must be 1 to {self.context} long, got {length}")
        labels_in_range("tokens", tokens, self.vocabulary)
        runs = params["token"].shape[:-2]
        tokens = tokens.expand(*runs, *tokens.shape[-2:])
        x = _pick(params["token"], tokens) + params["position"][..., None, :length, :]
        for block in range(1, blocks + 1):
            part = {name: params[f"block{block}.{name}"] for name in _BLOCK}
            x = x + self._attend(_normed(x, part["gain_attention"]), part)
            hidden = torch.nn.functional.gelu(_times(_normed(x, part["gain_network"]), part["inner"]))
            x = x + _times(hidden, part["outer"])
        return x

    def _attend(self, x: Tensor, part: Params) -> Tensor:
        """Let each position look at itself and at those before it."""
        *lead, length, d = x.shape
        rows = torch.Size(lead).numel()

        def split(name: str) -> Tensor:
            return _times(x, part[name]).reshape(rows, length, self.heads, d // self.heads).transpose(1, 2)

        q, k, v = split("query"), split("key"), split("value")
        if self.attention == "softmax":
            seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            of_queries, of_keys = KERNELS[self.attention]
            seen = linear_attention(of_queries(q), of_keys(k), v, causal=True, epsilon=1e-6)
        return _times(seen.transpose(1, 2).reshape(x.shape), part["output"])


_BLOCK = ("query", "key", "value", "output", "inner", "outer", "gain_attention", "gain_network")


def _times(x: Tensor, W: Tensor) -> Tensor:
    """Return ``x`` of ``(*runs, batch, length, before)`` times the transpose of ``W`` of ``(*runs, after, before)``."""
    flat = x.flatten(-3, -2) @ W.mT
    return flat.unflatten(-2, x.shape[-3:-1])


def _pick(table: Tensor, tokens: Tensor) -> Tensor:
    """Return the rows of ``(*runs, V, d)`` that tokens ``(*runs, batch, length)`` name."""
    index = tokens.flatten(-2).unsqueeze(-1).expand(*tokens.shape[:-2], -1, table.shape[-1])
    return table.gather(-2, index).unflatten(-2, tokens.shape[-2:])


def _normed(x: Tensor, gain: Tensor) -> Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:]) * gain[..., None, None, :]
