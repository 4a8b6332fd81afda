import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibkit.data import halfspace_rows, outvoted_point
from ibkit.measure import binary_margin


def separable(rows):
    """Whether some w has all margins at least one, by a linear program."""
    d = rows.shape[1]
    return linprog(np.zeros(d), A_ub=-rows, b_ub=-np.ones(len(rows)), bounds=[(None, None)] * d).status == 0


def test_a_plane_separates_the_rows():
    rows = halfspace_rows(0, 4, 60, 5).numpy()
    assert all(separable(each) for each in rows)
    flipped = rows.copy()
    flipped[:, :30] *= -1
    assert not any(separable(each) for each in flipped), "labels that no plane made must not pass"


def test_run_r_is_the_same_however_many_runs():
    assert torch.equal(halfspace_rows(7, 2, 10, 3), halfspace_rows(7, 5, 10, 3)[:2])
    assert not torch.equal(halfspace_rows(7, 2, 10, 3), halfspace_rows(8, 2, 10, 3))


def test_the_outvoted_point_has_the_margin_b():
    """No direction has a larger margin: scan the circle."""
    rows, shares = outvoted_point(torch.tensor([5.0, 50.0]), 0.7, 0.4)
    angle = torch.linspace(0, 2 * torch.pi, 100_001, dtype=torch.float64)
    best = binary_margin(torch.stack([angle.cos(), angle.sin()], -1), rows[0]).amax()
    assert abs(float(best) - 0.4) < 1e-4
    assert shares.tolist() == [[0.8, 0.2], [0.98, 0.02]]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: halfspace_rows(0, 1, 0, 3), "samples and features must be at least 1, got 0, 3"),
        (lambda: outvoted_point(1.0), "samples must be at least 2, got 1"),
        (lambda: outvoted_point(5.0, -1.0), "alpha must be positive, got -1"),
    ],
)
def test_bad_input_is_one_clear_line(call, says, unchecked):
    with pytest.raises(ValueError, match=says):
        call()
