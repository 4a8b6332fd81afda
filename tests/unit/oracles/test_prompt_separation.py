import numpy as np
import pytest
import torch

from ibkit.data import contextual_mixture
from ibkit.models import POOLINGS, pooled_output, pooled_tokens, pooling_start
from ibkit.oracles import (
    largest_relevant_mass,
    relevant_mass_of_self_attention,
    self_attention_threshold,
    separation_error,
)


def six_sequences(gap, relevant=3):
    kinds = gap * torch.tensor([[0, 0, 1, 1, 1, 1], [0, 0, 1, 1, -1, -1]], dtype=torch.float64)
    return contextual_mixture(
        0, 1, 6, 10, 2, relevant, context_offset=kinds[0], signal_offset=kinds[1], noise=0.0, balanced=True
    )


def best_error(kind, gap, tries=4000):
    """The best of many random parameters, of many sizes: no training, an upper bound on the best error."""
    X, y, *_ = six_sequences(gap)
    params = pooling_start(kind, 0, tries, 2)
    size = torch.logspace(-1.5, 1.5, 7, dtype=torch.float64).repeat(tries)[:tries]
    params = {k: v if k == "w" else v * size.reshape(-1, *[1] * (v.ndim - 1)) for k, v in params.items()}
    return float(((y[0] * pooled_output(kind, params, X[0])) <= 0).double().mean(-1).min())


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("gap", [0.3, 0.55, 1.5, 4.0])
def test_random_parameters_reach_the_best_error_and_never_less(kind, gap):
    assert best_error(kind, gap) == pytest.approx(separation_error(kind, 0.3, gap))


def test_the_bounds_depend_on_the_gap():
    """A mutant with one threshold for all kinds would be told apart."""
    table = {gap: [round(6 * separation_error(kind, 0.3, gap)) for kind in POOLINGS] for gap in (0.3, 0.55, 1.5, 4.0)}
    assert table == {0.3: [0, 0, 0, 0], 0.55: [0, 0, 0, 2], 1.5: [0, 1, 0, 2], 4.0: [0, 1, 2, 2]}


def test_mass_of_self_attention_against_the_model():
    """Pool the mirrored sequence with M = g r r^T / |r|^4, so that r^T M r = g."""
    gap, X = 2.0, six_sequences(2.0).tokens[0, 2]  # the first sequence with both offsets, label 1
    r = torch.tensor([1.0, 1.0], dtype=torch.float64)
    score = torch.linspace(-1, 1, 9, dtype=torch.float64)
    M = score[:, None, None] * torch.outer(r, r) / (r @ r) ** 2
    pooled = pooled_tokens("self-attention", {"M": M}, X[None])[:, 0]
    mass, relevant, other = relevant_mass_of_self_attention(score, 0.3, gap)
    torch.testing.assert_close(pooled, (mass * (1 + gap) - gap)[:, None] * r)
    assert bool(((relevant >= 0.3) == (other <= 0.3)).all()), "one looks towards what the other looks away from"


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.6])
@pytest.mark.parametrize("gap", [0.5, 3.0, 30.0])
def test_largest_mass_against_a_fine_scan(share, gap):
    score = torch.from_numpy(np.concatenate([-np.geomspace(1e-7, 50, 200_001), [0], np.geomspace(1e-7, 50, 200_001)]))
    scanned = float(relevant_mass_of_self_attention(score, share, gap)[0].max())
    found = largest_relevant_mass(share, gap)
    assert scanned - 1e-9 <= found <= scanned + 1e-6
    assert found <= 1 - min((1 - share) ** 2, share * (1 - share)) + 1e-12


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.5, 0.6])
def test_threshold_is_crossed_once_and_lies_between_its_bounds(share):
    threshold, odds = self_attention_threshold(share), share / (1 - share)
    assert odds <= threshold <= 1 / min((1 - share) ** 2, share * (1 - share)) - 1
    for gap in np.geomspace(odds / 3, 60, 60).tolist():
        assert separation_error("self-attention", share, gap) == (0.0 if gap < threshold else 1 / 3), gap


def test_bad_input_is_one_clear_line(unchecked):
    for call, says in (
        (lambda: separation_error("maximum", 0.3, 1.0), "kind must be one of"),
        (lambda: separation_error("prompt", 1.0, 1.0), "share must lie in"),
        (lambda: largest_relevant_mass(0.3, 0.0), "gap must be positive"),
        (lambda: self_attention_threshold(0.0), "share must lie in"),
        (lambda: relevant_mass_of_self_attention(torch.zeros(1), 2.0, 1.0), "share must lie in"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
