import importlib

import cvxpy as cp
import numpy as np
import pytest
import torch

from ibkit.data import shared_support_tokens
from ibkit.oracles import OracleError, centered_support, next_token_nuclear, proxy_certificate

module = importlib.import_module("ibkit.oracles.next_token_nuclear")


def _program(support):
    """The semidefinite program as it stands on paper."""
    S = support.numpy()
    L, constraints = cp.Variable(S.shape), []
    for j, row in enumerate(S):
        inside, outside = np.flatnonzero(row), np.flatnonzero(~row)
        constraints += [L[j, z] == L[j, inside[0]] for z in inside[1:]]
        constraints += [L[j, inside[0]] - L[j, v] >= 1 for v in outside]
    problem = cp.Problem(cp.Minimize(cp.normNuc(L)), constraints)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return problem.value, L.value - L.value.mean(1, keepdims=True)


def test_equals_the_semidefinite_program():
    support = shared_support_tokens(seed=2, runs=3, vocabulary=6, supports=8, copies=1, sizes=(1, 4)).support
    best = next_token_nuclear(support)
    for run in range(3):
        norm, logits = _program(support[run])
        assert float(best.norm[run]) == pytest.approx(norm, rel=1e-7)
        np.testing.assert_allclose(best.logits[run].numpy(), logits, atol=1e-4)
    assert best.gap.max() < 1e-9
    mutant = torch.linalg.svdvals(centered_support(support)).sum(-1)  # the proxy, taken for the answer
    assert (mutant / best.norm - 1).max() > 1e-4


def test_answer_is_feasible_and_proved_without_a_solver():
    support = shared_support_tokens(seed=1, runs=4, vocabulary=12, supports=30, copies=2).support
    best = next_token_nuclear(support)
    top = best.logits.masked_fill(~support, -torch.inf).amax(-1)
    assert (top - best.logits.masked_fill(~support, torch.inf).amin(-1)).max() < 1e-12
    assert (top - best.logits.masked_fill(support, -torch.inf).amax(-1)).min() >= 1 - 1e-12
    torch.testing.assert_close(torch.linalg.matrix_norm(best.dual, 2), torch.ones(4).double())
    assert best.dual.masked_fill(support, 0.0).max() <= 0
    assert best.dual.sum(-1).abs().max() < 1e-9
    torch.testing.assert_close((best.dual * best.logits).sum((-2, -1)), best.norm, rtol=1e-8, atol=0)
    assert (best.logits[:, ::2] - best.logits[:, 1::2]).abs().max() < 1e-9  # one row a support


def test_a_row_of_the_projection_is_the_nearest(rng):
    Y = torch.randn(6, 7, generator=rng, dtype=torch.float64)
    mask = torch.rand(6, 7, generator=rng) < 0.4
    mask[:, 0], mask[0] = True, True
    found = module._project(Y, mask).numpy()
    for y, row, answer in zip(Y.numpy(), mask.numpy(), found, strict=True):
        x, a = cp.Variable(7), cp.Variable()
        constraints = [x[np.flatnonzero(row)] == a]
        constraints += [x[np.flatnonzero(~row)] <= a - 1] if not row.all() else []
        cp.Problem(cp.Minimize(cp.sum_squares(x - y)), constraints).solve(solver="CLARABEL")
        np.testing.assert_allclose(answer, x.value, atol=1e-5)
    mutant = torch.where(mask, 0.0, torch.minimum(Y, Y.new_tensor(-1.0)))
    assert np.abs(mutant.numpy() - found).max() > 0.1


def test_a_run_does_not_depend_on_the_others():
    support = shared_support_tokens(seed=3, runs=4).support
    together = next_token_nuclear(support)
    for run in range(4):
        alone = next_token_nuclear(support[run])
        torch.testing.assert_close(together.logits[run], alone.logits, rtol=0, atol=1e-12)


def test_nothing_to_separate_gives_zero():
    best = next_token_nuclear(torch.ones(3, 4, dtype=torch.bool))
    assert float(best.norm) == 0
    assert float(best.gap) == 0


def test_certificate_rejects_a_wrong_answer(monkeypatch):
    right = module._shrink
    monkeypatch.setattr(module, "_shrink", lambda X, by: right(X, 0 * by))  # a step that forgets the nuclear norm
    support = shared_support_tokens(seed=0, runs=1).support
    assert proxy_certificate(support) > 0.01  # else the proxy is the answer and no step is taken
    with pytest.raises(OracleError, match="relative duality gap"):
        next_token_nuclear(support, iterations=200)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="got context 0 without one"):
        next_token_nuclear(torch.zeros(1, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="tolerance must be positive"):
        next_token_nuclear(torch.ones(1, 3, dtype=torch.bool), tolerance=0.0)
