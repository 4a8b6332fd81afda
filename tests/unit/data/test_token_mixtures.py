from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from ibkit.data import contextual_mixture, tokenized_mixture

SIZES = dict(seed=0, runs=3, samples=400, tokens=5, features=6)


def signals_of(mixture):
    """The signal that each sequence should show, by hand."""
    return torch.stack([torch.stack([mixture.signals[0 if y > 0 else 1] for y in run]) for run in mixture.labels])


def test_relevant_tokens_are_the_signal_of_the_label_and_no_other_token_is():
    mixture = tokenized_mixture(**SIZES, relevant=2, signal=3.0)
    same = (mixture.tokens == signals_of(mixture).unsqueeze(-2)).all(-1)
    assert torch.equal(same, mixture.relevant)
    assert (mixture.relevant.sum(-1) == 2).all()
    torch.testing.assert_close(mixture.signals @ mixture.signals.T, 9 * torch.eye(2, dtype=torch.float64))
    flipped = mixture._replace(labels=-mixture.labels)  # a mutant whose labels are swapped
    assert not (flipped.tokens == signals_of(flipped).unsqueeze(-2)).all(-1).any()


def test_all_sets_of_positions_are_equally_likely_and_fixed_places_are_not():
    def p_value(relevant):
        pairs = list(combinations(range(5), 2))
        found = [tuple(torch.nonzero(row).flatten().tolist()) for row in relevant.flatten(0, 1)]
        return chisquare([found.count(pair) for pair in pairs]).pvalue

    relevant = tokenized_mixture(**SIZES, relevant=2).relevant
    assert p_value(relevant) > 0.01
    block = torch.zeros_like(relevant)  # a mutant: neighbouring positions, at random
    start = torch.randint(4, relevant.shape[:-1], generator=torch.Generator().manual_seed(0)).unsqueeze(-1)
    block.scatter_(-1, start, True).scatter_(-1, start + 1, True)
    assert p_value(block) < 1e-6


def test_first_keeps_the_opening_tokens_free():
    assert not tokenized_mixture(**SIZES, first=2, relevant=3).relevant[..., :2].any()
    assert tokenized_mixture(**SIZES, first=2, relevant=3).relevant[..., 2:].all()
    assert tokenized_mixture(**SIZES).relevant[..., 0].any()


def test_irrelevant_tokens_are_gaussian_around_their_distractors():
    mixture = tokenized_mixture(**SIZES, noise=0.3)
    assert kstest(mixture.tokens[~mixture.relevant].flatten() / 0.3, "norm").pvalue > 0.01
    around = tokenized_mixture(**SIZES, signal=5.0, noise=0.3, distractors=3)
    moved = (around.tokens - mixture.tokens)[~mixture.relevant]
    assert ((moved - 5.0).abs() < 1e-9).sum(-1).eq(1).all()
    assert moved[:, :2].abs().max() == 0
    share = (moved[:, 2:5] > 1).double().mean(0)
    assert (share - 1 / 3).abs().max() < 0.05
    assert moved[:, 5].abs().max() == 0


def test_equal_scores_silence_the_signal_coordinates_and_nothing_else():
    plain, equal = tokenized_mixture(**SIZES), tokenized_mixture(**SIZES, equal_scores=True)
    scores = equal.tokens @ (equal.signals[0] - equal.signals[1])
    assert scores[~equal.relevant].abs().max() == 0
    assert (plain.tokens @ (plain.signals[0] - plain.signals[1]))[~plain.relevant].abs().min() > 0
    assert torch.equal(plain.tokens[..., 2:], equal.tokens[..., 2:])


def test_labels_are_fair_or_balanced():
    fair = tokenized_mixture(**SIZES).labels
    assert set(fair.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(fair.mean())) < 4 / np.sqrt(fair.numel())
    assert (tokenized_mixture(**SIZES, balanced=True).labels.sum(-1) == 0).all()
    assert (fair.sum(-1) != 0).any()


def test_small_sets_begin_large_ones_and_runs_differ():
    large = tokenized_mixture(**SIZES, relevant=2, distractors=2)
    small = tokenized_mixture(**SIZES | dict(runs=2, samples=7), relevant=2, distractors=2)
    for a, b in zip(small[:3], large[:3], strict=True):
        assert torch.equal(a, b[:2, :7])
    assert not torch.equal(large.tokens[0], large.tokens[1])


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match="sizes must be at least 1, got samples 0"):
        tokenized_mixture(**SIZES | dict(samples=0))
    with pytest.raises(ValueError, match=r"relevant must lie in 1..3, the free positions, got 4"):
        tokenized_mixture(**SIZES, relevant=4, first=2)
    with pytest.raises(ValueError, match=r"first must lie in 0..4, got 5"):
        tokenized_mixture(**SIZES, first=5)
    with pytest.raises(ValueError, match="features must be at least 7, one for each signal and distractor, got 6"):
        tokenized_mixture(**SIZES, distractors=5)
    with pytest.raises(ValueError, match="signal and noise must not be negative"):
        tokenized_mixture(**SIZES, noise=-1.0)
    with pytest.raises(ValueError, match="distractors must not be negative"):
        tokenized_mixture(**SIZES, distractors=-1)


class TestContextualMixture:
    def test_relevant_tokens_show_context_and_label_exactly(self):
        X, y, relevant, q, w = contextual_mixture(
            1, 2, samples=6, tokens=7, features=4, relevant=3, context=2.0, signal=0.5
        )
        assert relevant.sum(-1).unique().tolist() == [3]
        shown = (q + y[..., None, None] * w).expand_as(X)
        torch.testing.assert_close(X[relevant], shown[relevant], rtol=0, atol=0)
        assert (float(q.norm()), float(w.norm()), float(q @ w)) == (2.0, 0.5, 0.0)
        assert len({tuple(row.tolist()) for row in relevant.flatten(0, 1)}) > 6, "positions are drawn anew"

    def test_the_other_tokens_have_the_stated_mean_and_spread(self):
        X, y, relevant, q, w = contextual_mixture(
            0, 1, 4000, tokens=5, features=3, relevant=2, context_offset=0.7, signal_offset=-0.3, noise=0.5
        )
        other = X[~relevant]
        label = y[..., None].expand_as(relevant)[~relevant]
        torch.testing.assert_close(other.mean(0), -0.7 * q, rtol=0, atol=0.02)
        torch.testing.assert_close((label[:, None] * other).mean(0), 0.3 * w, rtol=0, atol=0.02)
        noise = other + 0.7 * q - 0.3 * label[:, None] * w
        torch.testing.assert_close(noise.std(0), torch.full((3,), 0.5).double(), rtol=0, atol=0.02)

    def test_offsets_may_differ_between_sequences_and_runs(self):
        away = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
        X, y, relevant, *_ = contextual_mixture(
            0, 2, 2, tokens=3, features=2, context_offset=away, signal_offset=-away, noise=0.0, balanced=True
        )
        for run in range(2):
            for i in range(2):
                other = X[run, i][~relevant[run, i]]
                expected = away[run, i] * torch.tensor([-1.0, float(y[run, i])]).double()
                torch.testing.assert_close(other, expected.expand_as(other), rtol=0, atol=0)

    def test_settings_share_labels_positions_and_noise(self):
        plain = contextual_mixture(3, 1, 8, tokens=4, features=3)
        moved = contextual_mixture(3, 1, 20, tokens=4, features=3, context_offset=1.0, signal=2.0)
        first = contextual_mixture(3, 1, 20, tokens=4, features=3)
        assert torch.equal(first.labels, moved.labels)
        assert torch.equal(first.relevant, moved.relevant)
        shift = torch.where(first.relevant[..., None], 0.0, -first.context)
        torch.testing.assert_close((moved.tokens - first.tokens)[..., [0, 2]], shift[..., [0, 2]])
        assert torch.equal(plain.tokens, first.tokens[:, :8])

    def test_labels_in_turn(self):
        assert contextual_mixture(0, 1, 4, 2, 2, balanced=True).labels.tolist() == [[1.0, -1.0, 1.0, -1.0]]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"samples": 0}, "sizes must be at least 1, got samples 0 and tokens 3"),
            ({"features": 1}, "features must be at least 2"),
            ({"relevant": 4}, r"relevant must lie in 1\.\.3"),
            ({"noise": -1.0}, "must not be negative"),
            ({"context_offset": float("nan")}, "context_offset must be finite"),
            ({"signal_offset": torch.zeros(5)}, r"signal_offset must be a number, \(2,\) or \(1, 2\), got \(5,\)"),
        ],
    )
    def test_bad_input_is_one_clear_line(self, change, says, unchecked):
        sizes = {"seed": 0, "runs": 1, "samples": 2, "tokens": 3, "features": 2}
        with pytest.raises(ValueError, match=says):
            contextual_mixture(**(sizes | change))
