import math

import numpy as np
import pytest
import torch

from ibkit.measure import (
    class_means,
    cosines,
    nearest_mean_disagreement,
    neural_collapse,
    self_duality,
    two_group_geometry,
    within_class_variability,
)
from ibkit.oracles import simplex_etf_gram


@pytest.fixture
def sample(rng):
    labels = torch.tensor([2, 0, 1, 0, 2, 2, 1])
    return torch.randn(3, 7, 4, generator=rng, dtype=torch.float64), labels


def test_class_means_equal_a_plain_loop(sample):
    features, labels = sample
    expected = torch.stack([features[:, labels == c].mean(1) for c in range(3)], 1)
    torch.testing.assert_close(class_means(features, labels, 3), expected)


def variability_by_traces(features, labels):
    """tr of the two scatter matrices with NumPy, class by class; between-class scatter about the mean of means."""
    H, y = features.numpy(), labels.numpy()
    means = np.stack([H[y == c].mean(0) for c in range(3)])
    within = sum(np.trace(np.cov(H[y == c].T, bias=True)) * (y == c).sum() for c in range(3)) / len(y)
    return within / np.trace(np.cov(means.T, bias=True))


def test_variability_equals_traces_of_scatter_matrices_and_a_mutant_does_not(sample):
    features, labels = sample
    expected = [variability_by_traces(run, labels) for run in features]
    np.testing.assert_allclose(within_class_variability(features, labels, 3), expected, rtol=1e-12)
    about_all_samples = features - features.mean(1, keepdim=True)  # weighs the means by class size instead
    mutant = (about_all_samples**2).sum((-2, -1)) / 7
    assert not np.allclose(mutant, expected, rtol=0.05)


def test_variability_ignores_rotation_shift_and_scale_and_vanishes_at_collapse(sample, rng):
    features, labels = sample
    Q = torch.linalg.qr(torch.randn(4, 4, generator=rng, dtype=torch.float64)).Q
    turned = 3 * features @ Q + 5
    torch.testing.assert_close(
        within_class_variability(turned, labels, 3), within_class_variability(features, labels, 3)
    )
    collapsed = class_means(features, labels, 3)[:, labels]
    assert within_class_variability(collapsed, labels, 3).max() < 1e-25


def test_cosines_of_the_simplex_are_all_least():
    angles = cosines(7 * simplex_etf_gram(5))
    expected = torch.full((5, 5), -0.25, dtype=torch.float64).fill_diagonal_(1.0)
    torch.testing.assert_close(angles, expected)


def test_two_groups_equal_pen_and_paper():
    """Majorities (3, 0), (0, 3), minorities (1, 1) and (-1, 1)."""
    vectors = torch.tensor([[3.0, 0.0], [0.0, 3.0], [1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)
    found = two_group_geometry(vectors @ vectors.T, 2)
    root = math.sqrt(0.5)
    expected = (4.5, 0.0, (root + root - root + root) / 4, 0.0)
    assert [float(value) for value in found] == pytest.approx(expected, abs=1e-12)
    alone = two_group_geometry(vectors[:2] @ vectors[:2].T, 1)
    assert math.isnan(float(alone.within_first))
    assert float(alone.across) == 0.0


def test_duality_is_the_mean_of_cosines_and_not_the_cosine_of_all(rng):
    W, means = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    expected = torch.nn.functional.cosine_similarity(W, means, dim=-1).mean(-1)
    torch.testing.assert_close(self_duality(W, means), expected)
    stretched = torch.tensor([1.0, 7.0, 0.2, 3.0], dtype=torch.float64)[:, None] * W
    torch.testing.assert_close(self_duality(stretched, W), torch.ones(3, dtype=torch.float64))
    whole = (stretched * W).sum((-2, -1)) / (stretched.norm(dim=(-2, -1)) * W.norm(dim=(-2, -1)))
    assert whole.max() < 0.95  # one cosine of all entries would see the lengths
    assert float(self_duality(torch.zeros(2, 2), torch.eye(2))) == 0.0


def test_disagreement_is_that_of_scikit_learns_nearest_centroid(sample, rng):
    from sklearn.neighbors import NearestCentroid

    features, labels = sample
    logits = torch.randn(3, 7, 3, generator=rng, dtype=torch.float64)
    for run in range(3):
        nearest = NearestCentroid().fit(features[run].numpy(), labels.numpy()).predict(features[run].numpy())
        expected = (nearest != logits[run].argmax(-1).numpy()).mean()
        assert float(nearest_mean_disagreement(features, labels, logits)[run]) == pytest.approx(expected)


def test_neural_collapse_of_frames_that_have_collapsed_and_of_others():
    """An orthogonal frame of unequal lengths; shifted, it is a simplex only after centring."""
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    lengths = torch.tensor([3.0, 1.0, 0.5], dtype=torch.float64)
    Q = torch.linalg.qr(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).double()).Q.mT
    features, W = (lengths[:, None] * Q)[labels], (1 / lengths)[:, None] * Q
    found = neural_collapse(features, labels, W, torch.diag(lengths**2), torch.diag(lengths**-2))
    assert [float(v) for v in found] == pytest.approx([0.0, 0.0, 0.0, 1.0, 0.0], abs=1e-12)
    wrong = neural_collapse(features, labels, W, torch.eye(3, dtype=torch.float64))
    assert min(float(wrong.means), float(wrong.classifier)) > 0.3
    shifted = neural_collapse(Q[labels] + 4, labels, Q + 2, simplex_etf_gram(3), centred=True)
    assert [float(v) for v in shifted[:4]] == pytest.approx([0.0, 0.0, 0.0, 1.0], abs=1e-12)
    assert float(neural_collapse(Q[labels] + 4, labels, Q + 2, simplex_etf_gram(3)).means) > 0.3


def test_says_what_is_wrong(sample, unchecked):
    features, labels = sample
    with pytest.raises(ValueError, match="labels must hold every class, got none of class 3"):
        class_means(features, labels, 4)
    with pytest.raises(ValueError, match="labels must hold one a sample"):
        class_means(features, labels[:3], 3)
    with pytest.raises(ValueError, match="class means that differ"):
        within_class_variability(torch.ones(2, 2), torch.tensor([0, 1]), 2)
    with pytest.raises(ValueError, match="G must be square"):
        cosines(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"first must lie in 1..2, got 3"):
        two_group_geometry(torch.eye(3), 3)
    with pytest.raises(ValueError, match="classifier and means must have one shape"):
        self_duality(torch.ones(3, 2), torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"logits must hold one row a sample \(7\), got 6"):
        nearest_mean_disagreement(features, labels, torch.ones(3, 6, 3, dtype=torch.float64))
