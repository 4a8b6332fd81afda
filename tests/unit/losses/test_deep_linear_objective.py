import numpy as np
import pytest
import torch

from ibkit.losses import deep_linear_objective
from ibkit.models import deep_linear_start

LABELS = torch.tensor([0, 2, 2, 1, 0])
RIDGES = torch.tensor([[0.1, 0.2, 0.3], [0.5, 0.05, 0.01]], dtype=torch.float64)


def by_hand(params, run, kind, bias):
    """Sample by sample with NumPy."""
    A, B, C = (params[f"layer{j}"][run].numpy() for j in (1, 2, 3))
    total = 0.0
    for i, y in enumerate(LABELS.tolist()):
        z = C @ (B @ A[:, i]) + (params["bias"][run].numpy() if bias else 0.0)
        total += ((z - np.eye(3)[y]) ** 2).sum() / 2 if kind == "squared" else np.log(np.exp(z).sum()) - z[y]
    squares = [(each**2).sum() for each in (A, B, C)]
    return total / 5 + RIDGES[run].numpy() @ squares / 2


def agrees(objective, params, kind, bias=False):
    return np.allclose(objective(params).numpy(), [by_hand(params, run, kind, bias) for run in range(2)], rtol=1e-12)


@pytest.mark.parametrize("kind", ["squared", "cross-entropy"])
def test_objective_is_that_of_plain_loops_and_mutants_are_not(kind):
    params = deep_linear_start(0, 2, [5, 4, 4, 3])
    objective = deep_linear_objective(LABELS, 3, RIDGES, kind)
    assert agrees(objective, params, kind)
    assert not agrees(deep_linear_objective(LABELS, 3, 2 * RIDGES, kind), params, kind)  # ridges without the half
    assert not agrees(deep_linear_objective(LABELS, 3, RIDGES.flip(-1), kind), params, kind)  # last layer first
    params["bias"] = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.5, 0.1]], dtype=torch.float64)
    assert agrees(objective, params, kind, bias=True)
    assert not agrees(objective, params, kind, bias=False)


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match="ridges must be positive, got 0"):
        deep_linear_objective(LABELS, 3, torch.zeros(3))
    with pytest.raises(ValueError, match="kind must be one of squared, cross-entropy, got 'hinge'"):
        deep_linear_objective(LABELS, 3, RIDGES, "hinge")
    with pytest.raises(ValueError, match=r"labels must hold integers in 0\.\.1"):
        deep_linear_objective(LABELS, 2, RIDGES)
    params = deep_linear_start(0, 2, [5, 4, 3])
    with pytest.raises(ValueError, match="ridges must be 2, one a layer, got 3"):
        deep_linear_objective(LABELS, 3, RIDGES)(params)
    with pytest.raises(ValueError, match=r"layers must take 5 samples to 3 classes, got \(3, 6\)"):
        deep_linear_objective(LABELS, 3, RIDGES[:, :2])(deep_linear_start(0, 2, [6, 4, 3]))
