"""Fair ratios: what is compared runs in turn, in one process, on one core, and the medians are divided."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def medians(candidates: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Return the median seconds of each candidate over `rounds` rounds, each round running all in turn.

    Args:
        candidates: callables by name; each is warmed up once.
        rounds: how often each is timed.

    Returns:
        Median seconds by name.
    """
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(title: str, ratio: float, bound: float | None = None) -> bool:
    """Print one ratio, and whether it keeps its bound (at most)."""
    kept = bound is None or ratio <= bound
    verdict = "" if bound is None else f"  (at most {bound:g}: {'kept' if kept else 'MISSED'})"
    print(f"{title:<72} {ratio:8.2f}{verdict}")
    return kept
