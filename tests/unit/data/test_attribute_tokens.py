import itertools

import pytest
import torch

from ibkit.data import attribute_tokens, tree_support


def test_categories_are_all_combinations():
    corpus = attribute_tokens(seed=0, runs=1, contexts=(4, 2), words=3)
    assert corpus.attributes[::3].int().tolist() == [list(c) for c in itertools.product([1, -1], repeat=2)]
    assert corpus.categories.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert corpus.asked.tolist() == [0, 0, 0, 0, 1, 1]
    assert corpus.wanted.tolist() == [1, -1, 1, -1, 1, -1]


def test_supports_follow_the_stated_shares():
    corpus = attribute_tokens(seed=0, runs=40, inside=0.8, outside=0.1)
    match = corpus.attributes[:, corpus.asked].T * corpus.wanted[:, None] > 0
    assert float(corpus.support[:, match].double().mean()) == pytest.approx(0.8, abs=0.01)
    assert float(corpus.support[:, ~match].double().mean()) == pytest.approx(0.1, abs=0.01)
    turned = corpus.attributes[:, corpus.asked].T * corpus.wanted.roll(1)[:, None] > 0  # asks for the wrong value
    assert abs(float(corpus.support[:, turned].double().mean()) - 0.8) > 0.1
    torch.testing.assert_close(corpus.probabilities.sum(-1), torch.ones(40, 78, dtype=torch.float64))


def test_every_context_has_a_word_and_runs_stand_alone():
    thin = attribute_tokens(seed=1, runs=5, contexts=(20, 20), words=1, inside=0.2, outside=0.0)
    assert thin.support.any(-1).all()
    alone = attribute_tokens(seed=1, runs=2, contexts=(20, 20), words=1, inside=0.2, outside=0.0)
    assert torch.equal(alone.probabilities, thin.probabilities[:2])


def test_expected_support_is_a_singular_value_decomposition():
    corpus = attribute_tokens(seed=0, runs=400, contexts=(8, 6), words=2, inside=0.9, outside=0.2)
    mean = corpus.support.double().mean(0)
    mean = mean - mean.mean(-1, keepdim=True)
    wants = torch.nn.functional.one_hot(corpus.asked, 2).double() * corpus.wanted[:, None]
    torch.testing.assert_close(mean, 0.35 * wants @ corpus.attributes.T, rtol=0, atol=0.1)
    s = torch.linalg.svdvals(mean)
    torch.testing.assert_close(s[:2], 0.35 * torch.tensor([64.0, 48.0]).double().sqrt(), rtol=0.03, atol=0)


def test_a_tree_of_blocks():
    support = tree_support([2, 0, 1])
    assert support.shape == (2 * 2 + 8, 8)
    assert support.sum(-1).tolist() == [4] * 4 + [1] * 8
    assert support[0].int().tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert torch.equal(support[0], support[1])
    assert not torch.equal(support[1], support[2])


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="contexts must be even"):
        attribute_tokens(0, 1, contexts=(3,))
    with pytest.raises(ValueError, match="attributes and synonyms must be >= 1, got 1, 0"):
        attribute_tokens(0, 1, contexts=(2,), words=0)
    with pytest.raises(ValueError, match=r"inside must lie in \(0, 1\], got 1.2"):
        attribute_tokens(0, 1, inside=1.2)
    with pytest.raises(ValueError, match="concentration must be positive"):
        attribute_tokens(0, 1, concentration=0.0)
    with pytest.raises(ValueError, match="repeats must be non-negative"):
        tree_support([1, 0])
