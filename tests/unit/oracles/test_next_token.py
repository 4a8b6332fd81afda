import importlib

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibkit.data import sparse_next_tokens, toy_next_tokens
from ibkit.oracles import (
    OracleError,
    data_subspace,
    finite_part,
    is_compatible,
    is_separable,
    next_token_constraints,
    next_token_margin,
    next_token_svm,
)

module = importlib.import_module("ibkit.oracles.nearest_point")


@pytest.fixture(scope="module")
def data():
    return sparse_next_tokens(seed=0, runs=2, contexts=12, features=14, vocabulary=6, support=3)


def _program(rows):
    """The quadratic program as it stands on paper, by an interior-point solver."""
    w = cp.Variable(rows.equalities.shape[1])
    cp.Problem(cp.Minimize(cp.sum_squares(w)), [rows.equalities @ w == 0, rows.inequalities @ w >= 1]).solve(
        solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11
    )
    return w.value


def _pairs(context, p, w_or_W):
    """All in-support differences, and all in-minus-out margins, of one context: no anchors."""
    z = np.asarray(w_or_W) @ context
    inside, outside = np.flatnonzero(p > 0), np.flatnonzero(p == 0)
    return z[inside][:, None] - z[inside], z[inside][:, None] - z[outside]


def test_max_margin_equals_the_quadratic_program(data):
    found = next_token_svm(data.contexts, data.probabilities)
    for run in range(2):
        expected = _program(next_token_constraints(data.contexts[run], data.probabilities[run]))
        np.testing.assert_allclose(found.W[run].numpy().ravel(), expected, atol=1e-6)
        hard = torch.nn.functional.one_hot(data.probabilities[run].argmax(-1), 6).double()
        mutant = next_token_svm(data.contexts[run], hard).W.numpy().ravel()  # plain max margin of the likeliest token
        assert np.abs(mutant - expected).max() > 0.05
    assert found.gap.max() < 1e-8


def test_every_pair_of_tokens_keeps_the_definitions(data):
    """Anchors are a way of writing: the conditions hold for all pairs."""
    W = next_token_svm(data.contexts, data.probabilities).W.numpy()
    star = finite_part(data.contexts, data.probabilities).W.numpy()
    for run in range(2):
        for h, p in zip(data.contexts[run].numpy(), data.probabilities[run].numpy(), strict=True):
            ties, margins = _pairs(h, p, W[run])
            np.testing.assert_allclose(ties, 0, atol=1e-9)
            assert margins.min() >= 1 - 1e-9
            log_p = np.log(p[p > 0])
            np.testing.assert_allclose(_pairs(h, p, star[run])[0], log_p[:, None] - log_p, atol=1e-9)


def test_the_toy_has_the_rows_found_by_hand():
    toy = toy_next_tokens()
    side = 2 / np.sqrt(3)
    expected = [[0, -1.2], [-side, 0.8], [0, 0.8], [side, 0.8], [0, -1.2]]
    np.testing.assert_allclose(next_token_svm(toy.contexts, toy.probabilities).W.numpy(), expected, atol=1e-9)
    tilted = toy_next_tokens(angles=(80.0, 210.0, 330.0))
    assert np.abs(next_token_svm(tilted.contexts, tilted.probabilities).W.numpy() - expected).max() > 0.05


def test_parts_lie_in_the_subspace_and_in_its_complement(data, rng):
    space = data_subspace(data.contexts, data.probabilities)
    star = finite_part(data.contexts, data.probabilities).W
    direction = next_token_svm(data.contexts, data.probabilities).W
    torch.testing.assert_close(space.inside(star), star)
    torch.testing.assert_close(space.outside(direction), direction)
    W, V = torch.randn(2, 4, 2, 6, 14, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(space.inside(space.inside(W)), space.inside(W))
    torch.testing.assert_close((space.inside(W) * V).sum((-2, -1)), (W * space.inside(V)).sum((-2, -1)))
    torch.testing.assert_close(space.inside(W) + space.outside(W), W)


def test_projection_equals_least_squares_on_all_pairs(data, rng):
    W = torch.randn(6, 14, generator=rng, dtype=torch.float64)
    spanning = []
    for h, p in zip(data.contexts[0].numpy(), data.probabilities[0].numpy(), strict=True):
        inside = np.flatnonzero(p)
        spanning += [np.outer(np.eye(6)[a] - np.eye(6)[b], h).ravel() for a in inside for b in inside if a < b]
    spanning = np.array(spanning).T
    expected = spanning @ np.linalg.lstsq(spanning, W.numpy().ravel(), rcond=1e-10)[0]
    found = data_subspace(data.contexts[0], data.probabilities[0]).inside(W)
    np.testing.assert_allclose(found.numpy().ravel(), expected, atol=1e-9)


def test_repeated_contexts_make_redundant_rows_not_errors(data):
    twice = torch.cat([data.contexts[0], data.contexts[0, :3]])
    p = torch.cat([data.probabilities[0], data.probabilities[0, :3]])
    torch.testing.assert_close(finite_part(twice, p).W, finite_part(data.contexts[0], data.probabilities[0]).W)
    torch.testing.assert_close(next_token_svm(twice, p).W, next_token_svm(data.contexts[0], data.probabilities[0]).W)
    p[-3:] = data.probabilities[0, :3].roll(1, dims=-1)  # the same contexts now ask for two different things
    assert not is_compatible(twice, p)


def test_incompatible_data_get_the_least_squares_fit():
    few = sparse_next_tokens(seed=1, runs=1, contexts=12, features=3, vocabulary=6, support=3)
    rows = next_token_constraints(few.contexts[0], few.probabilities[0])
    expected = np.linalg.lstsq(rows.equalities, rows.log_odds, rcond=1e-10)[0]
    part = finite_part(few.contexts, few.probabilities)
    np.testing.assert_allclose(part.W[0].numpy().ravel(), expected, atol=1e-8)
    assert part.misfit[0] == pytest.approx(np.abs(rows.equalities @ expected - rows.log_odds).max(), rel=1e-8)
    assert not is_compatible(few.contexts, few.probabilities)


def _feasible(rows):
    """Separability as a linear program: the largest margin in a box."""
    n = rows.equalities.shape[1]
    program = linprog(
        np.r_[np.zeros(n), -1.0],
        A_ub=np.c_[-rows.inequalities, np.ones(len(rows.inequalities))],
        b_ub=np.zeros(len(rows.inequalities)),
        A_eq=np.c_[rows.equalities, np.zeros(len(rows.equalities))],
        b_eq=np.zeros(len(rows.equalities)),
        bounds=[(-1, 1)] * (n + 1),
    )
    return -program.fun > 1e-7


def test_separability_equals_a_linear_program_across_its_threshold():
    verdicts = []
    for d in range(5, 12):
        near = sparse_next_tokens(seed=0, runs=3, contexts=12, features=d, vocabulary=6, support=3)
        found = is_separable(near.contexts, near.probabilities)
        expected = [_feasible(next_token_constraints(near.contexts[r], near.probabilities[r])) for r in range(3)]
        assert found.tolist() == expected
        verdicts += expected
    assert 0 < sum(verdicts) < len(verdicts), "the dimensions tried must straddle the threshold"


def test_margin_is_one_over_the_norm(data):
    W = next_token_svm(data.contexts, data.probabilities).W
    margin = next_token_margin(data.contexts, data.probabilities)
    torch.testing.assert_close(margin, 1 / torch.linalg.matrix_norm(W))
    torch.testing.assert_close(next_token_margin(1e5 * data.contexts, data.probabilities), 1e5 * margin)


def test_full_supports_have_nothing_to_separate():
    h, p = torch.ones(1, 2, dtype=torch.float64), torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert next_token_margin(h, p) == torch.inf
    assert torch.equal(next_token_svm(h, p).W, torch.zeros(2, 2, dtype=torch.float64))


def test_data_without_a_margin_are_refused():
    few = sparse_next_tokens(seed=1, runs=2, contexts=12, features=3, vocabulary=6, support=3)
    with pytest.raises(ValueError, match=r"must be separable .* \(run 0"):
        next_token_svm(few.contexts, few.probabilities)
    assert next_token_margin(few.contexts, few.probabilities).tolist() == [0.0, 0.0]


def test_the_certificate_does_not_trust_the_solver(data, monkeypatch):
    solver = module.nnls

    def sloppy(A, b, **options):
        u, residual = solver(A, b, **options)
        u[u.argmax()] *= 1.01
        return u, residual

    monkeypatch.setattr(module, "nnls", sloppy)
    with pytest.raises(OracleError, match="duality gap"):
        next_token_svm(data.contexts, data.probabilities)


def test_a_failing_solver_is_an_oracle_error(data, monkeypatch):
    def fail(A, b, **options):
        raise RuntimeError("too many iterations")

    monkeypatch.setattr(module, "nnls", fail)
    with pytest.raises(OracleError, match="too many iterations"):
        next_token_margin(data.contexts, data.probabilities)


@pytest.mark.parametrize(
    ("h", "p", "line"),
    [
        ([[1.0, float("nan")]], [[0.5, 0.5, 0.0]], "contexts must be finite"),
        ([[1.0, 0.0]], [[0.5, 0.6, 0.0]], "sum to one"),
        ([[1.0, 0.0]], [[0.5, 0.5, 0.0]] * 2, "one row a context"),
    ],
)
def test_bad_input_is_named(h, p, line, unchecked):
    h, p = torch.tensor(h, dtype=torch.float64), torch.tensor(p, dtype=torch.float64)
    for oracle in (finite_part, data_subspace, next_token_svm, next_token_margin):
        with pytest.raises(ValueError, match=line):
            oracle(h, p)
