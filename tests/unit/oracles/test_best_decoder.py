import cvxpy
import numpy as np
import pytest
import torch

from ibkit.losses import soft_label_excess
from ibkit.oracles import best_decoder


@pytest.fixture
def problem(rng):
    H = torch.randn(2, 7, 4, generator=rng, dtype=torch.float64)
    P = torch.softmax(1.5 * torch.randn(2, 7, 3, generator=rng, dtype=torch.float64), -1)
    return H, P


def by_cvxpy(H, P):
    W = cvxpy.Variable((P.shape[1], H.shape[1]))
    logits = H.numpy() @ W.T
    loss = cvxpy.sum(cvxpy.log_sum_exp(logits, axis=1)) - cvxpy.sum(cvxpy.multiply(P.numpy(), logits))
    least = cvxpy.Problem(cvxpy.Minimize(loss)).solve(solver=cvxpy.CLARABEL)
    return (least + float((P * P.log()).sum())) / len(P)


def test_it_is_the_convex_minimum_and_projected_log_odds_are_not(problem):
    H, P = problem
    best = best_decoder(H, P)
    np.testing.assert_allclose(best.gap, [by_cvxpy(h, p) for h, p in zip(H, P, strict=True)], rtol=1e-6)
    projected = H @ torch.linalg.pinv(H) @ P.log()  # a mutant: least squares in the log-odds
    assert (soft_label_excess(projected, P).mean(-1) > 1.01 * best.gap).all()
    assert (best.slope < 1e-8).all()
    assert (best.rank == 4).all()
    torch.testing.assert_close(soft_label_excess(best.logits, P).mean(-1), best.gap)


def test_nearly_dependent_embeddings_do_not_slow_it(problem):
    H, P = problem
    mixed = H @ torch.diag(torch.tensor([1.0, 1e-3, 1e-6, 1e-9], dtype=torch.float64))
    torch.testing.assert_close(best_decoder(mixed, P).gap, best_decoder(H, P).gap, rtol=1e-6, atol=0.0)


def test_as_many_features_as_contexts_fit_exactly_and_one_less_does_not(rng):
    H = torch.randn(6, 6, generator=rng, dtype=torch.float64)
    P = torch.softmax(torch.randn(6, 4, generator=rng, dtype=torch.float64), -1)
    assert float(best_decoder(H, P).gap) < 1e-25
    assert float(best_decoder(H[:, :5], P).gap) > 1e-5
    repeated = torch.cat([H[:, :5], H[:, :1]], -1)
    assert int(best_decoder(repeated, P).rank) == 5


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(problem):
    H, P = problem
    with pytest.raises(ValueError, match="probabilities must be positive"):
        best_decoder(H, torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0, 1, 2, 0]])
    with pytest.raises(ValueError, match=r"one row a context \(7\), got 6"):
        best_decoder(H, P[:, :6])
    with pytest.raises(ValueError, match="embeddings must be finite"):
        best_decoder(H * torch.nan, P)
