import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibkit.data import mention_world

TINY = dict(words=3, names=2, topics=2, alpha=0.4, stick=0.8, fidelity=0.9, rates=(0.1, 0.3), rate_count=2)


def by_enumeration(world, window):
    """Sum over every hero, rate and path of topics."""
    words, kinds, total = world.trigger, world.topics.shape[1], np.zeros(world.tokens)
    B, U, prior = world.followers[0].numpy(), world.topics[0].numpy(), world.prior.numpy()
    move = world.stick * np.eye(kinds) + (1 - world.stick) / kinds

    def chance(x, before, z, hero, rate):
        if before == words:
            return (
                0
                if x <= words
                else world.fidelity * (x - words - 1 == hero) + (1 - world.fidelity) * prior[x - words - 1]
            )
        if x > words:
            return 0
        return rate if x == words else (1 - rate) * ((1 - world.alpha) * B[before, x] + world.alpha * U[z, x])

    for hero, rate in itertools.product(range(len(prior)), world.rates.tolist()):
        for path in itertools.product(range(kinds), repeat=len(window) + 1):
            weight = prior[hero] / kinds
            for t in range(1, len(window) + 1):
                weight *= move[path[t - 1], path[t]]
                if t < len(window):
                    weight *= chance(window[t], window[t - 1], path[t], hero, rate)
            total += weight * np.array([chance(x, window[-1], path[-1], hero, rate) for x in range(world.tokens)])
    return total / total.sum()


def exact(world, reader, windows):
    found = reader.predict(windows)
    expected = np.stack([by_enumeration(world, row.tolist()) for row in windows[0]])
    return np.allclose(found[0].numpy(), expected, atol=1e-10)


def test_the_predictive_is_exact():
    world = mention_world(3, 1, **TINY)
    # the first tokens of documents: a name may come first only where a trigger is unseen
    windows = world.sample(5, 12, 6)
    triggered = torch.tensor([[[0, 3, 4, 1, 3], [0, 3, 5, 2, 3], [3, 4, 3, 5, 3], [2, 1, 0, 2, 3]]])
    assert exact(world, world, windows)
    assert exact(world, world, triggered)
    assert exact(world, world, windows[..., -1:])

    assert not exact(world, replace(world, stick=0.5), windows)
    assert not exact(world, replace(world, fidelity=0.5), triggered)
    assert not exact(world, replace(world, rates=torch.tensor([0.1, 0.2], dtype=torch.float64)), windows)
    assert not exact(world, replace(world, alpha=0.2), windows)


def calibrated(world, reader):
    """Whether a reader's surprise is what it expects, from the beginning of documents."""
    text = world.sample(9, 3000, 40)
    p = reader.predict(text[..., :-1])
    surprise = -p.gather(-1, text[..., -1:]).squeeze(-1).log() + torch.xlogy(p, p).sum(-1)
    return bool((surprise.mean(-1).abs() <= 3.5 * surprise.std(-1) / 3000**0.5).all())


def test_what_is_sampled_is_what_is_predicted():
    world = mention_world(1, 2)
    assert calibrated(world, world)
    other = replace(world, rates=3 * world.rates, alpha=0.1)
    assert not calibrated(world, other)


def test_names_follow_triggers_and_nothing_else():
    world = mention_world(0, 2)
    text = world.sample(0, 50, 200)
    named, triggered = text > world.trigger, text == world.trigger
    assert torch.equal(named[..., 1:], triggered[..., :-1])
    assert not named[..., 0].any()
    assert 0.01 < triggered.double().mean() < 0.04


def test_runs_differ_and_do_not_depend_on_their_number():
    assert torch.equal(mention_world(0, 3).topics[1], mention_world(0, 2).topics[1])
    few, many = mention_world(0, 1).sample(4, 3, 30), mention_world(0, 2).sample(4, 3, 30)
    assert torch.equal(few[0], many[0])
    assert not torch.equal(many[0], many[1])
    world, window = mention_world(0, 2), mention_world(0, 2).sample(4, 3, 30)
    alone = replace(world, followers=world.followers[1:], topics=world.topics[1:])
    assert torch.allclose(world.predict(window)[1:], alone.predict(window[1:]))


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said():
    world = mention_world(0, 2)
    with pytest.raises(ValueError, match=r"windows must be \(2 runs, windows, length\), got \(1, 3, 4\)"):
        world.predict(torch.zeros(1, 3, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="windows"):
        world.predict(torch.full((2, 3, 4), 99))
    with pytest.raises(ValueError, match="documents and length must be at least 1, got 0, 5"):
        world.sample(0, 0, 5)
    for change, said in (
        ({"words": 1}, "words and names must be at least 2"),
        ({"alpha": 1.0}, r"alpha and fidelity must lie in \[0, 1\)"),
        ({"stick": 0.0}, r"stick must lie in \(0, 1\]"),
        ({"rates": (0.2, 0.1)}, r"rates must grow within \(0, 1\)"),
        ({"topics": 0}, "topics and rate_count must be at least 1"),
    ):
        with pytest.raises(ValueError, match=said):
            mention_world(0, 1, **change)
