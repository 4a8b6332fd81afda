import numpy as np
import pytest
import torch

from ibkit.measure import gram_coordinates


def vectors(runs, k, d, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(runs, k, d)))


def by_numpy(G, d):
    """Cholesky of the leading block fixes the first d vectors; their inner products with the others fix those."""
    L = np.linalg.cholesky(G[:d, :d])
    return np.vstack([L, np.linalg.solve(L, G[:d, d:]).T])


def is_canonical(coordinates, G, d):
    return all(np.allclose(x, by_numpy(g, d), atol=1e-8) for x, g in zip(coordinates.numpy(), G.numpy(), strict=True))


def test_coordinates_are_those_of_cholesky_and_a_mutant_is_not():
    X = vectors(5, 6, 3)
    G = X @ X.mT
    assert is_canonical(gram_coordinates(G, 3), G, 3)
    values, V = torch.linalg.eigh(G)
    unturned = V[..., -3:] * values[..., -3:].sqrt().unsqueeze(-2)
    torch.testing.assert_close(unturned @ unturned.mT, G)  # the same Gram matrix, in an orientation of its own
    assert not is_canonical(unturned, G, 3)


def test_a_rotation_of_the_vectors_changes_nothing():
    X = vectors(1, 5, 4)[0]
    Q = torch.linalg.qr(vectors(1, 4, 4, seed=1)[0]).Q
    torch.testing.assert_close(gram_coordinates(X @ X.mT, 4), gram_coordinates((X @ Q) @ (X @ Q).mT, 4))


def test_batch_is_the_loop():
    X = vectors(4, 5, 3)
    X[1, 1] = -X[1, 0]
    X[2, 0] = 0
    G = X @ X.mT
    torch.testing.assert_close(gram_coordinates(G, 3), torch.stack([gram_coordinates(g, 3) for g in G]))


def test_dependent_vectors_take_no_axis():
    """Opposite first vectors, and an ETF with its equal eigenvalues: the orientation is that of pen and paper."""
    X = torch.tensor([[2.0, 0, 0], [-1, 0, 0], [1, 3, 0], [0, -1, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(gram_coordinates(X @ X.mT, 3), X)
    etf = torch.eye(4, dtype=torch.float64) * 4 / 3 - 1 / 3
    corner = gram_coordinates(etf, 3)
    torch.testing.assert_close(corner @ corner.mT, etf)
    torch.testing.assert_close(corner[0], torch.tensor([1.0, 0, 0], dtype=torch.float64))
    assert corner[1, 1] > 0
    torch.testing.assert_close(corner[1, 1] ** 2, torch.tensor(8 / 9, dtype=torch.float64))


def test_more_dimensions_than_rank_are_zeros():
    found = gram_coordinates(torch.eye(2, dtype=torch.float64), 3)
    torch.testing.assert_close(found, torch.eye(3, dtype=torch.float64)[:2])
    assert not gram_coordinates(torch.zeros(3, 3), 2).any()


def test_what_would_be_lost_is_told():
    G = torch.diag(torch.tensor([4.0, 1.0, 0.5]))
    with pytest.raises(ValueError, match=r"rank 2 at most, got an eigenvalue of 0\.12 of the largest"):
        gram_coordinates(G, 2)
    best = gram_coordinates(G, 2, tolerance=torch.inf)
    torch.testing.assert_close(best @ best.mT, torch.diag(torch.tensor([4.0, 1.0, 0.0])))
    with pytest.raises(ValueError, match="positive semidefinite"):
        gram_coordinates(torch.diag(torch.tensor([1.0, -0.1])), 2)


def test_bad_input(unchecked):
    with pytest.raises(ValueError, match="square"):
        gram_coordinates(torch.zeros(2, 3), 2)
    with pytest.raises(ValueError, match="symmetric, got entries that differ by 1"):
        gram_coordinates(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 2)
    with pytest.raises(ValueError, match="dimensions must be at least 1"):
        gram_coordinates(torch.eye(2), 0)
    with pytest.raises(ValueError, match="G must be finite"):
        gram_coordinates(torch.full((2, 2), torch.nan), 2)
