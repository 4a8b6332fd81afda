import importlib

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibkit.losses import attention_logits, attention_margins
from ibkit.oracles import OracleError, attention_feasible, attention_svm, locally_optimal
from ibkit.oracles.nearest_point import nearest_hull_point

module = importlib.import_module("ibkit.oracles.attention_svm")  # the name in the package is the function


def draw(rng, runs, n, T, d):
    x = torch.randn(runs, n, T, d, generator=rng, dtype=torch.float64)
    z = torch.randn(runs, n, d, generator=rng, dtype=torch.float64)
    return x, z, torch.randint(T, (runs, n), generator=rng)


def constraints(x, z, selected):
    """All (x_sel - x_t) z', written out, one a row."""
    return np.array(
        [np.outer(x[i, a] - x[i, t], z[i]).ravel() for i, a in enumerate(selected) for t in range(len(x[i])) if t != a]
    )


def by_cvxpy(x, z, selected, norm):
    W = cp.Variable((x.shape[-1], x.shape[-1]))
    size = cp.norm(W, "fro") if norm == "frobenius" else cp.normNuc(W)
    rows = constraints(x.numpy(), z.numpy(), selected.numpy())
    cp.Problem(cp.Minimize(size), [rows @ cp.vec(W, order="C") >= 1]).solve(solver="CLARABEL")
    return W.value, size.value


def test_frobenius_agrees_with_the_program_written_out_with_a_mutant_of_swapped_roles(rng):
    x, z, selected = draw(rng, 2, 3, 4, 5)
    found = attention_svm(x, z, selected)
    for run in range(2):
        W, size = by_cvxpy(x[run], z[run], selected[run], "frobenius")
        np.testing.assert_allclose(found.W[run], W, atol=1e-6)
        assert float(found.norm[run]) == pytest.approx(float(size), rel=1e-6)
        assert not np.allclose(found.W[run].T, W, atol=1e-2)  # z x' in place of x z'
    margins = attention_margins(attention_logits(x, z, found.W), selected)
    own = torch.nn.functional.one_hot(selected, 4).bool()
    torch.testing.assert_close(margins[~own].reshape(2, -1).amin(-1), torch.ones(2, dtype=torch.float64))
    # the Karush-Kuhn-Tucker conditions: W from the multipliers, which vanish off the margin
    differences = x.gather(-2, selected[..., None, None].expand(2, 3, 1, 5)) - x
    rebuilt = torch.einsum("rnt,rntd,rne->rde", found.multipliers, differences, z)
    torch.testing.assert_close(rebuilt, found.W)
    assert (found.multipliers >= 0).all()
    assert (found.multipliers * (margins - 1)).abs().masked_fill(own, 0.0).max() < 1e-9
    assert (found.multipliers[own] == 0).all()


def test_nuclear_agrees_with_the_program_written_out_with_the_other_norm_as_mutant(rng):
    x, z, selected = draw(rng, 2, 3, 4, 5)
    found, other = attention_svm(x, z, selected, "nuclear"), attention_svm(x, z, selected)
    for run in range(2):
        _, size = by_cvxpy(x[run], z[run], selected[run], "nuclear")
        assert float(found.norm[run]) == pytest.approx(float(size), rel=1e-6)
        assert float(torch.linalg.svdvals(found.W[run]).sum()) == pytest.approx(float(size), rel=1e-6)
        assert float(torch.linalg.svdvals(other.W[run]).sum()) > 1.001 * float(size)
    differences = x.gather(-2, selected[..., None, None].expand(2, 3, 1, 5)) - x
    dual = torch.einsum("rnt,rntd,rne->rde", found.multipliers, differences, z)
    torch.testing.assert_close(torch.linalg.matrix_norm(dual, 2), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(found.multipliers.sum((-2, -1)), found.norm, rtol=1e-5, atol=0)
    assert (found.gap <= 1e-5).all()
    assert (torch.linalg.matrix_rank(found.W, rtol=1e-3) <= 3).all()


def test_one_sequence_has_one_solution_in_both_norms(rng):
    x, z, selected = draw(rng, 3, 1, 4, 6)
    for run in range(3):
        # the token machine: least u with (x_sel - x_t)' u >= 1; then W = u z' / |z|^2
        u = cp.Variable(6)
        rows = (x[run, 0, selected[run, 0]] - x[run, 0]).numpy()
        kept = np.arange(4) != int(selected[run, 0])
        cp.Problem(cp.Minimize(cp.sum_squares(u)), [rows[kept] @ u >= 1]).solve(solver="CLARABEL")
        expected = np.outer(u.value, z[run, 0]) / float(z[run, 0] @ z[run, 0])
        for norm in ("frobenius", "nuclear"):
            np.testing.assert_allclose(attention_svm(x, z, selected, norm).W[run], expected, atol=1e-5)
        assert not np.allclose(expected / np.linalg.norm(z[run]), expected, rtol=1e-2)


def test_orthonormal_tokens_have_a_closed_form_whatever_the_width():
    n, T, d = 3, 4, 40
    Q = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    x = Q[: n * T].reshape(n, T, d)
    found = attention_svm(x, x[:, 0], torch.tensor([1, 2, 3]))
    expected = sum(
        torch.outer(x[i, i + 1] - x[i].mean(0), x[i, 0])
        for i in range(n)  # (T - 1)/T x_sel - 1/T sum of others
    )
    torch.testing.assert_close(found.W, expected)
    assert float(found.norm) == pytest.approx((n * (T - 1) / T) ** 0.5)


def test_feasibility_agrees_with_a_linear_program_and_the_count_of_dimensions(rng):
    verdicts = set()
    for d in (1, 2, 3):
        x, z, selected = draw(rng, 8, 3, 4, d)
        for run, found in enumerate(attention_feasible(x, z, selected)):
            rows = constraints(x[run].numpy(), z[run].numpy(), selected[run].numpy())
            status = linprog(np.zeros(d * d), A_ub=-rows, b_ub=-np.ones(len(rows)), bounds=(None, None)).status
            assert bool(found) == (status == 0)
            verdicts.add(bool(found))
        if d == 3:  # max(T - 1, n)
            assert attention_feasible(x, z, selected).all()
            assert attention_feasible(x, x[..., 0, :], selected).all()
    assert verdicts == {True, False}
    with pytest.raises(OracleError, match=r"no matrix separates the selected tokens \(run 1"):
        attention_svm(torch.tensor([[[[1.0], [0.0]]], [[[0.0], [0.0]]]]), torch.ones(2, 1, 1), torch.zeros(2, 1).long())


def test_local_optimality_by_its_definition_with_a_mutant_that_looks_at_all_tokens(rng):
    x, z, selected = draw(rng, 12, 2, 5, 2)
    scores = torch.randn(12, 2, 5, generator=rng, dtype=torch.float64)
    found, feasible = locally_optimal(x, z, scores, selected), attention_feasible(x, z, selected)
    agreed_with_mutant = []
    for run in range(12):
        if not feasible[run]:
            assert not found[run]
            continue
        W, _ = by_cvxpy(x[run], z[run], selected[run], "frobenius")
        expected = best = True
        for i, a in enumerate(selected[run].tolist()):
            margins = ((x[run, i, a] - x[run, i]) @ torch.from_numpy(W) @ z[run, i]).numpy()
            for t in range(5):
                higher = bool(scores[run, i, t] >= scores[run, i, a])
                best &= t == a or not higher
                expected &= t == a or margins[t] > 1 + 1e-4 or not higher
        assert bool(found[run]) == expected
        agreed_with_mutant.append(bool(found[run]) == best)
    assert not all(agreed_with_mutant)
    top = scores.argmax(-1)
    assert torch.equal(locally_optimal(x, z, scores, top), attention_feasible(x, z, top))


def test_runs_are_independent_and_of_any_shape(rng):
    x, z, selected = draw(rng, 4, 2, 3, 3)
    for norm in ("frobenius", "nuclear"):
        many = attention_svm(x.unflatten(0, (2, 2)), z.unflatten(0, (2, 2)), selected.unflatten(0, (2, 2)), norm)
        assert many.W.shape == (2, 2, 3, 3)
        assert many.multipliers.shape == (2, 2, 2, 3)
        torch.testing.assert_close(many.W[1, 0], attention_svm(x[2], z[2], selected[2], norm).W)


@pytest.mark.parametrize("norm", ["frobenius", "nuclear"])
def test_the_certificate_does_not_trust_the_solver(norm, rng, monkeypatch):
    x, z, selected = draw(rng, 1, 3, 4, 5)
    real = {"frobenius": module._best_margin, "nuclear": module._nuclear}[norm]

    def sloppy(*problem):
        answer = real(*problem)
        multipliers = answer[-1].copy()
        multipliers[multipliers.argmax()] *= 1.05
        return (*answer[:-1], multipliers)

    monkeypatch.setattr(module, real.__name__, sloppy)
    with pytest.raises(OracleError, match="duality gap"):
        attention_svm(x, z, selected, norm)


def test_the_nearest_point_of_a_hull(rng):
    G = np.random.default_rng(0).normal(size=(7, 12)) + 1.0
    weights = nearest_hull_point(G @ G.T, "a hull")
    u = cp.Variable(7, nonneg=True)
    cp.Problem(cp.Minimize(cp.sum_squares(G.T @ u)), [cp.sum(u) == 1]).solve(solver="CLARABEL")
    np.testing.assert_allclose(weights, u.value, atol=1e-5)
    assert not np.allclose(np.ones(7) / 7, u.value, atol=1e-2)  # mutant: the mean


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    x, z, selected = torch.ones(2, 3, 4), torch.ones(2, 4), torch.zeros(2).long()
    with pytest.raises(ValueError, match=r"queries must have shape \(2, 4\), got \(2, 3\)"):
        attention_svm(x, z[:, :3], selected)
    with pytest.raises(ValueError, match=r"selected must have shape \(2,\), got \(3,\)"):
        attention_feasible(x, z, torch.zeros(3).long())
    with pytest.raises(ValueError, match="norm must be one of frobenius, nuclear, got 'spectral'"):
        attention_svm(x, z, selected, "spectral")
    with pytest.raises(ValueError, match="at least 2 tokens"):
        attention_svm(x[:, :1], z, selected)
    with pytest.raises(ValueError, match=r"selected must hold integers in 0\.\.2"):
        attention_svm(x, z, selected + 3)
    with pytest.raises(ValueError, match="tokens must be finite"):
        attention_svm(x / 0, z, selected)
    with pytest.raises(ValueError, match="tolerance must be positive"):
        locally_optimal(x, z, x[..., 0], selected, tolerance=0.0)
