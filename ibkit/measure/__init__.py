"""What is measured of a training: margins, alignment, geometry, rates."""

from ibkit.measure.alignment import alignment, gram_distance
from ibkit.measure.bregman import power_bregman
from ibkit.measure.collapse import TwoGroups, class_means, cosines, two_group_geometry, within_class_variability
from ibkit.measure.concepts import Concepts, adjusted_rand, concepts, orthants, typicality
from ibkit.measure.consensus import consensus_error
from ibkit.measure.coordinates import gram_coordinates
from ibkit.measure.margins import binary_margin, homogeneous_margin, logit_margin, multiclass_margin
from ibkit.measure.rank import effective_rank
from ibkit.measure.self_bounds import SelfBounds, self_bounds
from ibkit.measure.slopes import LineFit, line_fit, log_log_slope
from ibkit.measure.spectra import (
    alpha_req,
    covariance_spectrum,
    decay_exponent,
    matrix_entropy,
    rankme,
    spectral_entropy,
    unit_states,
)

__all__ = [
    "Concepts",
    "LineFit",
    "SelfBounds",
    "TwoGroups",
    "adjusted_rand",
    "alignment",
    "alpha_req",
    "binary_margin",
    "class_means",
    "concepts",
    "consensus_error",
    "cosines",
    "covariance_spectrum",
    "decay_exponent",
    "effective_rank",
    "gram_coordinates",
    "gram_distance",
    "homogeneous_margin",
    "line_fit",
    "log_log_slope",
    "logit_margin",
    "matrix_entropy",
    "multiclass_margin",
    "orthants",
    "power_bregman",
    "rankme",
    "self_bounds",
    "spectral_entropy",
    "two_group_geometry",
    "typicality",
    "unit_states",
    "within_class_variability",
]
