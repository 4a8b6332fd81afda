import pytest
import torch

from ibkit.models import deep_linear_map, deep_linear_spectral_start
from ibkit.oracles import gradient_flow, logistic_modes
from ibkit.scaled import autograd_gradient

TIMES = torch.tensor([0.0, 0.5, 3.0, 10.0], dtype=torch.float64)
TARGETS = torch.tensor([3.0, 1.0, 0.4], dtype=torch.float64)
START = torch.tensor([[0.1, 0.2, 0.3], [0.01, 2.0, 0.0]], dtype=torch.float64)


def is_the_flow_of_all_weights(curves):
    n, generator = 4, torch.Generator().manual_seed(0)
    U, V = (torch.linalg.qr(torch.randn(rows, 3, generator=generator).double()).Q for rows in (5, n))
    Y = (U * TARGETS) @ V.mT
    layers = deep_linear_spectral_start(0, U, START, V, depth=2, width=6)
    loss = autograd_gradient(lambda p: ((deep_linear_map(p) - Y) ** 2).sum((-2, -1)) / (2 * n))
    path = U.mT @ deep_linear_map(gradient_flow(layers, loss, TIMES)) @ V
    return torch.allclose(path, torch.diag_embed(curves), rtol=1e-7, atol=1e-8)


def test_modes_are_those_of_the_flow_of_all_weights_and_a_mutant_is_not():
    assert is_the_flow_of_all_weights(logistic_modes(START, TIMES, TARGETS, rate=2 / 4))
    assert not is_the_flow_of_all_weights(logistic_modes(START, TIMES, TARGETS, rate=1 / 4))


def test_late_times_do_not_overflow():
    late = logistic_modes(START, torch.tensor([1e12], dtype=torch.float64), TARGETS)
    torch.testing.assert_close(late[0, 0], TARGETS)
    assert float(late[0, 1, 2]) == 0


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="singular_values must not be negative"):
        logistic_modes(-START, TIMES)
    with pytest.raises(ValueError, match="times must not be negative"):
        logistic_modes(START, -TIMES)
    with pytest.raises(ValueError, match="targets must be positive"):
        logistic_modes(START, TIMES, 0.0)
    with pytest.raises(ValueError, match="rate must be positive"):
        logistic_modes(START, TIMES, rate=0.0)
