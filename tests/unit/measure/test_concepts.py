import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from ibkit.data import attribute_tokens, tree_support
from ibkit.measure import adjusted_rand, concepts, orthants, typicality
from ibkit.oracles import centered_support


def test_concepts_are_eigenvectors_of_the_gram_matrices(rng):
    L = torch.randn(3, 12, 7, generator=rng, dtype=torch.float64)
    found = concepts(L, most=4)
    centred = L - L.mean(-1, keepdim=True)
    squares, vectors = torch.linalg.eigh(centred.mT @ centred)
    torch.testing.assert_close(found.importance, squares.flip(-1)[..., :4].sqrt())
    overlap = (found.words * vectors.flip(-1)[..., :4]).sum(-2).abs()
    torch.testing.assert_close(overlap, torch.ones_like(overlap))
    torch.testing.assert_close(centred @ found.words, found.contexts * found.importance.unsqueeze(-2))
    largest = found.words.gather(-2, found.words.abs().argmax(-2, keepdim=True))
    assert (largest > 0).all()
    mutant = torch.linalg.svdvals(L)[..., :4]  # rows not centred
    assert (mutant - found.importance).abs().max() > 0.1
    flipped = concepts(-L, most=4)
    torch.testing.assert_close(flipped.words, found.words)
    torch.testing.assert_close(flipped.contexts, -found.contexts)


def test_a_tree_has_haar_wavelets():
    """Squared singular values by hand; the vectors of one level are constant on the blocks below it."""
    found = concepts(centered_support(tree_support([6, 4, 2])), most=7)
    squares = torch.tensor([34.0, 10, 10, 2, 2, 2, 2], dtype=torch.float64)
    torch.testing.assert_close(found.importance**2, squares)
    half = torch.repeat_interleave(torch.tensor([1.0, -1.0], dtype=torch.float64), 4) / 8**0.5
    assert float((found.words[:, 0] @ half).abs()) == pytest.approx(1)
    quarters = found.words[:, 1:3].reshape(4, 2, 2)
    torch.testing.assert_close(quarters[:, 0], quarters[:, 1])


def test_orthants_are_sign_patterns(rng):
    U = torch.randn(2, 20, 3, generator=rng, dtype=torch.float64)
    codes = orthants(U, tolerance=0.1)
    for run in range(2):
        for row, code in zip(U[run].tolist(), codes[run].tolist(), strict=True):
            expected = int("".join("1" if x < 0 else "0" for x in row), 2)
            assert code == (-1 if min(map(abs, row)) <= 0.1 else expected)
    assert (codes == -1).any()
    assert (orthants(U) >= 0).all()
    torch.testing.assert_close(typicality(U), U.abs().sum(-1))


def test_orthants_find_planted_categories():
    corpus = attribute_tokens(seed=0, runs=3)
    found = concepts(centered_support(corpus.support), most=3)
    assert adjusted_rand(orthants(found.words), corpus.categories).min() > 0.95
    assert adjusted_rand(orthants(found.words[..., :2]), corpus.categories).max() < 0.7
    overlap = (found.words.mT @ corpus.attributes / 32**0.5).diagonal(dim1=-2, dim2=-1).abs()
    assert overlap.min() > 0.95


def test_adjusted_rand_is_that_of_scikit_learn(rng):
    first = torch.randint(0, 4, (6, 30), generator=rng)
    second = torch.where(torch.rand(6, 30, generator=rng) < 0.4, torch.randint(0, 3, (6, 30), generator=rng), first)
    expected = [adjusted_rand_score(a, b) for a, b in zip(first.numpy(), second.numpy(), strict=True)]
    np.testing.assert_allclose(adjusted_rand(first, second).numpy(), expected, rtol=1e-12)
    plain = ((first[..., None] == first[..., None, :]) == (second[..., None] == second[..., None, :])).double()
    assert np.abs(plain.mean((-2, -1)).numpy() - expected).min() > 0.05  # the Rand index, not adjusted
    same = torch.zeros(5, dtype=torch.long)
    assert float(adjusted_rand(same, same)) == 1 == adjusted_rand_score(same, same)


def test_says_what_is_wrong(unchecked):
    with pytest.raises(ValueError, match=r"most must lie in 1..2"):
        concepts(torch.ones(2, 3), most=3)
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        orthants(torch.ones(2, 3), tolerance=-1.0)
    with pytest.raises(ValueError, match="vectors must hold 1 to 62"):
        orthants(torch.ones(2, 63))
    with pytest.raises(ValueError, match="must group the same"):
        adjusted_rand(torch.zeros(3).long(), torch.zeros(4).long())
