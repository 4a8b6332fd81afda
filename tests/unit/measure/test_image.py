import pytest
import torch

from ibkit.data import random_contexts
from ibkit.measure import nested_misfit, prediction_rank
from ibkit.models import OneLayerDecoder


def test_a_linear_decoder_moves_in_rank_times_tokens_less_one(rng):
    H = torch.randn(9, 3, generator=rng, dtype=torch.float64) @ torch.randn(3, 6, generator=rng, dtype=torch.float64)
    params = {"W": torch.randn(2, 5, 6, generator=rng, dtype=torch.float64)}
    assert prediction_rank(lambda p: H @ p["W"].mT, params).tolist() == [12, 12]
    absolute = prediction_rank(lambda p: torch.nn.functional.pad(H @ p["W"].mT, (0, 1)), params)
    assert absolute.tolist() == [15, 15]  # a mutant that counts logits, not log-odds


def test_a_hidden_layer_counts_its_weights_less_one_shift_a_unit():
    data = random_contexts(seed=0, runs=1, contexts=40, length=3, vocabulary=5)
    names = ("inner", "inner_bias", "head", "head_bias")
    for hidden in (3, 8):
        model = OneLayerDecoder(vocabulary=5, context=3, features=6, hidden=hidden)
        params = model.start(seed=0, runs=2)
        seen = model.attended(params, data.tokens[0])[0]

        def logits(p, model=model, seen=seen):
            return model.decoded(p, model.activated(p, seen))

        found = prediction_rank(logits, {name: params[name] for name in names})
        assert found.tolist() == [min(40 * 4, hidden * 7 + 4 * (hidden + 1))] * 2
        squared = OneLayerDecoder(vocabulary=5, context=3, features=6, hidden=hidden, activation="square")

        def mutant(p, model=squared, seen=seen):
            return model.decoded(p, model.activated(p, seen))

        assert (prediction_rank(mutant, {name: params[name] for name in names}) < found).all()


def test_the_misfit_of_nested_features_is_least_squares_one_by_one(rng):
    H = torch.randn(2, 6, 4, generator=rng, dtype=torch.float64)
    H = torch.cat([H, H[..., :2] @ torch.ones(2, 2, dtype=torch.float64), H[..., :3] ** 2], -1)  # two add nothing
    T = torch.randn(2, 6, 3, generator=rng, dtype=torch.float64)
    found = nested_misfit(H, T)
    for m in range(10):
        rest = T - H[..., :m] @ (torch.linalg.pinv(H[..., :m], rtol=1e-12) @ T) if m else T
        torch.testing.assert_close(found[..., m], rest.square().mean((-2, -1)).sqrt(), atol=1e-12, rtol=1e-9)
    mutant = nested_misfit(H, T, tolerance=0.0)  # every feature counts as new
    assert (mutant[..., 6] < 1e-9).all()
    assert (found[..., 6] > 1e-3).all()


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"params\['W'\] must be float64"):
        prediction_rank(lambda p: p["W"], {"W": torch.zeros(1, 2, 2)})
    with pytest.raises(ValueError, match=r"targets must have one row a context \(2\), got 3"):
        nested_misfit(torch.eye(2), torch.eye(3))
