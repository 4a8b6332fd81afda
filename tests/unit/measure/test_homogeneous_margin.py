import pytest
import torch

from ibkit.measure import homogeneous_margin, logit_margin
from ibkit.models import deep_linear_map, deep_linear_start, two_layer_logits, two_layer_start


def margin(params):
    return homogeneous_margin(params, deep_linear_map(params).mT, torch.arange(3))


def scaled(params, factor):
    return {name: factor * value for name, value in params.items()}


@pytest.mark.parametrize("widths", [[3, 5, 3], [3, 5, 5, 3], [3, 4, 4, 4, 4, 3]])
def test_a_common_factor_of_the_layers_cancels(widths):
    params = deep_linear_start(0, 4, widths)
    torch.testing.assert_close(margin(scaled(params, 3.7)), margin(params))
    one = {**params, "layer1": 3.7 * params["layer1"]}
    assert not torch.allclose(margin(one), margin(params)), "one layer alone is no symmetry of the size"


def test_any_homogeneous_network_will_do(rng):
    X, y = torch.randn(5, 6, 4, generator=rng).double(), torch.tensor([0, 1, 2, 0, 1, 2])
    params = two_layer_start(0, 5, 4, 7, 3)
    size = ((params["inner"] ** 2).sum((-2, -1)) + (params["outer"] ** 2).sum((-2, -1))) / 2
    logits = two_layer_logits(params, X)
    torch.testing.assert_close(homogeneous_margin(params, logits, y), logit_margin(logits, y) / size)


def test_no_layers_are_no_network():
    with pytest.raises(ValueError, match="params must hold at least one layer"):
        homogeneous_margin({}, torch.eye(2), torch.arange(2))
