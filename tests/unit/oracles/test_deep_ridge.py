import cvxpy as cp
import numpy as np
import pytest
import torch

from ibkit.losses import deep_linear_objective
from ibkit.models import deep_linear_map, deep_linear_spectral_start, deep_linear_start
from ibkit.optim import minimize_lbfgs
from ibkit.oracles import (
    deep_ridge_code,
    deep_ridge_minimum,
    deep_ridge_threshold,
    simplex_etf_gram,
    unconstrained_ridge_path,
)

COUNTS = torch.tensor([20.0, 10.0, 5.0, 2.0], dtype=torch.float64)
SQUARE = torch.tensor([[1.0, 0, -1, 0], [0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1]], dtype=torch.float64) / 2


def solves_the_convex_program(values, kappa):
    """One linear layer: squared loss with a nuclear norm over all samples' outputs."""
    sizes = COUNTS.numpy().astype(int)
    Y = np.repeat(np.eye(4), sizes, axis=1)
    Z = cp.Variable(Y.shape)
    fit = cp.sum_squares(Z - Y) / (2 * sizes.sum())
    cp.Problem(cp.Minimize(fit + kappa * cp.normNuc(Z))).solve(solver="CLARABEL")
    return np.allclose(np.sort(np.linalg.svd(Z.value, compute_uv=False))[::-1], values, atol=1e-5)


def test_one_layer_solves_the_convex_program_and_mutants_do_not():
    ridges = torch.tensor([0.08, 0.02], dtype=torch.float64)  # the last class has vanished
    best = deep_ridge_minimum(COUNTS, ridges).singular_values
    assert float(best[-1]) == 0.0
    assert solves_the_convex_program(best.numpy(), 0.04)
    assert not solves_the_convex_program((COUNTS.sqrt() - 0.04).numpy(), 0.04)  # forgets the number of samples
    hard = torch.where(best > 0, COUNTS.sqrt(), 0.0)
    assert not solves_the_convex_program(hard.numpy(), 0.04)


@pytest.mark.parametrize("layers", [2, 3, 4, 7])
def test_singular_values_are_those_of_a_search_on_a_grid(layers):
    s = np.concatenate([[0.0], np.logspace(-9, 1, 100_001)])
    for kappa in (1e-3, 5e-3, 0.02, 0.06):
        best = deep_ridge_minimum(COUNTS, torch.full((layers,), kappa))
        total = 0.0
        for n, found in zip(COUNTS.tolist(), best.singular_values.tolist(), strict=True):
            cost = (s - n**0.5) ** 2 / (2 * 37) + layers / 2 * kappa * s ** (2 / layers)
            assert found == pytest.approx(s[cost.argmin()], rel=1e-3, abs=1e-3)
            total += cost.min()
        assert float(best.value) == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_training_reaches_value_lengths_and_orthogonal_classes(layers):
    labels = torch.arange(4).repeat_interleave(COUNTS.long())
    ridges = torch.tensor([0.006, 0.002, 0.004, 0.001], dtype=torch.float64)[:layers]
    start = deep_linear_start(0, 3, [37, *[9] * (layers - 1), 4], [6.0, *[3.0] * (layers - 1)])
    found = minimize_lbfgs(start, deep_linear_objective(labels, 4, ridges), 1e-10, 3000)
    best = deep_ridge_minimum(COUNTS, ridges)
    torch.testing.assert_close(found.value, best.value.expand(3), rtol=0, atol=1e-9)
    for j in range(1, layers):  # features after j layers, and the rows of the last one
        chain = deep_linear_map({f"layer{i}": found.params[f"layer{i}"] for i in range(1, j + 1)})
        h = chain[..., [0, 20, 30, 35]]
        expected = torch.diag(best.layer_squares[:j].prod(0) / COUNTS)
        torch.testing.assert_close(h.mT @ h, expected.expand(3, 4, 4), rtol=1e-4, atol=1e-5)
    W = found.params[f"layer{layers}"]
    torch.testing.assert_close(W @ W.mT, torch.diag(best.layer_squares[-1]).expand(3, 4, 4), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", [2, 3, 4, 7])
def test_classes_vanish_at_the_threshold_with_the_jump_of_the_formula(layers):
    M = layers - 1
    for c, kappa in enumerate(deep_ridge_threshold(COUNTS, layers).tolist()):
        below = deep_ridge_minimum(COUNTS, torch.full((layers,), kappa * (1 - 1e-7))).singular_values
        above = deep_ridge_minimum(COUNTS, torch.full((layers,), kappa * (1 + 1e-7))).singular_values
        assert float(below[c]) == pytest.approx((M - 1) / M * float(COUNTS[c]) ** 0.5, abs=1e-5)
        assert float(above[c]) == 0.0
        assert (above[:c] > 0).all(), "a larger class vanished first"


def test_batches_of_ridges_and_counts_are_single_problems():
    ridges = torch.tensor([[0.01, 0.002, 0.003], [0.03, 0.03, 0.03]], dtype=torch.float64)
    counts = torch.stack([COUNTS, COUNTS.flip(0), 10 + 0 * COUNTS])[:, None]
    batch = deep_ridge_minimum(counts, ridges)
    assert batch.layer_squares.shape == (3, 2, 3, 4)
    for i in range(3):
        for j in range(2):
            single = deep_ridge_minimum(counts[i, 0], ridges[j])
            for whole, part in zip(batch, single, strict=True):
                torch.testing.assert_close(whole[i, j], part)


def test_value_of_a_code_is_the_objective_at_balanced_layers():
    labels = torch.arange(4).repeat_interleave(5)
    ridges = torch.tensor([0.001, 0.003, 0.002, 0.004], dtype=torch.float64)
    kappa = float(ridges.log().mean().exp())
    for code in (simplex_etf_gram(4), SQUARE):
        best = deep_ridge_code(code, 5, ridges)
        U, values, Vt = torch.linalg.svd(best.scale * code)
        spread = Vt.mT[labels] / 5**0.5  # right singular vectors of all samples' logits
        rank = int((values > 1e-9).sum())
        start = deep_linear_spectral_start(0, U[:, :rank], values[:rank] * 5**0.5, spread[:, :rank], 4, 6)
        weighted = {f"layer{j + 1}": start[f"layer{j + 1}"] * (kappa / ridges[j]) ** 0.5 for j in range(4)}
        objective = deep_linear_objective(labels, 4, ridges, "cross-entropy")
        assert float(objective(weighted)) == pytest.approx(best.value, rel=1e-9)
        assert float(objective(start)) > best.value * (1 + 1e-6)  # the mutant that shares equally under unequal ridges


def test_one_layer_simplex_is_the_minimum_of_the_convex_problem():
    ridges = torch.tensor([0.002, 0.008], dtype=torch.float64)
    path = unconstrained_ridge_path(torch.full((4,), 10.0), [0.004 * 40])
    assert deep_ridge_code(simplex_etf_gram(4), 10, ridges).value == pytest.approx(
        float(path.objective[0]) / 40, rel=1e-8
    )
    assert deep_ridge_code(SQUARE, 10, ridges).value > float(path.objective[0]) / 40 + 1e-3


def test_square_against_simplex_has_the_limit_of_pen_and_paper():
    for layers, order in ((2, 1), (3, 1), (4, -1), (6, -1)):
        ridges = torch.full((layers,), 1e-100, dtype=torch.float64)  # the limit is reached like one over its logarithm
        ratio = [deep_ridge_code(code, 10, ridges).value for code in (SQUARE, simplex_etf_gram(4))]
        assert ratio[0] / ratio[1] == pytest.approx(2 / 3 * 2 ** (2 / layers), rel=0.005)
        assert np.sign(ratio[0] - ratio[1]) == order


def test_nothing_beats_zero_under_large_ridges():
    assert deep_ridge_code(simplex_etf_gram(3), 4, torch.full((3,), 9.0)).scale == 0.0
    assert deep_ridge_code(simplex_etf_gram(3), 4, torch.full((3,), 9.0)).value == pytest.approx(np.log(3))


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match="counts must be positive"):
        deep_ridge_minimum(torch.zeros(2), torch.ones(2))
    with pytest.raises(ValueError, match="ridges must be positive, got -1"):
        deep_ridge_minimum(COUNTS, torch.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="ridges must be at least 2"):
        deep_ridge_minimum(COUNTS, torch.ones(1))
    with pytest.raises(ValueError, match="layers must be at least 2, features included, got 1"):
        deep_ridge_threshold(COUNTS, 1)
    with pytest.raises(ValueError, match=r"code must be \(classes, classes\), got \(2, 3\)"):
        deep_ridge_code(torch.ones(2, 3), 1, torch.ones(2))
    with pytest.raises(ValueError, match="per_class must be positive, got 0"):
        deep_ridge_code(SQUARE, 0, torch.ones(2))
