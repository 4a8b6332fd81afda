import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ibkit.data import contextual_mixture
from ibkit.measure import relevant_mass
from ibkit.models import pooled_output, prompt_pool, prompt_weights
from ibkit.oracles import best_prompt_strength, discriminant_error, first_steps_cosines, prompt_law
from ibkit.scaled import autograd_gradient

SETTINGS = {"tokens": 80, "share": 0.2, "context": 1.3, "signal": 0.6, "offset": 0.4, "noise": 0.8}


def by_quadrature(tau, tokens, share, context, signal, offset, noise):
    """Mean and mean square of the attention of an irrelevant token, integrated numerically."""

    def mean(power):
        value = lambda g: np.exp(power * tau * (noise * g - offset * context)) * norm.pdf(g)  # noqa: E731
        return quad(value, -12, 12, epsabs=1e-13)[0]

    total = share * np.exp(tau * context) + (1 - share) * mean(1)
    mass, spread = share * np.exp(tau * context) / total, (1 - share) * mean(2) / total**2
    return mass, spread, mass**2 * signal**2 * tokens / (noise**2 * spread)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.2])
def test_the_law_against_quadrature(tau):
    law = prompt_law(tau, **SETTINGS)
    mass, spread, snr = by_quadrature(tau, **SETTINGS)
    np.testing.assert_allclose([float(law.mass), float(law.spread), float(law.snr)], [mass, spread, snr], rtol=1e-9)
    np.testing.assert_allclose(float(law.error), norm.cdf(-np.sqrt(snr)), rtol=1e-9)


@pytest.mark.parametrize("mutant", [{"offset": 0.0}, {"noise": 0.9}, {"share": 0.25}, {"context": 1.2}])
def test_quadrature_tells_wrong_laws_apart(mutant):
    assert abs(float(prompt_law(1.0, **(SETTINGS | mutant)).snr) / by_quadrature(1.0, **SETTINGS)[2] - 1) > 0.1


def test_the_law_against_sequences():
    q_length, tau = 1.0, 0.6
    X, y, relevant, q, w = contextual_mixture(0, 1, 4000, 300, 2, 60, context=q_length, signal=0.2, context_offset=0.3)
    weights = prompt_weights(X[0], tau * q)
    law = prompt_law(tau, 300, 0.2, q_length, 0.2, 0.3)
    np.testing.assert_allclose(float(relevant_mass(weights, relevant[0]).mean()), float(law.mass), rtol=0.01)
    others = 300 * (weights.square() * ~relevant[0]).sum(-1).mean()
    np.testing.assert_allclose(float(others), float(law.spread), rtol=0.03)
    wrong = ((y[0] * (prompt_pool(X[0], tau * q) @ w)) <= 0).double().mean()
    np.testing.assert_allclose(float(wrong), float(law.error), atol=0.02)


def test_the_best_strength_maximises_the_ratio():
    found = minimize_scalar(lambda tau: -float(prompt_law(tau, **SETTINGS).snr), bounds=(0, 5), method="bounded").x
    best = float(best_prompt_strength(context=1.3, offset=0.4, noise=0.8))
    assert abs(best - found) < 1e-4
    peak = minimize_scalar(lambda tau: -float(prompt_law(tau, **SETTINGS).mass), bounds=(0, 5), method="bounded").x
    assert abs(peak - 2 * best) < 1e-3, "most attention on relevant tokens comes at twice the strength"


def test_the_law_takes_a_batch_and_does_not_overflow():
    tau = torch.tensor([0.0, 1.0, 40.0])
    batch = prompt_law(tau, **SETTINGS)
    alone = torch.stack([prompt_law(float(t), **SETTINGS).mass for t in tau])
    torch.testing.assert_close(batch.mass, alone)
    assert bool(batch.error.isfinite().all() and batch.mass.isfinite().all())


def test_discriminant_error_against_scikit_learn():
    """Fisher's rule as scikit-learn fits it, in many dimensions; its error by the Gaussian distribution function."""
    rng = np.random.default_rng(0)
    d, samples, rho = 100, 250, 2.0
    mean = np.zeros(d)
    mean[0] = np.sqrt(rho)
    factor = np.linalg.qr(rng.normal(size=(d, d)))[0] * rng.uniform(0.5, 2.0, d)  # features of any covariance
    found, known = [], []
    for _ in range(30):
        y = np.where(np.arange(samples) % 2 == 0, 1.0, -1.0)
        white = y[:, None] * mean + rng.normal(size=(samples, d))
        w = factor.T @ LinearDiscriminantAnalysis(solver="lsqr").fit(white @ factor.T, y).coef_[0]
        found.append(norm.cdf(-w @ mean / np.linalg.norm(w)))
        average = (y[:, None] * white).mean(0)
        known.append(norm.cdf(-average @ mean / np.linalg.norm(average)))
    law = float(discriminant_error(rho, d / samples))
    assert abs(np.mean(found) - law) < 0.006
    assert abs(np.mean(known) - float(discriminant_error(rho, d / samples, "known"))) < 0.006
    mutants = {
        "enough data": norm.cdf(-np.sqrt(rho)),
        "known covariance": float(discriminant_error(rho, d / samples, "known")),
        "factor outside": norm.cdf(-rho * (1 - d / samples) / np.sqrt(rho + d / samples)),
    }
    assert all(abs(np.mean(found) - wrong) > 0.02 for wrong in mutants.values()), mutants


def test_least_squares_is_fishers_rule():
    rng = torch.Generator().manual_seed(3)
    y = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(20)
    A = torch.randn(40, 5, generator=rng, dtype=torch.float64) + y[:, None]
    fit = torch.linalg.lstsq(A, y[:, None]).solution[:, 0]
    rows = y[:, None] * A
    fisher = torch.linalg.solve(torch.cov(rows.mT, correction=0), rows.mean(0))
    assert float(torch.nn.functional.cosine_similarity(fit, fisher, dim=0)) > 1 - 1e-12


def test_the_first_steps_against_descent():
    """Two steps of gradient descent on fresh sequences in 120 dimensions."""
    settings = {"tokens": 30, "share": 0.2, "context": 1.5, "signal": 1.2, "offset": 0.3}
    d, samples, runs = 120, 480, 4
    found = []
    X, y, _, q, w = contextual_mixture(0, runs, 2 * samples, 30, d, 6, 1.5, 1.2, 0.3, balanced=True)

    def step(params, half):
        part = slice(half * samples, (half + 1) * samples)
        loss = lambda p: (y[:, part] - pooled_output("prompt", p, X[:, part])).square().mean(-1) / 2  # noqa: E731
        return autograd_gradient(loss)(params).tensors

    zero = torch.zeros(runs, d, dtype=torch.float64)
    head = -step({"w": zero, "q": zero}, 0)["w"]
    assert float(step({"w": zero, "q": zero}, 0)["q"].abs().max()) == 0.0
    prompt = -step({"w": head, "q": zero}, 1)["q"]
    found = [float(torch.nn.functional.cosine_similarity(a, b, dim=-1).mean()) for a, b in ((head, w), (prompt, q))]
    law = first_steps_cosines(d / samples, **settings)
    np.testing.assert_allclose(found, [float(c) for c in law], atol=0.01)
    swapped = first_steps_cosines(samples / d, **settings)
    assert max(abs(a - float(b)) for a, b in zip(found, swapped, strict=True)) > 0.1
    assert float(first_steps_cosines(0.1, 30, 0.2, offset=-1.0)[1]) == 0.0, "nothing to tell the tokens apart"


def test_bad_input_is_one_clear_line(unchecked):
    for call, says in (
        (lambda: prompt_law(-1.0, 10, 0.1), "strength must not be negative, got -1"),
        (lambda: prompt_law(1.0, 10, 1.0), r"share must lie in \(0, 1\), got 1"),
        (lambda: prompt_law(1.0, 10, 0.1, noise=0.0), "noise must be positive, got 0"),
        (lambda: best_prompt_strength(offset=-1.0), r"1 \+ offset must be positive"),
        (lambda: discriminant_error(1.0, 1.0), "aspect must be below 1"),
        (lambda: discriminant_error(0.0, 0.5), "snr must be positive"),
        (lambda: discriminant_error(1.0, 0.5, "guessed"), "covariance must be one of"),
        (lambda: first_steps_cosines(-0.1, 10, 0.1), "aspect must not be negative"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
