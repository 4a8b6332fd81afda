import numpy as np
import pytest
import torch

from ibkit.data import planted_attributes, word_attributes


def test_each_combination_of_attributes_is_a_category():
    bits = word_attributes(3, 4)
    assert bits.shape == (32, 3)
    assert len({tuple(row) for row in bits.tolist()}) == 8
    assert bits.sum(0).tolist() == [16, 16, 16]


def test_contexts_ask_for_one_attribute_in_turn():
    """Supports agree with the attribute that is asked for, and with no other."""
    data = planted_attributes(3, 6, outside=0.0, inside=1.0)
    bits = word_attributes(3, 4)
    for context, attribute in ((0, 0), (39, 0), (40, 1), (63, 1), (64, 2), (77, 2)):
        value = (context - (0, 40, 64)[attribute]) % 2
        assert bool((data.support[:, context] == (bits[:, attribute] == value)).all())
        other = bits[:, (attribute + 1) % 3] == value
        assert not bool((data.support[:, context] == other).all())


def test_shares_of_the_support_are_as_asked_for():
    data = planted_attributes(0, 40, contexts=(30,), synonyms=8)
    match = word_attributes(1, 8)[:, 0] == (torch.arange(30) % 2)[:, None]
    assert float(data.support[:, match].double().mean()) == pytest.approx(0.9, abs=0.02)
    assert float(data.support[:, ~match].double().mean()) == pytest.approx(0.03, abs=0.02)


def test_frequencies_follow_zipf():
    data = planted_attributes(1, 3, zipf=0.7, concentration=float("inf"), inside=1.0, outside=0.99, floor=0.0)
    sorted_weights = data.weights.sort(descending=True).values
    expected = torch.arange(1, 79).double() ** -0.7
    torch.testing.assert_close(sorted_weights, (expected / expected.sum()).expand(3, -1))
    whole = data.support.all(-1)
    assert bool(whole.any())
    rows = data.probabilities[whole].sort(-1, descending=True).values
    expected = torch.arange(1, 33).double() ** -0.7
    torch.testing.assert_close(rows, (expected / expected.sum()).expand_as(rows))
    order = data.probabilities[0][whole[0]].argsort(-1)
    assert bool((order == order[0]).all()), "the ranks of words are shared by the contexts"
    assert not torch.equal(data.weights[0], data.weights[1])


def test_without_skew_all_is_equal():
    even = planted_attributes(0, 2, zipf=0.0, concentration=float("inf"))
    expected = even.support / even.support.sum(-1, keepdim=True)
    torch.testing.assert_close(even.probabilities, expected.double())
    torch.testing.assert_close(even.weights, torch.full((2, 78), 1 / 78).double())
    uneven = planted_attributes(0, 2, zipf=0.0)
    assert torch.equal(even.support, uneven.support)
    assert not torch.allclose(uneven.probabilities, even.probabilities, atol=0.01)


def test_no_context_is_without_a_word_and_runs_stand_alone():
    data = planted_attributes(0, 5, inside=0.02, outside=0.0)
    assert bool(data.support.any(-1).all())
    torch.testing.assert_close(data.probabilities.sum(-1), torch.ones(5, 78).double())
    assert torch.equal(planted_attributes(0, 2, inside=0.02, outside=0.0).probabilities, data.probabilities[:2])
    assert np.isfinite(data.entropy.numpy()).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"contexts": ()}, "contexts must be positive numbers"),
        ({"inside": 0.0}, r"inside must lie in \(0, 1\], got 0.0"),
        ({"outside": 1.0}, r"outside must lie in \[0, 1\), got 1.0"),
        ({"zipf": -1.0}, "zipf and floor must not be negative, got -1.0"),
        ({"concentration": 0.0}, "concentration must be positive, got 0.0"),
        ({"synonyms": 0}, "attributes and synonyms must be >= 1"),
    ],
)
def test_bad_input_is_named(change, says):
    with pytest.raises(ValueError, match=says):
        planted_attributes(0, 1, **change)
