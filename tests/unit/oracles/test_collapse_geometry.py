import math

import numpy as np
import pytest
import scipy.linalg
import torch

from ibkit.data import step_counts
from ibkit.oracles import sel_matrix, seli_geometry, simplex_etf_gram, step_seli_geometry

UNEVEN = torch.tensor([40.0, 7.0, 7.0, 2.0, 1.0], dtype=torch.float64)


def by_samples(counts):
    """Classifier and class-embedding Grams from NumPy's SVD of the whole k by n matrix of encoded labels."""
    sizes = counts.numpy().astype(int)
    k, labels = len(sizes), np.repeat(np.arange(len(sizes)), sizes)
    V, values, Ut = np.linalg.svd((np.eye(k) - 1 / k)[:, labels], full_matrices=False)
    V, values, U = V[:, :-1], values[:-1], Ut[:-1].T
    first = np.r_[0, sizes.cumsum()[:-1]]  # one sample of each class: copies coincide
    embedding = U[first] * values @ U[first].T
    return V * values @ V.T, embedding, values


def agrees_with_samples(geometry, counts):
    classifier, embedding, values = by_samples(counts)
    return (
        np.allclose(geometry.classifier, classifier, atol=1e-12)
        and np.allclose(geometry.embedding, embedding, atol=1e-12)
        and np.allclose(geometry.singular_values, values, atol=1e-12)
    )


def test_geometry_is_that_of_all_samples_and_a_mutant_is_not():
    geometry = seli_geometry(UNEVEN)
    assert agrees_with_samples(geometry, UNEVEN)
    assert not agrees_with_samples(geometry._replace(embedding=geometry.classifier), UNEVEN)


def test_grams_are_a_matrix_root_and_its_pseudo_inverse():
    P, D = simplex_etf_gram(5).numpy(), np.diag(UNEVEN.numpy())
    geometry = seli_geometry(UNEVEN)
    root = scipy.linalg.sqrtm(P @ D @ P + 0j).real
    np.testing.assert_allclose(geometry.classifier, root, atol=1e-7)  # a singular matrix has a rough square root
    np.testing.assert_allclose(geometry.embedding, np.linalg.pinv(geometry.classifier.numpy(), rcond=1e-9), atol=1e-10)
    np.testing.assert_allclose(geometry.classifier @ geometry.embedding, geometry.logits, atol=1e-12)


@pytest.mark.parametrize(("classes", "share"), [(2, 0.5), (4, 0.25), (4, 0.75), (6, 0.5), (10, 0.2)])
def test_closed_form_of_step_imbalance_equals_the_factorisation(classes, share):
    ratios = torch.tensor([1.0, 10.0, 1000.0], dtype=torch.float64)
    closed = step_seli_geometry(classes, share, ratios)
    factored = seli_geometry(step_counts(classes, share, ratios))
    for name in ("classifier", "embedding", "logits"):
        torch.testing.assert_close(getattr(closed, name), getattr(factored, name), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(
        closed.singular_values.sort(-1, descending=True).values, factored.singular_values, rtol=1e-12, atol=1e-12
    )


def test_closed_form_has_the_limits_of_pen_and_paper():
    assert_close = torch.testing.assert_close
    even = step_seli_geometry(6, 0.5, 1.0)
    assert_close(even.classifier, simplex_etf_gram(6))
    assert_close(even.embedding, simplex_etf_gram(6))
    extreme = step_seli_geometry(4, 0.5, 1e14)
    share = math.sqrt(0.5)
    limit = (0.5 + share / 4) / (share / 4)
    assert float(extreme.classifier[0, 0] / extreme.classifier[3, 3]) == pytest.approx(limit, rel=1e-6)
    assert float(extreme.embedding[0, 0] / extreme.embedding[3, 3]) < 1e-6
    assert float(extreme.classifier[2, 3] / extreme.classifier[3, 3]) == pytest.approx(1.0, abs=1e-6)
    for ratio in (1.0, 30.0, 1e6):  # two classes: antipodal, whatever the sizes
        two = step_seli_geometry(2, 0.5, ratio).classifier
        assert_close(two / two[0, 0], 2 * simplex_etf_gram(2))


def test_scaling_all_counts_scales_all_singular_values():
    one, nine = seli_geometry(UNEVEN), seli_geometry(9 * UNEVEN)
    torch.testing.assert_close(nine.singular_values, 3 * one.singular_values)
    torch.testing.assert_close(nine.embedding, one.embedding / 3)


@pytest.mark.parametrize("seed", range(5))
def test_dual_certificate_is_negative_off_the_labels_for_any_counts(seed):
    counts = torch.from_numpy(np.exp(np.random.default_rng(seed).normal(scale=3, size=7)))
    off = ~torch.eye(7, dtype=torch.bool)
    assert (seli_geometry(counts).embedding[off] < 0).all()
    assert (seli_geometry(torch.tensor([1e4, 1e4, 1.0, 1.0]).double()).classifier[2, 3]) > 0, (
        "no such rule for classifiers"
    )


def test_sel_matrix_merges_equal_columns():
    sizes = UNEVEN.long()
    full = simplex_etf_gram(5)[:, torch.arange(5).repeat_interleave(sizes)]
    torch.testing.assert_close(sel_matrix(UNEVEN) @ sel_matrix(UNEVEN).T, full @ full.T)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="classes must be at least 2"):
        simplex_etf_gram(1)
    with pytest.raises(ValueError, match="counts must be positive"):
        seli_geometry(torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="ratio must be at least 1"):
        step_seli_geometry(4, 0.5, 0.1)
