import itertools
import math

import numpy as np
import pytest
import torch

from ibkit.measure import prediction_rank
from ibkit.models import QueryAttention
from ibkit.optim import adam
from ibkit.scaled import autograd_gradient
from ibkit.train import train


def examples(rng, runs=2, groups=1, count=9, tokens=4, features=5):
    contexts = torch.randn(runs, groups, tokens, features, generator=rng).double()
    return contexts, torch.randn(runs, count, features, generator=rng).double()


def some_params(model, rng, runs=2):
    return {name: v + 0.3 * torch.randn(v.shape, generator=rng).double() for name, v in model.start(3, runs).items()}


def by_torch(params, context, query, scale=None, swapped=False):
    """One example, one head after another, by torch's own attention."""
    total = params["bias"][0].clone()
    maps = ("query", "key") if not swapped else ("key", "query")
    for h in range(params["key"].shape[0]):
        q, k = query[None] @ params[maps[0]][h], context @ params[maps[1]][h]
        scale_now = 1 / math.sqrt(len(query)) if scale is None else scale
        z = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], context[None], scale=scale_now)
        total += z[0, 0] @ params["value"][h]
    return total


@pytest.mark.parametrize("shared", [True, False])
def test_outputs_are_torchs_attention_with_mutants_that_are_not(rng, shared):
    model = QueryAttention(heads=3, features=5, width=2)
    contexts, queries = examples(rng, groups=1 if shared else 9)
    params = some_params(model, rng)
    found = model.outputs(params, contexts, queries)
    linear = QueryAttention(3, 5, 2, softmax=False).outputs(params, contexts, queries)
    for run, t in itertools.product(range(2), range(9)):
        part = {name: value[run] for name, value in params.items()}
        context = contexts[run, 0 if shared else t]
        expected = by_torch(part, context, queries[run, t])
        torch.testing.assert_close(found[run, t], expected)
        for mutant in (
            by_torch(part, context, queries[run, t], scale=2**-0.5),
            by_torch(part, context, queries[run, t], swapped=True),
            linear[run, t],
        ):
            assert abs(mutant - expected) > 1e-5


def test_a_shared_context_is_one_that_is_repeated(rng):
    model = QueryAttention(heads=3, features=5, width=2)
    contexts, queries = examples(rng)
    params = some_params(model, rng)
    for name in ("logits", "weights", "attended", "outputs"):
        once = getattr(model, name)(params, contexts, queries)
        torch.testing.assert_close(once, getattr(model, name)(params, contexts.expand(-1, 9, -1, -1), queries))
    torch.testing.assert_close(model.weights(params, contexts, queries).sum(-1), torch.ones(2, 9, 3).double())


def test_runs_do_not_mix_and_data_may_be_shared(rng):
    model = QueryAttention(heads=2, features=5, width=5)
    contexts, queries = examples(rng)
    params = some_params(model, rng, runs=4)
    twice = {name: value.unflatten(0, (2, 2)) for name, value in params.items()}
    both = model.outputs(twice, contexts, queries)  # (2, 2, examples): the data of a run goes with the last dimension
    for i, j in itertools.product(range(2), range(2)):
        alone = {name: value[i, j] for name, value in twice.items()}
        torch.testing.assert_close(both[i, j], model.outputs(alone, contexts[j], queries[j]))


def test_one_head_with_one_hot_keys_reads_off_a_table():
    model = QueryAttention(heads=1, features=3, width=3)
    params = {"key": torch.eye(3)[None] * 200 * 3**0.5, "query": torch.eye(3)[None], "bias": torch.tensor([0.5])}
    params["value"] = torch.tensor([[2.0, 3.0, 5.0]])
    torch.testing.assert_close(model.outputs(params, torch.eye(3)[None], torch.eye(3)), torch.tensor([2.5, 3.5, 5.5]))


def ranks(model, scale, rng, runs=2, extra=20, tokens=4, **more):
    count = model.heads * tokens + extra
    contexts, queries = examples(rng, runs, count=count, tokens=tokens, features=model.features, **more)
    Z = model.attended(model.start(1, runs, scale), contexts, queries).flatten(-2)
    return [int(np.linalg.matrix_rank(z, rtol=1e-10)) for z in Z.numpy()]


@pytest.mark.parametrize(("heads", "tokens"), [(1, 4), (2, 8), (4, 4), (8, 5)])
@pytest.mark.parametrize("width", [1, 24])
def test_value_capacity_is_the_rank_of_the_features(rng, heads, tokens, width):
    model = QueryAttention(heads, 24, width)
    for scale in (0.5, 3.0) if width > 1 else (20.0,):  # one column: full rank still, but hard to tell at small scales
        assert ranks(model, scale, rng, tokens=tokens) == [model.value_capacity(tokens)] * 2
    linear = QueryAttention(heads, 24, width, softmax=False)
    assert ranks(linear, 1.0, rng, tokens=tokens)[0] == min(24, heads * min(tokens, width))  # no substitute


def test_contexts_of_their_own_reach_every_feature(rng):
    model = QueryAttention(3, 6, 6)
    assert ranks(model, 3.0, rng, groups=3 * 4 + 20) == [3 * 6] * 2


@pytest.mark.parametrize(("heads", "tokens", "width"), [(1, 2, 6), (2, 3, 6), (2, 4, 1), (1, 5, 2), (3, 4, 3)])
def test_degrees_of_freedom_are_the_rank_of_the_derivative(rng, heads, tokens, width):
    model = QueryAttention(heads, 6, width)
    count = model.degrees_of_freedom(tokens)
    contexts, queries = examples(rng, 1, count=count + 15, tokens=tokens, features=6)

    def as_logits(p):
        f = model.outputs(p, contexts[0], 3 * queries[0])
        return torch.stack([f, torch.zeros_like(f)], -1)

    params = some_params(model, rng, runs=1)
    assert int(prediction_rank(as_logits, params, tolerance=1e-12)) == count
    assert count != sum(v[0].numel() for v in params.values())  # not the plain number of parameters


def test_masked_columns_stay_out_of_training(rng):
    """Heads of many widths train in one batch: columns that are zero in both maps stay so."""
    wide, narrow = QueryAttention(2, 5, 4), QueryAttention(2, 5, 2)
    contexts, queries = examples(rng)
    small = some_params(narrow, rng)
    large = small | {name: torch.nn.functional.pad(small[name], (0, 2)) for name in ("key", "query")}

    def trained(model, start):
        loss = autograd_gradient(lambda p: (model.outputs(p, contexts, queries) - 1).square().mean(-1))
        return train(start, loss, adam(0.01), 20, lambda p: {}, marks=[20]).params

    a, b = trained(narrow, small), trained(wide, large)
    torch.testing.assert_close(a["key"], b["key"][..., :2])
    assert not b["key"][..., 2:].any()


def test_says_what_is_wrong(unchecked):
    model = QueryAttention(2, 5, 4)
    params = model.start(0, 1)
    with pytest.raises(ValueError, match="sizes of an attention layer must be at least 1"):
        QueryAttention(0, 5, 4)
    with pytest.raises(ValueError, match="contexts must be one or one an example"):
        model.weights(params, torch.ones(3, 4, 5).double(), torch.ones(7, 5).double())
    with pytest.raises(ValueError, match="queries must have trailing shape"):
        model.weights(params, torch.ones(1, 4, 5).double(), torch.ones(7, 6).double())
    with pytest.raises(ValueError, match=r"tokens must lie in 1\.\.5"):
        model.value_capacity(6)
    with pytest.raises(ValueError, match="hold for softmax attention"):
        QueryAttention(2, 5, 4, softmax=False).degrees_of_freedom(3)
