import numpy as np
import pytest
import torch

from ibkit.data import clustered_classes, run_generators


def test_a_run_does_not_depend_on_how_many_runs_there_are():
    few, _ = clustered_classes(3, 2, 4, 6, 5)
    many, _ = clustered_classes(3, 7, 4, 6, 5)
    assert torch.equal(few, many[:2])
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(few, clustered_classes(4, 2, 4, 6, 5)[0])


def test_clusters_have_unit_centres_and_the_stated_spread():
    X, y = clustered_classes(0, 3, 4, 50, 4000, spread=0.4)
    centres = torch.stack([X[:, y == c].mean(1) for c in range(4)], 1)
    np.testing.assert_allclose(torch.linalg.norm(centres, dim=-1), 1.0, atol=0.02)
    noise = X - centres[:, y]
    np.testing.assert_allclose((noise**2).sum(-1).mean(), 0.16, rtol=0.02)
    assert X.dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: run_generators(-1, 2), "seed must not be negative, got -1"),
        (lambda: run_generators(0, 0), "runs must be at least 1, got 0"),
        (lambda: clustered_classes(0, 1, 1, 2, 3), "classes must be at least 2, got 1"),
        (lambda: clustered_classes(0, 1, 2, 0, 3), "features and per_class must be at least 1"),
        (lambda: clustered_classes(0, 1, 2, 2, 3, spread=-1.0), "spread must not be negative"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
