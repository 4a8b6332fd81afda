"""Sixty-four trainings of a linear model as one batch, against one training, a Python loop and torch.func.vmap."""

from __future__ import annotations

import sys

import torch
from timing import medians, report

from ibkit.data import clustered_classes
from ibkit.losses import linear_cross_entropy
from ibkit.optim import apply_update, power_decay, sign_descent, spectral_descent
from ibkit.scaled import Gradient
from ibkit.train import train

RUNS, STEPS, CLASSES = 64, 200, 5


def main() -> int:
    X, y = clustered_classes(seed=0, runs=RUNS, classes=CLASSES, features=12, per_class=8)
    start = torch.zeros(RUNS, CLASSES, 12, dtype=torch.float64)
    kept = True
    for rule in (sign_descent(power_decay(0.3, 0.5)), spectral_descent(power_decay(1.0, 0.5))):

        def play(X, W, rule=rule):
            history = train({"W": W}, linear_cross_entropy(X, y, CLASSES), rule, STEPS, lambda p: {}, marks=[STEPS])
            return history.params["W"]

        def mapped(X, W, rule=rule):  # the plain residual: vmap forbids checks that look at values
            params, state = {"W": W}, rule.init({"W": W})
            for _ in range(STEPS):
                residual = torch.softmax(X @ params["W"].mT, -1) - torch.nn.functional.one_hot(y, CLASSES)
                gradient = Gradient({"W": residual.mT @ X / X.shape[0]}, torch.zeros((), dtype=torch.float64))
                update, state = rule.update(gradient, state, params)
                params = apply_update(params, update)
            return params["W"]

        seconds = medians(
            {
                "one": lambda play=play: play(X[0], start[0]),
                "batch": lambda play=play: play(X, start),
                "loop": lambda play=play: [play(X[run], start[run]) for run in range(RUNS)],
                "vmap": lambda mapped=mapped: torch.func.vmap(mapped)(X, start),
            },
            rounds=3,
        )
        print(f"{rule.name}: {STEPS} steps")
        kept &= report(f"  {RUNS} batched runs / one run", seconds["batch"] / seconds["one"], 10)
        kept &= report("  batched / Python loop over runs", seconds["batch"] / seconds["loop"], 1)
        report("  batched / torch.func.vmap of the plain softmax gradient", seconds["batch"] / seconds["vmap"])
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
