import numpy as np
import pytest
import torch

from ibkit.models import QueryAttention
from ibkit.oracles import selecting_heads


def examples(rng, heads, tokens, width, shared=True, features=10, runs=2):
    count = heads * (min(tokens, width) - 1) + 1
    contexts = torch.randn(runs, 1 if shared else count, tokens, features, generator=rng).double()
    return contexts, torch.randn(runs, count, features, generator=rng).double()


def features_of(selected, contexts):
    """What heads that select exactly would hand on."""
    E = contexts.expand(-1, selected.shape[1], -1, -1)
    return np.stack([[np.concatenate([E[b, t, j] for j in row]) for t, row in enumerate(run)]
                     for b, run in enumerate(selected.numpy())])  # fmt: skip


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("heads", "tokens", "width"), [(1, 4, 10), (4, 4, 4), (3, 2, 10), (3, 6, 3), (5, 5, 2)])
def test_the_features_are_independent_and_a_mutant_without_free_choice_is_not(rng, shared, heads, tokens, width):
    contexts, queries = examples(rng, heads, tokens, width, shared)
    built = selecting_heads(contexts, queries, heads, width)
    model = QueryAttention(heads, 10, width)
    weights = model.weights(built.params, contexts, queries)
    assert (weights.argmax(-1) == built.selected).all()
    assert weights.topk(2).values[..., 1].max() <= np.exp(-39.9)
    Z = model.attended(built.params, contexts, queries).flatten(-2)
    count = queries.shape[-2]
    np.testing.assert_allclose(Z, features_of(built.selected, contexts), atol=1e-8)
    for z in Z.numpy():
        assert np.linalg.matrix_rank(z, rtol=1e-8) == count
        y = np.random.default_rng(0).normal(size=count)
        assert np.abs(z @ np.linalg.lstsq(z, y, rcond=None)[0] - y).max() < 1e-9
    if shared:  # heads that select on their own examples as on any: two tokens a head
        lazy = built.selected.clone()
        for h in range(heads):
            lazy[:, built.owner == h, h] = built.selected[:, :1, h]
        found = [np.linalg.matrix_rank(z, rtol=1e-8) for z in features_of(lazy, contexts)]
        assert max(found) <= heads + 1
        assert max(found) < count or tokens == 2 or width == 2


def test_each_head_selects_by_a_sign_on_examples_of_others(rng):
    contexts, queries = examples(rng, 4, 5, 5)
    built = selecting_heads(contexts, queries, 4, 5)
    for run in range(2):
        for h in range(4):
            others = built.selected[run, built.owner != h, h]
            assert len(set(others.tolist())) <= 2


def test_says_what_is_wrong(rng):
    contexts, queries = examples(rng, 3, 4, 4)
    with pytest.raises(ValueError, match=r"H\(r-1\)\+1 = 10 examples, got 9"):
        selecting_heads(contexts, queries[:, 1:], 3, 4)
    twice = queries.clone()
    twice[:, 2] = 2 * twice[:, 1]  # two examples of the first head
    with pytest.raises(ValueError, match="queries must be linearly independent"):
        selecting_heads(contexts, twice, 3, 4)
    across = queries.clone()
    across[:, 5] = across[:, 1:4].sum(1)  # of the second head, in the span of the first head's
    with pytest.raises(ValueError, match="queries must be linearly independent"):
        selecting_heads(contexts, across, 3, 4)
    flat = contexts.clone()
    flat[:, :, 0] = flat[:, :, 1]
    with pytest.raises(ValueError, match="contexts must have linearly independent tokens"):
        selecting_heads(flat, queries, 3, 4)
    with pytest.raises(ValueError, match="sharpness must be positive"):
        selecting_heads(contexts, queries, 3, 4, sharpness=0.0)
