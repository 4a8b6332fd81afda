"""Column norms against singular values and closed forms, the score against a transcription; wrong ones are rejected."""

import math

import numpy as np
import pytest
import torch

from ibkit.data import random_rotations
from ibkit.measure import column_norm_sum, matrix_nuclear_norm, unit_states
from ibkit.norms import as_norm

nuclear = as_norm("nuclear")


def draw(rng, *shape):
    return torch.randn(*shape, generator=rng).double()


def score_in_words(F):
    """Centre, scale, norm of each column, the largest D of them, over n: with lists, for one matrix."""
    rows, columns = len(F), len(F[0])
    mean = [sum(row[j] for row in F) / rows for j in range(columns)]
    centred = [[x - m for x, m in zip(row, mean, strict=True)] for row in F]
    X = [[x / math.hypot(*row) for x in row] for row in centred]
    norms = sorted((math.hypot(*(row[j] for row in X)) for j in range(columns)), reverse=True)
    return math.fsum(norms[: min(rows, columns)]) / rows


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (9, 9)])
def test_the_score_as_the_paper_defines_it(shape, rng):
    F = draw(rng, 3, *shape) * torch.linspace(0.2, 3.0, shape[1]).double() + 2.0
    oracle = torch.tensor([score_in_words(run.tolist()) for run in F]).double()
    torch.testing.assert_close(matrix_nuclear_norm(F), oracle)
    X, n = unit_states(F), shape[0]
    late = F / F.norm(dim=-1, keepdim=True)
    mutants = {
        "row norms": X.norm(dim=-1).topk(min(shape)).values.sum(-1) / n,
        "not centred": matrix_nuclear_norm(F, center=False),
        "scaled before centred": column_norm_sum(late - late.mean(-2, keepdim=True)) / n,
        "over the root of n": column_norm_sum(X) / n**0.5,
    }
    if shape[0] < shape[1]:
        mutants["all columns"] = column_norm_sum(X, most=shape[1]) / n
    for name, value in mutants.items():
        if not (shape == (2, 1) and name == "row norms"):
            assert not torch.allclose(value, oracle, rtol=1e-3), name


@pytest.mark.parametrize("counts", [(5, 4, 1), (3, 3, 3, 3), (7, 0, 2)])
def test_one_hot_rows_are_exact(counts):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    P = torch.nn.functional.one_hot(labels, len(counts)).double()
    oracle = math.fsum(math.sqrt(count) for count in counts)
    assert float(column_norm_sum(P)) == pytest.approx(oracle, rel=1e-14)
    assert float(nuclear(P)) == pytest.approx(oracle, rel=1e-13)
    assert float(column_norm_sum(0.9 * P + 0.1 / len(counts))) > 1.001 * float(nuclear(0.9 * P + 0.1 / len(counts)))
    assert float(column_norm_sum(P.mT)) != pytest.approx(oracle), "rows taken for columns"


def test_it_lies_between_the_nuclear_norm_and_the_flat_value(rng):
    X = draw(rng, 50, 12, 5) * torch.logspace(0, -2, 5).double()
    Q = random_rotations(1, 50, 5)
    upper = 5**0.5 * X.norm(dim=(-2, -1))
    for states in (X, X @ Q):
        value = column_norm_sum(states)
        assert (nuclear(states) <= value * (1 + 1e-12)).all()
        assert (value <= upper * (1 + 1e-12)).all()
    torch.testing.assert_close(nuclear(X @ Q), nuclear(X))
    assert (column_norm_sum(X @ Q) > 1.05 * column_norm_sum(X)).any(), "no basis is like another"
    V = torch.linalg.svd(X, full_matrices=False).Vh.mT
    torch.testing.assert_close(column_norm_sum(X @ V), nuclear(X))
    hadamard = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]).double() / 2
    eigen = (X @ V)[..., :4]
    torch.testing.assert_close(column_norm_sum(eigen @ hadamard), 2 * eigen.norm(dim=(-2, -1)))


def test_with_few_rows_only_the_whole_sum_is_a_bound():
    X = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0]]).double() / 2
    assert float(nuclear(X)) == pytest.approx(2.0)
    assert float(column_norm_sum(X)) == pytest.approx(2 * 2**-0.5)  # below the nuclear norm
    assert float(column_norm_sum(X, most=4)) == pytest.approx(4 * 2**-0.5)


def test_extremes_of_the_score(rng):
    line = torch.linspace(-1, 1, 6).double()[:, None] * torch.eye(1, 4).double()
    assert float(matrix_nuclear_norm(line)) == pytest.approx(6**-0.5)
    flat = torch.linspace(-1, 1, 6).double()[:, None] * torch.ones(1, 4).double()
    assert float(matrix_nuclear_norm(flat)) == pytest.approx((4 / 6) ** 0.5)  # the same line in another basis
    F = draw(rng, 4, 3, 20)
    assert (matrix_nuclear_norm(F) <= 1).all()
    torch.testing.assert_close(matrix_nuclear_norm(1e-100 * F), matrix_nuclear_norm(F))
    assert matrix_nuclear_norm(torch.ones(3, 2)).tolist() == 0.0


def test_columns_of_any_size(rng):
    X = draw(rng, 6, 3)
    for scale in (1e-300, 1e-160, 1.0, 1e160, 1e300):
        oracle = math.fsum(math.hypot(*column) for column in (X * scale).mT.tolist())
        assert float(column_norm_sum(X * scale)) == pytest.approx(oracle, rel=1e-12)
    assert float((X * 1e160).square().sum(-2).sqrt().sum()) == math.inf  # the mutant: no scale
    assert float(column_norm_sum(torch.zeros(3, 2))) == 0.0


def test_runs_do_not_mix(rng):
    F = draw(rng, 2, 3, 10, 4)
    loop = [[float(matrix_nuclear_norm(run)) for run in row] for row in F]
    np.testing.assert_allclose(matrix_nuclear_norm(F), loop, rtol=1e-14)


def test_says_what_is_wrong(unchecked):
    cases = [
        (lambda: column_norm_sum(torch.tensor([[torch.nan]])), "X must be finite"),
        (lambda: column_norm_sum(torch.ones(3)), r"X must be a matrix and not empty, got shape \(3,\)"),
        (lambda: column_norm_sum(torch.ones(3, 2), most=3), "most must be 1 to 2 columns, got 3"),
        (lambda: matrix_nuclear_norm(torch.ones(0, 2)), "features must be"),
    ]
    for call, says in cases:
        with pytest.raises(ValueError, match=says):
            call()
