"""What models are trained on: generators with known ground truth."""

from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes

__all__ = ["clustered_classes", "run_generators"]
