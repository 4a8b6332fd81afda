"""What is measured of a training: margins, alignment, geometry, rates."""

from ibkit.measure.alignment import alignment, gram_distance
from ibkit.measure.bregman import power_bregman
from ibkit.measure.collapse import TwoGroups, class_means, cosines, two_group_geometry, within_class_variability
from ibkit.measure.consensus import consensus_error
from ibkit.measure.coordinates import gram_coordinates
from ibkit.measure.image import nested_misfit, prediction_rank
from ibkit.measure.margins import binary_margin, homogeneous_margin, logit_margin, multiclass_margin
from ibkit.measure.rank import effective_rank
from ibkit.measure.self_bounds import SelfBounds, self_bounds
from ibkit.measure.slopes import LineFit, line_fit, log_log_slope

__all__ = [
    "LineFit",
    "SelfBounds",
    "TwoGroups",
    "alignment",
    "binary_margin",
    "class_means",
    "consensus_error",
    "cosines",
    "effective_rank",
    "gram_coordinates",
    "gram_distance",
    "homogeneous_margin",
    "line_fit",
    "log_log_slope",
    "logit_margin",
    "multiclass_margin",
    "nested_misfit",
    "power_bregman",
    "prediction_rank",
    "self_bounds",
    "two_group_geometry",
    "within_class_variability",
]
