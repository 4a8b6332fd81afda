"""Where training should end up: convex programs and closed forms, each with a certificate."""

from ibkit.oracles.attention_svm import AttentionSVM, attention_feasible, attention_svm, locally_optimal
from ibkit.oracles.best_decoder import BestDecoder, best_decoder
from ibkit.oracles.certificate import NotSeparableError, OracleError
from ibkit.oracles.collapse_geometry import CollapseGeometry, sel_matrix, seli_geometry, simplex_etf_gram
from ibkit.oracles.contrastive import (
    ContrastiveGram,
    StepContrastive,
    contrastive_gap,
    contrastive_gram,
    contrastive_minority_limit,
    step_contrastive,
)
from ibkit.oracles.cost_sensitive_geometry import (
    cost_sensitive_geometry,
    step_cost_sensitive_geometry,
    step_seli_geometry,
)
from ibkit.oracles.deep_ridge import (
    DeepRidgeCode,
    DeepRidgeMinimum,
    deep_ridge_code,
    deep_ridge_minimum,
    deep_ridge_threshold,
)
from ibkit.oracles.disagreement import steady_disagreement
from ibkit.oracles.flow import gradient_flow, log_time_flow
from ibkit.oracles.hadamard import (
    HadamardSoftmax,
    hadamard_flow,
    hadamard_matrix,
    hadamard_modes,
    hadamard_softmax,
    log_mean_ratio,
    paley_matrix,
)
from ibkit.oracles.linear_modes import logistic_modes
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
from ibkit.oracles.perceptron import outvoted_point_steps, perceptron_step_bound
from ibkit.oracles.prompt_separation import (
    largest_relevant_mass,
    relevant_mass_of_self_attention,
    self_attention_threshold,
    separation_error,
)
from ibkit.oracles.prompt_snr import (
    PromptLaw,
    best_prompt_strength,
    discriminant_error,
    first_steps_cosines,
    prompt_law,
)
from ibkit.oracles.regularization_path import RidgePath, next_token_ridge_path, ridge_path
from ibkit.oracles.selecting_heads import SelectingHeads, selecting_heads
from ibkit.oracles.spherical_code import SphericalCode, code_margin, one_vs_rest_distance, spherical_code
from ibkit.oracles.support_geometry import (
    LogitFactors,
    centered_support,
    in_support_part,
    log_odds_part,
    logit_factors,
    polar_factor,
    proxy_certificate,
)
from ibkit.oracles.tangent_margin import tangent_margin
from ibkit.oracles.unconstrained_ridge import UnconstrainedRidgePath, seli_ridge_slope, unconstrained_ridge_path

__all__ = [
    "AttentionSVM",
    "BestDecoder",
    "BinaryMaxMargin",
    "CollapseGeometry",
    "ContrastiveGram",
    "DataSubspace",
    "DeepRidgeCode",
    "DeepRidgeMinimum",
    "FinitePart",
    "HadamardSoftmax",
    "LogitFactors",
    "MaxMargin",
    "MinimumNormLogits",
    "NextTokenConstraints",
    "NextTokenNuclear",
    "NextTokenSVM",
    "NextTokenUnconstrainedPath",
    "NotSeparableError",
    "OracleError",
    "PromptLaw",
    "RidgePath",
    "SelectingHeads",
    "SphericalCode",
    "StepContrastive",
    "UnconstrainedRidgePath",
    "attention_feasible",
    "attention_svm",
    "best_decoder",
    "best_prompt_strength",
    "binary_max_margin",
    "centered_support",
    "code_margin",
    "contrastive_gap",
    "contrastive_gram",
    "contrastive_minority_limit",
    "cost_sensitive_geometry",
    "data_subspace",
    "deep_ridge_code",
    "deep_ridge_minimum",
    "deep_ridge_threshold",
    "discriminant_error",
    "finite_part",
    "first_steps_cosines",
    "gradient_flow",
    "hadamard_flow",
    "hadamard_matrix",
    "hadamard_modes",
    "hadamard_softmax",
    "in_support_part",
    "is_compatible",
    "is_separable",
    "largest_relevant_mass",
    "locally_optimal",
    "log_mean_ratio",
    "log_odds_part",
    "log_time_flow",
    "logistic_modes",
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
    "one_vs_rest_distance",
    "outvoted_point_steps",
    "paley_matrix",
    "perceptron_step_bound",
    "polar_factor",
    "prompt_law",
    "proxy_certificate",
    "relevant_mass_of_self_attention",
    "ridge_path",
    "sel_matrix",
    "selecting_heads",
    "self_attention_threshold",
    "seli_geometry",
    "seli_ridge_slope",
    "separation_error",
    "simplex_etf_gram",
    "spherical_code",
    "steady_disagreement",
    "step_contrastive",
    "step_cost_sensitive_geometry",
    "step_seli_geometry",
    "tangent_margin",
    "unconstrained_ridge_path",
]
