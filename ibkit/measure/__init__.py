"""What is measured of a training: margins, alignment, geometry, rates."""

from ibkit.measure.alignment import alignment, gram_distance
from ibkit.measure.attention_mass import relevant_mass
from ibkit.measure.bregman import power_bregman
from ibkit.measure.collapse import (
    NeuralCollapse,
    TwoGroups,
    class_means,
    cosines,
    nearest_mean_disagreement,
    neural_collapse,
    self_duality,
    two_group_geometry,
    within_class_variability,
)
from ibkit.measure.concepts import Concepts, adjusted_rand, concepts, orthants, typicality
from ibkit.measure.consensus import consensus_error
from ibkit.measure.context_length import confidence_gap, distribution_aware_context, jensen_shannon, minimum_context
from ibkit.measure.coordinates import gram_coordinates
from ibkit.measure.detection import Roc, roc
from ibkit.measure.image import nested_misfit, prediction_rank
from ibkit.measure.margins import binary_margin, homogeneous_margin, logit_margin, multiclass_margin
from ibkit.measure.nuclear import column_norm_sum, matrix_nuclear_norm
from ibkit.measure.phases import RankPhases, rank_phases
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
    "NeuralCollapse",
    "RankPhases",
    "Roc",
    "SelfBounds",
    "TwoGroups",
    "adjusted_rand",
    "alignment",
    "alpha_req",
    "binary_margin",
    "class_means",
    "column_norm_sum",
    "concepts",
    "confidence_gap",
    "consensus_error",
    "cosines",
    "covariance_spectrum",
    "decay_exponent",
    "distribution_aware_context",
    "effective_rank",
    "gram_coordinates",
    "gram_distance",
    "homogeneous_margin",
    "jensen_shannon",
    "line_fit",
    "log_log_slope",
    "logit_margin",
    "matrix_entropy",
    "matrix_nuclear_norm",
    "minimum_context",
    "multiclass_margin",
    "nearest_mean_disagreement",
    "nested_misfit",
    "neural_collapse",
    "orthants",
    "power_bregman",
    "prediction_rank",
    "rank_phases",
    "rankme",
    "relevant_mass",
    "roc",
    "self_bounds",
    "self_duality",
    "spectral_entropy",
    "two_group_geometry",
    "typicality",
    "unit_states",
    "within_class_variability",
]
