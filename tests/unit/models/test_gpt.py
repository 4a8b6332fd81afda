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
