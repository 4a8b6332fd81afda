import numpy as np
import pytest
import torch

from ibkit.data import planted_attributes
from ibkit.losses import log_bilinear, next_token_cross_entropy


@pytest.fixture
def setting(rng):
    data = planted_attributes(0, 3, contexts=(6, 4), synonyms=2)
    W = torch.randn(3, 8, 3, generator=rng).double()
    H = torch.randn(3, 10, 3, generator=rng).double()
    return data, {"W": W, "H": H}


def written_out(data, params, loss):
    """The loss in its plainest form, one run, context and word at a time."""
    logits = params["H"] @ params["W"].mT
    totals = []
    for p, pi, z in zip(data.probabilities, data.weights, logits, strict=True):
        total = 0.0
        for j in range(len(pi)):
            if loss == "cross-entropy":
                total = total - pi[j] * (p[j] * (z[j] - torch.logsumexp(z[j], 0))).sum()
            else:
                total = total + pi[j] * ((z[j] - p[j] + 1 / p.shape[-1]) ** 2).sum() / 2
        totals.append(total)
    return torch.stack(totals)


@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_gradient_is_that_of_the_loss(setting, loss):
    data, params = setting
    found = log_bilinear(data.probabilities, data.weights, loss)(params).true()
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    oracle = dict(
        zip(leaves, torch.autograd.grad(written_out(data, leaves, loss).sum(), list(leaves.values())), strict=True)
    )
    for name in params:
        torch.testing.assert_close(found[name], oracle[name])
    even = torch.full_like(data.weights, 1 / 10)  # the mutant: contexts counted alike
    assert not torch.allclose(log_bilinear(data.probabilities, even, loss)(params).true()["H"], oracle["H"], rtol=1e-2)
    other = "squared" if loss == "cross-entropy" else "cross-entropy"
    assert not torch.allclose(
        log_bilinear(data.probabilities, data.weights, other)(params).true()["W"], oracle["W"], rtol=1e-2
    )


def test_with_fixed_contexts_it_is_the_linear_decoder(setting):
    data, params = setting
    linear = next_token_cross_entropy(params["H"], data.probabilities, data.weights)
    found = log_bilinear(data.probabilities, data.weights)(params).true()["W"]
    torch.testing.assert_close(found, linear({"W": params["W"]}).true()["W"])


def test_columns_of_zeros_stay_zeros(setting):
    """So that narrower models can be trained within a wider batch."""
    data, params = setting
    wide = {name: torch.nn.functional.pad(value, (0, 2)) for name, value in params.items()}
    narrow = log_bilinear(data.probabilities, data.weights)(params).true()
    found = log_bilinear(data.probabilities, data.weights)(wide).true()
    for name in params:
        np.testing.assert_allclose(found[name][..., :3], narrow[name], rtol=1e-12)
        assert not found[name][..., 3:].any()


def test_says_what_is_wrong(unchecked):
    p, pi = torch.full((2, 4), 0.25), torch.ones(2)
    with pytest.raises(ValueError, match="loss must be"):
        log_bilinear(p, pi, "hinge")
    with pytest.raises(ValueError, match="probabilities must be rows"):
        log_bilinear(2 * p, pi)
    with pytest.raises(ValueError, match="weights must not be negative, got -1"):
        log_bilinear(p, -pi)
    with pytest.raises(ValueError, match=r"weights must hold one a context \(2\), got 3"):
        log_bilinear(p, torch.ones(3))
