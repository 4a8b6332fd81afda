import cvxpy as cp
import numpy as np
import pytest
import scipy.optimize
import torch

from ibkit.data import step_counts
from ibkit.losses import supervised_contrastive, supervised_contrastive_gram
from ibkit.oracles import contrastive as module
from ibkit.oracles import (
    contrastive_gap,
    contrastive_gram,
    contrastive_minority_limit,
    simplex_etf_gram,
    step_contrastive,
)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def class_loss(M, counts, tau):
    """Straight from the formula with NumPy, class by class."""
    total = 0.0
    for c, n in enumerate(counts):
        others = [counts[o] * np.exp((M[c, o] - M[c, c]) / tau) for o in range(len(counts)) if o != c]
        total += n * np.log(n - 1 + sum(others))
    return total


def program(counts, tau, bound=False, samples=False):
    """The convex program by cvxpy's exponential cone, over classes or samples; diagonal at most one, or one."""
    labels = np.repeat(np.arange(len(counts)), counts) if samples else np.arange(len(counts))
    G = cp.Variable((len(labels), len(labels)), PSD=True)
    loss = 0
    for i, c in enumerate(labels):
        if samples:
            same = [j for j in np.flatnonzero(labels == c) if j != i]
            rest = [j for j in range(len(labels)) if j != i]
            loss += cp.log_sum_exp(G[i, rest] / tau) - cp.sum(G[i, same]) / len(same) / tau
        else:
            sizes = np.log([counts[o] - (o == c) for o in range(len(counts))])
            loss += counts[c] * (cp.log_sum_exp(G[c] / tau + sizes) - G[c, c] / tau)
    diagonal = cp.diag(G) <= 1 if bound else cp.diag(G) == 1
    tight = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
    problem = cp.Problem(cp.Minimize(loss / sum(counts)), [diagonal])
    problem.solve(solver="CLARABEL", **tight)
    return G.value, problem.value * sum(counts)


@pytest.mark.parametrize(("counts", "tau"), [((20, 20, 2, 2), 1.0), ((7, 5, 3, 2, 2), 0.5), ((4, 3), 0.3)])
@pytest.mark.parametrize("bound", [False, True])
def test_gram_is_that_of_the_exponential_cone_with_either_constraint(counts, tau, bound):
    M, value = program(counts, tau, bound)
    best = contrastive_gram(tensor(*counts), tau)
    assert best.loss == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(best.gram, M, atol=2e-4)  # the cone's answer has fewer digits
    assert best.loss == pytest.approx(class_loss(best.gram.numpy(), counts, tau), rel=1e-12)
    assert best.gap < 1e-6
    assert best.loss <= class_loss(M / np.sqrt(np.outer(np.diag(M), np.diag(M))), counts, tau) + 1e-9


def test_the_program_over_all_samples_collapses_by_itself():
    """Nothing in the program over samples asks for equal embeddings in a class; its optimum has them all the same."""
    counts = (3, 3, 2)
    G, value = program(counts, 0.5, samples=True)
    best = contrastive_gram(tensor(*counts), 0.5)
    labels = np.repeat(np.arange(3), counts)
    assert value == pytest.approx(best.loss, abs=1e-5)
    np.testing.assert_allclose(G, best.gram.numpy()[labels][:, labels], atol=2e-3)


def test_balanced_is_the_simplex_at_every_temperature():
    etf = simplex_etf_gram(4) * 4 / 3
    for tau in (0.1, 0.5, 2.0):
        torch.testing.assert_close(contrastive_gram(tensor(6, 6, 6, 6), tau).gram, etf, atol=1e-6, rtol=0)
    ends = step_contrastive(6, 0.5, 1.0, tensor(0.1, 1.0, 5.0))
    torch.testing.assert_close(ends.gram, (simplex_etf_gram(6) * 6 / 5).expand(3, -1, -1), atol=1e-9, rtol=0)


STEPS = [(4, 0.5, 10.0, 1.0), (4, 0.5, 10.0, 0.2), (10, 0.5, 30.0, 0.5), (5, 0.2, 8.0, 1.0), (5, 0.8, 8.0, 1.0)]


def step_agrees(ends, best):
    return float((ends.gram - best.gram).abs().max()) < 1e-6 and abs(float(ends.loss) - best.loss) < 1e-9 * best.loss


@pytest.mark.parametrize(("k", "rho", "R", "tau"), [*STEPS, (4, 0.5, 2000.0, 0.5)])
def test_two_numbers_give_the_convex_program(k, rho, R, tau):
    assert step_agrees(step_contrastive(k, rho, R, tau), contrastive_gram(step_counts(k, rho, R, 2.0), tau))


def test_step_is_the_minimum_that_scipy_finds_and_not_that_of_a_mutant():
    """The mutant has an anchor count itself among its positives: n of them in place of n - 1."""
    M, m, R, n, tau = 3, 2, 12.0, 2.0, 0.4
    counts = [R * n] * M + [n] * m

    def minimum(itself):
        def loss(point):
            a, b = point
            G = np.full((5, 5), -np.sqrt((1 + 2 * a) * (1 + b) / 6))
            G[:3, :3], G[3:, 3:] = a, b
            weights = np.exp(G / tau) * counts
            np.fill_diagonal(weights, (np.array(counts) - itself) * np.exp(1 / tau))
            return np.dot(counts, np.log(weights.sum(1)) - 1 / tau)

        bounds = [(-0.499, 0.999), (-0.999, 0.999)]
        return scipy.optimize.minimize(loss, [0.0, 0.0], bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9})

    ends = step_contrastive(5, 0.4, R, tau, n)
    here = np.array([float(ends.majority), float(ends.minority)])
    np.testing.assert_allclose(here, minimum(1).x, atol=1e-4)
    assert float(ends.loss) <= minimum(1).fun + 1e-12
    assert np.abs(here - minimum(0).x).max() > 0.01


def test_step_batch_is_the_loop_and_broadcasts():
    R, tau = tensor(1.0, 7.0, 300.0)[:, None], tensor(0.2, 1.0)
    ends = step_contrastive(6, 0.5, R, tau)
    assert ends.gram.shape == (3, 2, 6, 6)
    for i in range(3):
        for j in range(2):
            one = step_contrastive(6, 0.5, float(R[i]), float(tau[j]))
            torch.testing.assert_close(ends.gram[i, j], one.gram, rtol=0, atol=1e-12)


def test_single_classes_have_no_cosine_of_their_own():
    assert step_contrastive(3, 1 / 3, 5.0).minority.isnan()
    assert step_contrastive(3, 2 / 3, 5.0).majority.isnan()
    torch.testing.assert_close(step_contrastive(2, 0.5, 9.0).across, tensor(-1.0)[0])


@pytest.mark.parametrize(("M", "m", "tau"), [(2, 2, 0.7), (3, 2, 1.0), (3, 4, 0.5), (5, 5, 1.0), (5, 2, 0.2)])
def test_minority_limit_is_where_the_optimum_goes(M, m, tau):
    limit = float(contrastive_minority_limit(M, tau))
    far = step_contrastive(M + m, m / (M + m), tensor(1e5, 1e7), tau).minority
    assert far[1] == pytest.approx(limit, abs=1e-4)
    if limit < 1:  # a mutant without the square
        D = np.exp(1 / tau) + (M - 1) * np.exp(-1 / ((M - 1) * tau))
        assert abs(1 / (M - 1) + tau * np.log((D + M) / (4 * M * D)) - float(far[1])) > 0.01


def test_two_majorities_merge_minorities_at_a_finite_ratio():
    ends = step_contrastive(4, 0.5, tensor(100.0, 1000.0), 1.0)
    assert 1 - ends.minority[0] > 1e-3
    assert ends.minority[1] == 1
    assert contrastive_gap(ends.gram[1], torch.arange(4), 1.0, step_counts(4, 0.5, 1000.0, 2.0)) < 1e-6


def test_gap_bounds_the_distance_to_the_optimum_and_is_zero_there():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    rng = np.random.default_rng(0)
    H = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(20, 7, 5))), dim=-1)
    tau = torch.from_numpy(rng.uniform(0.2, 2.0, size=20))
    losses = supervised_contrastive(H, labels, tau)
    gaps = contrastive_gap(H @ H.mT, labels, tau)
    for loss, gap, t in zip(losses, gaps, tau, strict=True):
        best = contrastive_gram(tensor(3, 2, 2), float(t))
        assert float(loss) - best.loss <= float(gap)
        collapsed = best.gram[labels][:, labels]
        assert contrastive_gap(collapsed, labels, float(t)) < 1e-6
        torch.testing.assert_close(supervised_contrastive_gram(collapsed, labels, float(t)), tensor(best.loss)[0])


def test_bad_input(unchecked):
    for bad, words in (
        (tensor(3.0), "at least 2"),
        (tensor(3.0, 1.0), "counts must be above 1, got 1.0"),
        (tensor(3.0, torch.nan), "counts must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            contrastive_gram(bad)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        contrastive_gram(tensor(3, 3), 0.0)
    with pytest.raises(ValueError, match=r"ratio must be at least 1, got 0\.5"):
        step_contrastive(4, 0.5, 0.5)
    with pytest.raises(ValueError, match="temperature must be positive"):
        step_contrastive(4, 0.5, 2.0, -1.0)
    with pytest.raises(ValueError, match="smallest must be above 1, got 1"):
        step_contrastive(4, 0.5, 2.0, smallest=1.0)
    with pytest.raises(ValueError, match="G must have ones on its diagonal, got a value that is 1 off"):
        contrastive_gap(2 * torch.eye(2), torch.arange(2), counts=tensor(2, 2))
    with pytest.raises(ValueError, match="majorities must be at least 2, got 1"):
        contrastive_minority_limit(1)
    with pytest.raises(ValueError, match="temperature must be positive"):
        contrastive_minority_limit(2, 0.0)


def test_an_answer_without_proof_is_refused(monkeypatch):
    monkeypatch.setattr(module, "GAP_TOLERANCE", -1.0)
    with pytest.raises(module.OracleError, match="gap of"):
        contrastive_gram(tensor(3, 3))
