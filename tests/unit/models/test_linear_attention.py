import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ibkit.models import (
    GPT,
    KERNELS,
    cosine_features,
    elu_features,
    focused_features,
    kernel_weights,
    linear_attention,
    norm_aware_keys,
    norm_aware_power,
    norm_aware_queries,
    relu_features,
    split_features,
)


def drawn(rng, *shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def by_loops(of_queries, of_keys, q, k, values, causal):
    """One head, one entry at a time, from the definition."""
    out = torch.zeros(len(q), values.shape[-1], dtype=q.dtype)
    for i, query in enumerate(q):
        seen = range(i + 1 if causal else len(k))
        scores = [float(of_queries(query) @ of_keys(k[j])) for j in seen]
        out[i] = sum(s / sum(scores) * values[j] for s, j in zip(scores, seen, strict=True))
    return out


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("causal", [False, True])
def test_both_forms_are_the_definition_with_a_mutant_that_is_not(name, causal, rng):
    of_queries, of_keys = KERNELS[name]
    q, k, values = drawn(rng, 2, 11, 5), drawn(rng, 2, 11, 5), drawn(rng, 2, 11, 3)
    phi_q, phi_k = of_queries(q), of_keys(k)
    expected = torch.stack([by_loops(of_queries, of_keys, *one, causal) for one in zip(q, k, values, strict=True)])
    weights = kernel_weights(phi_q, phi_k, causal)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 11, dtype=q.dtype))
    torch.testing.assert_close(weights @ values, expected)
    for chunk in (1, 3, 4, 11, 64):
        found = linear_attention(phi_q, phi_k, values, causal, chunk=chunk)
        torch.testing.assert_close(found, expected)
    mutant = phi_q @ (phi_k.mT @ values) / 11  # the normaliser left out
    assert not torch.allclose(mutant, expected, rtol=1e-2)
    assert not torch.allclose(linear_attention(phi_q, phi_k, values, not causal), expected, rtol=1e-2)


def test_a_later_key_changes_no_earlier_output(rng):
    phi_q, phi_k, values = drawn(rng, 9, 4).abs(), drawn(rng, 9, 4).abs(), drawn(rng, 9, 2)
    changed = phi_k.clone()
    changed[6] += 1
    before, after = (linear_attention(phi_q, each, values, causal=True, chunk=4) for each in (phi_k, changed))
    assert torch.equal(before[:6], after[:6])
    assert ((before[6:] - after[6:]).abs().amax(-1) > 1e-3).all()
    whole = [linear_attention(phi_q, each, values) for each in (phi_k, changed)]
    assert ((whole[0] - whole[1]).abs().amax(-1) > 1e-3).all()


def test_runs_share_what_has_no_runs(rng):
    phi_q, phi_k, values = drawn(rng, 3, 2, 7, 4).abs(), drawn(rng, 7, 4).abs(), drawn(rng, 2, 7, 5)
    for causal in (False, True):
        found = linear_attention(phi_q, phi_k, values, causal, chunk=3)
        one_by_one = [[linear_attention(phi_q[a, b], phi_k, values[b], causal) for b in range(2)] for a in range(3)]
        torch.testing.assert_close(found, torch.stack([torch.stack(row) for row in one_by_one]))


def test_multiply_adds_are_those_of_the_docstring():
    n, width, out, chunk = 96, 10, 6, 16
    x = torch.ones(n, width), torch.ones(n, width), torch.ones(n, out)
    for causal, more in ((False, 0), (True, n * chunk * (width + out))):
        with FlopCounterMode(display=False) as counted:
            linear_attention(*x, causal, chunk=chunk)
        assert counted.get_total_flops() == 2 * (2 * n * width * out + n * width + more)
    with FlopCounterMode(display=False) as counted:
        kernel_weights(x[0], x[1]) @ x[2]
    assert counted.get_total_flops() == 2 * n * n * (width + out)


def test_a_query_that_meets_no_key_gets_nothing_and_a_finite_gradient(rng):
    q = torch.tensor([[-1.0, -2.0], [1.0, 0.5]], dtype=torch.float64, requires_grad=True)
    k, values = drawn(rng, 4, 2).abs(), drawn(rng, 4, 3)
    for causal in (False, True):
        keys = k[:2] if causal else k
        out = linear_attention(relu_features(q), relu_features(keys), values[: len(keys)], causal)
        assert (out[0] == 0).all()
        (gradient,) = torch.autograd.grad(out.sum(), q)
        assert torch.isfinite(gradient).all()
    assert (kernel_weights(relu_features(q), k)[0] == 0).all()


def test_epsilon_is_added_to_the_mean_score(rng):
    phi_q, phi_k, values = drawn(rng, 6, 4).abs(), drawn(rng, 6, 4).abs(), drawn(rng, 6, 2)
    scores = phi_q @ phi_k.mT
    expected = (scores @ values / 6) / (scores.mean(-1, keepdim=True) + 0.3)
    torch.testing.assert_close(linear_attention(phi_q, phi_k, values, epsilon=0.3), expected)
    assert not torch.allclose(scores @ values / (scores.sum(-1, keepdim=True) + 0.3), expected, rtol=1e-2)
    last = linear_attention(phi_q, phi_k, values, causal=True, epsilon=0.3, chunk=4)[-1]
    torch.testing.assert_close(last, expected[-1])


@pytest.mark.parametrize("name", ["relu", "focused", "split", "norm-blind"])
def test_homogeneous_features_lose_the_norm_and_norm_aware_ones_do_not(name, rng):
    q, k = drawn(rng, 20, 8), drawn(rng, 30, 8)

    def change(of_queries, of_keys):
        scaled = [kernel_weights(of_queries(c * q), of_keys(k)) for c in (0.3, 1.7)]
        return float((scaled[0] - scaled[1]).abs().max())

    assert change(*KERNELS[name]) < 1e-13
    assert change(*KERNELS["norm-aware"]) > 1e-2
    assert change(*KERNELS["elu"]) > 1e-3


def test_the_exponent_is_the_only_thing_that_the_norm_sets(rng):
    q = drawn(rng, 50, 6)
    unit = q / q.norm(dim=-1, keepdim=True)
    for size in (0.2, 1.0, 5.0):
        p = norm_aware_power(torch.tensor(size, dtype=q.dtype))
        assert float(p) == pytest.approx(3 * (0.5 + math.tanh(size)), rel=1e-12)
        torch.testing.assert_close(norm_aware_queries(size * unit), split_features(unit, float(p)))
        assert not torch.allclose(
            norm_aware_queries(size * unit), split_features(size * unit, float(p)), rtol=1e-3
        ) or (size == 1.0)
    p = norm_aware_power(torch.tensor(0.7, dtype=q.dtype), strength=2.0, offset=1.5)
    torch.testing.assert_close(
        norm_aware_queries(0.7 * unit, 2.0, 1.5), split_features(unit, 2 * (1.5 + math.tanh(0.7)))
    )
    assert float(p) == pytest.approx(2 * (1.5 + math.tanh(0.7)))
    torch.testing.assert_close(norm_aware_keys(q), torch.cat([q, -q], -1).clamp(min=0) ** 3)


def test_split_features_keep_the_inner_product_of_equal_signs(rng):
    x, y = drawn(rng, 40, 7), drawn(rng, 40, 7)
    found = (split_features(x) * split_features(y)).sum(-1)
    torch.testing.assert_close(found, (x.abs() * y.abs()).sum(-1) / 2 + (x * y).sum(-1) / 2)
    cut = (relu_features(x) * relu_features(y)).sum(-1)
    assert not torch.allclose(found, cut, rtol=1e-2)
    cubed = (split_features(x, 3.0) * split_features(y, 3.0)).sum(-1)
    torch.testing.assert_close(cubed, ((x * y).clamp(min=0) ** 3).sum(-1))


def test_cosine_features_keep_the_length_and_tend_to_the_split(rng):
    x = drawn(rng, 40, 7)
    found = cosine_features(x)
    assert (found >= 0).all()
    torch.testing.assert_close(found.norm(dim=-1), x.norm(dim=-1), rtol=1e-13, atol=0)
    assert (relu_features(x).norm(dim=-1) < 0.999 * x.norm(dim=-1)).all()
    far = 1e3 * (x + 0.1 * x.sign())
    torch.testing.assert_close(cosine_features(far) / 1e3, split_features(far) / 1e3, rtol=1e-6, atol=1e-9)
    y = drawn(rng, 40, 7)
    angles = [math.pi / 4 * (1 - torch.tanh(z)) for z in (x, y)]
    product = (x.abs() * y.abs() * (angles[0] - angles[1]).cos()).sum(-1)
    torch.testing.assert_close((found * cosine_features(y)).sum(-1), product)


def test_focused_features_keep_the_length_of_the_positive_part(rng):
    x = drawn(rng, 40, 7)
    positive, found = relu_features(x), focused_features(x)
    torch.testing.assert_close(found.norm(dim=-1), positive.norm(dim=-1))
    cubed = positive**3
    torch.testing.assert_close(found / found.norm(dim=-1, keepdim=True), cubed / cubed.norm(dim=-1, keepdim=True))
    assert torch.isfinite(focused_features(1e150 * x)).all()
    assert (focused_features(-x.abs()) == 0).all()
    torch.testing.assert_close(elu_features(x), torch.where(x > 0, 1 + x, x.exp()))


def test_gradients_are_finite_at_zero_and_right_elsewhere(rng):
    zero = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    for of_queries, of_keys in KERNELS.values():
        for features in (of_queries, of_keys):
            (gradient,) = torch.autograd.grad(features(zero).sum(), zero)
            assert torch.isfinite(gradient).all()
    q = drawn(rng, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(norm_aware_queries, q)
    assert torch.autograd.gradcheck(cosine_features, q)


@pytest.mark.parametrize("name", KERNELS)
def test_a_gpt_with_linear_attention_is_causal_and_mixes_by_the_kernel(name, rng, monkeypatch):
    sizes = {"vocabulary": 7, "features": 8, "blocks": 1, "heads": 2, "context": 6}
    model = GPT(**sizes, attention=name)
    params = model.start(seed=0, runs=2, dtype=torch.float64)
    params = {key: value + 0.5 * drawn(rng, *value.shape) for key, value in params.items()}
    tokens = torch.randint(7, (3, 6), generator=rng)
    logits = model.logits(params, tokens)
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 7
    torch.testing.assert_close(model.logits(params, changed)[:, :, :-1], logits[:, :, :-1])

    def by_weights(q, k, v, is_causal):
        of_queries, of_keys = KERNELS[name]
        scores = (of_queries(q) @ of_keys(k).mT).tril()
        seen = torch.arange(1, 7, dtype=q.dtype)[:, None]
        return scores @ v / (scores.sum(-1, keepdim=True) + 1e-6 * seen)

    softmax = GPT(**sizes)
    assert not torch.allclose(logits, softmax.logits(params, tokens), rtol=1e-2)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", by_weights)
    torch.testing.assert_close(logits, softmax.logits(params, tokens))


def test_wrong_arguments_are_named(unchecked):
    x, y = torch.ones(3, 4), torch.ones(3, 5)
    for wrong in (lambda: kernel_weights(x, y), lambda: linear_attention(x, y, x)):
        with pytest.raises(ValueError, match="phi_q and phi_k must be of one width, got 4 and 5"):
            wrong()
    with pytest.raises(ValueError, match="as many queries as keys, got 2 and 3"):
        linear_attention(x[:2], x, x, causal=True)
    with pytest.raises(ValueError, match="epsilon"):
        linear_attention(x, x, x, epsilon=-1.0)
    with pytest.raises(ValueError, match="chunk"):
        linear_attention(x, x, x, causal=True, chunk=0)
    for features in (split_features, focused_features, norm_aware_keys):
        with pytest.raises(ValueError, match="power must be positive, got 0"):
            features(x, 0.0)
    with pytest.raises(ValueError, match="strength and offset"):
        norm_aware_queries(x, offset=-0.5)
    with pytest.raises(ValueError, match="attention must be one of softmax, relu"):
        GPT(vocabulary=3, features=4, blocks=1, heads=1, context=5, attention="linear")
