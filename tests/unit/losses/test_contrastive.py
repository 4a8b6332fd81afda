import math

import numpy as np
import pytest
import torch

import ibkit.losses.prototypes as module
from ibkit.losses import (
    contrastive_lower_bound,
    cross_entropy,
    prototype_contrastive,
    prototype_contrastive_limit,
    supervised_contrastive,
    supervised_contrastive_gram,
)

Y = torch.tensor([0, 0, 0, 1, 1, 2])  # the last sample has no partner


def definition(H, y, tau, anchors=None):
    """The loss by its double sum, one exponential after the other."""
    total = 0.0
    for i in range(len(y)) if anchors is None else anchors:
        partners = [j for j in range(len(y)) if j != i and y[j] == y[i]]
        for j in partners:
            others = sum(math.exp((H[i] @ H[m] - H[i] @ H[j]) / tau) for m in range(len(y)) if m != i)
            total += math.log(others) / len(partners)
    return total


def unit(rng, *size):
    return torch.nn.functional.normalize(torch.randn(*size, generator=rng, dtype=torch.float64), dim=-1)


@pytest.fixture(name="H")
def random_embeddings(rng):
    return unit(rng, 2, 3, 6, 4)


@pytest.mark.parametrize("tau", [0.05, 1.0, 3.0])
def test_loss_is_the_double_sum_in_every_run(H, tau):
    expected = [[definition(h.numpy(), Y.numpy(), tau) for h in row] for row in H]
    np.testing.assert_allclose(supervised_contrastive(H, Y, tau), expected, rtol=1e-12)


def test_loss_is_the_double_sum_in_every_batch(H):
    batches = [torch.tensor([0, 1, 3, 5]), torch.tensor([5, 4, 3, 2]), torch.tensor([1])]
    expected = [sum(definition(h[b].numpy(), Y[b].numpy(), 0.5) for b in batches) for h in H[0]]
    np.testing.assert_allclose(supervised_contrastive(H[0], Y, 0.5, batches), expected, rtol=1e-12)
    whole = supervised_contrastive(H[0], Y, 0.5)
    assert not torch.allclose(whole, torch.tensor(expected, dtype=torch.float64))


def test_counts_are_copies(H):
    """Rows with counts equal the same rows laid out."""
    counts = torch.tensor([[3.0, 1.0, 1.0, 2.0, 1.0, 1.0], [1.0, 4.0, 2.0, 1.0, 1.0, 5.0]]).double()
    for h in H[0]:
        found = supervised_contrastive(h, Y, 0.7, counts=counts)
        for value, n in zip(found, counts.long(), strict=True):
            rows = torch.arange(6).repeat_interleave(n)
            assert float(value) == pytest.approx(definition(h[rows].numpy(), Y[rows].numpy(), 0.7), rel=1e-12)


def test_temperatures_may_differ_between_runs(H):
    taus = torch.tensor([0.1, 1.0, 10.0]).double()
    found = supervised_contrastive(H, Y, taus)
    for place, tau in enumerate(taus):
        torch.testing.assert_close(found[:, place], supervised_contrastive(H[:, place], Y, float(tau)))


def test_loss_is_convex_in_the_gram(rng):
    y = torch.tensor([0, 0, 1, 1])
    for _ in range(50):
        A, B = (torch.randn(4, 4, generator=rng, dtype=torch.float64) * 3 for _ in range(2))
        ends = [supervised_contrastive_gram(G, y, 0.5) for G in (A, B)]
        assert supervised_contrastive_gram((A + B) / 2, y, 0.5) <= sum(ends) / 2 + 1e-12


@pytest.mark.parametrize("n_w", [0, 1, 2, 5])
@pytest.mark.parametrize("prototype_anchors", [True, False])
@pytest.mark.parametrize("batches", [None, [[0, 1, 3], [2, 4, 5]]])
def test_prototypes_are_copies_in_the_batch(rng, n_w, prototype_anchors, batches):
    H, W = unit(rng, 2, 6, 4), unit(rng, 3, 4)
    found = prototype_contrastive(H, Y, W, n_w, 0.5, prototype_anchors, batches)
    for h, value in zip(H, found, strict=True):
        expected = 0.0
        for rows in batches or [list(range(6))]:
            items = torch.cat([h[rows], W.repeat_interleave(n_w, 0)]).numpy()
            classes = torch.cat([Y[rows], torch.arange(3).repeat_interleave(n_w)]).numpy()
            expected += definition(items, classes, 0.5, None if prototype_anchors else range(len(rows)))
        assert float(value) == pytest.approx(expected, rel=1e-12)


def test_runs_may_differ_in_prototypes_and_copies(rng):
    H, W, n_w = unit(rng, 4, 6, 4), unit(rng, 4, 3, 4), torch.tensor([0.0, 1.0, 3.0, 1e6]).double()
    found = prototype_contrastive(H, Y, W, n_w, 0.5)
    for run in range(4):
        torch.testing.assert_close(found[run], prototype_contrastive(H[run], Y, W[run], float(n_w[run]), 0.5))


def test_rows_with_counts_are_copies_beside_prototypes(rng):
    H, W = unit(rng, 6, 4), unit(rng, 3, 4)
    counts = torch.tensor([3, 1, 1, 2, 1, 4])
    rows = torch.arange(6).repeat_interleave(counts)
    n_w = torch.tensor([[0.0], [2.0], [50.0]]).double()
    both = torch.stack([counts.double(), torch.ones(6).double()])
    found = prototype_contrastive(H, Y, W, n_w, 0.5, counts=both)
    expected = prototype_contrastive(H[rows], Y[rows], W, n_w[:, 0], 0.5)
    torch.testing.assert_close(found[:, 0], expected)
    torch.testing.assert_close(found[:, 1], prototype_contrastive(H, Y, W, n_w[:, 0], 0.5))
    limit = prototype_contrastive_limit(H, Y, W, 0.5, counts=both)
    torch.testing.assert_close(limit[0], prototype_contrastive_limit(H[rows], Y[rows], W, 0.5))


def relative_distance_to_limit(H, W, n_w, anchors, limit_anchors):
    H = H.clone().requires_grad_()
    slopes = [
        torch.autograd.grad(loss, H)[0]
        for loss in (
            prototype_contrastive(H, Y, W, n_w, 0.5, anchors),
            prototype_contrastive_limit(H, Y, W, 0.5, limit_anchors),
        )
    ]
    return float((slopes[0] - slopes[1]).norm() / slopes[1].norm())


@pytest.mark.parametrize("prototype_anchors", [True, False])
def test_many_copies_give_the_limit(rng, prototype_anchors):
    """Gradients agree up to O(1 / copies); with the other version's limit, a mutant, they do not."""
    H, W = unit(rng, 6, 4), unit(rng, 3, 4)
    gaps = [relative_distance_to_limit(H, W, n_w, prototype_anchors, prototype_anchors) for n_w in (1e3, 1e4, 1e5)]
    np.testing.assert_allclose(np.diff(np.log10(gaps)), -1, atol=0.02)
    assert relative_distance_to_limit(H, W, 1e5, prototype_anchors, not prototype_anchors) > 0.1


def test_the_limit_of_sample_anchors_is_cross_entropy(rng):
    H, W = unit(rng, 2, 6, 4), unit(rng, 2, 3, 4)
    expected = cross_entropy(H @ W.mT / 0.3, Y, torch.ones(6).double())
    torch.testing.assert_close(prototype_contrastive_limit(H, Y, W, 0.3, prototype_anchors=False), expected)
    taus = torch.tensor([0.3, 2.0]).double()
    both = prototype_contrastive_limit(H, Y, W, taus)
    torch.testing.assert_close(both[1], prototype_contrastive_limit(H[1], Y, W[1], 2.0))


@pytest.mark.parametrize("prototype_anchors", [True, False])
def test_gradients_are_finite_where_counts_vanish(rng, prototype_anchors):
    H = unit(rng, 3, 6, 4).requires_grad_()
    copies = torch.tensor([0.0, 1.0, 1e9]).double()
    loss = prototype_contrastive(H, Y, unit(rng, 3, 4), copies, 0.1, prototype_anchors, [[0, 1, 3], [5]])
    assert torch.autograd.grad(loss.sum(), H)[0].isfinite().all()


BATCHES = [[0, 1, 3, 5], [5, 4, 3, 2], [0, 2, 1, 4]]


@pytest.mark.parametrize("batches", [None, BATCHES])
@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_bound_is_attained_by_an_orthogonal_frame_and_nothing_is_below(rng, batches, tau):
    bound = contrastive_lower_bound(Y, tau, batches)
    frame = torch.eye(4, dtype=torch.float64)[Y]
    torch.testing.assert_close(supervised_contrastive(frame, Y, tau, batches), bound, rtol=1e-13, atol=0)
    X = torch.rand(500, 6, 4, generator=rng, dtype=torch.float64)
    spread = (frame + torch.logspace(-6, 1, 500, dtype=torch.float64)[:, None, None] * X).clamp(min=0)
    losses = supervised_contrastive(torch.nn.functional.normalize(spread, dim=-1), Y, tau, batches)
    assert (losses >= bound).all()


def test_bound_is_broken_outside_the_orthant():
    """What the sign buys: a simplex of three balanced classes lies below."""
    y = torch.arange(3).repeat_interleave(2)
    simplex = (torch.eye(3) - 1 / 3).double() * math.sqrt(1.5)
    assert supervised_contrastive(simplex[y], y) < contrastive_lower_bound(y) - 0.5


def test_bound_by_counts_equals_bound_by_rows():
    sizes = torch.tensor([[5, 3, 1], [2, 2, 2]])
    found = contrastive_lower_bound(torch.arange(3), 0.4, counts=sizes.double())
    for value, n in zip(found, sizes, strict=True):
        rows = contrastive_lower_bound(torch.arange(3).repeat_interleave(n), 0.4)
        torch.testing.assert_close(value, rows)


def _sees_itself(S, labels, counts, anchors):
    """Mutant: the anchor is among its own negatives and positives."""
    positives = torch.where(labels.unsqueeze(-1) == labels.unsqueeze(-2), counts.unsqueeze(-2), 0.0)
    loss = torch.logsumexp(S + counts.log().unsqueeze(-2), -1) - (positives * S).sum(-1) / positives.sum(-1)
    return (loss * counts * anchors).sum(-1)


def _own_copies_in_full(S, labels, counts, anchors):
    """Mutant: a row hides from itself altogether, or not at all where it has copies."""
    self = torch.eye(labels.shape[-1], dtype=torch.bool)
    seen = torch.where(self & (counts.unsqueeze(-1) == 1), 0.0, counts.unsqueeze(-2).expand(S.shape))
    positives = torch.where(labels.unsqueeze(-1) == labels.unsqueeze(-2), seen, 0.0)
    number = positives.sum(-1)
    keep = (number > 0) & anchors
    loss = torch.logsumexp(S + seen.log(), -1) - (positives * S).sum(-1) / number.clamp(min=1)
    return torch.where(keep, loss * counts, 0.0).sum(-1)


@pytest.mark.parametrize("mutant", [_sees_itself, _own_copies_in_full])
def test_mutants_are_rejected(H, rng, monkeypatch, mutant):
    items = torch.cat([H[0, 0], unit(rng, 3, 4).repeat_interleave(2, 0)]).numpy()
    classes = torch.cat([Y, torch.arange(3).repeat_interleave(2)]).numpy()
    W = torch.from_numpy(items[6::2].copy())
    right = prototype_contrastive(H[0, 0], Y, W, 2, 0.5)
    assert float(right) == pytest.approx(definition(items, classes, 0.5), rel=1e-12)
    monkeypatch.setattr(module, "sum_over_anchors", mutant)
    assert float(prototype_contrastive(H[0, 0], Y, W, 2, 0.5)) != pytest.approx(float(right), rel=1e-3)


def test_single_anchors_would_break_the_bound():
    """Mutant: counting samples without a partner in the bound but not in the loss."""
    frame = torch.eye(3, dtype=torch.float64)[Y]
    with_single = float(contrastive_lower_bound(Y)) + math.log(5 * math.exp(-1))
    assert abs(float(supervised_contrastive(frame, Y)) - with_single) > 0.1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"labels": torch.tensor([0, 1])}, "labels must hold one a row"),
        ({"labels": torch.zeros(6)}, "labels must hold integers"),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"batches": []}, "batches must hold at least one"),
        ({"batches": [[0, 6]]}, "batches must hold integers in 0..5"),
        ({"batches": [[0, 0]]}, "batches must hold each row once"),
        ({"counts": torch.tensor([0.5] * 6)}, "counts must be zero or at least one"),
        ({"counts": torch.ones(5)}, "counts must hold one a row"),
    ],
)
def test_bad_input_is_refused(H, change, line, unchecked):
    with pytest.raises(ValueError, match=line):
        supervised_contrastive(**({"embeddings": H, "labels": Y} | change))
    if "labels" not in change or change["labels"].is_floating_point():
        with pytest.raises(ValueError, match=line):
            contrastive_lower_bound(**({"labels": Y} | change))


def test_bad_embeddings_and_prototypes_are_refused(H, unchecked):
    with pytest.raises(ValueError, match="embeddings must be finite"):
        supervised_contrastive(H * torch.nan, Y)
    with pytest.raises(ValueError, match=r"labels must hold integers in 0\.\.1"):
        prototype_contrastive(H, Y, torch.eye(4)[:2].double(), 1)
    with pytest.raises(ValueError, match="prototypes must have trailing shape"):
        prototype_contrastive(H, Y, torch.eye(3).double(), 1)
    with pytest.raises(ValueError, match="counts must be zero or at least one"):
        prototype_contrastive(H, Y, torch.eye(4)[:3].double(), 0.5)
    with pytest.raises(ValueError, match="G must be square"):
        supervised_contrastive_gram(H, Y)
