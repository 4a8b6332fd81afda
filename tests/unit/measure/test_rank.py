import pytest
import torch

from ibkit.measure import effective_rank


def test_counts_what_stands_above_a_share_of_the_largest(rng):
    U, V = (torch.linalg.qr(torch.randn(3, 8, 5, generator=rng).double()).Q for _ in range(2))
    values = torch.tensor([[9.0, 1.0, 0.5, 0.4, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0], [5.0, 0.1, 0.1, 0.1, 0.1]]).double()
    found = torch.linalg.svdvals((U * values.unsqueeze(-2)) @ V.mT)
    assert effective_rank(found).tolist() == [3, 5, 1]
    assert effective_rank(found, threshold=0.01).tolist() == [4, 5, 5]
    assert effective_rank(1e-30 * found).tolist() == [3, 5, 1]
    assert torch.linalg.matrix_rank((U * values.unsqueeze(-2)) @ V.mT).tolist() == [4, 5, 5]  # no substitute


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="threshold must lie in"):
        effective_rank(torch.ones(3), 1.0)
    with pytest.raises(ValueError, match="singular_values must not be negative"):
        effective_rank(-torch.ones(3))
