import pytest
import torch

from ibkit.data import attention_examples


@pytest.mark.parametrize("shared", [True, False])
def test_more_examples_leave_the_first_as_they_are_and_runs_differ(shared):
    few, many = (attention_examples(5, 2, count, 4, 6, shared) for count in (7, 50))
    groups = 1 if shared else 7
    assert few.contexts.shape == (2, groups, 4, 6)
    assert many.contexts.shape == (2, 1 if shared else 50, 4, 6)
    torch.testing.assert_close(many.contexts[:, :groups], few.contexts, rtol=0, atol=0)
    torch.testing.assert_close(many.queries[:, :7], few.queries, rtol=0, atol=0)
    torch.testing.assert_close(many.labels[:, :7], few.labels, rtol=0, atol=0)
    for part in (few.contexts, few.queries, few.labels):
        assert not torch.isclose(part[0], part[1]).any()
    assert not torch.isclose(attention_examples(6, 2, 7, 4, 6).queries, few.queries).any()
    assert few.to(torch.float32).queries.dtype == torch.float32


def test_laws_with_mutants_that_are_not():
    data = attention_examples(0, 1, 4000, 3, 5)
    assert -1 <= data.queries.min() < -0.999 < 0.999 < data.queries.max() <= 1
    assert abs(float(data.queries.mean())) < 0.02  # not uniform in [0, 1]
    assert abs(float(data.queries.var()) - 1 / 3) < 0.01
    assert abs(float(data.labels.var()) - 1) < 0.1
    assert float(data.labels.abs().max()) > 2.5  # not uniform
    assert abs(float(torch.corrcoef(torch.stack([data.labels[0], data.queries[0, :, 0]]))[0, 1])) < 0.06


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        attention_examples(0, 1, 0, 3, 5)
