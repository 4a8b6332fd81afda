import numpy as np
import pytest

from ibkit.measure import rank_phases


def test_turning_points_of_a_known_curve():
    """Three parabolas glued together, two runs with turning points of their own."""
    t = np.arange(41)

    def curve(low, peak):
        return np.where(t < low, low - t, np.where(t <= peak, 2.0 * (t - low), 2.0 * (peak - low) - (t - peak)))

    rank = np.stack([curve(7, 25), curve(12, 30)], axis=1)
    found = rank_phases(rank)
    assert found.low.tolist() == [7, 12]
    assert found.peak.tolist() == [25, 30]
    assert found.at(rank, "start").tolist() == [7, 12]
    assert found.at(rank, "low").tolist() == [0, 0]
    assert found.at(rank, "peak").tolist() == [36, 36]
    assert found.at(np.stack([t, 2 * t], axis=1), "peak").tolist() == [25, 60]
    assert found.at(rank, "end").tolist() == [21, 26]


def test_a_late_minimum_is_no_warmup():
    """The end is lower than the first low; the plain minimum would take it."""
    rank = np.array([5.0, 3.0, 2.0, 4.0, 6.0, 5.0, 3.0, 1.0])
    assert int(rank_phases(rank).low) == 2 != int(rank.argmin())
    assert int(rank_phases(rank).peak) == 4
    assert int(rank_phases(rank, early=0.25).low) == 1
    assert int(rank_phases(rank, early=1.0).low) == 7
    high_start = np.array([9.0, 3.0, 2.0, 4.0, 6.0, 5.0, 3.0, 1.0])  # the plain maximum would take the start
    assert int(rank_phases(high_start).peak) == 4 != int(high_start.argmax())


def test_monotone_curves_have_no_phases_to_find():
    falling, rising = rank_phases(-np.arange(9.0)), rank_phases(np.arange(9.0))
    assert int(falling.low) == int(falling.peak) == 4
    assert (int(rising.low), int(rising.peak)) == (0, 8)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="rank must hold at least four records, got 3"):
        rank_phases(np.ones(3))
    with pytest.raises(ValueError, match="rank must hold numbers, got NaN"):
        rank_phases(np.array([1.0, np.nan, 1.0, 1.0]))
    with pytest.raises(ValueError, match=r"early must lie in \(0, 1\], got 0.0"):
        rank_phases(np.ones(5), early=0.0)
    with pytest.raises(ValueError, match="when must be start, low, peak or end, got 'middle'"):
        rank_phases(np.ones(5)).at(np.ones(5), "middle")
