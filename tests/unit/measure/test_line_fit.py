import numpy as np
import pytest
from scipy.stats import linregress

from ibkit.measure import line_fit


def test_slope_and_straightness_are_scipys_run_by_run():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 40))
    y = rng.normal(size=(40, 3)) + np.multiply.outer(x, [0.0, 1.0, -3.0])
    found = line_fit(x, y, (2, 8))
    inside = (x >= 2) & (x <= 8)
    for run in range(3):
        ours = linregress(x[inside], y[inside, run])
        np.testing.assert_allclose([found.slope[run], found.r_squared[run]], [ours.slope, ours.rvalue**2], rtol=1e-10)
    whole = line_fit(x, y, (0, 10))  # a mutant that forgets the window
    assert not np.allclose(whole.slope, found.slope)


def test_an_exponential_decay_is_straight_in_the_logarithm_and_a_power_law_is_not():
    t = np.arange(1000.0, 2001.0, 50)
    log_loss = np.stack([-0.03 * t, -np.log(t)], -1)
    exponential, power = line_fit(t, log_loss, (1000, 2000)).r_squared
    assert exponential == pytest.approx(1, abs=1e-12)
    assert power < 0.995


def test_a_constant_is_straight_and_bad_input_is_named():
    assert line_fit(np.arange(4.0), np.ones(4), (0, 3)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="at least 3 recorded points, got 2"):
        line_fit(np.arange(4.0), np.ones(4), (2, 3))
    with pytest.raises(ValueError, match="y must have one entry an x"):
        line_fit(np.arange(4.0), np.ones(3), (0, 3))
