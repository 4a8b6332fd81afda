import pytest
import torch

from ibkit.data import separated_slabs, xor_clusters
from ibkit.oracles import binary_max_margin


def test_slabs_have_their_margin_and_flipped_labels_do_not():
    X, y = separated_slabs(0, runs=2, samples=60, features=5, gap=0.3)
    assert X.shape == (2, 60, 5)
    assert bool((binary_max_margin(y[:, None] * X).margin >= 0.3 - 1e-6).all())
    assert float((y * X[..., 0]).max()) <= 1.3
    with pytest.raises(ValueError, match="separable"):
        binary_max_margin((y.roll(1) * torch.ones(1)).where(torch.arange(60) % 3 > 0, y)[:, None] * X)


def test_xor_has_its_centres_and_no_linear_separator():
    X, y = xor_clusters(1, runs=2, samples=4000, features=3, noise=0.15)
    centres = torch.stack([X[:, i::4].mean(1) for i in range(4)], 1)
    expected = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], dtype=torch.float64)
    torch.testing.assert_close(centres, expected.expand_as(centres), atol=0.03, rtol=0)
    assert float((X[:, 0::4] - expected[0]).std()) == pytest.approx(0.15, rel=0.03)
    with pytest.raises(ValueError, match="separable"):
        binary_max_margin(y[:200, None] * X[0, :200])
    quadratic = X[..., 0] ** 2 - X[..., 1] ** 2
    assert float((y * quadratic > 0).double().mean()) > 0.99


@pytest.mark.parametrize("make", [separated_slabs, xor_clusters])
def test_runs_depend_on_the_seed_and_their_number_alone(make):
    X, y = make(5, runs=3, samples=8, features=4)
    again, _ = make(5, runs=2, samples=8, features=4)
    assert torch.equal(X[:2], again)
    assert not torch.equal(X[0], X[1])
    assert y.tolist() == [1.0, -1.0] * 4


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match="gap must be positive"):
        separated_slabs(0, 1, 4, 2, gap=0.0)
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        separated_slabs(0, 1, 0, 2)
    with pytest.raises(ValueError, match="features must be at least 2"):
        xor_clusters(0, 1, 4, 1)
    with pytest.raises(ValueError, match="noise must not be negative"):
        xor_clusters(0, 1, 4, 2, noise=-1.0)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        xor_clusters(0, 1, 0, 2)
