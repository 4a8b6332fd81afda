import numpy as np
import pytest
import torch

from ibkit.measure import alignment, gram_distance, log_log_slope, multiclass_margin


def test_margin_equals_a_double_loop(rng):
    W = torch.randn(3, 4, 5, generator=rng, dtype=torch.float64)
    X = torch.randn(3, 6, 5, generator=rng, dtype=torch.float64)
    y = torch.randint(0, 4, (6,), generator=rng)
    expected = [
        min(float((W[r, y[i]] - W[r, c]) @ X[r, i]) for i in range(6) for c in range(4) if c != y[i]) for r in range(3)
    ]
    np.testing.assert_allclose(multiclass_margin(W, X, y), expected, rtol=1e-12)
    np.testing.assert_allclose(
        multiclass_margin(W, X, y, "spectral"), expected / np.linalg.norm(W.numpy(), 2, axis=(1, 2)), rtol=1e-12
    )
    np.testing.assert_allclose(multiclass_margin(7 * W, X, y, "max"), multiclass_margin(W, X, y, "max"), rtol=1e-12)


def test_margin_of_one_wrong_label_is_negative():
    W, X = torch.eye(2), torch.eye(2)
    assert multiclass_margin(W, X, torch.tensor([0, 1])) == 1
    assert multiclass_margin(W, X, torch.tensor([1, 1])) == -1
    assert multiclass_margin(torch.zeros(2, 2), X, torch.tensor([0, 1]), "max") == 0


def test_alignment_is_a_cosine(rng):
    A, B = torch.randn(2, 5, 3, 4, generator=rng, dtype=torch.float64)
    expected = [
        np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(A.numpy(), B.numpy(), strict=True)
    ]
    np.testing.assert_allclose(alignment(A, B), expected, rtol=1e-12)
    np.testing.assert_allclose(alignment(A, -3 * A), -1, rtol=1e-12)
    assert float(alignment(torch.zeros(2, 2), torch.eye(2))) == 0


def test_gram_distance_has_its_closed_forms():
    simplex = torch.eye(4, dtype=torch.float64) - 0.25
    identity = torch.eye(4, dtype=torch.float64)
    assert float(gram_distance(5 * simplex, simplex)) == pytest.approx(0, abs=1e-12)
    cosine = 3 / (np.sqrt(3) * 2)  # <I - 11'/4, I> over the product of the norms
    assert float(gram_distance(simplex, identity)) == pytest.approx(np.sqrt(2 - 2 * cosine), rel=1e-12)
    assert float(gram_distance(simplex, -simplex)) == pytest.approx(2, rel=1e-12)


def test_slope_of_a_power_law_run_by_run():
    x = np.logspace(0, 4, 60)
    y = np.stack([x**-0.5, 7 * x**-1.0], 1)
    np.testing.assert_allclose(log_log_slope(x, y, (100, 10_000)), [-0.5, -1.0], rtol=1e-10)
    bent = np.where(x < 1000, x**-0.1, 1000**0.9 / x)
    assert log_log_slope(x, bent, (1e3, 1e4)) != pytest.approx(log_log_slope(x, bent, (1, 1e4)), rel=0.1)
    assert np.isnan(log_log_slope(x, np.where(x > 5000, -1.0, y[:, 0]), (100, 10_000)))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: multiclass_margin(torch.zeros(2, 3), torch.zeros(4, 2), torch.zeros(4).long()), "W and X must share"),
        (lambda: multiclass_margin(torch.zeros(1, 2), torch.zeros(4, 2), torch.zeros(4).long()), "at least 2 rows"),
        (
            lambda: multiclass_margin(torch.zeros(2, 2), torch.zeros(4, 2), torch.tensor([0, 1, 2, 0])),
            r"y must hold integers in 0\.\.1",
        ),
        (
            lambda: multiclass_margin(torch.full((2, 2), torch.nan), torch.zeros(1, 2), torch.tensor([0])),
            "W must be finite",
        ),
        (lambda: alignment(torch.zeros(2, 2), torch.zeros(2, 3)), "A and B must have one shape"),
        (lambda: gram_distance(torch.zeros(2, 2), torch.eye(2)), "G must not be zero"),
        (lambda: gram_distance(torch.eye(2), torch.zeros(2, 2)), "reference must not be zero"),
        (lambda: gram_distance(torch.eye(2), torch.eye(3)), "G and reference must have one shape"),
        (
            lambda: log_log_slope(np.arange(5.0), np.arange(5.0), (10, 20)),
            "must hold at least 3 recorded points, got 0",
        ),
        (lambda: log_log_slope(np.arange(5.0), np.arange(4.0), (1, 4)), "y must have one entry an x"),
    ],
)
def test_bad_input_is_named(call, says, unchecked):
    with pytest.raises(ValueError, match=says):
        call()
