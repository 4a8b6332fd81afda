import pytest
import torch

from ibkit.losses import cross_entropy, deep_linear_chain, deep_linear_cross_entropy, unconstrained_cross_entropy
from ibkit.models import deep_linear_map, deep_linear_start
from ibkit.scaled import autograd_gradient

LABELS = torch.tensor([0, 2, 1, 1, 0])


def close(first, second, **tolerance):
    return all(torch.allclose(first[name], second[name], **tolerance) for name in second)


@pytest.mark.parametrize("hidden", [[4], [4, 6], [4, 6, 3, 5]])
def test_gradient_is_that_of_automatic_differentiation(hidden, rng):
    X = torch.randn(5, 7, generator=rng, dtype=torch.float64)
    params = deep_linear_start(1, 3, [7, *hidden, 3], scale=1.5)
    reference = autograd_gradient(lambda p: cross_entropy(X @ deep_linear_map(p).mT, LABELS))(params).true()
    assert close(deep_linear_cross_entropy(LABELS, X)(params).true(), reference, rtol=1e-9, atol=1e-14)
    summed = deep_linear_cross_entropy(LABELS, X * 5**0.5)(params).true()
    assert not close(summed, reference, rtol=1e-3), "a wrong weight of the samples must be seen"


def test_without_inputs_they_are_the_standard_basis():
    params = deep_linear_start(1, 3, [5, 6, 4, 3])
    free = deep_linear_cross_entropy(LABELS)(params)
    assert close(free.true(), deep_linear_cross_entropy(LABELS, torch.eye(5).double())(params).true(), rtol=1e-12)


def test_two_layers_are_unconstrained_features():
    classes = torch.arange(4)
    params = deep_linear_start(2, 3, [4, 6, 4])
    pair = {"W": params["layer2"], "H": params["layer1"].mT}
    known = unconstrained_cross_entropy(classes, torch.ones(4, dtype=torch.float64))(pair).true()
    mine = deep_linear_cross_entropy(classes)(params).true()
    torch.testing.assert_close(mine["layer2"], known["W"] / 4)
    torch.testing.assert_close(mine["layer1"], known["H"].mT / 4)


def test_direction_is_exact_where_the_loss_underflows(rng):
    noise = 0.1 * torch.randn(2, 4, 4, generator=rng, dtype=torch.float64)
    params = {
        "layer1": 40 * (torch.eye(4, dtype=torch.float64) + noise),
        "layer2": 40 * torch.eye(4).double().repeat(2, 1, 1),
    }
    gradient = deep_linear_cross_entropy(torch.arange(4))(params)
    assert (gradient.log_scale < -750).all()

    def log_loss(p):  # of the tail alone: what is left out is smaller by exp(-750)
        z = deep_linear_map(p).mT
        odds = z - z.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
        return (odds - torch.diag(torch.full((4,), torch.inf))).logsumexp((-2, -1))

    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    grads = torch.autograd.grad(log_loss(leaves).sum(), list(leaves.values()))
    for mine, reference in zip(gradient.tensors.values(), grads, strict=True):
        for run in range(2):
            torch.testing.assert_close(mine[run] / mine[run].norm(), reference[run] / reference[run].norm())


def test_chain_keeps_the_order_of_the_layers(rng):
    params = deep_linear_start(3, 2, [5, 4, 6, 3])
    end = torch.randn(2, 3, 5, generator=rng, dtype=torch.float64)
    reference = autograd_gradient(lambda p: (deep_linear_map(p) * end).sum((-2, -1)))(params).tensors
    assert close(deep_linear_chain(params, end), reference, rtol=1e-12)
    turned = deep_linear_chain({f"layer{i}": torch.eye(3).double() * i for i in (1, 2, 3)}, end[..., :3])
    swapped = deep_linear_chain({f"layer{i}": torch.eye(3).double() * (4 - i) for i in (1, 2, 3)}, end[..., :3])
    assert not torch.allclose(turned["layer1"], swapped["layer1"])


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match="labels must hold one a row of X"):
        deep_linear_cross_entropy(LABELS, torch.eye(4))
    with pytest.raises(ValueError, match="layer1 must take 5 inputs, got 4"):
        deep_linear_cross_entropy(LABELS)({"layer1": torch.eye(4)})
    with pytest.raises(ValueError, match="end must have the shape of the product"):
        deep_linear_chain({"layer1": torch.eye(4)}, torch.ones(3, 4))
    with pytest.raises(ValueError, match="layer2 must take the 4 outputs of layer1"):
        deep_linear_chain({"layer1": torch.eye(4), "layer2": torch.eye(3)}, torch.ones(3, 4))
    with pytest.raises(ValueError, match="labels"):
        deep_linear_cross_entropy(torch.tensor([0, 7]))({"layer1": torch.eye(2)})
