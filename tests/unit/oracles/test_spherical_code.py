import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibkit.measure import homogeneous_margin
from ibkit.models import deep_linear_map, deep_linear_spectral_start
from ibkit.oracles import code_margin, one_vs_rest_distance, simplex_etf_gram, spherical_code


@pytest.mark.parametrize(
    ("points", "dimensions", "separation"),
    [
        (5, 4, 5 / 4),  # the simplex
        (4, 3, 4 / 3),
        (6, 2, 1 - math.cos(math.pi / 3)),  # regular polygons
        (7, 2, 1 - math.cos(2 * math.pi / 7)),
        (6, 3, 1.0),  # the octahedron
        (8, 3, 1 - (2 * math.sqrt(2) - 1) / 7),  # the square antiprism, wider than the cube
        (12, 3, 1 - 1 / math.sqrt(5)),  # the icosahedron
    ],
)
def test_codes_are_the_known_ones(points, dimensions, separation):
    code = spherical_code(points, dimensions)
    torch.testing.assert_close(code.vectors.norm(dim=-1), torch.ones(points, dtype=torch.float64))
    cosines = code.vectors @ code.vectors.mT - 2 * torch.eye(points)
    assert code.separation == pytest.approx(1 - float(cosines.max()), abs=1e-12)
    assert code.separation == pytest.approx(separation, abs=1e-5)
    random = torch.nn.functional.normalize(torch.randn(points, dimensions).double(), dim=-1)
    assert 1 - float((random @ random.mT - 2 * torch.eye(points)).max()) < separation - 1e-5, (
        "chance must not do as well"
    )


def test_gram_of_the_simplex_and_tightness():
    code = spherical_code(4, 3)
    torch.testing.assert_close(code.vectors @ code.vectors.mT, 4 / 3 * simplex_etf_gram(4), atol=1e-6, rtol=0)
    assert code.frame < 1e-6
    assert spherical_code(5, 3).frame > 0.01  # five points in space: no tight frame


def hull_distance(vectors, j, directions=400_000):
    """Distance of a point in the plane to the hull of others, as the largest gap over all directions."""
    angles = np.linspace(0, 2 * np.pi, directions, endpoint=False)
    u = np.stack([np.cos(angles), np.sin(angles)])
    return float(((vectors[j] @ u) - (np.delete(vectors, j, 0) @ u).max(0)).max())


def test_one_vs_rest_distance_is_the_best_gap_over_directions():
    vectors = np.array([[1.0, 0.0], [0.1, 1.1], [-1.2, 0.3], [0.2, -0.9]])
    expected = min(hull_distance(vectors, j) for j in range(4))
    assert one_vs_rest_distance(torch.from_numpy(vectors)) == pytest.approx(expected, abs=1e-5)
    nearest = min(np.linalg.norm(vectors[i] - vectors[j]) for i in range(4) for j in range(i))
    assert nearest > expected + 0.05, "the nearest point is not the hull"


def test_a_point_inside_the_hull_has_no_distance():
    vectors = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
    assert one_vs_rest_distance(vectors) == pytest.approx(0.0, abs=1e-6)
    inside = linprog(np.zeros(3), A_eq=np.r_[vectors[:3].T.numpy(), np.ones((1, 3))], b_eq=[0, 0, 1])
    assert inside.status == 0


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("rank", [2, 3, 5])
def test_code_margin_is_that_of_balanced_layers(depth, rank):
    code = spherical_code(6, rank)
    Q, _ = torch.linalg.qr(code.vectors)  # a tight frame: columns of equal length, at right angles
    layers = deep_linear_spectral_start(0, Q, torch.full((rank,), 2.0), Q, depth, width=7)
    margin = float(homogeneous_margin(layers, deep_linear_map(layers).mT, torch.arange(6)))
    assert margin == pytest.approx(float(code_margin(6, rank, code.separation, depth)), rel=1e-4)
    assert margin != pytest.approx(float(code_margin(6, rank, code.separation, depth + 1)), rel=1e-2)


def test_the_simplex_loses_with_depth():
    assert float(code_margin(6, 5, 6 / 5, 2)) == pytest.approx(1 / 5)
    ratio = code_margin(6, 3, 1.0, torch.tensor([2.0, 3.0, 4.0])) / code_margin(6, 5, 6 / 5, torch.tensor([2, 3, 4]))
    assert (ratio > 1).tolist() == [False, True, True]


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="points must be at least 2, got 1"):
        spherical_code(1, 2)
    with pytest.raises(ValueError, match="dimensions must be at least 2, got 1"):
        spherical_code(3, 1)
    with pytest.raises(ValueError, match="restarts must be at least 1"):
        spherical_code(3, 2, restarts=0)
    with pytest.raises(ValueError, match="vectors must be at least 2"):
        one_vs_rest_distance(torch.ones(1, 2))
    with pytest.raises(ValueError, match="rank must be positive"):
        code_margin(6, 0, 1.0, 2)
    with pytest.raises(ValueError, match="separation must be positive"):
        code_margin(6, 2, 0.0, 2)
