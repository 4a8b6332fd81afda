import pytest
import torch

from ibkit.data import tokenized_mixture
from ibkit.measure import relevant_mass


def test_it_counts_what_goes_to_the_relevant_tokens():
    mixture = tokenized_mixture(seed=3, runs=3, samples=40, tokens=5, features=6, relevant=2)
    attention = torch.full((7, 3, 40, 5), 0.2, dtype=torch.float64)
    torch.testing.assert_close(relevant_mass(attention, mixture.relevant), torch.full((7, 3, 40), 0.4).double())
    assert (relevant_mass(mixture.relevant / 2, mixture.relevant) == 1).all()
    assert (relevant_mass(mixture.relevant / 2, ~mixture.relevant) == 0).all()


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"must share their last dimension \(tokens\)"):
        relevant_mass(torch.ones(2, 3), torch.ones(2, 4, dtype=torch.bool))
