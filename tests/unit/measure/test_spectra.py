"""Spectra against SciPy, closed forms and invariances; each check also turns down a plausible wrong formula."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch

from ibkit.measure import (
    alpha_req,
    covariance_spectrum,
    decay_exponent,
    matrix_entropy,
    rankme,
    spectral_entropy,
    unit_states,
)


def draw(rng, *shape):
    return torch.randn(*shape, generator=rng).double()


def features_with(spectrum, samples, rng):
    """Centred features whose covariance has exactly this spectrum, in a random basis."""
    size = len(spectrum)
    noise = draw(rng, samples, size)
    U = torch.linalg.qr(noise - noise.mean(0)).Q  # orthonormal columns, each of mean zero
    V = torch.linalg.qr(draw(rng, size, size)).Q
    return (U * (samples * spectrum).sqrt()) @ V.mT


@pytest.fixture
def cloud(rng):
    return draw(rng, 2, 3, 40, 6) * torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5, 0.1]).double() + 7.0


def test_spectrum_is_that_of_the_covariance(cloud):
    found = covariance_spectrum(cloud)
    for index in np.ndindex(2, 3):
        oracle = scipy.linalg.eigvalsh(np.cov(cloud[index].numpy().T, bias=True))[::-1]
        np.testing.assert_allclose(found[index], oracle, rtol=1e-9)
    assert not torch.allclose(covariance_spectrum(cloud, center=False), found, rtol=0.5), "the mean is no variance"


def test_small_eigenvalues_keep_their_digits(rng):
    spectrum = torch.tensor([1.0, 1e-6, 1e-20]).double()
    F = features_with(spectrum, 30, rng)
    torch.testing.assert_close(covariance_spectrum(F, center=False), spectrum, rtol=1e-4, atol=0.0)
    formed = torch.linalg.eigvalsh(F.mT @ F / 30).flip(-1)  # the mutant: it squares the condition number first
    assert abs(float(formed[2]) / 1e-20 - 1) > 1e-2


def test_fewer_samples_than_features_leave_zeros(rng):
    F = draw(rng, 4, 9)
    found = covariance_spectrum(F, center=False)
    assert found.shape == (9,)
    np.testing.assert_allclose(found, np.linalg.eigvalsh((F.mT @ F / 4).numpy())[::-1], atol=1e-12)
    assert torch.isnan(alpha_req(F))
    assert torch.isfinite(alpha_req(F, window=(2, 3)))


@pytest.mark.parametrize("size", [2, 7, 30])
def test_rankme_counts_equal_directions(size, rng):
    flat = features_with(torch.ones(size).double(), 80, rng)
    torch.testing.assert_close(rankme(flat), torch.tensor(float(size)).double())
    thin = features_with(torch.tensor([1.0] * (size - 1) + [0.0]).double(), 80, rng)
    torch.testing.assert_close(rankme(thin), torch.tensor(size - 1.0).double())


def test_rankme_is_the_perplexity_of_shares_of_variance(rng):
    spectrum = torch.arange(1, 13).double() ** -1.3
    F = features_with(spectrum, 60, rng)
    oracle = float(np.exp(scipy.stats.entropy(spectrum.numpy())))  # it normalises
    assert float(rankme(F)) == pytest.approx(oracle, rel=1e-9)
    assert float(rankme(F + 100.0)) == pytest.approx(oracle, rel=1e-6)
    mutants = {
        "shares of singular values": spectral_entropy(torch.linalg.svdvals(F)).exp(),
        "without the mean": rankme(F + 1.0, center=False),
        "entropy in bits": torch.exp(spectral_entropy(spectrum) / np.log(2)),
    }
    for name, value in mutants.items():
        assert abs(float(value) - oracle) > 0.05 * oracle, name


def test_rankme_ignores_scale_and_basis(cloud, rng):
    turn = torch.linalg.qr(draw(rng, 6, 6)).Q
    torch.testing.assert_close(rankme(1e-150 * cloud @ turn), rankme(cloud))
    torch.testing.assert_close(rankme(1e150 * cloud), rankme(cloud))
    stretched = cloud * torch.tensor([9.0, 1, 1, 1, 1, 1]).double()
    assert not torch.allclose(rankme(stretched), rankme(cloud), rtol=0.1)


def test_runs_do_not_mix(cloud):
    for measure in (rankme, alpha_req, matrix_entropy):
        loop = torch.stack([torch.stack([measure(run) for run in row]) for row in cloud])
        torch.testing.assert_close(measure(cloud), loop)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 2.5])
def test_alpha_of_a_power_law(alpha, rng):
    spectrum = 3.0 * torch.arange(1, 21).double() ** -alpha
    F = features_with(spectrum, 50, rng)
    assert float(alpha_req(F)) == pytest.approx(alpha, abs=1e-9)
    outlier = spectrum.clone()
    outlier[0] *= 1000
    assert float(decay_exponent(outlier)) == pytest.approx(alpha, abs=1e-9)
    assert abs(float(decay_exponent(outlier, (1, 20))) - alpha) > 1, "the first eigenvalue must stay out by default"
    if alpha:
        singular = decay_exponent(spectrum.sqrt())  # the mutant: decay of singular values
        assert float(singular) == pytest.approx(alpha / 2)


def test_the_window_counts_from_one():
    spectrum = torch.tensor([1e9, 1.0, 2.0**-3, 3.0**-3, 1e-9]).double()
    oracle = -np.polyfit(np.log([2, 3, 4]), np.log(spectrum[1:4].numpy()), 1)[0]
    assert float(decay_exponent(spectrum, (2, 4))) == pytest.approx(oracle, rel=1e-12)
    assert abs(float(decay_exponent(spectrum, (1, 3))) - oracle) > 1
    assert abs(float(decay_exponent(spectrum, (3, 5))) - oracle) > 1


def test_unit_states_have_unit_rows(cloud):
    X = unit_states(cloud)
    torch.testing.assert_close((X**2).sum((-2, -1)), torch.full((2, 3), 40.0).double())
    centred = cloud - cloud.mean(-2, keepdim=True)
    torch.testing.assert_close(torch.nn.functional.cosine_similarity(X, centred, dim=-1), torch.ones(2, 3, 40).double())
    late = X - X.mean(-2, keepdim=True)  # the mutant: scaled first, centred after
    assert not torch.allclose((late**2).sum((-2, -1)), torch.full((2, 3), 40.0).double(), rtol=1e-3)
    assert unit_states(torch.ones(3, 2)).tolist() == [[0.0, 0.0]] * 3


def test_matrix_entropy_is_that_of_a_density_matrix(cloud):
    X = unit_states(cloud)
    for index in np.ndindex(2, 3):
        density = (X[index].mT @ X[index] / 40).numpy()
        assert np.trace(density) == pytest.approx(1.0)
        values = scipy.linalg.eigvalsh(density)
        oracle = -(values * np.log(values)).sum()
        assert float(matrix_entropy(cloud, normalized=False)[index]) == pytest.approx(oracle, rel=1e-9)
        assert float(matrix_entropy(cloud)[index]) == pytest.approx(oracle / np.log(6), rel=1e-9)
        assert abs(float(rankme(cloud)[index].log()) - oracle) > 0.02, "rows of their own lengths are another matrix"
    bases = torch.eye(5).double() * torch.tensor([1.0, 2.0, 3.0, 4.0, 50.0])
    assert float(matrix_entropy(bases, center=False)) == pytest.approx(1.0)
    assert float(rankme(bases, center=False)) < 1.2


def test_says_what_is_wrong(unchecked):
    cases = [
        (lambda: rankme(torch.full((2, 2), torch.nan)), "features must be finite"),
        (lambda: rankme(torch.ones(3)), r"features must be \(\*runs, samples, features\) and not empty, got shape"),
        (lambda: rankme(torch.ones(0, 3)), "and not empty"),
        (lambda: spectral_entropy(torch.tensor([1.0, -0.5])), "spectrum must not be negative, got -0.5"),
        (lambda: decay_exponent(torch.tensor([1.0, -0.5])), "spectrum must not be negative, got -0.5"),
        (lambda: decay_exponent(torch.ones(4), (2, 5)), r"window must hold at least two indices in 1\.\.4, got 2\.\.5"),
        (lambda: decay_exponent(torch.ones(4), (3, 3)), r"window must hold at least two indices"),
        (lambda: matrix_entropy(torch.ones(4, 1)), "features must have at least 2 columns"),
    ]
    for call, says in cases:
        with pytest.raises(ValueError, match=says):
            call()
    assert torch.isnan(rankme(torch.ones(4, 3))), "no variance, no rank"
