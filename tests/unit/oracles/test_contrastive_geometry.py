import cvxpy as cp
import numpy as np
import pytest
import torch

import ibkit.oracles.contrastive_geometry as module
from ibkit.losses import supervised_contrastive_gram
from ibkit.oracles import OracleError, contrastive_gram, simplex_etf_gram


def convex_program(labels, tau):
    """The loss of all samples as a convex program in their Gram matrix, without any symmetry put in."""
    n = len(labels)
    G = cp.Variable((n, n), PSD=True)
    terms = []
    for i in range(n):
        others = [m for m in range(n) if m != i]
        partners = [j for j in others if labels[j] == labels[i]]
        if partners:
            terms.append(cp.log_sum_exp(G[i, others] / tau) - cp.sum(G[i, partners]) / (tau * len(partners)))
    problem = cp.Problem(cp.Minimize(sum(terms)), [cp.diag(G) <= 1])
    problem.solve(solver="CLARABEL")
    return problem.value, G.value


@pytest.mark.parametrize(("sizes", "tau"), [([2, 2, 2], 1.0), ([4, 2, 2], 0.3), ([4, 3, 1], 1.0), ([5, 2], 0.5)])
def test_classes_are_enough(sizes, tau):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    value, G = convex_program(labels, tau)
    found = contrastive_gram(torch.tensor(sizes).double(), tau)
    assert float(found.value) == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(G, found.G.numpy()[np.ix_(labels, labels)], atol=3e-3)
    mutant = contrastive_gram(torch.full((len(sizes),), 8.0 / len(sizes)).double(), tau)  # class sizes forgotten
    if len(set(sizes)) > 1:
        at = supervised_contrastive_gram(mutant.G, torch.arange(len(sizes)), tau, counts=torch.tensor(sizes).double())
        assert float(at) > value * (1 + 1e-5) or len(sizes) == 2


def test_a_batch_of_sizes_and_temperatures():
    counts = torch.tensor([[10.0, 10.0, 10.0, 10.0], [20.0, 20.0, 2.0, 2.0]])
    tau = torch.tensor([[1.0], [0.2]]).double()
    batch = contrastive_gram(counts, tau)
    assert batch.G.shape == (2, 2, 4, 4)
    torch.testing.assert_close(batch.G[:, 0], (simplex_etf_gram(4) * 4 / 3).expand(2, 4, 4), atol=1e-6, rtol=0)
    for row in range(2):
        one = contrastive_gram(counts[1], float(tau[row]), seed=5)
        torch.testing.assert_close(batch.G[row, 1], one.G, atol=1e-6, rtol=0)
        torch.testing.assert_close(batch.value[row, 1], one.value)


def test_the_certificate_holds_and_rejects_other_points(rng):
    """At any Gram the bound lies below the minimum; at the simplex, under imbalance, far below its value."""
    counts = torch.tensor([20.0, 20.0, 2.0, 2.0]).double()
    best = contrastive_gram(counts)
    H = torch.nn.functional.normalize(torch.randn(50, 4, 5, generator=rng, dtype=torch.float64), dim=-1)
    for G in [*(H @ H.mT), simplex_etf_gram(4) * 4 / 3]:
        G = G.clone().requires_grad_()
        value = supervised_contrastive_gram(G, torch.arange(4), counts=counts)
        gap = module._gap(G.detach(), torch.autograd.grad(value, G)[0])
        assert value.detach() - gap <= best.value + 1e-9
        assert gap > 44 * module.GAP_TOLERANCE


def test_an_unfinished_search_is_refused(monkeypatch):
    search = module.minimize_lbfgs
    monkeypatch.setattr(module, "minimize_lbfgs", lambda *args, **options: search(*args, iterations=3))
    with pytest.raises(OracleError, match="duality gap"):
        contrastive_gram(torch.tensor([20.0, 2.0, 2.0]))


@pytest.mark.parametrize(
    ("counts", "line"), [([0.5, 2.0], "at least 1"), ([1.0, 1.0], "two samples"), ([2.0, -1.0], "positive")]
)
def test_bad_counts_are_refused(counts, line):
    with pytest.raises(ValueError, match=line):
        contrastive_gram(torch.tensor(counts))
