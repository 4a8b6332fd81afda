"""Random numbers that depend on the chapter's seed and the run alone, not on how many runs there are."""

from __future__ import annotations

import numpy as np

from ibkit.checks import require


def run_generators(seed: int, runs: int) -> list[np.random.Generator]:
    """Return one independent NumPy generator a run.

    Run r is the same whether four runs are asked for or four hundred. NumPy's streams do not depend on the device, so a
    run on a GPU sees the data of a run on a CPU.

    Args:
        seed: non-negative.
        runs: at least 1.

    Raises:
        ValueError: a negative seed, or no runs.

    Example:
        >>> a, b = run_generators(0, 2)[1], run_generators(0, 5)[1]
        >>> bool(a.normal() == b.normal())
        True
    """
    require(seed >= 0, f"seed must not be negative, got {seed}")
    require(runs >= 1, f"runs must be at least 1, got {runs}")
    return [np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(runs)]
