import pytest
import torch

from ibkit.models import GPT, gpt

SIZES = {"vocabulary": 11, "features": 12, "blocks": 2, "heads": 3, "context": 7}


@pytest.fixture
def tokens(rng):
    return torch.randint(11, (4, 7), generator=rng)


def by_torch(model, params, tokens, run, norm_first=True, causal=True):
    """The same network of torch's own layers."""
    d, m = model.features, 4 * model.features
    layer = torch.nn.TransformerEncoderLayer(
        d, model.heads, m, 0.0, "gelu", batch_first=True, norm_first=norm_first, bias=False, dtype=torch.float64
    )
    mask = torch.nn.Transformer.generate_square_subsequent_mask(tokens.shape[-1], dtype=torch.float64)
    x = params["token"][run][tokens] + params["position"][run][: tokens.shape[-1]]
    for block in (1, 2):
        part = {name: params[f"block{block}.{name}"][run] for name in gpt._BLOCK}
        attention = torch.cat([part["query"], part["key"], part["value"]])
        layer.load_state_dict(
            {
                "self_attn.in_proj_weight": attention,
                "self_attn.out_proj.weight": part["output"],
                "linear1.weight": part["inner"],
                "linear2.weight": part["outer"],
                "norm1.weight": part["gain_attention"],
                "norm2.weight": part["gain_network"],
            }
        )
        x = layer(x, src_mask=mask if causal else None)
    return torch.nn.functional.layer_norm(x, (d,), params["gain"][run]) @ model.decoder(params)[run].T


@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_it_is_torchs_pre_norm_transformer_with_mutants_that_are_not(tied, tokens, rng):
    model = GPT(**SIZES, tied=tied)
    params = model.start(seed=0, runs=2, dtype=torch.float64)
    params = {
        name: value + torch.randn(value.shape, generator=rng, dtype=value.dtype) for name, value in params.items()
    }
    found = model.logits(params, tokens)
    assert ("head" in params) is not tied
    for run in range(2):
        torch.testing.assert_close(found[run], by_torch(model, params, tokens, run))
        for mutant in ({"norm_first": False}, {"causal": False}):
            assert not torch.allclose(found[run], by_torch(model, params, tokens, run, **mutant), rtol=1e-2)


@torch.no_grad()
def test_a_later_token_changes_no_earlier_logits(tokens):
    model = GPT(**SIZES)
    params = model.start(seed=1, runs=2)
    changed = tokens.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 11
    before, after = model.logits(params, tokens), model.logits(params, changed)
    torch.testing.assert_close(before[..., :4, :], after[..., :4, :])
    assert (before[..., 4:, :] != after[..., 4:, :]).any(-1).all()
    torch.testing.assert_close(model.logits(params, tokens[:, :3]), before[..., :3, :])


@torch.no_grad()
def test_runs_do_not_mix_and_may_read_their_own_tokens(tokens):
    model = GPT(**SIZES)
    both = model.start(seed=2, runs=2)
    own = torch.stack([tokens, tokens.flip(0)])
    together = model.logits(both, own)
    alone = model.logits({name: value[1:] for name, value in both.items()}, own[1:])
    torch.testing.assert_close(together[1:], alone)
    torch.testing.assert_close(model.start(seed=2, runs=5)["head"][:2], both["head"])


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(tokens):
    with pytest.raises(ValueError, match="multiple of heads, got 12 and 5"):
        GPT(**{**SIZES, "heads": 5})
    model = GPT(**SIZES)
    with pytest.raises(ValueError, match="tokens must be 1 to 7 long, got 8"):
        model.logits(model.start(0, 1), torch.zeros(1, 8, dtype=torch.long))
    with pytest.raises(ValueError, match=r"tokens must hold integers in 0\.\.10"):
        model.logits(model.start(0, 1), torch.full((1, 3), 11))


@torch.no_grad()
def test_a_continuation_follows_the_models_own_law(tokens):
    """Evenly spaced draws hit every token in proportion to its probability; greedy writing does not."""
    model = GPT(**SIZES)
    params = {name: 3 * value for name, value in model.start(seed=4, runs=2, dtype=torch.float64).items()}
    many = 2000
    even = ((torch.arange(many) + 0.5) / many)[:, None]
    prompt = tokens[:1, :5].expand(many, 5)
    written = model.continuation(params, prompt, even)
    assert written.shape == (2, many, 6)
    assert torch.equal(written[..., :5], prompt.expand(2, many, 5))
    law = torch.softmax(model.logits(params, prompt[:1])[..., -1, :], -1).squeeze(-2)

    def misfit(drawn):
        shares = torch.nn.functional.one_hot(drawn, 11).double().mean(-2)
        return float((shares - law).abs().max())

    assert misfit(written[..., -1]) <= 1.01 / many
    assert misfit(law.argmax(-1, keepdim=True).expand(2, many)) > 0.1


@torch.no_grad()
def test_a_continuation_reads_what_it_wrote_and_no_more_than_its_context(tokens, rng):
    model = GPT(**SIZES)
    params = {name: 3 * value for name, value in model.start(seed=4, runs=2, dtype=torch.float64).items()}
    draws = torch.rand(4, 9, generator=rng)
    text = model.continuation(params, tokens, draws)
    again = model.continuation(params, text[:, :, :9], draws[:, 2:])  # continued in two goes, each run its own text
    assert torch.equal(again, text)
    other = tokens.clone()
    other[:, 0] = (tokens[:, 0] + 1) % 11  # the first of seven tokens is read once, then never again
    assert not torch.equal(model.continuation(params, other, draws)[..., 7:], text[..., 7:])
    assert torch.equal(model.continuation(params, text[:, :, 1:8], draws[:, 1:])[..., 7:], text[..., 8:])


def test_bad_draws_are_named(tokens, unchecked):
    model = GPT(**SIZES)
    params = model.start(seed=4, runs=1)
    with pytest.raises(ValueError, match=r"draws must lie in \[0, 1\)"):
        model.continuation(params, tokens, torch.ones(4, 2))
    with pytest.raises(ValueError, match="draws must be for 4 texts, got 3"):
        model.continuation(params, tokens, torch.zeros(3, 2))


@torch.no_grad()
def test_queries_are_what_the_blocks_attention_multiplies_with_keys(tokens):
    """The input of the second block is what a model of the first block alone ends with, before the last gain."""
    model, first = GPT(**SIZES), GPT(**SIZES | {"blocks": 1})
    params = {name: 3 * value for name, value in model.start(seed=4, runs=2, dtype=torch.float64).items()}
    normed = first.embeddings({**params, "gain": params["block2.gain_attention"]}, tokens)
    expected = (normed @ params["block2.query"].mT.unsqueeze(-3)).unflatten(-1, (3, 4))
    torch.testing.assert_close(model.queries(params, tokens, block=2), expected)
    assert not torch.allclose(model.queries(params, tokens, block=1), expected)
    with pytest.raises(ValueError, match=r"block must lie in 1..2, got 3"):
        model.queries(params, tokens, block=3)
