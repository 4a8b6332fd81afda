import numpy as np
import pytest
import torch

from ibkit.models import deep_linear_map, deep_linear_spectral_start, deep_linear_start


def orthonormal(seed, rows, columns):
    return torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).normal(size=(rows, columns)))[0])


U, V = orthonormal(0, 5, 3), orthonormal(1, 4, 3)
S = torch.tensor([[4.0, 1.0, 0.0], [9.0, 0.25, 3.0]], dtype=torch.float64)


def has_the_decomposition(params, s):
    return np.allclose(deep_linear_map(params), (U * s.unsqueeze(-2)) @ V.mT, atol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_spectral_start_has_the_given_decomposition_and_is_balanced(depth):
    params = deep_linear_spectral_start(3, U, S, V, depth, width=6)
    assert list(params) == [f"layer{i}" for i in range(1, depth + 1)]
    assert params["layer1"].shape == (2, 6, 4)
    assert params[f"layer{depth}"].shape == (2, 5, 6)
    assert has_the_decomposition(params, S)
    for i in range(1, depth):
        below, above = params[f"layer{i}"], params[f"layer{i + 1}"]
        torch.testing.assert_close(above.mT @ above, below @ below.mT)


def test_a_root_of_the_wrong_order_is_noticed():
    wrong = deep_linear_spectral_start(3, U, S ** (3 / 2), V, 3, width=6)  # square roots in three layers
    assert not has_the_decomposition(wrong, S)


def test_gaussian_layers_have_the_stated_spread_and_repeat():
    params = deep_linear_start(7, 30, [40, 60, 50, 20], scale=[0.5, 2.0, 1.0])
    for i, (fan_in, scale) in enumerate([(40, 0.5), (60, 2.0), (50, 1.0)], start=1):
        assert float(params[f"layer{i}"].std()) == pytest.approx(scale / fan_in**0.5, rel=0.02)
    again = deep_linear_start(7, 3, [40, 60, 50, 20], scale=[0.5, 2.0, 1.0])
    torch.testing.assert_close(again["layer2"], params["layer2"][:3])
    plain = deep_linear_start(7, 3, [40, 60, 50, 20])
    torch.testing.assert_close(2 * plain["layer2"], again["layer2"])


def test_product_runs_from_the_inputs_to_the_outputs():
    params = deep_linear_start(0, 4, [3, 7, 5, 2])
    x = torch.randn(3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layer_by_layer = params["layer3"] @ (params["layer2"] @ (params["layer1"] @ x).unsqueeze(-1))
    torch.testing.assert_close(deep_linear_map(params) @ x, layer_by_layer.squeeze(-1))
    shuffled = {name: params[name] for name in ("layer3", "layer1", "layer2")}
    torch.testing.assert_close(deep_linear_map(shuffled), deep_linear_map(params))


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="singular_values must not be negative, got -9"):
        deep_linear_spectral_start(0, U, -S, V, 2, 6)
    with pytest.raises(ValueError, match="width must be at least the rank"):
        deep_linear_spectral_start(0, U, S, V, 2, 2)
    with pytest.raises(ValueError, match="left must have orthonormal columns"):
        deep_linear_spectral_start(0, 2 * U, S, V, 2, 6)
    with pytest.raises(ValueError, match="depth must be at least 2"):
        deep_linear_spectral_start(0, U, S, V, 1, 6)
    with pytest.raises(ValueError, match="one a layer, got 2"):
        deep_linear_start(0, 1, [3, 4, 4, 2], scale=[1.0, 1.0])
    with pytest.raises(ValueError, match="scale must be positive"):
        deep_linear_start(0, 1, [3, 4, 2], scale=0.0)
    with pytest.raises(ValueError, match=r"params must name layer1 \.\.\. layerN"):
        deep_linear_map({"W": torch.eye(2)})
