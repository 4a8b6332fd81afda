from collections import Counter

import pytest
import torch

from ibkit.data import all_contexts, prefix_contexts, random_contexts


def entropy_by_counting(documents, seen=None):
    """Mean over all positions of the entropy of what follows the same last `seen` tokens (all of them by default)."""
    pairs = [
        (tuple(d[:t] if seen is None else d[:t][-seen:]), d[t]) for d in documents.tolist() for t in range(1, len(d))
    ]
    contexts, both = Counter(c for c, _ in pairs), Counter(pairs)
    return sum(torch.tensor(contexts[c] / k).log().item() * k for (c, _), k in both.items()) / len(pairs)


def test_prefixes_have_the_entropy_of_a_plain_count_and_a_mutant_has_not(rng):
    documents = torch.randint(3, (40, 5), generator=rng)
    data = prefix_contexts(documents, vocabulary=3)
    embedded = data.embedded(torch.zeros(len(data.weights), 1, dtype=torch.float64))
    assert float(embedded.entropy) == pytest.approx(entropy_by_counting(documents), rel=1e-6)
    assert float(embedded.entropy) != pytest.approx(entropy_by_counting(documents, seen=1), rel=0.05)
    whole = {tuple(d[:t]) for d in documents.tolist() for t in range(1, 5)}
    assert {tuple(z for z in row if z >= 0) for row in data.tokens.tolist()} == whole
    assert len(data.tokens) == len(whole)
    assert float(data.weights.sum()) == pytest.approx(1.0)


def test_random_contexts_are_distinct_and_keep_their_runs():
    data = random_contexts(seed=4, runs=3, contexts=60, length=3, vocabulary=4, support=2)
    assert all(len(tokens.unique(dim=0)) == 60 for tokens in data.tokens)
    assert ((data.probabilities > 0).sum(-1) == 2).all()
    torch.testing.assert_close(data.probabilities.sum(-1), torch.ones(3, 60, dtype=torch.float64))
    more = random_contexts(seed=4, runs=5, contexts=60, length=3, vocabulary=4, support=2)
    assert torch.equal(more.tokens[:3], data.tokens)
    assert torch.equal(more.probabilities[:3], data.probabilities)
    assert data.to("cpu").tokens.equal(data.tokens)


def test_all_contexts_are_all():
    every = all_contexts(3, 4)
    assert every.shape == (81, 4)
    assert len(every.unique(dim=0)) == 81
    assert every.unique().tolist() == [0, 1, 2]


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    sizes = {"seed": 0, "runs": 1, "contexts": 4, "length": 2, "vocabulary": 3}
    for change, message in (
        ({"contexts": 10}, r"contexts must be in 1\.\.9, got 10"),
        ({"support": 4}, r"support must be in 1\.\.3, got 4"),
        ({"concentration": 0.0}, "concentration must be positive"),
        ({"length": 0}, "at least 1, got 3 and 0"),
    ):
        with pytest.raises(ValueError, match=message):
            random_contexts(**{**sizes, **change})
    with pytest.raises(ValueError, match="a million"):
        all_contexts(100, 4)
    with pytest.raises(ValueError, match="of two tokens"):
        prefix_contexts(torch.zeros(3, 1, dtype=torch.long), 2)
    with pytest.raises(ValueError, match=r"documents must hold integers in 0\.\.1"):
        prefix_contexts(torch.tensor([[0, 2]]), 2)
