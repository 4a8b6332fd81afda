import pytest
import torch

from ibkit.data import outvoted_point
from ibkit.measure import binary_margin


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
        (lambda: outvoted_point(1.0), "samples must be at least 2, got 1"),
        (lambda: outvoted_point(5.0, -1.0), "alpha must be positive, got -1"),
    ],
)
def test_bad_input_is_one_clear_line(call, says, unchecked):
    with pytest.raises(ValueError, match=says):
        call()
