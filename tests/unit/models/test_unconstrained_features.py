import pytest
import torch

from ibkit.models import unconstrained_embeddings, unconstrained_logits, unconstrained_start


def test_every_setting_starts_from_the_same_embeddings():
    counts = torch.tensor([[1.0, 1.0, 1.0], [9.0, 4.0, 1.0]], dtype=torch.float64)
    params = unconstrained_start(0, runs=5, classes=3, features=4, counts=counts)
    assert params["W"].shape == params["H"].shape == (2, 5, 3, 4)
    h = unconstrained_embeddings(params["H"], counts[:, None])
    torch.testing.assert_close(h[0], h[1])
    torch.testing.assert_close(params["W"][0], params["W"][1])
    assert not torch.equal(params["W"][0, 0], params["W"][0, 1]), "runs must differ"


def test_scale_is_the_standard_deviation():
    params = unconstrained_start(0, runs=400, classes=5, features=5, counts=torch.full((5,), 16.0), scale=0.3)
    assert float(params["W"].std()) == pytest.approx(0.3, rel=0.05)
    assert float(params["H"].std()) == pytest.approx(4 * 0.3, rel=0.05)


def test_logits_are_inner_products_of_true_embeddings():
    counts = torch.tensor([4.0, 9.0])
    params = {"W": torch.tensor([[1.0, 0.0], [1.0, 1.0]]), "H": torch.tensor([[2.0, 4.0], [3.0, 0.0]])}
    assert unconstrained_logits(params, counts).tolist() == [[1.0, 3.0], [1.0, 1.0]]


def test_bad_counts_are_named(unchecked):
    with pytest.raises(ValueError, match="counts must be positive, got -1"):
        unconstrained_embeddings(torch.ones(2, 2), torch.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="counts must be finite"):
        unconstrained_embeddings(torch.ones(2, 2), torch.tensor([1.0, float("nan")]))
    with pytest.raises(ValueError, match=r"counts must hold one a row of H \(2\), got 3"):
        unconstrained_embeddings(torch.ones(2, 2), torch.ones(3))
    with pytest.raises(ValueError, match="scale must be positive"):
        unconstrained_start(0, 1, 2, 2, torch.ones(2), scale=0.0)
