import numpy as np
import pytest
import torch

from ibkit.data import associative_recall, run_generators

SIZES = {"sequences": 400, "pairs": 6, "features": 5, "choices": 4}


def test_the_target_is_the_value_of_the_key_that_is_asked_for():
    task = associative_recall(run_generators(0, 3), **SIZES)
    cosines = (task.keys @ task.queries.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(cosines.amax(-1), torch.ones(3, 400))
    found = task.values.gather(-1, cosines.argmax(-1, keepdim=True)).squeeze(-1)
    assert torch.equal(found, task.targets)
    wrong = task.values.gather(-1, cosines.argmin(-1, keepdim=True)).squeeze(-1)
    assert (wrong != task.targets).double().mean() > 0.5


def test_places_values_and_keys_are_uniform():
    task = associative_recall(run_generators(1, 2), **SIZES)
    places = (task.keys @ task.queries.unsqueeze(-1)).squeeze(-1).argmax(-1)
    assert (torch.bincount(places.flatten(), minlength=6) > 800 / 6 - 50).all()
    assert (torch.bincount(task.values.flatten(), minlength=4) > 4800 / 4 - 150).all()
    torch.testing.assert_close(task.keys.norm(dim=-1), torch.ones(2, 400, 6))
    assert task.keys.mean((0, 1, 2)).abs().max() < 0.05


def test_a_run_does_not_depend_on_how_many_there_are_and_draws_go_on():
    few, many = (associative_recall(run_generators(2, runs), **SIZES) for runs in (1, 3))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(few, many, strict=True))
    assert not torch.equal(many.keys[0], many.keys[1])
    rng = [np.random.default_rng(0)]
    assert not torch.equal(associative_recall(rng, **SIZES).keys, associative_recall(rng, **SIZES).keys)


def test_empty_sizes_are_named():
    with pytest.raises(ValueError, match="must be at least 1"):
        associative_recall(run_generators(0, 1), **SIZES | {"pairs": 0})
