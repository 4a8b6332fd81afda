"""The exact binomial interval, against the binomial tests that it inverts."""

from __future__ import annotations

import pytest
from scipy.stats import binom, binomtest

from ibkit.book.interval import binomial_interval


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (19, 20), (7, 30), (512, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_it_inverts_the_two_tests(k: int, n: int, confidence: float) -> None:
    low, high = binomial_interval(k, n, confidence)
    tail = (1 - confidence) / 2
    assert low == 0 if k == 0 else binom.sf(k - 1, n, low) == pytest.approx(tail, rel=1e-9)
    assert high == 1 if k == n else binom.cdf(k, n, high) == pytest.approx(tail, rel=1e-9)
    exact = binomtest(k, n).proportion_ci(confidence, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_it_covers_the_truth_at_least_as_often_as_it_says() -> None:
    n, p = 20, 0.85
    covered = sum(
        binom.pmf(k, n, p) for k in range(n + 1) if binomial_interval(k, n)[0] <= p <= binomial_interval(k, n)[1]
    )
    assert covered >= 0.95


@pytest.mark.parametrize(("k", "n", "confidence"), [(-1, 2, 0.95), (3, 2, 0.95), (0, 0, 0.95), (1, 2, 1.0)])
def test_nonsense_is_refused(k: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="must"):
        binomial_interval(k, n, confidence)
