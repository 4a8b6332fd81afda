from collections import Counter
from itertools import pairwise

import pytest
import torch

from ibkit.data import ngram_tables, novel, vocabulary_of


def test_tables_are_the_counted_frequencies():
    """Against a dictionary of counts, on a page of the novel, with a prior that all but vanishes."""
    text = novel()[2000:8000]
    letters = vocabulary_of(text)
    V = len(letters)
    one, two, three = ngram_tables(letters.encode(text), V, 3, prior=1e-9)
    assert (one.shape, two.shape, three.shape) == ((V,), (V, V), (V, V, V))
    pairs, triples = Counter(pairwise(text)), Counter(zip(text, text[1:], text[2:], strict=False))
    number = letters.numbers
    for a, b, c in [("t", "h", "e"), ("e", " ", "t"), ("q", "u", "i")]:
        firsts = sum(n for (x, _), n in pairs.items() if x == a)
        assert float(two[number[a], number[b]]) == pytest.approx(pairs[a, b] / firsts, rel=1e-6)
        seconds = sum(n for (x, y, _), n in triples.items() if (x, y) == (a, b))
        assert float(three[number[a], number[b], number[c]]) == pytest.approx(triples[a, b, c] / seconds, rel=1e-6)
        assert abs(float(three[number[b], number[a], number[c]]) - triples[a, b, c] / seconds) > 0.05, (
            "the order counts"
        )
    assert float(one[number["e"]]) == pytest.approx(text.count("e") / len(text), rel=1e-6)


def test_all_are_probabilities_and_unseen_contexts_lean_on_the_shorter_table():
    stream = torch.randint(0, 4, (300,), generator=torch.Generator().manual_seed(0))
    tables = ngram_tables(stream, 5, 3)  # token 4 never occurs
    for table in tables:
        torch.testing.assert_close(table.sum(-1), torch.ones(table.shape[:-1]).double())
        assert bool((table > 0).all())
    one, two, three = tables
    torch.testing.assert_close(two[4], one)
    torch.testing.assert_close(three[4], two)
    assert not torch.allclose(two[0], one, atol=1e-3)


def test_says_what_is_wrong(unchecked):
    stream = torch.tensor([0, 1, 2])
    for change, says in [
        ({"order": 0}, "vocabulary and order must be at least 1"),
        ({"prior": 0.0}, "prior must be positive, got 0.0"),
        ({"order": 4}, r"stream must hold at least 4 tokens \(the order\), got 3"),
        ({"vocabulary": 2}, r"stream must hold numbers in 0\.\.1, got 0\.\.2"),
    ]:
        with pytest.raises(ValueError, match=says):
            ngram_tables(**({"stream": stream, "vocabulary": 3, "order": 2} | change))
