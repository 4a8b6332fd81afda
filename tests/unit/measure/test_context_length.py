import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from ibkit.measure import confidence_gap, distribution_aware_context, jensen_shannon, minimum_context
from ibkit.models import keep_top

LENGTHS = [1, 2, 4, 8]


def distributions(rng, *shape):
    p = torch.rand(shape, generator=rng, dtype=torch.float64) * (torch.rand(shape, generator=rng) < 0.7)
    p = p + 1e-300
    return p / p.sum(-1, keepdim=True)


def agrees_with_scipy(divergence, p, q):
    expected = jensenshannon(p.numpy(), q.numpy(), base=2, axis=-1) ** 2
    return np.allclose(divergence(p, q).numpy(), expected, atol=1e-12)


def test_jensen_shannon_is_that_of_scipy(rng):
    p, q = distributions(rng, 50, 7), distributions(rng, 50, 7)
    assert agrees_with_scipy(jensen_shannon, p, q)

    def in_nats(p, q):
        return jensen_shannon(p, q) * np.log(2)

    def one_sided(p, q):
        m = (p + q) / 2
        return (torch.xlogy(p, p) - torch.xlogy(p, m)).sum(-1) / np.log(2)

    assert not agrees_with_scipy(in_nats, p, q)
    assert not agrees_with_scipy(one_sided, p, q)


def test_its_root_is_a_metric(rng):
    a, b, c = (distributions(rng, 200, 5) for _ in range(3))
    root = {pair: jensen_shannon(*pair).sqrt() for pair in ((a, b), (b, c), (a, c))}
    assert (root[a, c] <= root[a, b] + root[b, c] + 1e-12).all()
    assert jensen_shannon(a, a).max() == 0


def by_hand(p, label, gap):
    """The definition, read aloud."""
    for row, length in zip(p, LENGTHS, strict=True):
        ranked = sorted(row.tolist(), reverse=True)
        if row[label] == ranked[0] and ranked[0] - ranked[1] >= gap:
            return float(length)
    return float("inf")


def same_as_by_hand(method, P, y, gap):
    expected = [by_hand(P[:, i], int(y[i]), gap) for i in range(P.shape[1])]
    return method(P, y, LENGTHS, gap).tolist() == expected


def test_minimum_context_is_the_first_hit(rng):
    P = distributions(rng, 4, 300, 3)
    y = torch.randint(0, 3, (300,), generator=rng)
    assert same_as_by_hand(minimum_context, P, y, 0.2)
    assert torch.isinf(minimum_context(P, y, LENGTHS)).any()

    def last_miss(P, y, lengths, gap):  # the length after which it never misses
        hits = (P.argmax(-1) == y) & (confidence_gap(P) >= gap)
        settled = hits.flip(0).to(torch.uint8).cumprod(0).flip(0).bool()
        table = torch.tensor(lengths, dtype=torch.float32)
        return torch.where(settled.any(0), table[settled.to(torch.uint8).argmax(0)], torch.inf)

    def not_confident(P, y, lengths, gap):
        return minimum_context(P, y, lengths, 0.0)

    assert not same_as_by_hand(last_miss, P, y, 0.2)
    assert not same_as_by_hand(not_confident, P, y, 0.2)


def test_greedy_needs_no_more_than_the_minimum(rng):
    P = distributions(rng, 4, 300, 3)
    y = P[-1].argmax(-1)
    greedy = distribution_aware_context(keep_top(P, 1), LENGTHS, 0.5)
    first = (P.argmax(-1) == y).to(torch.uint8).argmax(0)
    assert greedy.tolist() == [float(LENGTHS[i]) for i in first]
    assert (greedy <= minimum_context(P, y, LENGTHS)).all()
    assert (distribution_aware_context(P, LENGTHS, 0.02) > greedy).any()  # a finer question


def test_leading_dimensions(rng):
    P = distributions(rng, 4, 2, 5, 3)
    y = torch.randint(0, 3, (2, 5), generator=rng)
    both = minimum_context(P, y, LENGTHS)
    assert both.shape == (2, 5)
    assert torch.equal(both[1], minimum_context(P[:, 1], y[1], LENGTHS))
    assert torch.equal(distribution_aware_context(P, LENGTHS)[0], distribution_aware_context(P[:, 0], LENGTHS))


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said():
    P, y = torch.full((2, 3, 4), 0.25), torch.zeros(3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"lengths must grow, got \[4, 2\]"):
        minimum_context(P, y, [4, 2])
    with pytest.raises(ValueError, match="lengths must name one length for each of the 2 predictions, got 1"):
        distribution_aware_context(P, [4])
    with pytest.raises(ValueError, match=r"gap must lie in \[0, 1\], got 2"):
        minimum_context(P, y, [1, 2], gap=2)
    with pytest.raises(ValueError, match=r"tolerance must lie in \[0, 1\] bits, got -1"):
        distribution_aware_context(P, [1, 2], tolerance=-1)
    with pytest.raises(ValueError, match=r"labels must be of shape \(3,\), got \(2,\)"):
        minimum_context(P, y[:2], [1, 2])
    with pytest.raises(ValueError, match=r"p and q must have one shape, got \(2, 3, 4\) and \(3, 4\)"):
        jensen_shannon(P, P[0])
    with pytest.raises(ValueError, match="p must have at least two tokens, got 1"):
        confidence_gap(P[..., :1])
