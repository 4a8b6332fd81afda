import numpy as np
import pytest
import torch
from scipy.stats import kstest

from ibkit.data import sphere_tokens


def test_directions_are_uniform_on_the_sphere_with_a_mutant_from_the_cube():
    data = sphere_tokens(seed=3, runs=40, samples=10, length=10, features=3)
    for part in (data.tokens, data.queries, data.head):
        torch.testing.assert_close(part.norm(dim=-1), torch.ones(part.shape[:-1], dtype=torch.float64))
    # Archimedes: a coordinate of a uniform point of the sphere in three dimensions is uniform
    coordinate = lambda points: kstest(points.reshape(-1, 3)[:, 1], "uniform", args=(-1, 2)).pvalue  # noqa: E731
    assert coordinate(data.tokens.numpy()) > 0.01
    cube = np.random.default_rng(0).uniform(-1, 1, size=(4000, 3))
    assert coordinate(cube / np.linalg.norm(cube, axis=1, keepdims=True)) < 1e-3
    assert set(data.labels.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(data.labels.mean())) < 0.2


def test_queries_are_first_tokens_in_self_attention_only():
    own = sphere_tokens(0, 2, 3, 4, 5, self_attention=True)
    assert torch.equal(own.queries, own.tokens[..., 0, :])
    other = sphere_tokens(0, 2, 3, 4, 5)
    assert torch.equal(other.tokens, own.tokens)
    assert not torch.allclose(other.queries, own.queries)


def test_runs_do_not_depend_on_how_many_there_are():
    few, many = sphere_tokens(1, 2, 3, 4, 5), sphere_tokens(1, 6, 3, 4, 5)
    assert all(torch.equal(getattr(few, name), getattr(many, name)[:2]) for name in ("tokens", "head", "labels"))


@pytest.mark.usefixtures("unchecked")
def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match=r"samples, length and features must be at least 1, got \(3, 0, 2\)"):
        sphere_tokens(0, 1, 3, 0, 2)
