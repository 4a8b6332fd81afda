"""The Matrix Nuclear-Norm against what it replaces: matrix entropy, by two routes, and the nuclear norm."""

from __future__ import annotations

import sys

import torch
from timing import medians, report

from ibkit.data import gaussian_states
from ibkit.measure import matrix_entropy, matrix_nuclear_norm, spectral_entropy, unit_states
from ibkit.norms import as_norm

BOUNDS = {256: 1 / 3, 512: 1 / 6, 1024: 1 / 8}  # by width, at 512 tokens; the paper reports 1/8 to 1/24 on a GPU


def entropy_of_covariance(F: torch.Tensor) -> torch.Tensor:
    """Form the d x d covariance and decompose it, however few tokens there are."""
    X = unit_states(F)
    return spectral_entropy(torch.linalg.svdvals(X.mT @ X / len(X)))


def main() -> int:
    kept = True
    for width, bound in BOUNDS.items():
        F = gaussian_states(0, 1, 512, torch.arange(1.0, width + 1) ** -1, rotated=True)[0].float()
        seconds = medians(
            {
                "column norms": lambda F=F: matrix_nuclear_norm(F),
                "entropy by covariance": lambda F=F: entropy_of_covariance(F),
                "entropy": lambda F=F: matrix_entropy(F),
                "nuclear": lambda F=F: as_norm("nuclear")(unit_states(F)),
            }
        )
        for rival in ("entropy by covariance", "entropy", "nuclear"):
            ratio = seconds["column norms"] / seconds[rival]
            kept &= report(f"512 x {width}: Matrix Nuclear-Norm / {rival}", ratio, bound)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
