import pytest
import torch

from ibkit.models import context_aware_decoding, keep_top, nucleus, targeted_boost


def draw(rng, *shape):
    return torch.softmax(2 * torch.randn(shape, generator=rng, dtype=torch.float64), -1)


def test_the_top_is_kept(rng):
    p = draw(rng, 20, 6)
    kept = keep_top(p, 2)
    for row, given in zip(kept, p, strict=True):
        best = sorted(range(6), key=lambda t: -given[t])[:2]
        assert set(row.nonzero().flatten().tolist()) == set(best)
        assert torch.isclose(row[best[0]] / row[best[1]], given[best[0]] / given[best[1]])
    assert torch.equal(keep_top(torch.full((4,), 0.25), 1), torch.tensor([1.0, 0, 0, 0]))  # the first of equals


def is_a_nucleus(method, p, mass):
    for row, given in zip(method(p, mass), p, strict=True):
        ranked = sorted(given.tolist(), reverse=True)
        need = next(n for n in range(1, 7) if sum(ranked[:n]) >= mass)
        if int((row > 0).sum()) != need or not torch.isclose(row.sum(), torch.ones((), dtype=row.dtype)):
            return False
    return True


def test_the_nucleus_is_the_smallest_set(rng):
    p = draw(rng, 50, 6)
    assert is_a_nucleus(nucleus, p, 0.8)
    assert not is_a_nucleus(lambda p, mass: keep_top(p, 3), p, 0.8)

    def one_short(p, mass):
        ranked, order = p.sort(-1, descending=True)
        kept = torch.zeros_like(p).scatter(-1, order, torch.where(ranked.cumsum(-1) < mass, ranked, 0.0))
        return kept / kept.sum(-1, keepdim=True).clamp(min=1e-9)

    assert not is_a_nucleus(one_short, p, 0.8)


def keeps_its_promise(method, long, short, detected):
    """The odds of a marked against an unmarked token grow by the factor; all else keeps its odds."""
    new = method(long, short, detected, 0.05, 4.0)
    marked = detected[:, None] & (long - short > 0.05)
    odds = (new / long) / (new / long).amin(-1, keepdim=True)
    expected = torch.where(marked & ~marked.all(-1, keepdim=True), 4.0, 1.0).to(long.dtype)
    return bool(torch.allclose(odds, expected) and torch.allclose(new.sum(-1), torch.ones_like(new[:, 0])))


def test_boosting_moves_the_odds_of_what_gains(rng):
    long, short = draw(rng, 100, 5), draw(rng, 100, 5)
    detected = torch.rand(100, generator=rng) < 0.5
    assert keeps_its_promise(targeted_boost, long, short, detected)
    assert torch.equal(targeted_boost(long, short, detected, 0.05, 4.0)[~detected], long[~detected])  # to the bit

    def everywhere(long, short, detected, least, factor):
        return targeted_boost(long, short, torch.ones_like(detected), least, factor)

    def what_loses(long, short, detected, least, factor):
        marked = detected[:, None] & (short - long > least)
        new = torch.where(marked, factor * long, long)
        return new / new.sum(-1, keepdim=True)

    def not_normalised(long, short, detected, least, factor):
        return torch.where(detected[:, None] & (long - short > least), factor * long, long)

    for mutant in (everywhere, what_loses, not_normalised):
        assert not keeps_its_promise(mutant, long, short, detected)


def test_context_aware_decoding_contrasts_logits(rng):
    long, short = draw(rng, 30, 5), draw(rng, 30, 5)
    expected = torch.softmax(1.5 * long.log() - 0.5 * short.log(), -1)
    assert torch.allclose(context_aware_decoding(long, short, 0.5), expected)
    assert torch.allclose(context_aware_decoding(long, short, 0.0), long)
    assert not torch.allclose(context_aware_decoding(short, long, 0.5), expected)
    zero = torch.tensor([[0.0, 1.0]])
    assert torch.equal(context_aware_decoding(zero, zero, 0.5), zero)


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said():
    p = torch.full((2, 4), 0.25)
    on = torch.ones(2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"count must lie in 1..4, got 5"):
        keep_top(p, 5)
    with pytest.raises(ValueError, match=r"mass must lie in \(0, 1\], got 0"):
        nucleus(p, 0)
    with pytest.raises(ValueError, match=r"factor must be at least 1, got 0\.5"):
        targeted_boost(p, p, on, 0.0, 0.5)
    with pytest.raises(ValueError, match="least_shift must be at least 0, got -1"):
        targeted_boost(p, p, on, -1, 2.0)
    with pytest.raises(ValueError, match=r"detected must be \(2,\), got \(1,\)"):
        targeted_boost(p, p, on[:1], 0.0, 2.0)
    with pytest.raises(ValueError, match="long and short must have one shape"):
        context_aware_decoding(p, p[:1], 1.0)
    with pytest.raises(ValueError, match="strength must be at least 0, got -1"):
        context_aware_decoding(p, p, -1)
    with pytest.raises(ValueError, match="short must be positive wherever long is"):
        context_aware_decoding(p, torch.tensor([[0.0, 1.0, 0.0, 0.0]] * 2), 1.0)
