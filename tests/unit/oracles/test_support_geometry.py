import itertools

import numpy as np
import pytest
import torch

from ibkit.data import shared_support_tokens
from ibkit.oracles import (
    centered_support,
    data_subspace,
    finite_part,
    in_support_part,
    log_odds_part,
    logit_factors,
    next_token_nuclear,
    polar_factor,
    proxy_certificate,
)


@pytest.fixture(scope="module")
def data():
    return shared_support_tokens(seed=0, runs=2, vocabulary=6, supports=5, sizes=(1, 4))


def test_parts_are_those_of_a_linear_decoder_on_one_hot_contexts(data, rng):
    """With one-hot contexts the decoder is the matrix of logits: the general projections must say the same."""
    W = torch.randn(2, 6, 10, generator=rng, dtype=torch.float64)
    space = data_subspace(data.contexts, data.probabilities)
    torch.testing.assert_close(in_support_part(W.mT, data.support), space.inside(W).mT)
    star = finite_part(data.contexts, data.probabilities).W.mT
    torch.testing.assert_close(log_odds_part(data.probabilities), star)
    mutant = data.probabilities.clamp(min=1e-12).log()
    mutant = torch.where(data.support, mutant - mutant.mean(-1, keepdim=True), 0.0)  # centred over all words
    assert (mutant - star).abs().max() > 0.1


def test_proxy_has_unit_margins_and_centred_rows(data):
    proxy = centered_support(data.support)
    torch.testing.assert_close(proxy.sum(-1), torch.zeros(2, 10, dtype=torch.float64))
    lowest = proxy.masked_fill(~data.support, torch.inf).amin(-1)
    highest = proxy.masked_fill(data.support, -torch.inf).amax(-1)
    torch.testing.assert_close(lowest - highest, torch.ones_like(lowest))
    torch.testing.assert_close(in_support_part(proxy, data.support), torch.zeros_like(proxy))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_all_sets_of_one_size_have_the_closed_form(size):
    """S S' is a multiple of the centring there, so the polar factor is a multiple of the proxy."""
    V = 5
    sets = list(itertools.combinations(range(V), size))
    support = torch.zeros(len(sets), V, dtype=torch.bool)
    for row, members in enumerate(sets):
        support[row, list(members)] = True
    proxy = centered_support(support)
    scale = proxy.norm() / np.sqrt(V - 1)
    torch.testing.assert_close(polar_factor(proxy), proxy / scale)
    assert float(proxy_certificate(support)) == pytest.approx(-size / V / float(scale))
    factors = logit_factors(proxy)
    torch.testing.assert_close(factors.singular_values[:-1], scale.expand(V - 1))
    torch.testing.assert_close(factors.words, scale * (torch.eye(V).double() - 1 / V))


def test_certificate_decides_whether_the_proxy_is_optimal():
    held = 0
    for seed in range(12):
        support = shared_support_tokens(seed, runs=1, vocabulary=7, supports=9, copies=1).support[0]
        proxy, best = centered_support(support), next_token_nuclear(support)
        assert torch.linalg.matrix_rank(proxy) == 6
        certified = float(proxy_certificate(support)) <= 1e-12
        optimal = float(torch.linalg.svdvals(proxy).sum()) <= float(best.norm) * (1 + 1e-7)
        assert certified == optimal
        held += certified
    assert 0 < held < 12


def test_factors_are_the_cheapest(data, rng):
    logits = log_odds_part(data.probabilities) + centered_support(data.support)
    factors = logit_factors(logits)
    norm = torch.linalg.svdvals(logits).sum(-1)
    for gram in (factors.words, factors.contexts):
        torch.testing.assert_close(gram.diagonal(dim1=-2, dim2=-1).sum(-1), norm)
    U, s, Vh = torch.linalg.svd(logits, full_matrices=False)
    lopsided = (U * s.unsqueeze(-2)).square().sum((-2, -1)) + Vh.square().sum((-2, -1))  # all of it on one side
    assert (lopsided > 2 * norm * (1 + 1e-3)).all()
    root = (U * s.sqrt().unsqueeze(-2)), (Vh.mT * s.sqrt().unsqueeze(-2))
    torch.testing.assert_close(root[0] @ root[1].mT, logits)
    torch.testing.assert_close(root[0] @ root[0].mT, factors.contexts)
    torch.testing.assert_close(root[1] @ root[1].mT, factors.words)


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match="support must be a mask"):
        centered_support(torch.ones(2, 3))
    with pytest.raises(ValueError, match="got context 1 without one"):
        centered_support(torch.tensor([[True, False], [False, False]]))
    with pytest.raises(ValueError, match="logits and support must agree"):
        in_support_part(torch.ones(2, 4), torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="probabilities must be rows"):
        log_odds_part(torch.ones(2, 3))
    with pytest.raises(ValueError, match="logits"):
        logit_factors(torch.tensor([[torch.nan, 1.0]]))
