import numpy as np
import pytest
import torch

from ibkit.data import shared_support_tokens, step_counts
from ibkit.losses import (
    LogitAdjustment,
    cross_entropy,
    cross_entropy_residual,
    soft_label_excess,
    unconstrained_cross_entropy,
    unconstrained_next_token,
)
from ibkit.measure import gram_distance
from ibkit.models import unconstrained_logits, unconstrained_start
from ibkit.optim import normalized_gradient_descent
from ibkit.oracles import seli_geometry, simplex_etf_gram
from ibkit.scaled import Gradient, autograd_gradient
from ibkit.train import train

COUNTS = torch.tensor([[10.0, 3.0, 1.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
LABELS = torch.arange(3)


def unweighted(labels, counts):
    """The mutant that forgets the square roots of the counts."""
    true = unconstrained_cross_entropy(labels, counts)
    return lambda p: Gradient(
        {"W": true(p).tensors["W"], "H": true(p).tensors["H"] / counts.sqrt()[..., None]}, true(p).log_scale
    )


def matches_autograd(closure):
    params = unconstrained_start(0, runs=4, classes=3, features=5, counts=COUNTS, scale=1.0)
    counts = COUNTS[:, None]

    def loss(p):
        per_class = [cross_entropy(unconstrained_logits(p, counts)[..., [c], :], LABELS[[c]]) for c in range(3)]
        return (torch.stack(per_class, -1) * counts).sum(-1)

    expected = autograd_gradient(loss)(params).true()
    found = closure(LABELS, counts)(params).true()
    return all(torch.allclose(found[name], expected[name], rtol=1e-10, atol=1e-12) for name in params)


def test_gradient_is_that_of_the_summed_loss_and_a_mutant_is_not():
    assert matches_autograd(unconstrained_cross_entropy)
    assert not matches_autograd(unweighted)


def test_adjusted_gradient_is_that_of_the_adjusted_loss():
    """Each run has an adjustment of its own; the loss is written without the adjustment's methods."""
    a, b, offset, weight = torch.rand(4, 2, 4, 3, generator=torch.Generator().manual_seed(1)).double() + 0.3
    params = unconstrained_start(0, runs=4, classes=3, features=5, counts=COUNTS, scale=1.0)
    counts = COUNTS[:, None]

    def loss(p):
        z = unconstrained_logits(p, counts)
        s = a.unsqueeze(-1) * b.unsqueeze(-2) * z + offset.unsqueeze(-2)
        per_class = torch.logsumexp(s, -1) - s.diagonal(dim1=-2, dim2=-1)
        return (per_class * counts * weight).sum(-1)

    expected = autograd_gradient(loss)(params).true()
    found = unconstrained_cross_entropy(LABELS, counts, LogitAdjustment(a, b, offset, weight))(params).true()
    for name in params:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-10, atol=1e-12)


def two_levels_agree(closure):
    """Train (9, 4, 1) samples one by one from embeddings that agree within classes, and as three weighted rows."""
    counts = torch.tensor([9.0, 4.0, 1.0], dtype=torch.float64)
    labels = LABELS.repeat_interleave(counts.long())
    start = unconstrained_start(0, runs=2, classes=3, features=3, counts=counts, scale=0.3)
    spread = {"W": start["W"], "H": (start["H"] / counts.sqrt()[:, None])[:, labels]}
    rule = normalized_gradient_descent(0.05)
    grams = lambda p: {"W": p["W"] @ p["W"].mT}  # noqa: E731
    one_by_one = train(spread, unconstrained_cross_entropy(labels, torch.ones(14).double()), rule, 400, grams)
    weighted = train(start, closure(LABELS, counts), rule, 400, grams)
    return np.allclose(one_by_one["W"], weighted["W"], rtol=1e-8, atol=1e-10)


def test_class_level_training_in_isometric_coordinates_is_sample_level_training():
    assert two_levels_agree(unconstrained_cross_entropy)
    assert not two_levels_agree(unweighted)


def test_training_ends_in_seli_and_plain_residuals_stall():
    counts = step_counts(4, 0.5, 10.0)
    start = unconstrained_start(0, runs=3, classes=4, features=4, counts=counts)
    rule, grams = normalized_gradient_descent(0.05), lambda p: {"W": p["W"] @ p["W"].mT}
    history = train(start, unconstrained_cross_entropy(torch.arange(4), counts), rule, 4000, grams, marks=[4000])
    reached = torch.from_numpy(history["W"][-1])
    assert gram_distance(reached, seli_geometry(counts).classifier).max() < 0.01
    assert gram_distance(reached, simplex_etf_gram(4)).min() > 0.3

    def rounded(p):  # softmax minus one-hot as everyone writes it first
        z, root = unconstrained_logits(p, counts), counts.sqrt()[:, None]
        r = root * (torch.softmax(z, -1) - torch.eye(4, dtype=torch.float64))
        return Gradient({"W": r.mT @ p["H"], "H": r @ p["W"]}, torch.zeros(3, dtype=torch.float64))

    stalled = torch.from_numpy(train(start, rounded, rule, 4000, grams, marks=[4000])["W"][-1])
    assert gram_distance(stalled, seli_geometry(counts).classifier).min() > 0.01


def test_gradient_is_exact_far_beyond_underflow():
    params = {"W": 40.0 * torch.eye(3).double(), "H": 40.0 * torch.eye(3).double()}
    gradient = unconstrained_cross_entropy(LABELS, torch.ones(3).double())(params)
    assert float(gradient.log_scale) == pytest.approx(-1600)
    residual = cross_entropy_residual(1600 * torch.eye(3).double(), LABELS)
    torch.testing.assert_close(gradient.tensors["W"], 40 * residual.value)


def test_gradient_with_soft_labels_is_that_of_autograd(rng):
    data = shared_support_tokens(seed=0, runs=3, vocabulary=5, supports=4, sizes=(2, 4))
    P, pi = data.probabilities, torch.softmax(torch.randn(3, 8, generator=rng, dtype=torch.float64), -1)
    params = {name: torch.randn(3, rows, 4, generator=rng, dtype=torch.float64) for name, rows in (("W", 5), ("H", 8))}
    exact = unconstrained_next_token(P, pi)(params).true()
    expected = autograd_gradient(lambda p: (pi * soft_label_excess(p["H"] @ p["W"].mT, P)).sum(-1))(params).true()
    mutant = unconstrained_next_token(P, torch.full_like(pi, 1 / 8))(params).true()  # the weights forgotten
    for name in ("W", "H"):
        torch.testing.assert_close(exact[name], expected[name])
        assert (mutant[name] - expected[name]).abs().max() > 1e-3


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match=r"labels must hold one a row \(3\), got 2"):
        unconstrained_cross_entropy(torch.tensor([0, 1]), torch.ones(3))
    with pytest.raises(ValueError, match=r"weights must hold one a context \(2\), got 3"):
        unconstrained_next_token(torch.ones(2, 3), torch.ones(3))
    with pytest.raises(ValueError, match="counts must be positive"):
        unconstrained_cross_entropy(LABELS, torch.zeros(3))
    with pytest.raises(ValueError, match=r"H must have one row a count \(3\), got 2"):
        unconstrained_cross_entropy(LABELS, torch.ones(3))({"W": torch.ones(3, 2), "H": torch.ones(2, 2)})
    with pytest.raises(ValueError, match=r"labels must hold integers in 0..1"):
        unconstrained_cross_entropy(LABELS, torch.ones(3))({"W": torch.ones(2, 2), "H": torch.ones(3, 2)})
