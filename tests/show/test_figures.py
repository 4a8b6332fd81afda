import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ibkit.show import band, cross_table, guide_line, heatmap, panel_labels, small_multiples, spectrum
from ibkit.show.figures import contrast_ink


@pytest.fixture
def ax():
    _, ax = plt.subplots()
    yield ax
    plt.close("all")


@pytest.fixture
def runs():
    return np.random.default_rng(0).normal(size=(6, 9)) ** 3  # skewed: the mean is not the median


def edges(ax):
    """Lower and upper edge of the only band, by position."""
    vertices = ax.collections[0].get_paths()[0].vertices
    return {x: (vertices[vertices[:, 0] == x, 1].min(), vertices[vertices[:, 0] == x, 1].max()) for x in range(6)}


def test_band_draws_the_median(ax, runs):
    line = band(ax, range(6), runs, "loss", "#123456")
    np.testing.assert_allclose(line.get_ydata(), np.sort(runs, axis=1)[:, 4])
    assert line.get_label() == "loss"
    assert line.get_color() == "#123456"


@pytest.mark.parametrize(("spread", "low", "high"), [("range", 0, 8), ("quartiles", 2, 6)])
def test_band_shades_the_spread(ax, runs, spread, low, high):
    band(ax, range(6), runs, spread=spread)
    ordered = np.sort(runs, axis=1)
    for x, (bottom, top) in edges(ax).items():
        assert bottom == pytest.approx(ordered[x, low])
        assert top == pytest.approx(ordered[x, high])


def test_one_run_has_no_band(ax, runs):
    band(ax, range(6), runs[:, 0])
    band(ax, range(6), runs, spread="none")
    assert not ax.collections


def test_band_refuses_what_does_not_fit(ax, runs, unchecked):
    with pytest.raises(ValueError, match=r"recorded = 5, got \(6, 9\)"):
        band(ax, range(5), runs)
    with pytest.raises(ValueError, match="spread must be one of range, quartiles, none, got 'std'"):
        band(ax, range(6), runs, spread="std")


@pytest.mark.parametrize("slope", [-0.5, 1.0])
def test_guide_line_has_its_slope_and_meets_its_anchor(ax, slope):
    guide = guide_line(ax, np.geomspace(1, 1e4, 5), slope, anchor=(100, 3), label="rate")
    (x0, x1), (y0, y1) = guide.get_xdata(), guide.get_ydata()
    assert (x0, x1) == (1, 1e4)
    assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(slope)
    assert y0 * (100 / x0) ** slope == pytest.approx(3)
    assert ax.texts[0].get_text() == "rate"


def test_guide_line_needs_positive_places(ax):
    with pytest.raises(ValueError, match="positive"):
        guide_line(ax, [0, 1], -1, anchor=(1, 1))


def test_heatmap_centres_its_colours_and_writes_readable_numbers(ax):
    image = heatmap(ax, [[1.0, -0.25], [0.0, np.nan]], ["a", "b"], ["c", "d"], title="Gram", text=".2f")
    assert image.get_clim() == (-1.0, 1.0)
    assert [text.get_text() for text in ax.texts] == ["1.00", "−0.25", "0.00"]  # the NaN cell stays blank
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    dark, _, middle = (text.get_color() for text in ax.texts)
    assert to_rgb(dark) == (1, 1, 1)
    assert to_rgb(middle) != (1, 1, 1)


def test_heatmap_leaves_numbers_out_of_large_matrices(ax):
    image = heatmap(ax, np.arange(100.0).reshape(10, 10), symmetric=False)
    assert not ax.texts
    assert image.get_clim() == (0.0, 99.0)


def test_heatmap_refuses_wrong_names(ax):
    with pytest.raises(ValueError, match="rows must name 2 rows of the matrix, got 1"):
        heatmap(ax, np.eye(2), ["a"])


def test_contrast_ink_takes_the_better_of_two():
    for grey in np.linspace(0, 1, 21):
        ground = (grey, grey, grey)
        light = ((grey + 0.055) / 1.055) ** 2.4 if grey > 0.04045 else grey / 12.92
        white, ink = 1.05 / (light + 0.05), (light + 0.05) / (0.0135 + 0.05)
        if abs(white - ink) > 0.3:
            assert (contrast_ink(ground) == "#FFFFFF") == (white > ink)


def test_cross_table_frames_the_diagonal(ax):
    cross_table(ax, [[1.0, 0.5, 0.2], [0.4, 1.0, 0.3]], ["sign", "muon"], ["max", "spectral", "l2"])
    centres = [(frame.get_x() + frame.get_width() / 2, frame.get_y() + frame.get_height() / 2) for frame in ax.patches]
    assert centres == [(0, 0), (1, 1)]
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.50", "0.20", "0.40", "1.00", "0.30"]


def test_spectra_stand_side_by_side(ax):
    spectrum(ax, [3.0, 1.0], "one", group=(0, 2))
    spectrum(ax, [2.0, 0.5], "two", group=(1, 2), log=True)
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert [bar.get_height() for bar in ax.patches] == [3.0, 1.0, 2.0, 0.5]
    assert spans[0][1] <= spans[2][0]  # no overlap at the first index
    assert ax.get_yscale() == "log"
    with pytest.raises(ValueError, match="0 <= place < size"):
        spectrum(ax, [1.0], group=(2, 2))


def test_small_multiples_are_page_wide_and_lettered():
    figure, axes = small_multiples(5)
    assert len(axes) == len(figure.axes) == 5
    assert figure.get_size_inches()[0] == 7
    assert [ax.texts[0].get_text() for ax in axes] == list("abcde")
    with pytest.raises(ValueError, match="at least 1, got 0"):
        small_multiples(0)
    plt.close("all")


def test_panel_labels_can_be_chosen(ax):
    panel_labels([ax], ["i"])
    assert ax.texts[0].get_text() == "i"
