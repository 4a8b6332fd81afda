import pytest
import torch

from ibkit.data import digits, draw_by_class, group_sizes, step_counts


def test_step_counts_are_those_of_the_definition():
    counts = step_counts(10, 0.2, torch.tensor([1.0, 7.5]), smallest=4.0)
    assert counts.tolist() == [[4.0] * 10, [30.0] * 8 + [4.0] * 2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((1, 0.5, 2.0), "classes must be at least 2, got 1"),
        ((4, 0.2, 2.0), "minority_share must make 1 to 3 whole classes of 4"),
        ((4, 1.0, 2.0), "minority_share must make 1 to 3 whole classes of 4"),
        ((4, 0.5, 0.5), "ratio must be at least 1, got 0.5"),
        ((4, 0.5, 2.0, 0.0), "smallest must be positive"),
    ],
)
def test_step_counts_says_what_is_wrong(arguments, line):
    with pytest.raises(ValueError, match=line):
        step_counts(*arguments)


def test_share_of_tenths_is_whole_in_spite_of_rounding():
    assert group_sizes(10, 0.7) == (3, 7)
    assert group_sizes(10, 0.3) == (7, 3)


def test_drawn_subsets_have_the_sizes_asked_for_and_no_row_twice():
    _, labels = digits()
    counts = [30, 20, 5, 1]
    rows = draw_by_class(labels, counts, seed=3, runs=6)
    drawn = labels[rows]
    for run in range(6):
        assert len(set(rows[run].tolist())) == sum(counts)
        blocks = drawn[run].split(counts)
        assert all(block.unique().numel() == 1 for block in blocks), "a class mixes labels"
        assert len({int(block[0]) for block in blocks}) == 4
    assert drawn[:, 0].unique().numel() > 1, "every run would take the same label as its majority"
    fixed = labels[draw_by_class(labels, counts, seed=3, runs=6, shuffle_classes=False)]
    assert fixed[:, -1].tolist() == [3] * 6


def test_runs_do_not_depend_on_how_many_there_are():
    _, labels = digits()
    few, many = (draw_by_class(labels, [3, 2], seed=0, runs=runs) for runs in (2, 5))
    assert torch.equal(few, many[:2])
    assert not torch.equal(few, draw_by_class(labels, [3, 2], seed=1, runs=2))


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ([1], "counts must name 2 to 2"),
        ([2, 0], "counts must be at least 1"),
        ([2, 9], "asks 9 rows of label 1, which has 3"),
    ],
)
def test_draw_says_what_is_wrong(counts, line):
    with pytest.raises(ValueError, match=line):
        draw_by_class(torch.tensor([0, 0, 0, 1, 1, 1]), counts, seed=0, runs=1, shuffle_classes=False)


def test_digits_are_a_fresh_copy_in_the_unit_interval():
    X, y = digits()
    assert (float(X.min()), float(X.max())) == (0.0, 1.0)
    assert torch.bincount(y).min() > 170
    X.zero_()
    assert float(digits()[0].max()) == 1.0
