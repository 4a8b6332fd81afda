from collections import Counter

import pytest
import torch

from ibkit.models import AdaptiveNgram

V = 5


def by_hand(train, context, order, memory):
    """Witten and Bell's interpolation, with dictionaries."""
    p = [1 / V] * V
    for k in range(1, order + 1):
        if k - 1 > len(context):
            break
        history = tuple(context[len(context) - k + 1 :]) if k > 1 else ()
        counts = Counter()
        for text, weight in ((train, 1.0), (context, memory)):
            for i in range(k - 1, len(text)):
                if tuple(text[i - k + 1 : i]) == history and weight > 0:
                    counts[text[i]] += weight
        total, kinds = sum(counts.values()), len(counts)
        if kinds:
            p = [(counts[w] + kinds * p[w]) / (total + kinds) for w in range(V)]
    return p


def agrees(model, train, windows, lengths, order, memory):
    found = model.predict(windows, lengths)
    return all(
        torch.allclose(
            found[i, j], torch.tensor(by_hand(train.tolist(), row[-length:].tolist(), order, memory)).double()
        )
        for i, length in enumerate(lengths)
        for j, row in enumerate(windows)
    )


@pytest.mark.parametrize(("order", "memory"), [(1, 2.0), (2, 0.0), (3, 4.0), (4, 0.5)])
def test_it_is_witten_bell(rng, order, memory):
    train = torch.randint(0, V - 1, (60,), generator=rng)  # the last token is met in contexts only
    windows = torch.randint(0, V, (25, 12), generator=rng)
    model = AdaptiveNgram(train, V, order, memory)
    lengths = [1, 2, 3, 7, 12]
    assert agrees(model, train, windows, lengths, order, memory)
    other = AdaptiveNgram(train, V, order, memory + 1)
    assert not agrees(other, train, windows, lengths, order, memory)
    assert not agrees(AdaptiveNgram((train + 1) % V, V, order, memory), train, windows, lengths, order, memory)


def test_a_suffix_is_all_it_knows(rng):
    model = AdaptiveNgram(torch.randint(0, V, (60,), generator=rng), V)
    windows = torch.randint(0, V, (25, 12), generator=rng)
    changed = windows.clone()
    changed[:, :6] = changed[:, :6].flip(0)
    assert torch.equal(model.predict(windows, [6]), model.predict(changed, [6]))
    assert not torch.equal(model.predict(windows, [7]), model.predict(changed, [7]))
    assert torch.equal(model.predict(windows, [6])[0], model.predict(windows[:, -6:], [6])[0])


def test_probabilities_sum_to_one(rng):
    model = AdaptiveNgram(torch.randint(0, V, (60,), generator=rng), V)
    p = model.predict(torch.randint(0, V, (25, 12), generator=rng), [1, 12])
    assert torch.allclose(p.sum(-1), torch.ones(2, 25, dtype=p.dtype))


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said():
    text = torch.zeros(9, dtype=torch.long)
    with pytest.raises(ValueError, match="text must hold at least 10 tokens"):
        AdaptiveNgram(text, V, order=10)
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        AdaptiveNgram(text, V, order=0)
    with pytest.raises(ValueError, match="memory must be at least 0, got -1"):
        AdaptiveNgram(text, V, memory=-1)
    with pytest.raises(ValueError, match="vocabulary must be at least 1, got 0"):
        AdaptiveNgram(text, 0)
    with pytest.raises(ValueError, match="text"):
        AdaptiveNgram(text + 7, V)
    with pytest.raises(ValueError, match=r"lengths must lie in 1..3"):
        AdaptiveNgram(text, V).predict(text[None, :3], [4])
