import numpy as np
import pytest
import torch

from ibkit.data import batch_interaction, bind_batches, random_batches

Y = torch.arange(3).repeat_interleave(4)


def by_reachability(batches, y):
    """Edges pair by pair; connection by powers of the adjacency matrix."""
    n, k = len(y), int(y.max()) + 1
    A = np.zeros((n, n), dtype=int)
    for batch in batches:
        rows = [int(i) for i in batch]
        for i in rows:
            for j in rows:
                partner = [m for m in rows if (m != i and y[m] == y[i]) or (m != j and y[m] == y[j])]
                A[i, j] |= i != j and len(partner) > 0
    connected = []
    for c in range(k):
        inside = A[np.ix_(y == c, y == c)] + np.eye(int((y == c).sum()), dtype=int)
        connected.append(bool((np.linalg.matrix_power(inside, n) > 0).all()))
    meet = [[c == e or bool(A[np.ix_(y == c, y == e)].any()) for e in range(k)] for c in range(k)]
    return A.astype(bool), connected, meet


@pytest.mark.parametrize("seed", range(12))
def test_graph_equals_reachability(seed):
    batches = random_batches(seed, 12, 2 + seed % 5, epochs=1 + seed % 2)
    found = batch_interaction(batches, Y)
    edges, connected, meet = by_reachability(batches, Y.numpy())
    np.testing.assert_array_equal(found.edges, edges)
    assert found.connected.tolist() == connected
    assert found.meet.tolist() == meet
    assert found.rigid == (all(connected) and all(map(all, meet)))


def test_sharing_a_batch_is_not_enough():
    """Mutant: edges without an anchor. Three single samples share a batch that has no term in the loss."""
    found = batch_interaction([[0, 4, 8]], Y)
    assert not found.edges.any()
    shares = torch.zeros(12, 12, dtype=torch.bool)
    shares[torch.tensor([[0], [4], [8]]), torch.tensor([0, 4, 8])] = True
    assert not torch.equal(found.edges, shares.fill_diagonal_(False))


def test_binding_makes_every_design_rigid():
    designs = [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 10, 11]]]
    designs += [random_batches(seed, 12, 3) for seed in range(5)]
    for batches in designs[:2]:
        assert not batch_interaction(batches, Y).rigid
    for batches in designs:
        bound = bind_batches(batches, [0, 4, 8])
        assert batch_interaction(bound, Y).rigid
        for old, new in zip(batches, bound, strict=True):
            assert set(map(int, new)) == set(map(int, old)) | {0, 4, 8}
            assert len(new) == len(set(map(int, new)))


def test_epochs_are_partitions():
    batches = random_batches(3, 10, 4, epochs=2)
    for epoch in (batches[:3], batches[3:]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(10))
    assert not torch.equal(torch.cat(batches[:3]), torch.cat(batches[3:]))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="batch 1 must hold integers"):
        batch_interaction([[0, 1], [0, 12]], Y)
    with pytest.raises(ValueError, match="must not be empty"):
        bind_batches([[0]], [])
    with pytest.raises(ValueError, match="at least 1"):
        random_batches(0, 5, 0)
    with pytest.raises(ValueError, match="seed"):
        random_batches(-1, 5, 2)
