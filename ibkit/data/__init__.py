"""What models are trained on: generators with known ground truth, and real sets, shipped or downloaded once."""

from ibkit.data.batches import BatchInteraction, batch_interaction, bind_batches, random_batches
from ibkit.data.bundled import digit_pair, digits
from ibkit.data.imbalance import draw_by_class, group_sizes, step_counts
from ibkit.data.next_token import NextTokenData, sparse_next_tokens, toy_next_tokens
from ibkit.data.pictures import cifar10, fetch, mnist
from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes

__all__ = [
    "BatchInteraction",
    "NextTokenData",
    "batch_interaction",
    "bind_batches",
    "cifar10",
    "clustered_classes",
    "digit_pair",
    "digits",
    "draw_by_class",
    "fetch",
    "group_sizes",
    "mnist",
    "random_batches",
    "run_generators",
    "sparse_next_tokens",
    "step_counts",
    "toy_next_tokens",
]
