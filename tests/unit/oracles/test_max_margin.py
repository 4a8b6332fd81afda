import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibkit.data import clustered_classes
from ibkit.measure import multiclass_margin
from ibkit.norms import MatrixNorm
from ibkit.oracles import OracleError, margin_rows, max_margin
from ibkit.oracles.certificate import solve

NORMS = ["max", "sum", "frobenius", "spectral", "nuclear", MatrixNorm("entrywise", 3.0), MatrixNorm("schatten", 3.0)]


@pytest.fixture(scope="module")
def data():
    return clustered_classes(seed=0, runs=2, classes=4, features=6, per_class=4)


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_answer_is_attained_and_certified(norm, data):
    X, y = data
    best = max_margin(X, y, norm)
    torch.testing.assert_close(multiclass_margin(best.W, X, y, norm), best.margin, rtol=1e-6, atol=0)
    assert best.gap.max() < 1e-5


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_no_other_norms_classifier_does_better(norm, data):
    X, y = data
    margin = max_margin(X, y, norm).margin
    for other in NORMS:
        rival = multiclass_margin(max_margin(X, y, other).W, X, y, norm)
        assert (rival <= margin * (1 + 1e-5)).all()
        if other != norm:
            assert (rival < margin * 0.999).any(), "a mutant oracle that solves another norm's problem would pass"


def test_frobenius_equals_the_support_vector_quadratic_program(data):
    """min |W|^2 with all margins at least one: its optimum is 1 / gamma."""
    X, y = data
    for run in range(2):
        W = cp.Variable(4 * 6)
        problem = cp.Problem(cp.Minimize(cp.sum_squares(W)), [margin_rows(X[run].numpy(), y.numpy(), 4) @ W >= 1])
        problem.solve(solver="CLARABEL")
        expected = W.value / np.linalg.norm(W.value)
        found = max_margin(X[run], y, "frobenius")
        np.testing.assert_allclose(found.W.numpy().ravel(), expected, atol=1e-5)
        np.testing.assert_allclose(float(found.margin), 1 / np.linalg.norm(W.value), rtol=1e-6)


def test_max_norm_equals_a_plain_linear_program(data):
    X, y = data
    rows = margin_rows(X[0].numpy(), y.numpy(), 4).toarray()
    program = linprog(
        np.r_[np.zeros(24), -1.0],
        A_ub=np.c_[-rows, np.ones(len(rows))],
        b_ub=np.zeros(len(rows)),
        bounds=[(-1, 1)] * 24 + [(None, None)],
    )
    np.testing.assert_allclose(float(max_margin(X[0], y, "max").margin), -program.fun, rtol=1e-8)


def test_two_points_have_the_margins_of_pen_and_paper():
    """For x = e1, e2 with labels 0, 1 the best W is +1 on the diagonal and -1 off it (up to scale)."""
    X, y = torch.eye(2, dtype=torch.float64), torch.tensor([0, 1])
    for norm, expected in [("max", 2.0), ("frobenius", 1.0), ("spectral", 1.0), ("nuclear", 1.0), ("sum", 0.5)]:
        assert float(max_margin(X, y, norm).margin) == pytest.approx(expected, rel=1e-6), norm


def test_rotation_leaves_unitarily_invariant_margins_alone(data, rng):
    X, y = data
    Q = torch.linalg.qr(torch.randn(6, 6, generator=rng, dtype=torch.float64)).Q
    for norm in ("spectral", "nuclear", MatrixNorm("schatten", 3.0)):
        turned = max_margin(X[0] @ Q, y, norm).margin
        torch.testing.assert_close(turned, max_margin(X[0], y, norm).margin, rtol=1e-5, atol=0)
    assert abs(float(max_margin(X[0] @ Q, y, "max").margin / max_margin(X[0], y, "max").margin) - 1) > 1e-3


def test_schatten_norms_approach_their_limits(data):
    X, y = data
    near_spectral = max_margin(X[0], y, MatrixNorm("schatten", 40.0)).margin
    torch.testing.assert_close(near_spectral, max_margin(X[0], y, "spectral").margin, rtol=0.1, atol=0)
    exact = max_margin(X[0], y, MatrixNorm("schatten", 2.0)).margin
    torch.testing.assert_close(exact, max_margin(X[0], y, "frobenius").margin, rtol=1e-6, atol=0)


def test_data_that_nothing_separates_is_refused():
    X = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    for norm in ("max", "frobenius", "spectral"):
        with pytest.raises(ValueError, match="the data must be linearly separable"):
            max_margin(X, torch.tensor([0, 1, 0]), norm)


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (torch.tensor([[math.nan], [1.0]]), torch.tensor([0, 1]), "X must be finite"),
        (torch.ones(2, 1), torch.tensor([0, 1, 1]), r"y must hold one label a sample \(2\)"),
        (torch.ones(2, 1), torch.tensor([0, 0]), "classes must be at least 2, got 1"),
        (torch.ones(2, 1), torch.tensor([-1, 1]), r"y must hold integers in 0\.\.1, got values from -1 to 1"),
        (torch.ones(2), torch.tensor([0, 1]), "X must be"),
    ],
)
def test_bad_input_is_named(X, y, says, unchecked):
    with pytest.raises(ValueError, match=says):
        max_margin(X, y, "frobenius")


def test_unbounded_programs_are_named():
    x = cp.Variable()
    with pytest.raises(OracleError, match="a program without a floor: CLARABEL ended unbounded"):
        solve(cp.Problem(cp.Minimize(x)), "a program without a floor")
