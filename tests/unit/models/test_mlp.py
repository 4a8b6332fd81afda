import pytest
import torch

from ibkit.models import mlp_embeddings, mlp_start


def test_mlp_equals_torchs_modules_run_by_run():
    params = mlp_start(0, runs=3, widths=[6, 8, 7, 4])
    X = torch.randn(3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for run in range(3):
        layers = [torch.nn.Linear(a, b, bias=False, dtype=torch.float64) for a, b in ((6, 8), (8, 7))]
        for depth, layer in enumerate(layers):
            layer.weight.data = params[f"layer{depth + 1}"][run]
        relu = torch.nn.ReLU()
        module = torch.nn.Sequential(layers[0], relu, layers[1], relu)
        torch.testing.assert_close(mlp_embeddings(params, X)[run], module(X[run]))


def test_mlp_is_positively_homogeneous_of_its_depth_and_a_biased_mutant_is_not():
    params = mlp_start(0, runs=2, widths=[6, 8, 7, 4])
    X = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    doubled = {name: 2 * value for name, value in params.items()}
    torch.testing.assert_close(mlp_embeddings(doubled, X), 4 * mlp_embeddings(params, X))
    biased = lambda p: torch.relu(mlp_embeddings(p, X) + 0.1)  # noqa: E731
    assert not torch.allclose(biased(doubled), 4 * biased(params))


def test_mlp_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match="widths must name inputs, hidden layers and outputs"):
        mlp_start(0, 1, [4, 2])
    with pytest.raises(ValueError, match="X must have 4 columns"):
        mlp_embeddings(mlp_start(0, 1, [4, 3, 2]), torch.ones(2, 5, dtype=torch.float64))
