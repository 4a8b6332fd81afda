import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from ibkit.data import tokenized_mixture
from ibkit.models import multi_head_jacobian, multi_head_signed_start, multi_head_start
from ibkit.oracles import NotSeparableError, binary_max_margin, tangent_margin

MIXTURE = tokenized_mixture(0, 2, 24, tokens=5, features=6, relevant=2, signal=2.0, noise=0.3)


def svc_margin(jacobian, y):
    """Return the margin of scikit-learn's hard-margin classifier without a bias, through the symmetric data."""
    rows = (y[:, None] * jacobian).numpy()
    both, labels = np.concatenate([rows, -rows]), np.repeat([1, -1], len(rows))
    fitted = SVC(kernel="linear", C=1e8, tol=1e-10).fit(both, labels)
    return 1 / np.linalg.norm(fitted.coef_)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_margin_is_that_of_a_hard_margin_classifier_of_the_tangent_features(strength):
    start = multi_head_signed_start(
        MIXTURE.tokens, MIXTURE.labels, torch.tensor([1.0, -1.0], dtype=torch.float64), strength
    )
    jacobian = multi_head_jacobian(start, MIXTURE.tokens)
    found = tangent_margin(jacobian, MIXTURE.labels)
    for run in range(2):
        expected = 2**0.5 * svc_margin(jacobian[run], MIXTURE.labels[run])
        assert float(found[run]) == pytest.approx(expected, rel=1e-4)
    shuffled = tangent_margin(jacobian, -MIXTURE.labels.roll(1, -1))  # a mutant with the labels of other sequences
    assert (found - shuffled).abs().min() > 0.01


def test_zero_start_has_the_margin_of_the_mean_tokens_for_any_number_of_heads():
    plain = binary_max_margin(MIXTURE.labels.unsqueeze(-1) * MIXTURE.tokens.mean(-2)).margin
    for heads in (1, 4):
        zero = multi_head_start(0, 2, heads, 5, 6, 0.0, 0.0)
        found = tangent_margin(multi_head_jacobian(zero, MIXTURE.tokens), MIXTURE.labels)
        torch.testing.assert_close(found, (2 * 5) ** 0.5 * plain, rtol=1e-6, atol=0)


def test_rotations_change_nothing_and_scale_and_radius_scale():
    g = torch.Generator().manual_seed(0)
    jacobian, y = torch.randn(8, 20, generator=g, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
    found = tangent_margin(jacobian, y)
    turned = jacobian @ torch.linalg.qr(torch.randn(20, 20, generator=g, dtype=torch.float64)).Q
    torch.testing.assert_close(tangent_margin(turned, y), found, rtol=1e-6, atol=0)
    torch.testing.assert_close(tangent_margin(1e-6 * jacobian, y), 1e-6 * found, rtol=1e-6, atol=0)
    torch.testing.assert_close(tangent_margin(jacobian, y, radius=3.0), 3 / 2**0.5 * found)


def test_nothing_separates_opposite_labels_of_one_gradient():
    jacobian = torch.tensor([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0]], dtype=torch.float64)
    assert float(tangent_margin(jacobian, torch.tensor([1.0, -1.0], dtype=torch.float64))) == 0
    assert float(tangent_margin(0 * jacobian, torch.ones(2, dtype=torch.float64))) == 0
    with pytest.raises(NotSeparableError, match="must be linearly separable"):
        binary_max_margin(torch.tensor([[1.0, 2.0], [-1.0, -2.0]]))


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match="y must hold one label a row of jacobian"):
        tangent_margin(torch.ones(3, 4), torch.ones(2))
    with pytest.raises(ValueError, match="radius must be positive"):
        tangent_margin(torch.ones(3, 4), torch.ones(3), radius=0.0)
    with pytest.raises(ValueError, match="jacobian must be finite"):
        tangent_margin(torch.full((3, 4), torch.nan), torch.ones(3))
