import sys

import cvxpy as cp
import numpy as np
import pytest
import torch

from ibkit.oracles import OracleError, minimum_norm_logits, seli_geometry, simplex_etf_gram


@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [10, 10, 1, 1], [100, 100, 100, 1, 1, 1], [300, 40, 7, 1]])
def test_interpolates_the_simplex_for_any_class_sizes(counts):
    counts = torch.tensor(counts, dtype=torch.float64)
    best = minimum_norm_logits(counts)
    torch.testing.assert_close(best.logits, simplex_etf_gram(len(counts)), rtol=0, atol=1e-6)
    assert best.norm == pytest.approx(float(seli_geometry(counts).singular_values.sum()), rel=1e-7)
    assert best.gap < 1e-6


def test_equals_the_semidefinite_form_of_half_the_two_squared_norms():
    """min (tr X + tr Y) / 2 over [[X, Z], [Z', Y]] >= 0: the factorised cost, without a nuclear norm."""
    n = np.array([5.0, 2.0, 1.0])
    joint = cp.Variable((6, 6), PSD=True)
    Z = joint[:3, 3:]
    margins = [Z[y, y] - Z[c, y] >= np.sqrt(n[y]) for y in range(3) for c in range(3) if c != y]
    problem = cp.Problem(cp.Minimize(cp.trace(joint) / 2), margins)
    problem.solve(solver="CLARABEL")
    assert minimum_norm_logits(torch.from_numpy(n)).norm == pytest.approx(problem.value, rel=1e-6)


def test_certificate_rejects_a_wrong_answer(monkeypatch):
    def feasible_but_not_least(problem, what, **options):
        problem.solve(solver="CLARABEL")
        (Z,) = problem.variables()
        Z.save_value(Z.value + np.diag([1.0, 0.0, 0.0]))

    monkeypatch.setattr(sys.modules[minimum_norm_logits.__module__], "solve", feasible_but_not_least)
    with pytest.raises(OracleError, match="relative duality gap"):
        minimum_norm_logits(torch.ones(3))


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match=r"counts must be \(classes,\)"):
        minimum_norm_logits(torch.ones(2, 3))
    with pytest.raises(ValueError, match="counts must be positive"):
        minimum_norm_logits(torch.tensor([1.0, -2.0]))
