from collections import Counter

import numpy as np
import pytest
import torch

from ibkit.data import context_table, novel, shared_support_tokens, vocabulary_of, words


@pytest.fixture(scope="module")
def stream():
    tokens = words(novel())[:20_000]
    return vocabulary_of(tokens, most=31).encode(tokens)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_counts_are_those_of_a_loop(stream, length):
    table = context_table(stream, length, vocabulary=30, least=2)
    numbers, expected = stream.tolist(), Counter()
    for start in range(len(numbers) - length):
        window = tuple(numbers[start : start + length + 1])
        if max(window) < 30:
            expected[window] += 1
    often = Counter()
    for window, count in expected.items():
        often[window[:-1]] += count
    kept = sorted(context for context, count in often.items() if count >= 2)
    assert [tuple(context) for context in table.contexts.tolist()] == kept
    for context, row in zip(kept, table.counts, strict=True):
        assert row.tolist() == [expected[(*context, z)] for z in range(30)]


def test_shares_and_entropy(stream):
    table = context_table(stream, 1, vocabulary=30)
    torch.testing.assert_close(table.probabilities.sum(-1), torch.ones(len(table.counts)).double())
    joint = table.counts.double() / table.counts.sum()
    torch.testing.assert_close(table.probabilities * table.weights[:, None], joint)
    h = lambda p: -(p[p > 0] * p[p > 0].log()).sum()  # noqa: E731
    assert table.entropy == pytest.approx(float(h(joint) - h(joint.sum(1))))  # chain rule
    assert table.entropy != pytest.approx(float(h(joint.sum(0))), abs=0.1)


def test_contexts_of_one_group_share_supports_only():
    data = shared_support_tokens(seed=0, runs=3, vocabulary=9, supports=10, copies=3, sizes=(2, 4))
    groups = data.support.reshape(3, 10, 3, 9)
    assert (groups == groups[:, :, :1]).all()
    sizes = groups[:, :, 0].sum(-1)
    assert sizes.min() >= 2
    assert sizes.max() <= 4
    for run in range(3):
        assert len({tuple(row) for row in groups[run, :, 0].int().tolist()}) == 10
    assert (data.probabilities[:, ::3] - data.probabilities[:, 1::3]).abs().amax(-1).min() > 1e-3
    assert torch.equal(data.contexts[1], torch.eye(30, dtype=torch.float64))
    alone = shared_support_tokens(seed=0, runs=1, vocabulary=9, supports=10, copies=3, sizes=(2, 4))
    assert torch.equal(alone.probabilities[0], data.probabilities[0])
    mean = torch.where(data.support, data.probabilities, 0.0).square().sum()
    even = shared_support_tokens(0, 3, 9, 10, 3, (2, 4), concentration=50.0)
    assert even.probabilities.square().sum() < mean


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="sizes must rise"):
        shared_support_tokens(0, 1, sizes=(3, 2))
    with pytest.raises(ValueError, match="supports must be at most half of the 28"):
        shared_support_tokens(0, 1, supports=20, sizes=(2, 2))
    with pytest.raises(ValueError, match="concentration must be positive"):
        shared_support_tokens(0, 1, concentration=0.0)
    stream = torch.tensor([0, 1, 2, 0])
    with pytest.raises(ValueError, match="occurs at least 5 times"):
        context_table(stream, 1, 3, least=5)
    with pytest.raises(ValueError, match="must be longer than a context"):
        context_table(stream, 4, 3)
    with pytest.raises(ValueError, match="must hold token numbers"):
        context_table(stream - 1, 1, 3)
    with pytest.raises(ValueError, match="at least 1"):
        context_table(stream, 0, 3)
    assert np.array_equal(context_table(stream, 1, 3).contexts.numpy(), [[0], [1], [2]])
