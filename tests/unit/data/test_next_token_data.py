import numpy as np
import pytest
import torch
from scipy.stats import entropy, kstest

from ibkit.data import NextTokenData, sparse_next_tokens, toy_next_tokens


def _sizes(**changed):
    return {"seed": 0, "runs": 3, "contexts": 20, "features": 4, "vocabulary": 7, "support": 3} | changed


@pytest.mark.parametrize("sequences", [None, 500])
def test_rows_are_probabilities_on_supports_of_the_stated_size(sequences):
    data = sparse_next_tokens(**_sizes(sequences=sequences))
    assert (data.support.sum(-1) == 3).all()
    torch.testing.assert_close(data.probabilities.sum(-1), torch.ones(3, 20, dtype=torch.float64))
    torch.testing.assert_close(data.weights.sum(-1), torch.ones(3, dtype=torch.float64))
    assert len({tuple(row) for row in data.support[0].int().tolist()}) > 5  # supports differ


def test_a_training_set_gives_frequencies_of_whole_counts():
    data = sparse_next_tokens(**_sizes(sequences=500))
    counts = data.probabilities * data.weights[..., None] * 500
    torch.testing.assert_close(counts, counts.round())
    assert counts[data.support].min() >= 0.5  # each pair occurs
    exact = sparse_next_tokens(**_sizes())
    assert not torch.allclose((exact.probabilities * 500 / 20).round(), exact.probabilities * 500 / 20)
    assert torch.equal(exact.contexts, data.contexts)
    assert torch.equal(exact.support, data.support)


def test_more_sequences_come_closer_to_the_exact_probabilities():
    exact = sparse_next_tokens(**_sizes())
    errors = [
        (sparse_next_tokens(**_sizes(sequences=n)).probabilities - exact.probabilities).abs().mean()
        for n in (100, 10_000, 1_000_000)
    ]
    assert errors[2] < 0.1 * errors[1] * 2 < 0.1 * errors[0] * 4


def test_a_run_does_not_depend_on_how_many_there_are():
    few, many = sparse_next_tokens(**_sizes(runs=2)), sparse_next_tokens(**_sizes(runs=5))
    for name in ("contexts", "probabilities", "weights"):
        assert torch.equal(getattr(few, name)[1], getattr(many, name)[1])
    assert not torch.equal(many.contexts[0], many.contexts[1])


@pytest.mark.parametrize("concentration", [0.5, 1.0, 4.0])
def test_probabilities_follow_the_dirichlet_law(concentration):
    """Marginals of a symmetric Dirichlet vector are beta distributed."""
    data = sparse_next_tokens(**_sizes(contexts=300, concentration=concentration))
    first = np.array([row[row > 0][0] for row in data.probabilities.reshape(-1, 7).numpy()])
    assert kstest(first, "beta", args=(concentration, 2 * concentration)).pvalue > 0.01
    assert (
        kstest(first, "beta", args=(2 * concentration, 2 * concentration)).pvalue < 1e-6
    )  # the test can see a wrong law


def test_entropy_is_the_weighted_entropy_of_the_rows():
    data = sparse_next_tokens(**_sizes(sequences=200))
    expected = (data.weights.numpy() * entropy(data.probabilities.numpy(), axis=-1)).sum(-1)
    np.testing.assert_allclose(data.entropy.numpy(), expected, rtol=1e-12)


def test_the_toy_stands_where_it_is_told():
    angles = torch.tensor([[90.0, 210.0, 330.0], [60.0, 210.0, 330.0]])
    data = toy_next_tokens(seed=3, angles=angles)
    assert isinstance(data, NextTokenData)
    torch.testing.assert_close(data.contexts[0, 0], torch.tensor([0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(data.contexts.norm(dim=-1), torch.ones(2, 3, dtype=torch.float64))
    assert torch.equal(data.support[0], data.support[1])
    assert torch.equal(data.support[0, :, 0], data.support[0, :, 4])  # words 1 and 5 share their contexts


def test_the_toy_grows_even_with_concentration():
    spread = [float(toy_next_tokens(seed=1, concentration=c).probabilities.max()) for c in (0.5, 2.0, 50.0)]
    assert spread[0] > spread[1] > spread[2] > 1 / 3


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"support": 8}, "support must lie in 1..7"),
        ({"vocabulary": 1, "support": 1}, "vocabulary must be at least 2, got 1"),
        ({"concentration": 0.0}, "concentration must be positive, got 0"),
        ({"sequences": 59}, r"sequences must be at least contexts \* support \(60\)"),
        ({"contexts": 0}, "contexts and features must be at least 1, got 0, 4"),
    ],
)
def test_bad_sizes_are_named(changed, line):
    with pytest.raises(ValueError, match=line):
        sparse_next_tokens(**_sizes(**changed))


def test_the_toy_wants_three_angles(unchecked):
    with pytest.raises(ValueError, match="angles must hold three angles"):
        toy_next_tokens(angles=[0.0, 90.0])
