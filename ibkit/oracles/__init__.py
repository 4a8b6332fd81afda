"""Where training should end up: convex programs and closed forms, each with a certificate."""

from ibkit.oracles.certificate import OracleError
from ibkit.oracles.collapse_geometry import CollapseGeometry, sel_matrix, seli_geometry, simplex_etf_gram
from ibkit.oracles.cost_sensitive_geometry import (
    cost_sensitive_geometry,
    step_cost_sensitive_geometry,
    step_seli_geometry,
)
from ibkit.oracles.disagreement import steady_disagreement
from ibkit.oracles.max_margin import BinaryMaxMargin, MaxMargin, binary_max_margin, margin_rows, max_margin
from ibkit.oracles.minimum_norm_logits import MinimumNormLogits, minimum_norm_logits
from ibkit.oracles.next_token import (
    DataSubspace,
    FinitePart,
    NextTokenConstraints,
    data_subspace,
    finite_part,
    is_compatible,
    next_token_constraints,
)
from ibkit.oracles.next_token_nuclear import NextTokenNuclear, next_token_nuclear
from ibkit.oracles.next_token_svm import NextTokenSVM, is_separable, next_token_margin, next_token_svm
from ibkit.oracles.next_token_unconstrained import NextTokenUnconstrainedPath, next_token_unconstrained_path
from ibkit.oracles.regularization_path import RidgePath, next_token_ridge_path, ridge_path
from ibkit.oracles.support_geometry import (
    LogitFactors,
    centered_support,
    in_support_part,
    log_odds_part,
    logit_factors,
    polar_factor,
    proxy_certificate,
)
from ibkit.oracles.unconstrained_ridge import UnconstrainedRidgePath, seli_ridge_slope, unconstrained_ridge_path

__all__ = [
    "BinaryMaxMargin",
    "CollapseGeometry",
    "DataSubspace",
    "FinitePart",
    "LogitFactors",
    "MaxMargin",
    "MinimumNormLogits",
    "NextTokenConstraints",
    "NextTokenNuclear",
    "NextTokenSVM",
    "NextTokenUnconstrainedPath",
    "OracleError",
    "RidgePath",
    "UnconstrainedRidgePath",
    "binary_max_margin",
    "centered_support",
    "cost_sensitive_geometry",
    "data_subspace",
    "finite_part",
    "in_support_part",
    "is_compatible",
    "is_separable",
    "log_odds_part",
    "logit_factors",
    "margin_rows",
    "max_margin",
    "minimum_norm_logits",
    "next_token_constraints",
    "next_token_margin",
    "next_token_nuclear",
    "next_token_ridge_path",
    "next_token_svm",
    "next_token_unconstrained_path",
    "polar_factor",
    "proxy_certificate",
    "ridge_path",
    "sel_matrix",
    "seli_geometry",
    "seli_ridge_slope",
    "simplex_etf_gram",
    "steady_disagreement",
    "step_cost_sensitive_geometry",
    "step_seli_geometry",
    "unconstrained_ridge_path",
]
