"""What models are trained on: generators with known ground truth, and real sets, shipped or downloaded once."""

from ibkit.data.bundled import digit_pair, digits
from ibkit.data.halfspace import halfspace_rows, outvoted_point
from ibkit.data.imbalance import draw_by_class, group_sizes, step_counts
from ibkit.data.next_token import NextTokenData, sparse_next_tokens, toy_next_tokens
from ibkit.data.pictures import cifar10, fetch, mnist
from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes

__all__ = [
    "NextTokenData",
    "cifar10",
    "clustered_classes",
    "digit_pair",
    "digits",
    "draw_by_class",
    "fetch",
    "group_sizes",
    "halfspace_rows",
    "mnist",
    "outvoted_point",
    "run_generators",
    "sparse_next_tokens",
    "step_counts",
    "toy_next_tokens",
]
