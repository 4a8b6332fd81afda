r"""A small language with a long memory, whose next-token probabilities are known exactly.

Most tokens follow the one before them and a slowly changing topic. Each document has a hero: now and then a *trigger*
(think of "Mr.") comes, and after it, nearly always, the hero's name. To predict it one must find the last mention, and
that may be far away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, require
from ibkit.data.seeding import run_generators


@dataclass(frozen=True)
class MentionWorld:
    r"""The language: tables and rates. Tokens are ``words`` words, then the trigger, then the names.

    At every step the topic is drawn anew with probability ``1 - stick``. After the trigger comes a name: the hero's
    with probability `fidelity`, else any, from `prior`. Otherwise the trigger comes with the document's own rate r, and
    if not, a word from :math:`(1-\alpha)B_{x'}+\alpha U_z`, with x' the token before and z the topic. A document's
    first token is a word, uniformly; hero, rate and first topic are drawn from `prior`, from `rates` and uniformly.

    Args:
        followers: B, ``(runs, tokens, words)``; rows sum to one.
        topics: U, ``(runs, topics, words)``.
        prior: of the names, ``(names,)``.
        rates: equally likely trigger rates of a document, ``(rates,)``.
        alpha: weight of the topic.
        stick: probability that the topic is kept.
        fidelity: of names.
    """

    followers: Float[Tensor, "runs tokens words"]
    topics: Float[Tensor, "runs topics words"]
    prior: Float[Tensor, " names"]
    rates: Float[Tensor, " rates"]
    alpha: float
    stick: float
    fidelity: float

    @property
    def trigger(self) -> int:
        """The trigger's token number; words come before it, names after."""
        return self.followers.shape[-1]

    @property
    def tokens(self) -> int:
        """How many tokens the language has."""
        return self.trigger + 1 + len(self.prior)

    def to(self, device: str | torch.device) -> MentionWorld:
        """Return the same language on another device."""
        tables = {name: getattr(self, name).to(device) for name in ("followers", "topics", "prior", "rates")}
        return replace(self, **tables)

    def sample(self, seed: int, documents: int, length: int) -> Int[Tensor, "runs documents length"]:
        """Draw documents, for each run its own.

        Args:
            seed: non-negative.
            documents: how many a run.
            length: tokens in each.

        Raises:
            ValueError: sizes below one.
        """
        require(documents >= 1 and length >= 1, f"documents and length must be at least 1, got {documents}, {length}")
        runs, kinds, words = self.topics.shape
        draws = np.stack([rng.random((length, documents, 6)) for rng in run_generators(seed, runs)], axis=1)
        each = np.arange(runs)[:, None]
        follow, about = (np.cumsum(table.cpu().numpy(), -1) for table in (self.followers, self.topics))
        names = np.cumsum(self.prior.cpu().numpy())
        topic, hero, rate, first = np.moveaxis(draws[0, ..., :4], -1, 0)
        z = (topic * kinds).astype(int)
        hero = _pick(names, hero)
        rate = self.rates.cpu().numpy()[(rate * len(self.rates)).astype(int)]
        x = (first * words).astype(int)
        text = [x]
        for u in draws[1:]:
            z = np.where(u[..., 0] < self.stick, z, (u[..., 1] * kinds).astype(int))
            table = np.where((u[..., 2] < self.alpha)[..., None], about[each, z], follow[each, x])
            word = _pick(table, u[..., 3])
            name = words + 1 + np.where(u[..., 4] < self.fidelity, hero, _pick(names, u[..., 5]))
            x = np.where(x == words, name, np.where(u[..., 4] < rate, words, word))
            text.append(x)
        return torch.from_numpy(np.stack(text, axis=-1)).to(self.topics.device)

    def predict(self, windows: Int[Tensor, "runs windows length"]) -> Float[Tensor, "runs windows tokens"]:
        r"""Return the exact next-token distribution of a reader who knows a suffix and nothing before it.

        Topic, hero and rate are independent given the tokens. The topic's belief is filtered forward from the uniform
        one, :math:`b\leftarrow\text{stick}\cdot b+(1-\text{stick})/K`, then times the word's likelihood. A mention of
        name m multiplies the hero's belief by :math:`f[m=e]+(1-f)\pi_m`, and k triggers at n places that could hold one
        multiply the rate's by :math:`r^k(1-r)^{n-k}`. The suffix's first token is taken as given; if it is a
        name, it still tells of the hero.

        Args:
            windows: suffixes of one length, the latest token last; run i is read with the tables of run i.

        Raises:
            ValueError: another number of runs, an empty window, or numbers outside the vocabulary.
        """
        runs = self.topics.shape[0]
        require(
            windows.shape[0] == runs and windows.shape[-1] >= 1,
            f"windows must be ({runs} runs, windows, length), got {tuple(windows.shape)}",
        )
        labels_in_range("windows", windows, self.tokens)
        each = torch.arange(runs, device=windows.device)[:, None]
        last = windows[..., -1]
        belief = self.topic_belief(windows)
        word = (1 - self.alpha) * self.followers[each, last] + self.alpha * belief @ self.topics
        free = windows[..., :-1] != self.trigger  # the places after these could hold a trigger
        triggers = ((windows[..., 1:] == self.trigger) & free).sum(-1, keepdim=True)
        quiet = free.sum(-1, keepdim=True) - triggers
        rate = torch.softmax(triggers * self.rates.log() + quiet * torch.log1p(-self.rates), -1) @ self.rates
        mentions = torch.stack([(windows == self.trigger + 1 + m).sum(-1) for m in range(len(self.prior))], -1)
        lift = torch.log1p(self.fidelity / ((1 - self.fidelity) * self.prior))
        hero = torch.softmax(self.prior.log() + mentions * lift, -1)
        name = self.fidelity * hero + (1 - self.fidelity) * self.prior
        after = (last == self.trigger).to(word.dtype).unsqueeze(-1)
        usual = torch.cat([(1 - rate).unsqueeze(-1) * word, rate.unsqueeze(-1)], -1)
        return torch.cat([(1 - after) * usual, after * name], -1)

    def topic_belief(self, windows: Int[Tensor, "runs windows length"]) -> Float[Tensor, "runs windows topics"]:
        """Return what a reader of the windows believes of the topic at the next token.

        Args:
            windows: as for `predict`.
        """
        runs, kinds, words = self.topics.shape
        about = self.topics.new_ones(runs, self.tokens, kinds)
        about[:, :words] = self.alpha * self.topics.mT
        follow = self.topics.new_zeros(runs, self.tokens, self.tokens)
        follow[..., :words] = (1 - self.alpha) * self.followers
        rows = torch.arange(runs, device=windows.device)[:, None, None] * self.tokens + windows
        # Time first, then topics: long rows of numbers for each of the many short steps.
        now = rows.flatten(0, 1).T.contiguous()
        before = now[:-1] * self.tokens + windows.flatten(0, 1).T[1:]
        follows, table = follow.flatten()[before], about.flatten(0, 1).T.contiguous()
        belief = self.topics.new_full((kinds, now.shape[1]), 1 / kinds)
        for t in range(1, len(now)):
            belief.mul_(self.stick).add_((1 - self.stick) / kinds)
            belief.mul_(table.index_select(1, now[t]).add_(follows[t - 1]))
            belief.div_(belief.sum(0))
        belief = self.stick * belief + (1 - self.stick) / kinds
        return belief.T.reshape(*windows.shape[:-1], kinds)


def mention_world(
    seed: int,
    runs: int,
    words: int = 40,
    names: int = 10,
    topics: int = 6,
    alpha: float = 0.35,
    stick: float = 0.995,
    fidelity: float = 0.97,
    rates: tuple[float, float] = (1e-3, 1e-1),
    rate_count: int = 16,
) -> MentionWorld:
    r"""Draw a language for each run.

    Rows of B are Dirichlet(0.08), so that most words have a favourite follower; rows of U are Dirichlet(0.05); names
    follow Zipf's law, :math:`\pi_m\propto1/m`; the rates are spaced evenly in the logarithm.

    Args:
        seed: non-negative.
        runs: how many languages.
        words: at least 2.
        names: at least 2.
        topics: at least 1.
        alpha: weight of the topic, in [0, 1).
        stick: probability that a topic is kept, in (0, 1].
        fidelity: probability that the name after a trigger is the hero's, in [0, 1).
        rates: lowest and highest trigger rate.
        rate_count: how many rates, at least 1; one alone is the lowest.

    Raises:
        ValueError: numbers outside these ranges.

    Example:
        >>> world = mention_world(seed=0, runs=2)
        >>> text = world.sample(seed=1, documents=3, length=20)
        >>> world.predict(text[..., -8:]).shape, world.tokens
        (torch.Size([2, 3, 51]), 51)
    """
    require(words >= 2 and names >= 2, f"words and names must be at least 2, got {words} and {names}")
    require(topics >= 1 and rate_count >= 1, f"topics and rate_count must be at least 1, got {topics}, {rate_count}")
    require(0 <= alpha < 1 and 0 <= fidelity < 1, f"alpha and fidelity must lie in [0, 1), got {alpha}, {fidelity}")
    require(0 < stick <= 1, f"stick must lie in (0, 1], got {stick}")
    require(0 < rates[0] <= rates[1] < 1, f"rates must grow within (0, 1), got {rates}")
    tokens = words + 1 + names
    followers, about = [], []
    for rng in run_generators(seed, runs):
        followers.append(rng.dirichlet(np.full(words, 0.08), size=tokens))
        about.append(rng.dirichlet(np.full(words, 0.05), size=topics))
    prior = 1 / np.arange(1, names + 1)
    return MentionWorld(
        torch.from_numpy(np.stack(followers)),
        torch.from_numpy(np.stack(about)),
        torch.from_numpy(prior / prior.sum()),
        torch.from_numpy(np.geomspace(*rates, rate_count) if rate_count > 1 else np.array([rates[0]])),
        alpha,
        stick,
        fidelity,
    )


def _pick(cumulative: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Invert a cumulative distribution along the last axis."""
    return np.minimum((u[..., None] >= cumulative).sum(-1), cumulative.shape[-1] - 1)
