import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.svm import SVC

from ibkit.data import digit_pair
from ibkit.measure import binary_margin
from ibkit.oracles import binary_max_margin

EXPONENTS = [1.0, 1.1, 1.5, 2.0, 3.0, 6.0, 10.0, math.inf]


@pytest.fixture(scope="module")
def rows():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, 20, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("p", EXPONENTS)
def test_margin_is_attained_and_certified(p, rows):
    best = binary_max_margin(rows, p)
    torch.testing.assert_close(binary_margin(best.w, rows, p), best.margin, rtol=1e-9, atol=0)
    assert best.gap.max() < 1e-5


@pytest.mark.parametrize("p", EXPONENTS)
def test_no_other_exponent_does_better(p, rows):
    margin = binary_max_margin(rows, p).margin
    for other in EXPONENTS:
        rival = binary_margin(binary_max_margin(rows, other).w, rows, p)
        assert (rival <= margin * (1 + 1e-5)).all()
        if other != p:
            assert (rival < margin * 0.9999).all(), "an oracle of another norm would pass"


def test_two_is_the_support_vector_machine_on_real_digits():
    X, y = digit_pair(3, 8, bias=False)
    found = binary_max_margin(y[:, None] * X, 2)
    both = np.concatenate([X.numpy(), -X.numpy()])  # mirrored data: the intercept of the machine is zero
    machine = SVC(kernel="linear", C=1e8, tol=1e-8).fit(both, np.concatenate([y.numpy(), -y.numpy()]))
    direction = machine.coef_[0] / np.linalg.norm(machine.coef_)
    assert float(found.w @ torch.from_numpy(direction)) == pytest.approx(1, abs=1e-6)
    assert float(found.margin) == pytest.approx(1 / np.linalg.norm(machine.coef_), rel=1e-4)


def test_one_is_a_linear_program(rows):
    A, d = rows[0].numpy(), 20
    program = linprog(
        np.r_[np.zeros(2 * d), -1],
        A_ub=np.block([[-A, A, np.ones((8, 1))], [np.ones((1, 2 * d)), np.zeros((1, 1))]]),
        b_ub=np.r_[np.zeros(8), 1],
        bounds=[(0, None)] * (2 * d) + [(None, None)],
    )
    assert float(binary_max_margin(rows[0], 1.0).margin) == pytest.approx(-program.fun, rel=1e-8)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(rows):
    with pytest.raises(ValueError, match="linearly separable"):
        binary_max_margin(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(ValueError, match=r"p must be at least 1 \(and may be infinite\), got 0.5"):
        binary_max_margin(rows, 0.5)
    with pytest.raises(ValueError, match="rows must be finite"):
        binary_max_margin(torch.full((2, 2), math.nan))
    with pytest.raises(ValueError, match="two different digits from 0 to 9, got 3 and 3"):
        digit_pair(3, 3)
    with pytest.raises(ValueError, match="share their last dimension"):
        binary_margin(torch.zeros(3), rows)
