import pytest
import torch

from ibkit.data import tokenized_mixture
from ibkit.losses import log_binary_loss, model_binary
from ibkit.models import (
    multi_head_attention,
    multi_head_jacobian,
    multi_head_output,
    multi_head_signed_features,
    multi_head_signed_start,
    multi_head_start,
)
from ibkit.optim import gradient_descent
from ibkit.train import train


def layer(heads=3, runs=2, tokens=4, features=5, samples=6):
    mixture = tokenized_mixture(0, runs, samples, tokens, features, relevant=2, signal=2.0, noise=0.5)
    return multi_head_start(1, runs, heads, tokens, features, 1.0, 0.5), mixture.tokens, mixture.labels


def one_by_one(U, W, X):
    """Return the output of one run, a head, a sequence and a row at a time."""
    out = []
    for x in X:
        total = 0.0
        for u, w in zip(U, W, strict=True):
            for t in range(len(x)):
                scores = torch.stack([x[t] @ w @ other for other in x])
                weights = torch.exp(scores) / torch.exp(scores).sum()
                total = total + u[t] @ (weights @ x)
        out.append(total / len(U) ** 0.5)
    return torch.stack(out)


def test_output_is_the_sum_over_heads_and_rows_and_softmax_by_columns_is_not():
    params, X, _ = layer()
    found = multi_head_output(params, X)
    for run in range(2):
        torch.testing.assert_close(found[run], one_by_one(params["U"][run], params["W"][run], X[run]))
    transposed = multi_head_output(params | {"W": params["W"].mT}, X)  # a mutant that swaps keys and queries
    assert not torch.allclose(transposed, found, rtol=0.01)


def test_runs_on_shared_data_any_way_they_broadcast():
    params, X, _ = layer()
    found = multi_head_output(params, X)
    more = {name: torch.stack([value, 2 * value, -value]) for name, value in params.items()}
    folded = multi_head_output(more, X)
    assert folded.shape == (3, 2, 6)
    torch.testing.assert_close(folded[0], found)
    torch.testing.assert_close(folded[1], multi_head_output({k: 2 * v for k, v in params.items()}, X))
    shared = multi_head_output(more, X[0])
    torch.testing.assert_close(shared[2, 1], multi_head_output({k: -v[1] for k, v in params.items()}, X[0]))
    one = {name: value[0] for name, value in params.items()}
    torch.testing.assert_close(multi_head_output(one, X)[0], found[0])
    torch.testing.assert_close(multi_head_output(more, X.unsqueeze(0)), folded)


def test_attention_rows_add_up_to_one_and_give_the_output():
    params, X, _ = layer()
    attention = multi_head_attention(params, X)
    assert attention.shape == (2, 6, 3, 4, 4)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 6, 3, 4, dtype=torch.float64))
    read = (params["U"].unsqueeze(-4) * (attention @ X.unsqueeze(-3))).sum((-3, -2, -1)) / 3**0.5
    torch.testing.assert_close(read, multi_head_output(params, X))


def test_jacobian_is_that_of_autograd_and_a_mutant_softmax_derivative_is_not():
    params, X, _ = layer()
    found = multi_head_jacobian(params, X)

    def output(U, W):
        return multi_head_output({"U": U, "W": W}, X[1])

    by_value, by_key = torch.autograd.functional.jacobian(output, (params["U"][1], params["W"][1]))
    expected = torch.cat([by_value.flatten(-2), by_key.flatten(-2)], -1).flatten(-2)
    torch.testing.assert_close(found[1], expected, rtol=1e-12, atol=1e-13)
    attention, tokens = multi_head_attention(params, X), X.unsqueeze(-3)
    no_mean = tokens.mT @ (attention * (params["U"].unsqueeze(-4) @ tokens.mT)) @ tokens / 3**0.5
    wrong = found.unflatten(-1, (3, -1)).clone()
    wrong[..., 20:] = no_mean.flatten(-2)
    assert not torch.allclose(wrong.flatten(-2)[1], expected, rtol=0.01)


def test_copies_do_what_all_heads_do_and_without_the_smaller_step_they_do_not():
    mixture = tokenized_mixture(0, 2, 10, 4, 5, relevant=2, signal=2.0, noise=0.5)
    X, y = mixture.tokens, mixture.labels
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64)
    few = multi_head_signed_start(X, y, signs, 2.0)
    all_heads = multi_head_signed_start(X, y, signs.repeat(8), 2.0)

    def descend(params, copies, rate):
        gradient = model_binary(lambda p: y * multi_head_output(p, X, copies))
        history = train(
            params,
            gradient,
            gradient_descent(rate),
            50,
            lambda p: {"loss": log_binary_loss(y * multi_head_output(p, X, copies))},
        )
        return history["loss"], history.params

    expected, ends = descend(all_heads, 1.0, 0.3)
    found, end = descend(few, torch.tensor([8.0, 8.0], dtype=torch.float64), 0.3 / 8)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(end["W"], ends["W"][:, 6:8])
    assert abs(descend(few, 8.0, 0.3)[0] - expected).max() > 0.1


@pytest.mark.parametrize("strength", [0.0, 3.0])
@pytest.mark.parametrize("pairs", [1, 3])
def test_signed_features_have_the_inner_products_of_the_gradients(strength, pairs):
    _, X, y = layer()
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(pairs)
    jacobian = multi_head_jacobian(multi_head_signed_start(X, y, signs, strength), X)
    features = multi_head_signed_features(X, y, strength)
    torch.testing.assert_close(features @ features.mT, jacobian @ jacobian.mT)
    other = multi_head_signed_features(X, y, strength + 1)
    assert not torch.allclose(other @ other.mT, jacobian @ jacobian.mT, rtol=1e-3)


def test_signed_start_is_a_gradient_step_from_zero_with_a_sign_for_each_head():
    params, X, y = layer(heads=4)
    zero = {name: torch.zeros_like(value) for name, value in params.items()}
    step = model_binary(lambda p: y * multi_head_output(p, X))(zero).true()
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    start = multi_head_signed_start(X, y, signs, 3.0)
    torch.testing.assert_close(start["U"], -3.0 * 4**0.5 * signs[:, None, None] * step["U"])
    assert step["W"].abs().max() == 0
    assert start["W"].abs().max() == 0
    assert multi_head_output(start, X).abs().max() < 1e-14
    assert multi_head_output(multi_head_signed_start(X, y, signs.abs(), 3.0), X).abs().max() > 0.1
    strengths = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)
    several = multi_head_signed_start(X, y, signs, strengths)
    assert several["U"].shape == (3, 2, 4, 4, 5)
    torch.testing.assert_close(several["U"][1, 0], start["U"][0])


def test_few_heads_are_the_first_of_many():
    many = multi_head_start(3, 2, heads=6, tokens=3, features=4, value_scale=2.0, key_scale=0.0)
    few = multi_head_start(3, 1, heads=2, tokens=3, features=4, value_scale=2.0, key_scale=1.0)
    assert torch.equal(few["U"][0], many["U"][0, :2])
    assert many["W"].abs().max() == 0
    assert float(multi_head_start(0, 1, 400, 8, 10, 1.0, 0.5)["W"].std()) == pytest.approx(0.5, rel=0.02)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    params, X, y = layer()
    with pytest.raises(ValueError, match=r"U must have trailing shape \(heads, 4, 4\)"):
        multi_head_output(params, X[..., :4])
    with pytest.raises(ValueError, match=r"W must have trailing shape \(3, 5, 5\)"):
        multi_head_jacobian({"U": params["U"], "W": params["W"][:, :2]}, X)
    with pytest.raises(ValueError, match="U and W must share their runs"):
        multi_head_attention({"U": params["U"], "W": params["W"][0]}, X)
    with pytest.raises(ValueError, match=r"X must be \(\*runs, samples, tokens, features\)"):
        multi_head_output(params, X[0, 0])
    with pytest.raises(ValueError, match="copies must be positive, got 0"):
        multi_head_output(params, X, copies=0)
    with pytest.raises(ValueError, match="y must hold one label a sequence"):
        multi_head_signed_start(X, y[:, :2], torch.ones(2))
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        multi_head_start(0, 1, 0, 3, 4)
    with pytest.raises(ValueError, match="scales must not be negative"):
        multi_head_start(0, 1, 1, 3, 4, value_scale=-1.0)
