"""What is measured of a training: margins, alignment, geometry, rates."""

from ibkit.measure.alignment import alignment, gram_distance
from ibkit.measure.bregman import power_bregman
from ibkit.measure.collapse import TwoGroups, class_means, cosines, two_group_geometry, within_class_variability
from ibkit.measure.consensus import consensus_error
from ibkit.measure.coordinates import gram_coordinates
from ibkit.measure.margins import binary_margin, logit_margin, multiclass_margin
from ibkit.measure.phases import RankPhases, rank_phases
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
    "LineFit",
    "RankPhases",
    "SelfBounds",
    "TwoGroups",
    "alignment",
    "alpha_req",
    "binary_margin",
    "class_means",
    "consensus_error",
    "cosines",
    "covariance_spectrum",
    "decay_exponent",
    "gram_coordinates",
    "gram_distance",
    "line_fit",
    "log_log_slope",
    "logit_margin",
    "matrix_entropy",
    "multiclass_margin",
    "power_bregman",
    "rank_phases",
    "rankme",
    "self_bounds",
    "spectral_entropy",
    "two_group_geometry",
    "unit_states",
    "within_class_variability",
]
