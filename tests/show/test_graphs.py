"""Pictures of graphs: links where they belong, agents in their colours."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ibkit.show import draw_graph


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_links_join_their_agents(ax):
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    dots = draw_graph(ax, places, [[0, 1], [1, 2]], [1.0, 3.0, 2.0], limits=(0, 4), title="three")
    lines = [segment.tolist() for segment in ax.collections[0].get_segments()]
    assert lines == [places[[0, 1]].tolist(), places[[1, 2]].tolist()]
    np.testing.assert_array_equal(dots.get_offsets(), places)
    assert dots.get_clim() == (0, 4)
    assert ax.get_title(loc=plt.rcParams["axes.titlelocation"]) == "three"
    assert ax.get_aspect() == 1


def test_colours_may_be_given(ax):
    dots = draw_graph(ax, [[0, 0], [1, 0]], np.zeros((0, 2)), ["#ff0000", "#0000ff"])
    np.testing.assert_allclose(dots.get_facecolors()[:, :3], [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], []), r"positions must have shape \(agents, 2\)"),
        (([[0, 0], [1, 0]], [[0, 2]]), r"edges must name agents 0\.\.1, got 0 to 2"),
        (([[0, 0], [1, 0]], [[0, 1]], [1.0]), "values must hold one for each of 2 agents, got 1"),
    ],
)
def test_what_does_not_fit(ax, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_graph(ax, *arguments)
