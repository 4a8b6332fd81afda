import base64

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy.spatial.transform import Rotation

from ibkit.show import COLORS, Arrows3D, arrows_3d, explore
from ibkit.show.arrows import camera


def compute(angle):
    turned = Rotation.from_euler("z", angle, degrees=True).apply(np.eye(3))
    return Arrows3D(
        vectors={"majority": turned[:2], "minority": 2 * turned[2:]},
        labels={"majority": ["a", "b"], "minority": [f"at {angle}"]},
        edges=[(0, 1, 2, 0)],
    )


def make(**options):
    return explore(compute, {"angle": [0.0, 30.0, 60.0]}, alt="Three arrows.", **options)


def test_what_is_packed_is_what_was_computed():
    payload = make().payload
    floats = np.frombuffer(base64.b64decode(payload["data"]), dtype="<f4")
    starts = np.concatenate([[0], np.cumsum(payload["lengths"])])
    panel = payload["panels"][0]
    assert panel["edges"] == [[0, 1, 2, 0]]
    assert panel["names"] == ["majority", "minority"]
    for number, angle in enumerate([0.0, 30.0, 60.0]):
        _, _, places, words = payload["frames"][number][0]
        read = {key: floats[starts[p] : starts[p + 1]] for key, p in zip(panel["keys"], places, strict=True)}
        for name, values in compute(angle).vectors.items():
            np.testing.assert_array_equal(read[f"arrows:{name}"].reshape(-1, 3), values.astype("f4"))
        assert read["limits"].tolist() == [-2, 2, -2, 2]  # the longest arrow of the whole grid
        assert [payload["texts"][place] for place in words["minority"]] == [f"at {angle}"]


@pytest.mark.parametrize("view", [(0, 0), (30, 20), (-140, -75), (90, 90)])
def test_camera_is_a_rotation_by_azimuth_then_elevation(view):
    azimuth, elevation = np.radians(view)
    # Turn the camera's place onto the first axis, undo its elevation, and name the axes anew: right, up, towards it.
    turned = Rotation.from_rotvec([0, elevation, 0]) * Rotation.from_rotvec([0, 0, -azimuth])
    expected = turned.as_matrix()[[1, 2, 0]]
    np.testing.assert_allclose(camera(view), expected, atol=1e-12)
    mutant = (turned.inv()).as_matrix()[[1, 2, 0]]
    assert view == (0, 0) or not np.allclose(camera(view), mutant)


def shafts(ax):
    """The lines from the origin, by where their direction points."""
    return [line for line in ax.lines if line.get_xdata().size == 2 and line.get_xdata()[0] == line.get_ydata()[0] == 0]


def test_a_figure_shows_the_projection_far_arrows_paler():
    _, ax = plt.subplots()
    vectors = np.array([[1.0, 0, 0], [0, 0.5, 0], [-1.0, 0, 0]])
    view = (10.0, 20.0)
    arrows_3d(
        ax,
        {"majority": vectors, "other": [[np.nan, 0, 0]]},
        labels={"majority": ["near", "", "far"]},
        view=view,
        edges=[[0, 1]],
    )
    seen = vectors @ camera(view).T
    drawn = shafts(ax)
    assert len(drawn) == 3  # the NaN is left out
    for line, tip in zip(drawn, seen, strict=True):
        end = np.array([line.get_xdata()[1], line.get_ydata()[1]])
        np.testing.assert_allclose(end / np.linalg.norm(end), tip[:2] / np.linalg.norm(tip[:2]))
    white = [np.linalg.norm(1 - np.array(to_rgb(line.get_color()))) for line in drawn]
    order = [line.get_zorder() for line in drawn]
    assert white[0] > white[1] > white[2]
    assert order[0] > order[1] > order[2]
    assert [text.get_text() for text in ax.texts] == ["near", "far"]
    handles, names = ax.get_legend_handles_labels()
    assert names == ["majority", "other"]
    assert handles[0].get_color() == COLORS["majority"]
    edge = next(line for line in ax.lines if line.get_linewidth() == 0.9)
    np.testing.assert_allclose(edge.get_xydata(), seen[:2, :2])
    plt.close()


@pytest.mark.parametrize("guide", ["sphere", "axes", "none"])
def test_every_guide_can_be_drawn_also_straight_at_the_reader(guide):
    _, ax = plt.subplots()
    arrows_3d(ax, {"v": [[1.0, 0, 0], [0, 0, 0]]}, guide=guide, view=(0, 0), labels={"v": ["tip", "nothing"]})
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-1.16, 1.16))
    ax.figure.canvas.draw()
    plt.close()


def test_the_picture_holds_labels_and_names():
    page = make(default={"angle": 30.0}).to_html()
    picture = page.split('src="')[1].split('"')[0]
    for text in ("at 30.0", ">a<", "majority", "minority"):
        assert text.replace(">", "&gt;").replace("<", "&lt;") in picture
    assert page == make(default={"angle": 30.0}).to_html()
    assert len(picture) < 25_000


ONE = {"v": [[1.0, 0.0, 0.0]]}
MISTAKES = [
    ({"vectors": {}}, "at least one series"),
    ({"vectors": {"v": [[1.0, 2.0]]}}, r"vectors\['v'\] must have shape \(n, 3\), got \(1, 2\)"),
    ({"vectors": {"v": [1.0, 2.0, 3.0]}}, r"2 dimension\(s\), got shape \(3,\)"),
    ({"vectors": ONE, "labels": {"v": ["a", "b"]}}, r"one text a vector \(1\), got 2"),
    ({"vectors": ONE, "labels": {"w": ["a"]}}, r"labels\['w'\] must hold one text a vector \(0\), got 1"),
    ({"vectors": ONE, "edges": [[0, 1]]}, r"chains of two or more of the tips 0..0, got \[0, 1\]"),
    ({"vectors": ONE, "edges": [[0]]}, "chains of two or more"),
    ({"vectors": ONE, "guide": "cube"}, "guide must be 'sphere', 'axes' or 'none', got 'cube'"),
    ({"vectors": ONE, "radius": 0.0}, "radius must be positive, got 0.0"),
    ({"vectors": ONE, "reach": -1.0}, "reach must be positive, got -1.0"),
    ({"vectors": ONE, "view": (0.0, 91.0)}, r"elevation in -90..90, got \(0.0, 91.0\)"),
]


@pytest.mark.parametrize(("options", "words"), MISTAKES)
def test_mistakes_are_told_by_panel_and_figure(unchecked, options, words):
    with pytest.raises(ValueError, match=words):
        Arrows3D(**options)
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=words):
        arrows_3d(ax, options["vectors"], **{key: value for key, value in options.items() if key != "vectors"})
    plt.close()
