"""The max-margin oracle, certificate included, against the call of cvxpy that one would write first."""

from __future__ import annotations

import sys

import cvxpy as cp
import numpy as np
from timing import medians, report

from ibkit.data import clustered_classes
from ibkit.oracles import max_margin

NORMS = {
    "max": lambda W: cp.max(cp.abs(W)),
    "frobenius": lambda W: cp.norm(W, "fro"),
    "spectral": cp.sigma_max,
    "nuclear": cp.normNuc,
}


def first_draft(X: np.ndarray, y: np.ndarray, classes: int, norm: str) -> float:
    """One constraint a sample and rival class, the default solver, no certificate."""
    W, g = cp.Variable((classes, X.shape[1])), cp.Variable()
    margins = [(W[label] - W[c]) @ x >= g for x, label in zip(X, y, strict=True) for c in range(classes) if c != label]
    return cp.Problem(cp.Maximize(g), [*margins, NORMS[norm](W) <= 1]).solve()


def main() -> int:
    X, y = clustered_classes(seed=0, runs=1, classes=5, features=12, per_class=8)
    kept = True
    for norm in NORMS:
        draft = first_draft(X[0].numpy(), y.numpy(), 5, norm)
        np.testing.assert_allclose(float(max_margin(X[0], y, norm).margin), draft, rtol=1e-3)
        seconds = medians(
            {
                "oracle": lambda norm=norm: max_margin(X[0], y, norm),
                "draft": lambda norm=norm: first_draft(X[0].numpy(), y.numpy(), 5, norm),
            },
            rounds=3,
        )
        kept &= report(f"{norm} margin: oracle / cvxpy's default call", seconds["oracle"] / seconds["draft"], 1)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
