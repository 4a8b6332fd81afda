import pytest
import torch

from ibkit.data import novel, random_windows, run_generators, vocabulary_of
from ibkit.losses import language_cross_entropy, language_gradient
from ibkit.models import GPT
from ibkit.optim import adam
from ibkit.train import train


def test_it_is_torchs_cross_entropy_of_the_shifted_tokens(rng):
    windows = torch.randint(7, (2, 3, 6), generator=rng)
    model = GPT(vocabulary=7, features=8, blocks=1, heads=2, context=5)
    params = model.start(seed=0, runs=2, dtype=torch.float64)
    logits = model.logits(params, windows[..., :-1])
    found = language_cross_entropy(logits, windows[..., 1:])
    expected = [
        torch.nn.functional.cross_entropy(z.flatten(0, 1), w[:, 1:].flatten())
        for z, w in zip(logits, windows, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected))
    unshifted = language_cross_entropy(logits, windows[..., :-1])
    assert not torch.allclose(unshifted, found, rtol=1e-3), "targets that are what was read would pass"


def test_gradient_falls_to_what_pairs_of_letters_allow():
    """On text that alternates between two letters, one block learns the alternation."""
    stream = vocabulary_of("ab" * 40).encode("ab" * 40)
    model = GPT(vocabulary=2, features=8, blocks=1, heads=1, context=8)
    generators = run_generators(0, 3)
    gradient = language_gradient(model.logits, lambda: random_windows(stream, generators, windows=4, size=9))

    def loss(params):
        return {"loss": language_cross_entropy(model.logits(params, stream[None, :8]), stream[None, 1:9])}

    history = train(model.start(seed=0, runs=3), gradient, adam(0.01), 100, loss)
    assert (history["loss"][0] > 0.6).all()
    assert (history["loss"][-1] < 0.05).all()


@pytest.mark.usefixtures("unchecked")
def test_targets_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"targets must be \(3, 5\) \(batch, length\), got \(3, 4\)"):
        language_cross_entropy(torch.zeros(3, 5, 2), torch.zeros(3, 4, dtype=torch.long))


def test_windows_are_consecutive_text():
    text = novel()
    letters = vocabulary_of(text)
    stream = letters.encode(text[:2000])
    drawn = random_windows(stream, run_generators(0, 2), windows=5, size=30)
    for window in drawn.reshape(-1, 30):
        assert "".join(letters.decode(window)) in text[:2000]
    assert len({tuple(window.tolist()) for window in drawn.reshape(-1, 30)}) == 10
