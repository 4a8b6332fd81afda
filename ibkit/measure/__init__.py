"""What is measured of a training: margins, alignment, geometry, rates."""

from ibkit.measure.alignment import alignment, gram_distance
from ibkit.measure.bregman import power_bregman
from ibkit.measure.collapse import TwoGroups, class_means, cosines, two_group_geometry, within_class_variability
from ibkit.measure.consensus import consensus_error
from ibkit.measure.context_length import confidence_gap, distribution_aware_context, jensen_shannon, minimum_context
from ibkit.measure.coordinates import gram_coordinates
from ibkit.measure.detection import Roc, roc
from ibkit.measure.margins import binary_margin, logit_margin, multiclass_margin
from ibkit.measure.self_bounds import SelfBounds, self_bounds
from ibkit.measure.slopes import LineFit, line_fit, log_log_slope

__all__ = [
    "LineFit",
    "Roc",
    "SelfBounds",
    "TwoGroups",
    "alignment",
    "binary_margin",
    "class_means",
    "confidence_gap",
    "consensus_error",
    "cosines",
    "distribution_aware_context",
    "gram_coordinates",
    "gram_distance",
    "jensen_shannon",
    "line_fit",
    "log_log_slope",
    "logit_margin",
    "minimum_context",
    "multiclass_margin",
    "power_bregman",
    "roc",
    "self_bounds",
    "two_group_geometry",
    "within_class_variability",
]
