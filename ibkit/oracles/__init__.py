"""Where training should end up: convex programs and closed forms, each with a certificate."""

from ibkit.oracles.certificate import OracleError
from ibkit.oracles.collapse_geometry import (
    SeliGeometry,
    sel_matrix,
    seli_geometry,
    simplex_etf_gram,
    step_seli_geometry,
)
from ibkit.oracles.max_margin import MaxMargin, margin_rows, max_margin
from ibkit.oracles.minimum_norm_logits import MinimumNormLogits, minimum_norm_logits
from ibkit.oracles.unconstrained_ridge import RidgePath, seli_ridge_slope, unconstrained_ridge_path

__all__ = [
    "MaxMargin",
    "MinimumNormLogits",
    "OracleError",
    "RidgePath",
    "SeliGeometry",
    "margin_rows",
    "max_margin",
    "minimum_norm_logits",
    "sel_matrix",
    "seli_geometry",
    "seli_ridge_slope",
    "simplex_etf_gram",
    "step_seli_geometry",
    "unconstrained_ridge_path",
]
