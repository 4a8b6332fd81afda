import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from ibkit.models import POOLINGS, pooled_output, pooled_tokens, pooling_start, prompt_pool, prompt_weights
from ibkit.scaled import autograd_gradient

n, T, d = 3, 5, 4


@pytest.fixture(name="X")
def tokens(rng):
    return torch.randn(n, T, d, generator=rng, dtype=torch.float64)


@pytest.fixture
def q(rng):
    return torch.randn(d, generator=rng, dtype=torch.float64)


@pytest.fixture(name="M")
def matrix(rng):
    return torch.randn(d, d, generator=rng, dtype=torch.float64)


def of_torch(queries, X):
    """Torch's own attention, keys and values being the tokens."""
    return scaled_dot_product_attention(queries, X, X, scale=1.0)


def test_a_prompt_is_attention_with_one_query(X, q):
    def holds(pool):
        return torch.allclose(pool(X, q), of_torch(q.expand(n, 1, d), X)[:, 0], rtol=1e-12, atol=1e-12)

    assert holds(prompt_pool)
    assert not holds(lambda X, q: torch.softmax(X @ q, 0).unsqueeze(-2).matmul(X).squeeze(-2)), "softmax over sequences"
    assert not holds(lambda X, q: prompt_pool(X, q / d**0.5)), "a temperature of its own"
    torch.testing.assert_close(prompt_weights(X, q).sum(-1), torch.ones(n).double())


def test_self_attention_takes_the_softmax_of_rows(X, M):
    def holds(pool):
        return torch.allclose(pool(X, M), of_torch(X @ M, X).mean(-2), rtol=1e-12, atol=1e-12)

    def columns(X, M):
        return (torch.softmax(X @ M @ X.mT, -2).mean(-2, keepdim=True) @ X).squeeze(-2)

    assert holds(lambda X, M: pooled_tokens("self-attention", {"M": M}, X))
    assert not holds(columns)
    assert not holds(lambda X, M: pooled_tokens("self-attention", {"M": M.mT}, X)), "queries and keys swapped"


def test_linear_prompt_and_average_are_what_small_prompts_do(X, q):
    """Pooling by a small prompt is the average plus the linear prompt on centred tokens, to first order."""
    mean = pooled_tokens("average", {}, X)
    centred = X - mean.unsqueeze(-2)
    slope = (prompt_pool(X, 1e-6 * q) - prompt_pool(X, -1e-6 * q)) / 2e-6
    torch.testing.assert_close(slope, pooled_tokens("linear prompt", {"q": q}, centred), rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(prompt_pool(X, 0 * q), mean)


@pytest.mark.parametrize("kind", POOLINGS)
def test_batch_and_loop_agree(kind, X):
    params = pooling_start(kind, 0, 6, d)
    batch = pooled_output(kind, params, X)
    alone = torch.stack([pooled_output(kind, {k: v[r] for k, v in params.items()}, X) for r in range(6)])
    torch.testing.assert_close(batch, alone)
    grid = {name: value.reshape(2, 3, *value.shape[1:]) for name, value in params.items()}
    own = torch.stack([X, 2 * X])[:, None]  # tokens by row, shared within it
    shared = pooled_output(kind, grid, own)
    torch.testing.assert_close(shared[1, 2], pooled_output(kind, {k: v[5] for k, v in params.items()}, 2 * X))
    permuted = X[:, torch.randperm(T, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(pooled_output(kind, params, permuted), batch)


def test_the_first_gradient_of_the_prompt_is_the_token_covariance(X, q):
    """At q = 0 the gradient of w . p(X) in q is the covariance of the tokens times w."""
    gradient = autograd_gradient(lambda p: pooled_output("prompt", p, X).sum(-1))
    start = {"w": q, "q": torch.zeros(d, dtype=torch.float64)}
    covariance = sum(torch.cov(x.mT, correction=0) for x in X)
    torch.testing.assert_close(gradient(start).tensors["q"], covariance @ q)


def test_bad_input_is_one_clear_line(X, unchecked):
    for call, says in (
        (lambda: pooled_tokens("maximum", {}, X), "kind must be one of prompt, linear prompt"),
        (lambda: prompt_pool(X, torch.zeros(3)), r"q must have trailing shape \(4\)"),
        (lambda: prompt_pool(X[0], torch.zeros(4)), "tokens must be"),
        (lambda: pooled_output("average", {"w": torch.zeros(2)}, X), r"w must have trailing shape \(4\)"),
        (lambda: pooling_start("prompt", 0, 1, 0), "features must be at least 1"),
        (lambda: pooling_start("prompt", 0, 1, 2, 0.0), "scale must be positive"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
