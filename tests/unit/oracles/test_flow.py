import numpy as np
import pytest
import scipy.linalg
import torch

from ibkit.oracles import OracleError, gradient_flow, log_time_flow
from ibkit.scaled import Gradient, autograd_gradient

TIMES = torch.tensor([0.0, 0.3, 2.0, 50.0], dtype=torch.float64)


def follows_the_exponential(A, velocity):
    start = np.array([1.0, -2.0, 0.5])
    exact = np.stack([scipy.linalg.expm(t * A) @ start for t in TIMES.tolist()])
    return np.allclose(log_time_flow(velocity, start, TIMES), exact, rtol=1e-8, atol=1e-9)


def test_linear_flow_is_the_matrix_exponential_and_a_mutant_is_not():
    A = np.array([[-0.5, 1.0, 0.0], [-1.0, -0.5, 0.2], [0.0, 0.0, -0.1]])
    assert follows_the_exponential(A, lambda x: A @ x)
    assert not follows_the_exponential(A, lambda x: A.T @ x)
    assert not follows_the_exponential(A, lambda x: A @ x / 1.01)


def test_logarithmic_growth_is_followed_over_many_decades():
    times = torch.logspace(0, 12, 13, dtype=torch.float64)
    path = log_time_flow(lambda x: np.exp(-x), np.zeros(1), times)  # x = log(1 + t)
    np.testing.assert_allclose(path[:, 0], np.log1p(times.numpy()), rtol=1e-8)


def test_gradient_flow_of_a_bowl_for_several_runs_and_tensors(rng):
    a, b = torch.rand(2, 3, generator=rng, dtype=torch.float64), torch.rand(2, 1, 2, generator=rng, dtype=torch.float64)
    params = {"a": torch.ones(2, 3, dtype=torch.float64), "b": 2 * torch.ones(2, 1, 2, dtype=torch.float64)}
    bowl = autograd_gradient(lambda p: (a * p["a"] ** 2).sum(-1) / 2 + (b * p["b"] ** 2).sum((-2, -1)) / 2)
    path = gradient_flow(params, bowl, TIMES)
    assert path["b"].shape == (4, 2, 1, 2)
    for name, rate in (("a", a), ("b", b)):
        clock = TIMES.reshape(-1, *[1] * rate.ndim)
        torch.testing.assert_close(path[name], params[name] * torch.exp(-rate * clock), rtol=1e-7, atol=1e-9)


def test_the_scale_of_a_gradient_counts():
    def scaled(params):
        return Gradient({"w": params["w"] / 8}, torch.full((), 8.0, dtype=torch.float64).log())

    path = gradient_flow({"w": torch.ones(1, dtype=torch.float64)}, scaled, TIMES)["w"][:, 0]
    torch.testing.assert_close(path, torch.exp(-TIMES), rtol=1e-7, atol=1e-10)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="times must grow"):
        log_time_flow(lambda x: x, np.ones(1), torch.tensor([1.0, 1.0]))
    with pytest.raises(ValueError, match="times must not be negative, got -1"):
        log_time_flow(lambda x: x, np.ones(1), torch.tensor([-1.0, 1.0]))
    with pytest.raises(ValueError, match="start must be finite"):
        log_time_flow(lambda x: x, np.array([np.nan]), torch.tensor([1.0]))
    with pytest.raises(OracleError, match="the integrator stopped at t = "):
        log_time_flow(lambda x: x**2, np.ones(1), torch.tensor([0.5, 2.0]))  # explodes at t = 1
    assert log_time_flow(lambda x: x, np.ones(1), torch.tensor([0.0])).tolist() == [[1.0]]
