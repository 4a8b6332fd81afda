import math

import pytest
import torch

from ibkit.models import OneLayerDecoder, sinusoids
from ibkit.optim import adam
from ibkit.scaled import autograd_gradient
from ibkit.train import train

SIZES = {"vocabulary": 5, "context": 4, "features": 6, "hidden": 7}
CONTEXTS = torch.tensor([[4, 0, 0, 1], [0, 4, 0, 1], [2, 3, -1, -1], [1, -1, -1, -1]])


def by_torch(params, tokens, run, positions=True, scale=None):
    """One context, read by torch's own attention and layers."""
    part = {name: value[run] for name, value in params.items()}
    x = torch.nn.functional.embedding(tokens, part["token"])
    if positions:
        angle = torch.arange(len(tokens), dtype=torch.float64)[:, None] / 10_000.0 ** (torch.arange(3) / 3)
        x[:, 0::2] += angle.sin()
        x[:, 1::2] += angle.cos()
    q, k, v = (torch.nn.functional.linear(x, part[name])[None, None] for name in ("query", "key", "value"))
    seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)[0, 0, -1]
    hidden = torch.nn.functional.gelu(part["inner"] @ part["output"] @ seen + part["inner_bias"])
    return part["head"] @ hidden + part["head_bias"]


def some_params(model, rng, runs=2):
    params = model.start(seed=3, runs=runs)
    return {name: v + 0.5 * torch.randn(v.shape, generator=rng, dtype=v.dtype) for name, v in params.items()}


@torch.no_grad()
def test_it_is_torchs_attention_and_layers_with_mutants_that_are_not(rng):
    model = OneLayerDecoder(**SIZES)
    params = some_params(model, rng)
    found = model.logits(params, CONTEXTS)
    for run in range(2):
        for context, logits in zip(CONTEXTS, found[run], strict=True):
            tokens = context[context >= 0]
            torch.testing.assert_close(logits, by_torch(params, tokens, run))
            assert not torch.allclose(logits, by_torch(params, tokens, run, positions=False), rtol=1e-3)
            if len(tokens) > 1:
                assert not torch.allclose(logits, by_torch(params, tokens, run, scale=1 / 6), rtol=1e-3)
                assert not torch.allclose(logits, by_torch(params, tokens.flip(0), run), rtol=1e-3)
    assert sum(v[0].numel() for v in params.values()) == model.numbers == 5 * 6 + 4 * 36 + 7 * 7 + 5 * 8


@torch.no_grad()
def test_without_positions_the_order_of_earlier_tokens_is_lost(rng):
    model = OneLayerDecoder(**SIZES, positions=False)
    params = some_params(model, rng)
    a = model.attended(params, CONTEXTS)
    torch.testing.assert_close(a[:, 0], a[:, 1])
    with_them = OneLayerDecoder(**SIZES).attended(params, CONTEXTS)
    assert ((with_them[:, 0] - with_them[:, 1]).abs().amax(-1) > 1e-4).all()


def test_narrowed_runs_train_like_decoders_of_their_own_width(rng):
    wide, narrow = OneLayerDecoder(**SIZES), OneLayerDecoder(**{**SIZES, "hidden": 3})
    params = wide.narrowed(wide.start(seed=0, runs=2), torch.tensor([7, 3]))
    targets = torch.softmax(torch.randn(4, 5, generator=rng, dtype=torch.float64), -1)
    cut = {"inner": (Ellipsis, slice(3), slice(None)), "inner_bias": (Ellipsis, slice(3)), "head": (Ellipsis, slice(3))}
    alone = {name: value[1:][cut.get(name, ...)] for name, value in params.items()}

    def after(model, start):
        def loss(p):
            return -(targets * torch.log_softmax(model.logits(p, CONTEXTS), -1)).sum((-2, -1))

        return train(start, autograd_gradient(loss), adam(0.02), 30, lambda p: {"loss": loss(p)}, [30])

    together, apart = after(wide, params), after(narrow, alone)
    assert together["loss"][0, 1] == pytest.approx(apart["loss"][0, 0], rel=1e-9)
    assert together["loss"][0, 0] != pytest.approx(apart["loss"][0, 0], rel=1e-3)  # a mutant that forgot to narrow
    for name, end in apart.params.items():
        torch.testing.assert_close(together.params[name][1:][cut.get(name, ...)], end)
    assert (together.params["head"][1, :, 3:] == 0).all()
    assert (together.params["inner"][1, 3:] == 0).all()
    scales = params["head"][1, :, :3] / wide.start(seed=0, runs=2)["head"][1, :, :3]
    torch.testing.assert_close(scales, torch.full_like(scales, math.sqrt(7 / 3)))


def test_the_square_is_a_polynomial_and_the_gelu_is_none(rng):
    contexts = torch.randint(5, (40, 4), generator=rng).unique(dim=0)
    ranks = {}
    for activation in ("gelu", "square"):
        model = OneLayerDecoder(**{**SIZES, "hidden": 36}, activation=activation)
        hidden = model.embeddings(model.start(seed=1, runs=1), contexts)
        ranks[activation] = int(torch.linalg.matrix_rank(hidden, rtol=1e-10))
    assert ranks == {"gelu": min(36, len(contexts)), "square": math.comb(6 + 2, 2)}


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    model = OneLayerDecoder(**SIZES)
    params = model.start(0, 1)
    for bad, message in (
        (torch.zeros(1, 5, dtype=torch.long), "contexts must be 1 to 4 long, got 5"),
        (torch.tensor([[0, -1, 2]]), "a token before every -1"),
        (torch.tensor([[-1, -1]]), "a token before every -1"),
        (torch.tensor([[0, 5]]), r"contexts must hold integers in 0\.\.4"),
    ):
        with pytest.raises(ValueError, match=message):
            model.logits(params, bad)
    with pytest.raises(ValueError, match="features must be even"):
        OneLayerDecoder(**{**SIZES, "features": 5})
    with pytest.raises(ValueError, match="activation must be one of gelu, square"):
        OneLayerDecoder(**SIZES, activation="relu")
    with pytest.raises(ValueError, match="at least 1"):
        OneLayerDecoder(**{**SIZES, "hidden": 0})
    with pytest.raises(ValueError, match="features must be even"):
        sinusoids(3, 5)
    with pytest.raises(ValueError, match="one a run"):
        model.narrowed(params, torch.tensor([2, 3]))
    with pytest.raises(ValueError, match=r"0\.\.6, got values from 7 to 7"):
        model.narrowed(params, torch.tensor([8]))
