import numpy as np
import pytest
import torch

from ibkit.optim import gradient_descent
from ibkit.scaled import Gradient, autograd_gradient
from ibkit.train import log_marks, train

BOWL = autograd_gradient(lambda p: (p["w"] ** 2).sum(-1) / 2)


def size(params):
    return {"size": params["w"].norm(dim=-1)}


def test_histories_follow_the_closed_form():
    """On a bowl, step eta multiplies the weights by 1 - eta, run by run."""
    rates = torch.tensor([0.1, 0.25, 0.5], dtype=torch.float64)
    start = {"w": torch.ones(3, 4, dtype=torch.float64)}
    history = train(start, BOWL, gradient_descent(rates), 30, size)
    expected = 2 * (1 - rates.numpy()) ** history.steps[:, None]
    np.testing.assert_allclose(history["size"], expected, rtol=1e-12)
    assert not np.allclose(history["size"][1:], expected[:-1], rtol=1e-3), "a clock one step late must not pass"
    assert history["size"].dtype == np.float64
    assert torch.equal(start["w"], torch.ones(3, 4, dtype=torch.float64))


def test_marks_are_logarithmic_sorted_and_end_at_the_last_step():
    marks = log_marks(10_000, per_decade=10)
    assert marks[0] == 0
    assert marks[-1] == 10_000
    assert marks == sorted(set(marks))
    late = [m for m in marks if m >= 100]
    assert len(late) == 21
    assert log_marks(1) == [0, 1]


def test_at_finds_the_nearest_mark():
    history = train({"w": torch.ones(1, 1)}, BOWL, gradient_descent(0.1), 100, size, marks=[0, 10, 100])
    assert [history.at(s) for s in (0, 9, 12, 90)] == [0, 1, 1, 2]


def test_training_ends_at_the_first_mark_where_it_may():
    """On the bowl, weights 2 (1 - eta)^t fall below one half after log(4) / -log(1 - eta) steps."""
    rates = torch.tensor([0.1, 0.25], dtype=torch.float64)
    start = {"w": torch.ones(2, 4, dtype=torch.float64)}
    seen = []

    def small(measured):
        seen.append(1)
        return bool((measured["size"] < 0.5).all())

    history = train(start, BOWL, gradient_descent(rates), 100, size, range(101), until=small)
    expected = np.floor(np.log(4) / -np.log(1 - rates.numpy())) + 1
    assert history.first(history["size"] < 0.5).tolist() == expected.tolist() == [14, 5]
    assert history.steps[-1] == 14
    assert len(history["size"]) == len(history.steps) == len(seen) == 15
    np.testing.assert_allclose(history.params["w"].norm(dim=-1), history["size"][-1])
    assert history.first(history["size"] < 0.1).tolist() == [np.inf, 11]
    sparse = train(start, BOWL, gradient_descent(rates), 100, size, [0, 10, 20, 100], until=small)
    assert sparse.steps.tolist() == [0, 10, 20]
    with pytest.raises(ValueError, match="held must have one entry a recorded step"):
        sparse.first(np.ones(2, dtype=bool))


def test_checkpoints_are_copies_of_the_parameters_at_their_steps():
    """A longer training passes through the end of every shorter one, and later steps do not touch what was kept."""

    def in_place(params):  # a gradient that shares memory with the parameters
        return Gradient({"w": params["w"]}, torch.zeros(2))

    start = {"w": torch.tensor([[1.0, 2.0], [-3.0, 4.0]])}
    whole = train(start, in_place, gradient_descent(0.1), 9, size, marks=[9], checkpoints=[0, 4, 9, 4])
    assert list(whole.checkpoints) == [0, 4, 9]
    for steps in (4, 9):
        short = train(start, in_place, gradient_descent(0.1), steps, size)
        assert torch.equal(whole.checkpoints[steps]["w"], short.params["w"])
        assert short.checkpoints == {}
    assert torch.equal(whole.checkpoints[0]["w"], start["w"])
    assert not torch.equal(whole.checkpoints[4]["w"], whole.checkpoints[9]["w"])
    assert len({value["w"].data_ptr() for value in (*whole.checkpoints.values(), whole.params, start)}) == 5
    stopped = train(start, in_place, gradient_descent(0.1), 9, size, [3, 9], lambda _: True, checkpoints=[3, 4])
    assert list(stopped.checkpoints) == [3]


def test_divergence_is_reported_with_step_and_name():
    with pytest.raises(FloatingPointError, match=r"GD: w is no longer finite at step \d+ \(1 of 2 entries\)"):
        train(
            {"w": torch.ones(2, 1, dtype=torch.float64)},
            BOWL,
            gradient_descent(torch.tensor([3.0, 0.1], dtype=torch.float64)),
            3000,
            size,
        )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"marks": [0, 11]}, r"marks must lie in 0\.\.10, got \[0, 11\]"),
        ({"marks": []}, r"marks must lie in 0\.\.10, got none"),
        ({"params": {"w": torch.tensor([[float("nan")]])}}, r"params\['w'\] must be finite"),
        (
            {"gradient": lambda p: Gradient({"v": p["w"]}, torch.zeros(1))},
            r"gradient must name the tensors \['w'\], got \['v'\]",
        ),
        ({"checkpoints": [3, 11]}, r"checkpoints must lie in 0..10, got \[3, 11\]"),
    ],
)
def test_bad_input_is_named(change, says):
    call = {
        "params": {"w": torch.ones(1, 1)},
        "gradient": BOWL,
        "rule": gradient_descent(0.1),
        "steps": 10,
        "measure": size,
    }
    with pytest.raises(ValueError, match=says):
        train(**(call | change))


def test_history_names_what_it_has():
    history = train({"w": torch.ones(1, 1)}, BOWL, gradient_descent(0.1), 2, size)
    with pytest.raises(ValueError, match="name must be one of size, got 'loss'"):
        history["loss"]
