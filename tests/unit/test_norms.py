import math

import numpy as np
import pytest
import torch

from ibkit.norms import NAMED_NORMS, MatrixNorm, as_norm

NORMS = [MatrixNorm(kind, p) for kind in ("entrywise", "schatten") for p in (1.0, 1.5, 2.0, 3.0, math.inf)]


@pytest.fixture(name="G")
def gradients(rng):
    return torch.randn(3, 2, 4, 6, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMED_NORMS)
def test_named_norms_equal_numpys(name, G):
    def by_numpy(matrix):
        if name == "max":
            return np.abs(matrix).max()
        if name == "sum":
            return np.abs(matrix).sum()
        return np.linalg.norm(matrix, {"frobenius": "fro", "spectral": 2, "nuclear": "nuc"}[name])

    expected = [[by_numpy(G[i, j].numpy()) for j in range(2)] for i in range(3)]
    np.testing.assert_allclose(as_norm(name)(G), expected, rtol=1e-12)


def certifies_steepest(norm, G, D):
    """Unit norm, and the inner product with G equals the dual norm: together they prove that D is a maximiser."""
    attained = torch.allclose((G * D).sum((-2, -1)), norm.dual(G), rtol=1e-9)
    return attained and torch.allclose(norm(D), torch.ones(G.shape[:-2], dtype=G.dtype), rtol=1e-9)


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_steepest_direction_has_its_certificate(norm, G):
    assert certifies_steepest(norm, G, norm.steepest(G))
    assert not certifies_steepest(norm, G, -norm.steepest(G))


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_certificate_rejects_the_next_norms_direction(norm, G):
    other = MatrixNorm("schatten" if norm.kind == "entrywise" else "entrywise", 1.7)
    assert not certifies_steepest(norm, G, other.steepest(G))


@pytest.mark.parametrize("norm", NORMS, ids=str)
@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_steepest_ignores_scale(norm, G, factor):
    torch.testing.assert_close(norm.steepest(factor * G), norm.steepest(G), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_steepest_of_zero_is_zero(norm):
    assert norm.steepest(torch.zeros(2, 3, 4)).abs().max() == 0


def test_rank_deficient_polar_factor_leaves_the_null_space_alone(rng):
    thin = torch.randn(6, 2, generator=rng, dtype=torch.float64) @ torch.randn(2, 5, generator=rng, dtype=torch.float64)
    values = torch.linalg.svdvals(as_norm("spectral").steepest(thin))
    torch.testing.assert_close(values, torch.tensor([1.0, 1, 0, 0, 0], dtype=torch.float64), atol=1e-9, rtol=0)


def test_dual_of_the_dual_is_the_norm():
    for norm in NORMS:
        assert norm.dual.dual.p == pytest.approx(norm.p)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MatrixNorm("schatten", 0.5), "p must be at least 1"),
        (lambda: MatrixNorm("operator", 2.0), "kind must be entrywise or schatten, got 'operator'"),
        (lambda: as_norm("spectrum"), "norm must be one of max, sum, frobenius, spectral, nuclear"),
        (lambda: as_norm("max")(torch.zeros(3)), r"W must be a matrix .* got shape \(3,\)"),
    ],
)
def test_bad_norms_are_named(make, says, unchecked):
    with pytest.raises(ValueError, match=says):
        make()
