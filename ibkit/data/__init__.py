"""What models are trained on: generators with known ground truth, and real sets that need no download."""

from ibkit.data.bundled import digits
from ibkit.data.imbalance import draw_by_class, group_sizes, step_counts
from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes

__all__ = ["clustered_classes", "digits", "draw_by_class", "group_sizes", "run_generators", "step_counts"]
