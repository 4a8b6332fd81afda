"""The point of a convex hull that is nearest to the origin: the dual of every hard-margin machine."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from ibkit.oracles.certificate import OracleError


def nearest_hull_point(gram: np.ndarray, what: str) -> np.ndarray:
    r"""Return the weights of the point of a convex hull that is nearest to the origin, from inner products alone.

    Minimising :math:`\|\sum_cu_cg_c\|^2+(\sum_cu_c-1)^2` over :math:`u\ge0` finds weights and distance together: a hull
    at distance g has :math:`\sum u=1/(1+g^2)`. Non-negative least squares by active sets (Lawson and Hanson 1974,
    chapter 23), exact to rounding.

    Args:
        gram: inner products :math:`\langle g_c,g_{c'}\rangle`, ``(constraints, constraints)``, largest of order one.
        what: what is being solved, for the error line.

    Returns:
        Weights that sum to one, ``(constraints,)``; all zero where the solver found none.

    Raises:
        OracleError: if the solver does not end.

    Example:
        >>> nearest_hull_point(np.diag([1.0, 1.0]), "two axes")
        array([0.5, 0.5])
    """
    # the square root of the Gram matrix may have far fewer rows than the vectors have entries, and the same products
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * 1e-14 if values[-1] > 0 else np.zeros(len(values), bool)
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    target = np.zeros(len(root) + 1)
    target[-1] = 1.0
    try:
        u, _ = nnls(np.vstack([root, np.ones(len(gram))]), target, maxiter=30 * len(gram))
    except RuntimeError as error:
        raise OracleError(f"{what}: non-negative least squares failed ({error})") from error
    return u / u.sum() if u.sum() > 0 else u
