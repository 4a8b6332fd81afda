import mpmath
import pytest
import torch

from ibkit.losses import (
    attention_logits,
    attention_loss,
    attention_margins,
    attention_residual,
    attention_scores,
    least_attention_margin,
    log_attention_excess,
    log_mass_off,
    token_attention,
    token_differences,
)
from ibkit.optim import normalized_gradient_descent
from ibkit.scaled import autograd_gradient
from ibkit.train import train

FAR = torch.tensor(
    [
        [[0.3, -0.2, 0.9], [0.0, 0.5, -1.0]],
        [[40.0, 0.0, 3.0], [-45.0, 0.0, -90.0]],
        [[1500.0, 1.0, 0.0], [0.0, 1505.0, -3.0]],
        [[0.0, 900.0, -900.0], [0.2, 0.1, 0.3]],
    ],
    dtype=torch.float64,
)
SCORES = torch.tensor([[1.5, -0.5, 0.25], [-2.0, 0.75, 0.5]], dtype=torch.float64)


def many_digits(logits, scores):
    """Residual, log of the excess loss and logs of the weights, to hundreds of digits."""
    with mpmath.workdps(900):
        n, residual, excess, log_weights = len(logits), [], mpmath.mpf(0), []
        for row, gamma in zip(logits.tolist(), scores.tolist(), strict=True):
            e = [mpmath.exp(mpmath.mpf(x)) for x in row]
            s = [x / sum(e) for x in e]
            f = sum(w * mpmath.mpf(g) for w, g in zip(s, gamma, strict=True))
            pull = 1 / (1 + mpmath.exp(f))
            residual.append([-pull * w * (mpmath.mpf(g) - f) / n for w, g in zip(s, gamma, strict=True)])
            best = mpmath.mpf(max(gamma))
            excess += (mpmath.log1p(mpmath.exp(-f)) - mpmath.log1p(mpmath.exp(-best))) / n
            log_weights.append([float(mpmath.log(1 - w)) for w in s])
        return residual, float(mpmath.log(excess)), torch.tensor(log_weights, dtype=torch.float64)


def rescaled(residual, log_scale):
    with mpmath.workdps(900):
        unit = mpmath.exp(-mpmath.mpf(log_scale))
        return torch.tensor([[float(x * unit) for x in row] for row in residual], dtype=torch.float64)


@pytest.mark.parametrize("run", range(len(FAR)))
def test_residual_and_excess_agree_with_many_digits_long_after_saturation(run):
    found = attention_residual(FAR, SCORES)
    exact, log_excess, log_off = many_digits(FAR[run], SCORES)
    expected = rescaled(exact, float(found.log_scale[run]))
    torch.testing.assert_close(found.value[run], expected, rtol=1e-12, atol=1e-15)
    assert float(log_attention_excess(FAR, SCORES)[run]) == pytest.approx(log_excess, rel=1e-13)
    for token in range(3):
        off = log_mass_off(FAR[run], torch.tensor([token, token]))
        torch.testing.assert_close(off, log_off[:, token], rtol=1e-12, atol=1e-15)


def test_excess_can_be_differentiated_on_its_whole_range():
    leaf = FAR[[0, 2, 3]].clone().requires_grad_()
    (found,) = torch.autograd.grad(log_attention_excess(leaf, SCORES).sum(), leaf)
    for run, logits in enumerate(leaf.detach()):
        exact, log_excess, _ = many_digits(logits, SCORES)  # the gradient of a logarithm
        torch.testing.assert_close(found[run], rescaled(exact, log_excess), rtol=1e-10, atol=1e-14)


def test_the_plain_formulas_fail_where_attention_is_saturated():
    logits, found = FAR[1], attention_residual(FAR[1], SCORES)
    expected = rescaled(many_digits(logits, SCORES)[0], float(found.log_scale))
    weights = logits.softmax(-1)
    outputs = (weights * SCORES).sum(-1, keepdim=True)
    plain = -torch.sigmoid(-outputs) * weights * (SCORES - outputs) / 2 * (-found.log_scale).exp()
    assert not torch.allclose(plain, expected, rtol=1e-3, atol=1e-6)  # mutant: cancels at the selected token
    delta = SCORES.gather(-1, logits.argmax(-1, keepdim=True)) - SCORES
    for near in (FAR[0], FAR[3]):  # mutant: the mean fall of the scores is forgotten
        kept = attention_residual(near, SCORES)
        sigma = torch.sigmoid(-(near.softmax(-1) * SCORES).sum(-1, keepdim=True))
        forgetful = sigma * near.softmax(-1) * delta / 2
        assert not torch.allclose(forgetful, kept.value * kept.log_scale.exp(), rtol=1e-3)
    subtracted = (attention_loss(FAR[2], SCORES) - torch.nn.functional.softplus(-SCORES.amax(-1)).mean()).log()
    assert not subtracted.isfinite()
    assert not torch.log1p(-FAR[2].softmax(-1)[:, :2].diagonal()).isfinite().all()


def problem(rng, runs=3, n=4, T=5, d=6):
    x = torch.randn(runs, n, T, d, generator=rng, dtype=torch.float64)
    z = torch.randn(runs, n, d, generator=rng, dtype=torch.float64)
    v = torch.randn(runs, d, generator=rng, dtype=torch.float64)
    labels = 2.0 * torch.randint(2, (runs, n), generator=rng) - 1.0
    return x, z, attention_scores(x, v, labels.double()), v, labels.double()


def test_gradient_is_that_of_the_model_with_mutants_of_other_pairings(rng):
    x, z, scores, v, labels = problem(rng)
    W = 0.5 * torch.randn(3, 6, 6, generator=rng, dtype=torch.float64)

    def loss(p):  # the model as it is written down, no shared code
        W = p["K"] @ p["Q"].mT if "K" in p else p["W"]
        attention = torch.einsum("rntd,rde,rne->rnt", x, W, z).softmax(-1)
        outputs = torch.einsum("rd,rntd,rnt->rn", v, x, attention)
        return torch.log1p(torch.exp(-labels * outputs)).mean(-1)

    gradient = token_attention(x, z, scores)
    torch.testing.assert_close(attention_loss(attention_logits(x, z, W), scores), loss({"W": W}))
    torch.testing.assert_close(
        gradient({"W": W}).true()["W"], autograd_gradient(loss)({"W": W}).true()["W"], rtol=1e-12, atol=1e-14
    )
    factors = {name: torch.randn(3, 6, 2, generator=rng, dtype=torch.float64) for name in "KQ"}
    found, expected = gradient(factors).true(), autograd_gradient(loss)(factors).true()
    for name in "KQ":
        torch.testing.assert_close(found[name], expected[name], rtol=1e-11, atol=1e-14)
    swapped = gradient({"K": factors["Q"], "Q": factors["K"]}).true()
    assert not torch.allclose(swapped["K"], expected["Q"], rtol=1e-2)
    assert not torch.allclose(gradient({"W": W}).true()["W"].mT, autograd_gradient(loss)({"W": W}).true()["W"])
    one = token_attention(x[1], z[1], scores[1])({"W": W[1]})
    torch.testing.assert_close(one.true()["W"], gradient({"W": W}).true()["W"][1])


def test_data_are_shared_by_runs_and_training_goes_on_at_margins_of_hundreds(rng):
    x, z, scores, _, _ = problem(rng, runs=1)
    x, z, scores = x[0], z[0], scores[0]
    start = {"W": 0.01 * torch.randn(2, 6, 6, generator=rng, dtype=torch.float64)}

    def measure(p):
        return {"excess": log_attention_excess(attention_logits(x, z, p["W"]), scores)}

    history = train(start, token_attention(x, z, scores), normalized_gradient_descent(5.0), 300, measure)
    assert (history["excess"][-1] < -700).all()  # exp(-745) is zero in float64
    by_autograd = autograd_gradient(lambda p: attention_loss(attention_logits(x, z, p["W"]), scores))
    assert (by_autograd(history.params).true()["W"] == 0).all()
    assert (token_attention(x, z, scores)(history.params).tensors["W"].abs().amax((-2, -1)) > 1e-3).all()


def test_margins_are_differences_of_logits(rng):
    x, z, _, _, _ = problem(rng)
    W = torch.randn(6, 6, generator=rng, dtype=torch.float64)
    selected = torch.randint(5, (3, 4), generator=rng)
    logits = attention_logits(x, z, W)
    found = attention_margins(logits, selected)
    for run, i in ((0, 0), (2, 3)):
        difference = x[run, i, selected[run, i]] - x[run, i]
        torch.testing.assert_close(found[run, i], difference @ W @ z[run, i])
    shared = attention_margins(logits, selected[0])
    torch.testing.assert_close(shared[0], found[0])
    assert not torch.allclose(found, -attention_margins(logits, (selected + 1) % 5))
    by_differences = torch.einsum("rntd,de,rne->rnt", token_differences(x, selected), W, z)
    torch.testing.assert_close(found, by_differences)


def test_the_least_margin_leaves_the_selected_token_out(rng):
    logits = torch.randn(3, 4, 5, generator=rng, dtype=torch.float64)
    top, order = logits.topk(2, dim=-1)
    least = least_attention_margin(logits, order[..., 0])
    torch.testing.assert_close(least, top[..., 0] - top[..., 1])
    torch.testing.assert_close(least_attention_margin(logits, order[..., 1]), -least)
    assert (attention_margins(logits, order[..., 0]).amin(-1) == 0).all(), "zero if the selected token were kept"


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    x, z, scores = torch.zeros(2, 3, 4), torch.zeros(2, 4), torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"selected must have shape \(2,\), got \(3,\)"):
        token_differences(x, torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"queries must have trailing shape \(2, 4\), got \(3, 4\)"):
        token_attention(x, torch.zeros(3, 4), scores)
    with pytest.raises(ValueError, match=r"scores must have trailing shape \(2, 3\), got \(2, 4\)"):
        token_attention(x, z, torch.zeros(2, 4))
    with pytest.raises(ValueError, match="tokens must be finite"):
        token_attention(x / 0, z, scores)
    with pytest.raises(ValueError, match="params must hold W, or K and Q, got K"):
        token_attention(x, z, scores)({"K": torch.zeros(4, 1)})
    with pytest.raises(ValueError, match="at least 2 tokens"):
        token_attention(x[:, :1], z, scores[:, :1])
    with pytest.raises(ValueError, match="logits must be numbers, got NaN"):
        attention_residual(scores / 0, scores)
    with pytest.raises(ValueError, match="labels must be -1 or 1"):
        attention_scores(x, torch.zeros(4), torch.zeros(2))
    with pytest.raises(ValueError, match=r"selected must hold integers in 0\.\.2, got values from 0 to 3"):
        log_mass_off(scores, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"W must have trailing shape \(4, 4\), got \(3, 4\)"):
        attention_logits(x, z, torch.zeros(3, 4))
