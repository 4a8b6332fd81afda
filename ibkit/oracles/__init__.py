"""Where training should end up: convex programs and closed forms, each with a certificate."""

from ibkit.oracles.certificate import OracleError
from ibkit.oracles.max_margin import MaxMargin, margin_rows, max_margin

__all__ = ["MaxMargin", "OracleError", "margin_rows", "max_margin"]
