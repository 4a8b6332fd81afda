"""Linear attention with norm-aware features against torch's own softmax attention, by length, forward and backward.

The features are part of what is timed. ``python benchmarks/bench_attention.py cuda`` runs the same on a GPU, without
bounds.
"""

from __future__ import annotations

import math
import sys

import torch
from timing import medians, report

from ibkit.models import linear_attention, norm_aware_keys, norm_aware_queries, relu_features

LENGTHS, FEATURES = (512, 1024, 2048, 4096), 32
BOUNDS = {False: 1 / 3, True: 2 / 3}  # norm-aware over softmax at the greatest length; causal softmax halves its work
GROWTH = 3.0  # of the time of linear attention per doubling of the length, where 2 is linear and 4 quadratic


def softmax(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attend as one would: torch's fused kernel."""
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)


def norm_aware(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attend by norm-aware features."""
    return linear_attention(norm_aware_queries(q), norm_aware_keys(k), v, causal)


def relu(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attend by the plainest features."""
    return linear_attention(relu_features(q), relu_features(k), v, causal)


def seconds_of(causal: bool, backward: bool, device: str) -> dict[str, float]:
    """Time the three at every length, one head, in turn: what slows the machine for a while slows all of them."""
    rng = torch.Generator().manual_seed(0)

    def timed(attend, inputs):
        def run() -> None:
            if backward:
                leaves = [x.detach().requires_grad_() for x in inputs]
                attend(*leaves, causal).square().sum().backward()
            else:
                with torch.no_grad():
                    attend(*inputs, causal)
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    runs = {}
    for length in LENGTHS:
        inputs = [torch.randn(1, 1, length, FEATURES, generator=rng).to(device) for _ in range(3)]
        runs |= {f"{f.__name__} {length}": timed(f, inputs) for f in (softmax, norm_aware, relu)}
    return medians(runs, rounds=15)


def main() -> int:
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    bounded = device == "cpu"
    kept = True
    for causal in (False, True):
        for backward in (False, True):
            print(f"{'causal' if causal else 'all keys'}, {'forward and backward' if backward else 'forward'}")
            seconds = seconds_of(causal, backward, device)
            for length in LENGTHS:
                bound = BOUNDS[causal] if bounded and length == LENGTHS[-1] else None
                ours = seconds[f"norm_aware {length}"]
                kept &= report(f"  {length}: norm-aware / softmax", ours / seconds[f"softmax {length}"], bound)
                report(f"  {length}: norm-aware / ReLU features", ours / seconds[f"relu {length}"])
            for name, bound in (("norm_aware", GROWTH if bounded else None), ("softmax", None)):
                title = f"  growth per doubling from {LENGTHS[1]} to {LENGTHS[-1]}: {name.replace('_', '-')}"
                growth = seconds[f"{name} {LENGTHS[-1]}"] / seconds[f"{name} {LENGTHS[1]}"]
                kept &= report(title, growth ** (1 / math.log2(LENGTHS[-1] / LENGTHS[1])), bound)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
