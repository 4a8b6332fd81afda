r"""Many heads of attention that answer one query an example, and nothing behind them: what attention alone memorises.

An example is a context of n tokens and one query. Head h weighs the tokens by
:math:`a_h=\mathrm{softmax}(EW_{K,h}W_{Q,h}^\top e/\sqrt d)` and hands on their mean :math:`z_h=E^\top a_h`; the output
is :math:`f=\sum_h\langle z_h,v_h\rangle+b` (Mahdavi, Liao and Thrampoulidis 2024). It is linear in the values
:math:`v_h`, so what the values alone can fit is the rank of the matrix of all :math:`z_h`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ibkit.checks import require, shape
from ibkit.data.seeding import run_generators
from ibkit.scaled import Params


@dataclass(frozen=True)
class QueryAttention:
    r"""The sizes of the attention layer; its parameters live outside, as everywhere in ibkit.

    Contexts come as ``(*data_runs, groups, tokens, features)``: one for each example, or a single one that all examples
    share (groups = 1), which is faster.

    Args:
        heads: H.
        features: d, of tokens and queries.
        width: :math:`d_h`, columns of the key and query maps.
        softmax: False for linear attention, whose weights are the logits themselves.

    Raises:
        ValueError: sizes below one.

    Example:
        >>> model = QueryAttention(heads=4, features=8, width=8)
        >>> params = model.start(seed=0, runs=3)
        >>> contexts, queries = torch.rand(1, 5, 8).double(), torch.rand(20, 8).double()
        >>> model.weights(params, contexts, queries).shape  # one shared context of five tokens
        torch.Size([3, 20, 4, 5])
    """

    heads: int
    features: int
    width: int
    softmax: bool = True

    def __post_init__(self) -> None:
        sizes = (self.heads, self.features, self.width)
        require(min(sizes) >= 1, f"the sizes of an attention layer must be at least 1, got {sizes}")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter, without runs."""
        maps = (self.heads, self.features, self.width)
        return {"key": maps, "query": maps, "value": (self.heads, self.features), "bias": (1,)}

    def value_capacity(self, tokens: int) -> int:
        r"""Return :math:`H(n-1)+1`, the rank of Z at almost every point if examples share a context and n <= d.

        So many examples can be memorised by the values alone, with the attention weights as they are.

        Args:
            tokens: n, tokens of the context.

        Raises:
            ValueError: no tokens, or linear attention, where queries enter linearly and more heads add nothing.

        Example:
            >>> QueryAttention(heads=4, features=16, width=16).value_capacity(tokens=6)
            21
        """
        self._require_countable(tokens)
        return self.heads * (tokens - 1) + 1

    def degrees_of_freedom(self, tokens: int) -> int:
        r"""Return the dimensions in which outputs on a shared context can move when everything is trained.

        :math:`H\bigl(k(n-1+d-k)+n-1\bigr)+1` with :math:`k=\min(d_h,n-1)`: key and query maps act through logits of
        rank k, of which softmax ignores the mean over tokens; values through what each token says, up to a constant
        that belongs to the bias. For n <= d.

        Args:
            tokens: n, tokens of the context.

        Raises:
            ValueError: as `value_capacity`.

        Example:
            >>> QueryAttention(heads=4, features=16, width=16).degrees_of_freedom(tokens=6)
            341
        """
        self._require_countable(tokens)
        k = min(self.width, tokens - 1)
        return self.heads * (k * (tokens - 1 + self.features - k) + tokens - 1) + 1

    def _require_countable(self, tokens: int) -> None:
        require(1 <= tokens <= self.features, f"tokens must lie in 1..{self.features}, got {tokens}")
        require(self.softmax, "these counts hold for softmax attention, got softmax=False")

    def start(self, seed: int, runs: int, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Params:
        r"""Return random parameters: normal numbers of variance 1/d, the query maps times `scale`, and no bias.

        Args:
            seed: non-negative.
            runs: how many layers.
            scale: what logits are multiplied by: an inverse temperature.
            dtype: of the parameters.

        Returns:
            By the names of `shapes`, each ``(runs, ...)``.
        """
        generators = run_generators(seed, runs)
        sizes = {"key": 1.0, "query": scale, "value": 1.0, "bias": 0.0}
        params = {}
        for name, of in self.shapes().items():
            drawn = np.stack([sizes[name] * self.features**-0.5 * rng.normal(size=of) for rng in generators])
            params[name] = torch.from_numpy(drawn).to(dtype)
        return params

    def logits(
        self,
        params: Params,
        contexts: Float[Tensor, "*data_runs groups tokens features"],
        queries: Float[Tensor, "*data_runs examples features"],
    ) -> Float[Tensor, "*runs examples heads tokens"]:
        r"""Return :math:`EW_{K,h}W_{Q,h}^\top e/\sqrt d`, before the softmax.

        Args:
            params: as `start` gives them, with any leading run dimensions.
            contexts: E, one an example or a single one that all share.
            queries: e.

        Raises:
            ValueError: another number of features, or neither one context nor as many as queries.
        """
        shape("contexts", contexts, ("groups", "tokens", self.features))
        shape("queries", queries, ("examples", self.features))
        groups, examples = contexts.shape[-3], queries.shape[-2]
        require(groups in (1, examples), f"contexts must be one or one an example ({examples}), got {groups}")
        key, query = params["key"] / math.sqrt(self.features), params["query"]
        if groups == 1:
            bilinear = contexts @ key @ query.mT  # (*runs, heads, tokens, features): once for all queries
            flat = bilinear.flatten(-3, -2) @ queries.mT
            return flat.unflatten(-2, bilinear.shape[-3:-1]).movedim(-1, -3)
        asked = queries @ (query @ key.mT).movedim(-3, -2).flatten(-2)  # (*runs, examples, heads * features)
        return asked.unflatten(-1, (self.heads, self.features)) @ contexts.mT

    def weights(
        self,
        params: Params,
        contexts: Float[Tensor, "*data_runs groups tokens features"],
        queries: Float[Tensor, "*data_runs examples features"],
    ) -> Float[Tensor, "*runs examples heads tokens"]:
        """Return the attention weights :math:`a_h`: what `logits` gives, through the softmax unless it is left out.

        Args:
            params: as `start` gives them.
            contexts: as for `logits`.
            queries: as for `logits`.

        Raises:
            ValueError: as `logits`.
        """
        logits = self.logits(params, contexts, queries)
        if not self.softmax:
            return logits
        return torch.softmax(logits.movedim(-3, -1), -2).movedim(-1, -3)  # fast along many examples, not few tokens

    def attended(
        self,
        params: Params,
        contexts: Float[Tensor, "*data_runs groups tokens features"],
        queries: Float[Tensor, "*data_runs examples features"],
    ) -> Float[Tensor, "*runs examples heads features"]:
        r"""Return the mixtures :math:`z_h=E^\top a_h`; their last two dimensions flattened are the feature matrix Z.

        Args:
            params: as `start` gives them; values and bias are not looked at.
            contexts: as for `logits`.
            queries: as for `logits`.

        Raises:
            ValueError: as `logits`.
        """
        return self.weights(params, contexts, queries) @ contexts

    def outputs(
        self,
        params: Params,
        contexts: Float[Tensor, "*data_runs groups tokens features"],
        queries: Float[Tensor, "*data_runs examples features"],
    ) -> Float[Tensor, "*runs examples"]:
        r"""Return :math:`f=\sum_h\langle z_h,v_h\rangle+b`, one number an example.

        Args:
            params: as `start` gives them.
            contexts: as for `logits`.
            queries: as for `logits`.

        Raises:
            ValueError: as `logits`.

        Example:
            >>> model = QueryAttention(heads=1, features=2, width=2)
            >>> params = {name: torch.zeros(1, *of) for name, of in model.shapes().items()}
            >>> params["value"] += 1.0
            >>> model.outputs(params, torch.eye(2)[None], torch.ones(3, 2))  # no keys: the plain mean of the tokens
            tensor([[1., 1., 1.]])
        """
        said = contexts @ params["value"].mT.unsqueeze(-3)  # (*runs, groups, tokens, heads)
        weights = self.weights(params, contexts, queries)
        if contexts.shape[-3] == 1:
            flat = weights.movedim(-3, -1).flatten(-3, -2)  # as they lie in memory
            mixed = (said.squeeze(-3).mT.flatten(-2).unsqueeze(-2) @ flat).squeeze(-2)
        else:
            mixed = (weights * said.mT).sum((-2, -1))
        return mixed + params["bias"]
