"""What models are trained on: generators with known ground truth."""

from ibkit.data.next_token import NextTokenData, sparse_next_tokens, toy_next_tokens
from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes

__all__ = ["NextTokenData", "clustered_classes", "run_generators", "sparse_next_tokens", "toy_next_tokens"]
