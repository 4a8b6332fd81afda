"""States of a given spectrum, and uniform rotations: moments in closed form, invariance, and wrong constructions."""

import numpy as np
import pytest
import torch

from ibkit.data import gaussian_states, random_rotations


def test_rotations_are_orthogonal_and_uniform():
    size, draws = 4, 20_000
    Q = random_rotations(0, draws, size)
    torch.testing.assert_close(Q @ Q.mT, torch.eye(size).double().expand(draws, -1, -1))
    corner = Q[:, 0, 0]
    assert abs(float(corner.mean())) < 0.02
    assert float((corner**2).mean()) == pytest.approx(1 / size, rel=0.05)
    assert float((corner**4).mean()) == pytest.approx(3 / (size * (size + 2)), rel=0.05)
    trace = Q.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert abs(float(trace.mean())) < 0.05
    assert float((trace**2).mean()) == pytest.approx(1.0, rel=0.05)
    drawn = np.random.default_rng(0).normal(size=(draws, size, size))
    raw = torch.linalg.qr(torch.from_numpy(drawn)).Q  # the mutant: signs as the library left them
    assert abs(float(raw[:, 0, 0].mean())) > 0.2


def test_the_covariance_has_the_spectrum():
    spectrum = torch.tensor([4.0, 1.0, 0.25, 0.0])
    aligned = gaussian_states(0, 2, 40_000, spectrum)
    np.testing.assert_allclose((aligned.mT @ aligned)[1] / 40_000, torch.diag(spectrum), atol=0.07)
    assert not np.allclose((aligned.mT @ aligned)[1] / 40_000, torch.diag(spectrum**2), atol=0.5)  # its root forgotten
    rotated = gaussian_states(0, 2, 40_000, spectrum, rotated=True)
    covariance = (rotated.mT @ rotated) / 40_000
    np.testing.assert_allclose(torch.linalg.eigvalsh(covariance).flip(-1)[0], spectrum, atol=0.07)
    assert not np.allclose(covariance[0], torch.diag(spectrum), atol=0.2)


def test_bases_and_spectra_share_their_draws():
    spectra = torch.stack([torch.ones(6), torch.arange(1.0, 7.0) ** -2])
    aligned, rotated = (gaussian_states(3, 4, 10, spectra, rotated=r) for r in (False, True))
    assert aligned.shape == (2, 4, 10, 6)
    torch.testing.assert_close(torch.linalg.svdvals(rotated), torch.linalg.svdvals(aligned), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(aligned[1], aligned[0] / torch.arange(1.0, 7.0).double())
    turn = torch.linalg.lstsq(aligned[0], rotated[0]).solution
    torch.testing.assert_close(aligned[1] @ turn, rotated[1])
    assert not torch.allclose(turn[0], turn[1]), "every run has its own basis"
    torch.testing.assert_close(gaussian_states(3, 2, 10, spectra), aligned[:, :2])


def test_says_what_is_wrong(unchecked):
    cases = [
        (lambda: gaussian_states(0, 1, 0, torch.ones(2)), "samples must be at least 1, got 0"),
        (lambda: gaussian_states(0, 1, 3, torch.tensor([1.0, -2.0])), "spectrum must not be negative, got -2"),
        (lambda: gaussian_states(0, 1, 3, torch.tensor([torch.inf])), "spectrum must be finite"),
        (lambda: random_rotations(0, 1, 0), "size must be at least 1, got 0"),
    ]
    for call, says in cases:
        with pytest.raises(ValueError, match=says):
            call()
