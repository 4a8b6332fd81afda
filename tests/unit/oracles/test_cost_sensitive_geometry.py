import cvxpy as cp
import numpy as np
import pytest
import torch

from ibkit.data import step_counts
from ibkit.losses import LogitAdjustment, power_temperatures, unconstrained_cross_entropy
from ibkit.measure import gram_distance
from ibkit.models import unconstrained_start
from ibkit.optim import normalized_gradient_descent
from ibkit.oracles import (
    cost_sensitive_geometry,
    minimum_norm_logits,
    seli_geometry,
    simplex_etf_gram,
    step_cost_sensitive_geometry,
    step_seli_geometry,
)
from ibkit.train import train

UNEVEN = torch.tensor([40.0, 7.0, 2.0, 1.0], dtype=torch.float64)
DELTA = torch.tensor([1.0, 0.3, 0.7, 2.0], dtype=torch.float64)
KAPPA = torch.tensor([0.5, 1.0, 1.4, 0.8], dtype=torch.float64)


def semidefinite_logits(counts, delta, kappa):
    """min (tr X + tr Y) / 2 over [[X, Z], [Z', Y]] >= 0 with adjusted margins: no nuclear norm, no closed form."""
    n, k = counts.numpy(), len(counts)
    joint = cp.Variable((2 * k, 2 * k), PSD=True)
    Z = joint[:k, k:] @ np.diag(1 / np.sqrt(n))
    margins = [
        float(delta[y]) * (float(kappa[y]) * Z[y, y] - float(kappa[c]) * Z[c, y]) >= 1
        for y in range(k)
        for c in range(k)
        if c != y
    ]
    cp.Problem(cp.Minimize(cp.trace(joint) / 2), margins).solve(solver="CLARABEL")
    return torch.from_numpy(Z.value.T.copy())


def solves_the_program(logits, delta, kappa):
    return torch.allclose(logits, semidefinite_logits(UNEVEN, delta, kappa), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("delta", "kappa"), [(DELTA, None), (None, KAPPA), (DELTA, KAPPA)])
def test_logits_solve_the_semidefinite_program_and_mutants_do_not(delta, kappa):
    one = torch.ones(4, dtype=torch.float64)
    given = (one if delta is None else delta, one if kappa is None else kappa)
    found = cost_sensitive_geometry(UNEVEN, delta, kappa).logits
    assert solves_the_program(found, *given)
    assert not solves_the_program(cost_sensitive_geometry(UNEVEN, kappa, delta).logits, *given)
    if kappa is not None:  # the mutant that centres with equal weights
        assert not solves_the_program((simplex_etf_gram(4) / (given[0] * given[1])).T, *given)


@pytest.mark.parametrize(("delta", "kappa"), [(DELTA, None), (None, KAPPA), (DELTA, KAPPA)])
def test_minimum_norm_logits_with_temperatures_are_the_closed_form(delta, kappa):
    best, closed = minimum_norm_logits(UNEVEN, delta, kappa), cost_sensitive_geometry(UNEVEN, delta, kappa)
    torch.testing.assert_close(best.logits, closed.logits, rtol=0, atol=1e-6)
    assert best.norm == pytest.approx(float(closed.singular_values.sum()), rel=1e-7)


def by_samples(logits, counts):
    """Grams from NumPy's SVD of the whole k by n matrix of logits."""
    sizes = counts.numpy().astype(int)
    Z = np.repeat(logits.numpy(), sizes, axis=0).T
    V, values, Ut = np.linalg.svd(Z, full_matrices=False)
    first = np.r_[0, sizes.cumsum()[:-1]]
    return V * values @ V.T, Ut.T[first] * values @ Ut[:, first], values[:-1]


def test_grams_are_the_balanced_factors_of_all_samples_and_a_mutant_is_not():
    geometry = cost_sensitive_geometry(UNEVEN, DELTA, KAPPA)
    classifier, embedding, values = by_samples(geometry.logits, UNEVEN)
    np.testing.assert_allclose(geometry.classifier, classifier, atol=1e-12)
    np.testing.assert_allclose(geometry.embedding, embedding, atol=1e-12)
    np.testing.assert_allclose(geometry.singular_values, values, atol=1e-12)
    unscaled = seli_geometry(UNEVEN / (DELTA * KAPPA) ** 2).embedding  # forgets that embeddings carry 1/temperature
    assert not np.allclose(unscaled, embedding, atol=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_certificate_is_negative_off_the_labels_for_any_counts_and_temperatures(seed):
    rng = np.random.default_rng(seed)
    n, delta, kappa = torch.from_numpy(np.exp(rng.normal(scale=2, size=(3, 6))))
    geometry = cost_sensitive_geometry(n, delta, kappa)
    multipliers = -geometry.embedding * delta * kappa * (delta * kappa)[:, None]
    off = ~torch.eye(6, dtype=torch.bool)
    assert (multipliers[off] > 0).all()
    adjusted = delta[:, None] * kappa * geometry.logits
    margins = adjusted.diagonal()[:, None] - adjusted
    torch.testing.assert_close(margins[off], torch.ones(30, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("classes", "share"), [(2, 0.5), (4, 0.25), (4, 0.75), (10, 0.2)])
@pytest.mark.parametrize(("delta", "kappa"), [(0.3, 1.0), (1.0, 0.3), (3.0, 0.5)])
def test_closed_form_of_step_imbalance_equals_the_factorisation(classes, share, delta, kappa):
    ratios = torch.tensor([1.0, 10.0, 300.0], dtype=torch.float64)
    M = round((1 - share) * classes)
    labels, others = torch.ones(classes).double(), torch.ones(classes).double()
    labels[M:], others[M:] = delta, kappa
    closed = step_cost_sensitive_geometry(classes, share, ratios, delta, kappa)
    factored = cost_sensitive_geometry(step_counts(classes, share, ratios), labels, others)
    for name, value in closed._asdict().items():
        torch.testing.assert_close(value, getattr(factored, name), rtol=1e-10, atol=1e-11)


def test_label_temperatures_trade_for_imbalance():
    """R = 100 at the power 1/4 has the classifiers of R = 10 without temperatures; at 1/2 those of R = 1."""
    for power, ratio in ((0.25, 10.0), (0.5, 1.0), (0.0, 100.0)):
        tempered = step_cost_sensitive_geometry(4, 0.5, 100.0, label_temperature=100.0**-power).classifier
        assert float(gram_distance(tempered, step_seli_geometry(4, 0.5, ratio).classifier)) < 1e-14


def test_roots_of_the_counts_give_the_simplex_for_any_class_sizes_and_nothing_else_does():
    tuned = cost_sensitive_geometry(UNEVEN, UNEVEN.sqrt())
    assert float(gram_distance(tuned.classifier, simplex_etf_gram(4))) < 1e-14
    lengths = tuned.embedding.diagonal() * UNEVEN
    torch.testing.assert_close(lengths / lengths[0], torch.ones(4, dtype=torch.float64))
    for kwargs in ({"class_temperature": UNEVEN.sqrt()}, {"label_temperature": UNEVEN**0.4}, {}):
        assert float(gram_distance(cost_sensitive_geometry(UNEVEN, **kwargs).classifier, simplex_etf_gram(4))) > 0.03


def test_training_ends_there_and_not_where_cross_entropy_does():
    counts = step_counts(4, 0.5, 10.0)
    delta = power_temperatures(counts, torch.tensor([[0.25], [0.5]], dtype=torch.float64))
    start = unconstrained_start(0, 3, 4, 4, counts.expand(2, 4))
    gradient = unconstrained_cross_entropy(torch.arange(4), counts, LogitAdjustment(label_temperature=delta))
    grams = lambda p: {"W": p["W"] @ p["W"].mT}  # noqa: E731
    reached = torch.from_numpy(train(start, gradient, normalized_gradient_descent(0.05), 4000, grams, [4000])["W"][-1])
    assert gram_distance(reached, cost_sensitive_geometry(counts, delta).classifier).max() < 0.01
    assert gram_distance(reached, seli_geometry(counts).classifier).min() > 0.1


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match=r"label_temperature must be positive, got 0\.0"):
        cost_sensitive_geometry(UNEVEN, torch.zeros(4))
    with pytest.raises(ValueError, match=r"class_temperature must hold one number a class \(4\), got 3"):
        cost_sensitive_geometry(UNEVEN, None, torch.ones(3))
    with pytest.raises(ValueError, match="counts must hold at least 2 classes, got 1"):
        cost_sensitive_geometry(torch.ones(1))
    with pytest.raises(ValueError, match=r"class_temperature must be positive, got -1\.0"):
        step_cost_sensitive_geometry(4, 0.5, 10.0, class_temperature=-1.0)
    with pytest.raises(ValueError, match=r"label_temperature must have shape \(4,\), got \(3,\)"):
        minimum_norm_logits(UNEVEN, torch.ones(3))
    with pytest.raises(ValueError, match="class_temperature must be positive and finite, got 0"):
        minimum_norm_logits(UNEVEN, class_temperature=torch.zeros(4))
