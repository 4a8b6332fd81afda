"""How sure a share is that was counted."""

from __future__ import annotations


def binomial_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) interval for a probability of which some trials succeeded.

    It holds the true probability in at least the stated share of experiments, for every number of trials: it inverts
    the two one-sided binomial tests, whose tail probabilities are incomplete beta functions (Clopper and Pearson 1934).

    Args:
        successes: how many trials succeeded.
        trials: how many there were, at least 1.
        confidence: the share, between 0 and 1.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: counts that are no counts, or a confidence outside (0, 1).

    Example:
        >>> low, high = binomial_interval(19, 20)
        >>> round(low, 3), round(high, 4)
        (0.751, 0.9987)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"successes must lie between 0 and trials, trials be at least 1, got {successes} of {trials}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    from scipy.stats import beta  # half a second, which only a verification spends

    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high
