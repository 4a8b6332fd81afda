import io
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from ibkit.show import COLORS, color_of, use_style
from ibkit.show.style import DIVERGING, PALETTE, PALETTE_DARK, ROLES, SEQUENTIAL, slot_of, small_png, style

# Linear RGB as seen with each common form of colour blindness (Machado, Oliveira, Fernandes 2009, severity 1).
VISIONS = {
    "all cones": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(color):
    channels = np.array(mpl.colors.to_rgb(color))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("palette", "ground"), [(PALETTE, "#ffffff"), (PALETTE_DARK, "#14181e")])
def test_every_colour_stands_out_from_its_ground(palette, ground):
    assert min(contrast(color, ground) for color in palette) >= 3


@pytest.mark.parametrize("palette", [PALETTE, PALETTE_DARK])
@pytest.mark.parametrize("vision", VISIONS)
def test_colours_stay_apart_under_colour_blindness(palette, vision):
    seen = [lab(np.array(VISIONS[vision]) @ linear(color)) for color in palette]
    nearest = min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2))
    assert nearest > 15


def test_lightness_of_the_maps_is_monotone():
    lightness = [lab(linear(SEQUENTIAL(share)))[0] for share in np.linspace(0, 1, 60)]
    assert (np.diff(lightness) < 0).all()
    lightness = [lab(linear(DIVERGING(share)))[0] for share in np.linspace(0, 1, 61)]
    assert (np.diff(lightness[:31]) > 0).all()
    assert (np.diff(lightness[31:]) < 0).all()


def test_a_rule_shares_its_colour_with_its_norm():
    assert color_of("sign descent") == color_of("max norm") == COLORS["sign"]
    assert color_of("Muon") == COLORS["spectral"] != COLORS["frobenius"] == color_of("gradient-descent")
    assert COLORS["majority"] != COLORS["minority"]
    assert {PALETTE[slot] for slot in ROLES.values()} <= set(PALETTE)


def test_an_unknown_role_is_named():
    assert slot_of("accuracy") is None
    with pytest.raises(KeyError, match="no colour for 'accuracy'"):
        color_of("accuracy")


def test_use_style_sets_white_page_wide_figures():
    with mpl.rc_context():
        use_style()
        assert mpl.rcParams["figure.figsize"][0] == 7
        assert mpl.rcParams["axes.facecolor"] == mpl.rcParams["figure.facecolor"] == "white"
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(PALETTE)


def test_svg_bytes_depend_on_the_figure_alone():
    def draw():
        with mpl.rc_context(style()):
            figure, ax = plt.subplots()
            ax.plot([1, 2], [3, 4])
            ax.set_ylim(0, 10)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            plt.close(figure)
        return buffer.getvalue()

    assert draw() == draw()


def test_small_png_keeps_the_picture_in_fewer_bytes():
    with mpl.rc_context(style()):
        figure, ax = plt.subplots()
        ax.plot(np.random.default_rng(0).normal(size=(200, 4)).cumsum(axis=0))
        plain = io.BytesIO()
        figure.savefig(plain, format="png", dpi=2 * figure.dpi, bbox_inches="tight")
        small, shown = small_png(figure)
        plt.close(figure)
    assert len(small) < 0.6 * len(plain.getvalue())
    before = np.asarray(Image.open(plain).convert("RGB"), dtype=float)
    after = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"), dtype=float)
    assert before.shape == after.shape
    assert np.abs(before - after).mean() < 2  # of 255
    assert tuple(after[0, 0]) == (255, 255, 255)
    assert (shown["width"], shown["height"]) == (before.shape[1] // 2, before.shape[0] // 2)
