"""One table of rules, crossed with one list of checks: a new rule joins by a line."""

import pytest
import torch

from ibkit.optim import (
    adam,
    apply_update,
    as_torch,
    chain,
    clip_norm,
    gradient_descent,
    mirror_descent,
    muon,
    muon_newton_schulz,
    normalize_rows,
    normalized_gradient_descent,
    power_decay,
    sign_descent,
    spectral_descent,
    steepest_descent,
    step_size,
    weight_decay,
)
from ibkit.optim.chain import stateless
from ibkit.scaled import Gradient

RULES = {
    "gd": gradient_descent(0.1),
    "heavy ball": gradient_descent(0.1, beta=0.9),
    "normalised gd": normalized_gradient_descent(0.1),
    "sign": sign_descent(power_decay(0.1, 0.5)),
    "signum": sign_descent(0.1, beta=0.8),
    "spectral": spectral_descent(0.1),
    "muon": muon(0.1, beta=0.9, decay=0.01),
    "muon newton-schulz": muon_newton_schulz(0.1),
    "nuclear": steepest_descent("nuclear", 0.1, beta=0.5),
    "adam": adam(0.1),
    "adam without epsilon": adam(0.1, 0.9, 0.95, epsilon=0.0, correct_bias=False),
    "adamw": adam(0.1, decay=0.1),
    "mirror": mirror_descent(1.5, 0.1, beta=0.5),
    "mirror p = 3": mirror_descent(3.0, power_decay(0.1, 0.5)),
    "rows": chain(normalize_rows(), step_size(0.1)),
    "clipped": chain(clip_norm(0.5), weight_decay(0.1), step_size(0.1)),
}
SCALE_FREE = [
    "normalised gd",
    "sign",
    "signum",
    "spectral",
    "muon newton-schulz",
    "nuclear",
    "adam without epsilon",
    "rows",
]
RUNS, STEPS = 4, 6


@pytest.fixture
def problem(rng):
    start = {
        "W": torch.randn(RUNS, 3, 5, generator=rng, dtype=torch.float64),
        "b": torch.randn(RUNS, 3, generator=rng, dtype=torch.float64),
    }
    grads = {
        name: torch.randn(STEPS, *value.shape, generator=rng, dtype=torch.float64) for name, value in start.items()
    }
    return start, grads


def play(rule, start, grads, log_scales):
    """Feed a fixed sequence of gradients; the run dimensions are those of a log-scale."""
    params, state = start, rule.init(start)
    for t in range(STEPS):
        gradient = Gradient({name: g[t] for name, g in grads.items()}, log_scales[t])
        update, state = rule.update(gradient, state, params)
        params = apply_update(params, update)
    return params


def pick(tensors, run, axis):
    return {name: value.select(axis, run) for name, value in tensors.items()}


def batch_equals_loop(rule, start, grads):
    batched = play(rule, start, grads, torch.zeros(STEPS, RUNS, dtype=torch.float64))
    single = torch.zeros(STEPS, dtype=torch.float64)
    loop = [play(rule, pick(start, run, 0), pick(grads, run, 1), single) for run in range(RUNS)]
    return all(
        torch.allclose(batched[key][run], loop[run][key], rtol=1e-12, atol=1e-12)
        for key in start
        for run in range(RUNS)
    )


@pytest.mark.parametrize("name", RULES)
def test_batch_equals_a_loop_over_single_runs(name, problem):
    assert batch_equals_loop(RULES[name], *problem)


def test_a_rule_whose_norm_mixes_the_runs_is_caught(problem):
    def mixed(gradient, params):
        return Gradient({k: v / torch.linalg.vector_norm(v) for k, v in gradient.tensors.items()}, gradient.log_scale)

    assert not batch_equals_loop(chain(stateless("mixed", mixed), step_size(0.1)), *problem)


@pytest.mark.parametrize("name", RULES)
def test_vmap_equals_the_batch(name, problem):
    start, grads = problem
    batched = play(RULES[name], start, grads, torch.zeros(STEPS, RUNS, dtype=torch.float64))
    single = torch.zeros(STEPS, dtype=torch.float64)
    mapped = torch.func.vmap(lambda s, g: play(RULES[name], s, g, single), in_dims=(0, 1))(start, grads)
    for key in start:
        torch.testing.assert_close(mapped[key], batched[key], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_log_scale_is_the_gradients_factor(name, problem):
    """Gradient times e^s given as scale, or multiplied in: the same path."""
    start, grads = problem
    scales = torch.linspace(-3, 2, STEPS, dtype=torch.float64)[:, None].expand(STEPS, RUNS)
    as_scale = play(RULES[name], start, grads, scales)
    factor = scales.exp()
    multiplied = {k: g * factor.reshape(STEPS, RUNS, *(1,) * (g.ndim - 2)) for k, g in grads.items()}
    as_factor = play(RULES[name], start, multiplied, torch.zeros_like(scales))
    for key in start:
        torch.testing.assert_close(as_scale[key], as_factor[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SCALE_FREE)
def test_scale_free_rules_see_gradients_that_underflow(name, problem):
    """A constant factor of e^-2000 changes nothing; as a plain number it would be zero."""
    start, grads = problem
    near = play(RULES[name], start, grads, torch.zeros(STEPS, RUNS, dtype=torch.float64))
    far = play(RULES[name], start, grads, torch.full((STEPS, RUNS), -2000.0, dtype=torch.float64))
    for key in start:
        torch.testing.assert_close(near[key], far[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("drop", [-900.0, 900.0])
def test_momentum_survives_a_jump_of_the_scale(drop, problem):
    start, grads = problem
    scales = torch.zeros(STEPS, RUNS, dtype=torch.float64)
    scales[3:] = drop
    for name in ("signum", "muon newton-schulz", "adam without epsilon"):
        for value in play(RULES[name], start, grads, scales).values():
            assert torch.isfinite(value).all()


def test_inputs_are_left_alone(problem):
    start, grads = problem
    before = {k: v.clone() for k, v in start.items()}
    for rule in RULES.values():
        play(rule, start, grads, torch.zeros(STEPS, RUNS, dtype=torch.float64))
    for key in start:
        assert torch.equal(start[key], before[key])


TORCH = {
    "gd": lambda p: torch.optim.SGD(p, lr=0.1),
    "heavy ball": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
}


def torch_path(make, start, grads):
    leaves = {k: v.clone().requires_grad_() for k, v in start.items()}
    optimizer = make(list(leaves.values()))
    for t in range(STEPS):
        for key, leaf in leaves.items():
            leaf.grad = grads[key][t].clone()
        optimizer.step()
    return {k: v.detach() for k, v in leaves.items()}


@pytest.mark.parametrize("name", TORCH)
def test_rules_equal_torchs_own(name, problem):
    start, grads = pick(problem[0], 0, 0), pick(problem[1], 0, 1)
    ours = torch_path(lambda p: as_torch(RULES[name])(p), start, grads)
    theirs = torch_path(TORCH[name], start, grads)
    for key in start:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-7, atol=1e-9)


def test_adam_mutant_without_bias_correction_differs_from_torchs(problem):
    start, grads = pick(problem[0], 0, 0), pick(problem[1], 0, 1)
    ours = torch_path(lambda p: as_torch(adam(0.1, correct_bias=False))(p), start, grads)
    assert not torch.allclose(ours["W"], torch_path(TORCH["adam"], start, grads)["W"], rtol=1e-3)


@pytest.mark.parametrize("name", RULES)
def test_as_torch_takes_the_same_path(name, problem):
    start, grads = pick(problem[0], 0, 0), pick(problem[1], 0, 1)
    functional = play(RULES[name], start, grads, torch.zeros(STEPS, dtype=torch.float64))
    wrapped = torch_path(lambda p: as_torch(RULES[name])(p), start, grads)
    for key in start:
        torch.testing.assert_close(wrapped[key], functional[key], rtol=1e-12, atol=1e-12)


def test_muon_follows_torchs_muon_up_to_its_bfloat16_and_its_polynomial(rng):
    """torch's Muon uses the same quintic in bfloat16; its shape factor is one for a wide matrix."""
    start = {"W": torch.randn(4, 16, generator=rng)}
    grads = {"W": torch.randn(STEPS, 4, 16, generator=rng)}
    theirs = torch_path(
        lambda p: torch.optim.Muon(p, lr=0.1, weight_decay=0.0, momentum=0.9, nesterov=False), start, grads
    )
    ours = torch_path(lambda p: as_torch(muon_newton_schulz(0.1, beta=0.9))(p), start, grads)
    moved = torch.linalg.norm(theirs["W"] - start["W"])
    assert torch.linalg.norm(ours["W"] - theirs["W"]) < 0.02 * moved
    without = torch_path(lambda p: as_torch(muon_newton_schulz(0.1, beta=0.0))(p), start, grads)
    assert torch.linalg.norm(without["W"] - theirs["W"]) > 0.2 * moved


def test_state_survives_a_state_dict(rng):
    layer = torch.nn.Linear(3, 2)
    optimizer = as_torch(muon(0.1))(layer.parameters(), lr=0.5)
    copy = torch.nn.Linear(3, 2)
    for _ in range(2):
        layer(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    copy.load_state_dict(layer.state_dict())
    resumed = as_torch(muon(0.1))(copy.parameters(), lr=0.5)
    resumed.load_state_dict(optimizer.state_dict())
    for module, opt in ((layer, optimizer), (copy, resumed)):
        opt.zero_grad()
        module(torch.tensor([[1.0, -2.0, 3.0]])).pow(2).sum().backward()
        opt.step()
    torch.testing.assert_close(layer.weight, copy.weight)


HYPERPARAMETERS = {
    "momentum": lambda v: sign_descent(0.1, beta=v),
    "adam's first": lambda v: adam(0.1, beta1=v),
    "adam's second": lambda v: adam(0.1, beta2=v, epsilon=1e-3),
}


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_decays_may_differ_between_runs(name, problem):
    start, grads = problem
    values = torch.tensor([0.0, 0.5, 0.9, 0.99], dtype=torch.float64)
    together = play(HYPERPARAMETERS[name](values), start, grads, torch.zeros(STEPS, RUNS, dtype=torch.float64))
    ends = []
    for run, value in enumerate(values):
        rule = HYPERPARAMETERS[name](float(value))
        alone = play(rule, pick(start, run, 0), pick(grads, run, 1), torch.zeros(STEPS, dtype=torch.float64))
        torch.testing.assert_close(together["W"][run], alone["W"])
        ends.append(alone["W"] - start["W"][run])
    assert not torch.allclose(ends[0], ends[2], rtol=1e-2)


def test_step_sizes_may_differ_between_runs(problem):
    start, grads = problem
    rates = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    together = play(sign_descent(rates), start, grads, torch.zeros(STEPS, RUNS, dtype=torch.float64))
    for run, rate in enumerate(rates):
        alone = play(
            sign_descent(float(rate)), pick(start, run, 0), pick(grads, run, 1), torch.zeros(STEPS, dtype=torch.float64)
        )
        torch.testing.assert_close(together["W"][run], alone["W"])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: gradient_descent(-0.1), "step size must be positive, got -0.1"),
        (lambda: power_decay(0.0, 0.5), "scale must be positive, got 0"),
        (lambda: power_decay(0.1, 1.5), r"exponent must lie in \[0, 1\], got 1.5"),
        (lambda: muon(0.1, beta=1.0), r"beta must lie in \[0, 1\), got 1.0"),
        (lambda: adam(0.1, beta2=-0.1), r"beta2 must lie in \[0, 1\), got -0.1"),
        (lambda: adam(0.1, epsilon=-1e-8), "epsilon must not be negative"),
        (lambda: clip_norm(0.0), "largest must be positive, got 0"),
        (lambda: weight_decay(-1.0), "strength must not be negative"),
        (lambda: chain(), "chain needs at least one piece"),
        (lambda: steepest_descent("operator", 0.1), "norm must be one of"),
        (
            lambda: sign_descent(torch.tensor([0.1, 0.2])).update(
                Gradient({"W": torch.ones(3, 2, 2)}, torch.zeros(3)), sign_descent(0.1).init({}), {}
            ),
            r"step size must be a number or \(3,\), got \(2,\)",
        ),
    ],
)
def test_bad_input_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()
