import pytest
import torch

from ibkit.models import unit_embedding_start, unit_embeddings


def test_rows_have_length_one_and_the_sign_asked_for(rng):
    X = torch.randn(4, 6, 3, generator=rng, dtype=torch.float64)
    for positive in (False, True):
        h = unit_embeddings(X, positive)
        alive = (X > 0).any(-1) | (not positive)
        torch.testing.assert_close(h.norm(dim=-1)[alive], torch.ones(int(alive.sum())).double())
        assert (h >= 0).all() == positive
    torch.testing.assert_close(unit_embeddings(5 * X), unit_embeddings(X))


def test_a_row_without_direction_has_a_finite_gradient():
    X = torch.tensor([[-1.0, -2.0], [1.0, -1.0]]).requires_grad_()
    h = unit_embeddings(X, positive=True)
    assert torch.equal(h.detach(), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    assert torch.autograd.grad(h.sum(), X)[0].isfinite().all()


def test_starts_in_the_orthant_are_alive_and_runs_do_not_depend_on_their_number():
    alive = unit_embedding_start(1, runs=5, rows=40, features=8, positive=True)["X"]
    plain = unit_embedding_start(1, runs=5, rows=40, features=8)["X"]
    assert (alive > 0).all()
    assert torch.equal(alive, plain.abs())
    assert torch.equal(unit_embedding_start(1, 3, 40, 8)["X"], plain[:3])


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="rows and features must be at least 1"):
        unit_embedding_start(0, 1, 0, 3)
