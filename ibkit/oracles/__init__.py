"""Where training should end up: convex programs and closed forms, each with a certificate."""

from ibkit.oracles.certificate import OracleError
from ibkit.oracles.max_margin import MaxMargin, margin_rows, max_margin
from ibkit.oracles.next_token import (
    DataSubspace,
    FinitePart,
    NextTokenConstraints,
    data_subspace,
    finite_part,
    is_compatible,
    next_token_constraints,
)
from ibkit.oracles.next_token_svm import NextTokenSVM, is_separable, next_token_margin, next_token_svm
from ibkit.oracles.regularization_path import RidgePath, next_token_ridge_path, ridge_path

__all__ = [
    "DataSubspace",
    "FinitePart",
    "MaxMargin",
    "NextTokenConstraints",
    "NextTokenSVM",
    "OracleError",
    "RidgePath",
    "data_subspace",
    "finite_part",
    "is_compatible",
    "is_separable",
    "margin_rows",
    "max_margin",
    "next_token_constraints",
    "next_token_margin",
    "next_token_ridge_path",
    "next_token_svm",
    "ridge_path",
]
