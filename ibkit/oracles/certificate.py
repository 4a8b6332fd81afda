"""When a convex program's answer may be believed: the solver's word, then a certificate of our own."""

from __future__ import annotations

import warnings

import cvxpy as cp


class OracleError(RuntimeError):
    """A convex program was not solved, or its answer failed its certificate."""


class NotSeparableError(ValueError):
    """Data without a hard margin."""


def solve(problem: cp.Problem, what: str, solver: str = "CLARABEL", **options: object) -> None:
    """Solve `problem` in place.

    Args:
        problem: a convex program of cvxpy.
        what: what is being solved, for the error line.
        solver: cvxpy's name of the solver (named, so that a new default cannot change results).
        **options: passed to the solver.

    Raises:
        OracleError: if the solver ends in any state but optimal; the line says which.

    Example:
        >>> x = cp.Variable()
        >>> solve(cp.Problem(cp.Minimize(x), [x >= 1, x <= 0]), "an impossible interval")
        Traceback (most recent call last):
        ...
        ibkit.oracles.certificate.OracleError: an impossible interval: CLARABEL ended infeasible
    """
    try:
        with warnings.catch_warnings():  # an inaccurate solution is judged by its certificate, not by a warning
            warnings.simplefilter("ignore")
            problem.solve(solver=solver, **options)
    except cp.SolverError as error:
        raise OracleError(f"{what}: {solver} failed ({str(error).splitlines()[0]})") from error
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise OracleError(f"{what}: {solver} ended {problem.status}")
