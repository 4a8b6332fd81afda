import base64
import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ibkit.show import Bars, HeatMap, Lines, Scatter, explore
from ibkit.show.explorer import module_script, page_script

T = np.geomspace(1, 1e4, 50)
GRID = {"norm": ["max", "spectral"], "power": [0.5, 1.0, 1.5]}


def panels(norm, power):
    lines = {"sign": T**-power, "late": np.where(T < 10, np.nan, power * np.log(T))}
    matrix = np.outer([1, 2, -3], [1, power, len(norm)])
    return [
        Lines(
            series=lines, x=T, xscale="log", title=f"{norm} norm", bands={"sign": (lines["sign"] / 2, lines["sign"])}
        ),
        HeatMap(matrix=matrix, row_labels=["a", "b", "c"]),
        Scatter(
            points={"p": [[power, 1.0]]}, arrows={"w": [[0.0, power], [1.0, 1.0]]}, labels={"w": ["cat", "</script>"]}
        ),
        Bars(values={"sigma": [3.0, power, 0.1]}, note=f"top {power}"),
    ]


def make(compute=panels, grid=GRID, **options):
    return explore(compute, grid, alt="Four panels.", **options)


def read_page(explorer):
    """Read the payload back from the page's form."""
    block = re.search(r'<script type="application/json">(.*?)</script>', explorer.to_html(), re.DOTALL)
    return json.loads(block[1])


def decode(payload, frame, panel, key):
    """One array of one grid point, by an independent reading of the format."""
    floats = np.frombuffer(base64.b64decode(payload["data"]), dtype="<f4")
    starts = np.concatenate([[0], np.cumsum(payload["lengths"])])
    number = payload["frames"][frame][panel][2][payload["panels"][panel]["keys"].index(key)]
    return floats[starts[number] : starts[number + 1]]


def test_what_is_decoded_is_what_was_computed():
    payload = read_page(make())
    points = [(norm, power) for norm in GRID["norm"] for power in GRID["power"]]
    assert len(payload["frames"]) == len(points)
    for number, (norm, power) in enumerate(points):
        expected = panels(norm, power)
        for place, panel in enumerate(expected):
            for key, values in panel.arrays().items():
                np.testing.assert_array_equal(decode(payload, number, place, key), values.astype("f4"))
        assert payload["texts"][payload["frames"][number][0][0]] == f"{norm} norm"
        assert payload["texts"][payload["frames"][number][3][1]] == f"top {power}"


def test_equal_arrays_are_stored_once():
    payload = read_page(make())
    places = {
        frame[0][2][payload["panels"][0]["keys"].index(f"x:{name}")]
        for frame in payload["frames"]
        for name in ("sign", "late")
    }
    assert len(places) == 1
    floats = np.frombuffer(base64.b64decode(payload["data"]), dtype="<f4")
    assert floats.size == sum(payload["lengths"])
    arrays = np.split(floats, np.cumsum(payload["lengths"])[:-1])
    assert len({array.tobytes() for array in arrays}) == len(arrays)


def test_axes_hold_the_whole_grid_unless_free():
    payload = read_page(make())
    limits = {tuple(decode(payload, frame, 3, "limits")) for frame in range(6)}
    assert len(limits) == 1
    assert limits.pop()[2:] == pytest.approx((0, 3.18), rel=1e-6)
    ends = decode(payload, 0, 1, "limits")[2:]
    assert ends.tolist() == [-24.0, 24.0]  # the largest entry over the grid is 3 * len("spectral")

    free = make(lambda power: Bars(values={"s": [power]}, fixed=False), {"power": [1.0, 2.0]})
    payload = read_page(free)
    assert decode(payload, 0, 0, "limits")[3] == pytest.approx(1.06)
    assert decode(payload, 1, 0, "limits")[3] == pytest.approx(2.12)


def test_a_series_keeps_its_colour_and_roles_have_theirs():
    payload = read_page(make(colors={"p": "adam"}))
    assert payload["colors"]["sign"] == 1
    assert payload["colors"]["p"] == 3
    assert payload["colors"]["late"] != 1
    assert payload["colors"]["w"] not in (payload["colors"]["p"], 1)


def test_sliders_know_numbers_logarithms_and_categories():
    grid = {"step": [0.01, 0.1, 1.0], "p": [1, 2, 3], "norm": ["max", "l2"], "q": [1.0, 2.0, np.inf]}
    explorer = make(
        lambda step, p, norm, q: Bars(values={"s": [step]}),
        grid,
        labels={"step": "step size"},
        units={"step": "1/L"},
        formats={"p": "ℓ{}"},
        default={"step": 0.1, "norm": "l2"},
    )
    payload = read_page(explorer)
    assert [p["kind"] for p in payload["parameters"]] == ["log", "numeric", "category", "category"]
    assert payload["parameters"][0]["texts"] == ["0.01 1/L", "0.1 1/L", "1 1/L"]
    assert payload["parameters"][0]["label"] == "step size"
    assert payload["parameters"][1]["texts"] == ["ℓ1", "ℓ2", "ℓ3"]
    assert payload["parameters"][3]["texts"][2] == "∞"
    assert payload["start"] == [1, 0, 1, 0]


def test_both_forms_are_in_the_bundle():
    explorer = make(title="T")
    data, _ = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert data["text/html"] == explorer.to_html()
    assert data["text/html"].startswith('<div class="ibkit-explorer"')
    state = {key: value for key, value in explorer.get_state().items() if key != "_esm"}
    assert len(json.dumps(state, default=str)) < 2000  # the numbers are not in the widget's state too


def test_the_page_form_cannot_be_closed_by_its_data():
    page = make(title='"<b>').to_html()
    assert page.count("</script>") == 1  # its own
    assert '"<b>"' not in page.split("<script")[0]


def picture_of(explorer):
    source = html.unescape(
        re.search(r'<img class="ibx-picture" alt="Four panels." src="([^"]*)"', explorer.to_html())[1]
    )
    return source.split(",", 1)[1].replace("%23", "#").replace("%25", "%")


def test_the_picture_is_well_formed_small_and_the_same_each_time():
    picture = picture_of(make(title="Tiny 100 % & more"))
    root = ElementTree.fromstring(picture)
    assert root.tag.endswith("svg")
    text = "".join(root.itertext())
    assert "norm = max, power = 0.5" in text
    assert "Tiny 100 % & more" in text
    assert len(picture) < 40_000
    assert picture == picture_of(make(title="Tiny 100 % & more"))
    assert picture != picture_of(make(title="Tiny 100 % & more", default={"power": 1.5}))


def test_page_script_is_a_classic_script(tmp_path):
    script = page_script()
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", script)
    source = script.split('"use strict";\n', 1)[1].rsplit("\nmountPage", 1)[0]
    assert module_script() == source + "\nexport default { render };\n"
    if node := shutil.which("node"):
        for name, text in (("page.js", script), ("module.mjs", module_script())):
            (tmp_path / name).write_text(text, encoding="utf-8")
            subprocess.run([node, "--check", str(tmp_path / name)], check=True)


def test_too_heavy_names_what_to_thin_out():
    def heavy(a):
        return [Lines(series={"light": [a, 1.0]}), Lines(series={"noise": np.random.default_rng(a).normal(size=5000)})]

    with pytest.raises(ValueError, match=r"KB, more than limit_kb=100; .*'y:noise' of panel 2 \(lines\).*5000.*20 a"):
        make(heavy, {"a": range(20)}, limit_kb=100)
    make(heavy, {"a": range(2)}, limit_kb=100)


LINE = Lines(series={"s": [1.0, 2.0]})
MISTAKES = {
    "empty grid": (lambda: LINE, {}, {}, ValueError, "grid must hold at least one parameter, got none"),
    "empty values": (lambda a: LINE, {"a": []}, {}, ValueError, r"grid\['a'\] must hold at least one value"),
    "text as values": (lambda a: LINE, {"a": "abc"}, {}, ValueError, r"grid\['a'\] must be a list"),
    "value twice": (lambda a: LINE, {"a": [1, 1]}, {}, ValueError, r"grid\['a'\] must hold each value once"),
    "other argument": (
        lambda b: LINE,
        {"a": [1]},
        {},
        ValueError,
        r"compute\(b\) must take the grid's parameters \(a\)",
    ),
    "one more argument": (lambda a, b: LINE, {"a": [1]}, {}, ValueError, "missing a required argument: 'b'"),
    "default off the grid": (
        lambda a: LINE,
        {"a": [1, 2]},
        {"default": {"a": 3}},
        ValueError,
        r"default\['a'\] .* got 3",
    ),
    "default unknown": (lambda a: LINE, {"a": [1]}, {"default": {"b": 3}}, ValueError, "default names 'b'"),
    "label unknown": (lambda a: LINE, {"a": [1]}, {"labels": {"b": "x"}}, ValueError, "labels names 'b'"),
    "colour unknown": (lambda a: LINE, {"a": [1]}, {"colors": {"t": 1}}, ValueError, "colors names 't'"),
    "colour no role": (lambda a: LINE, {"a": [1]}, {"colors": {"s": "pink"}}, ValueError, "must be a role or a place"),
    "not a panel": (lambda a: 3, {"a": [1]}, {}, RuntimeError, "a=1: TypeError: compute must return panels .* got int"),
    "raises": (lambda a: [LINE][a], {"a": [0, 1]}, {}, RuntimeError, "compute failed at a=1: IndexError"),
    "other kind": (
        lambda a: LINE if a else Bars(values={"s": [1.0]}),
        {"a": [0, 1]},
        {},
        ValueError,
        r"same panels everywhere: \['bars'\] at a=0, \['lines'\] at a=1",
    ),
    "other number": (lambda a: [LINE] * (a + 1), {"a": [0, 1]}, {}, ValueError, "same panels everywhere"),
    "other shape": (
        lambda a: HeatMap(matrix=np.eye(a)),
        {"a": [2, 3]},
        {},
        ValueError,
        r"panel 1 \(heatmap\) must keep its shape over the grid: \[2, 2\] at a=2, \[3, 3\] at a=3",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_one_line(name):
    compute, grid, options, error, words = MISTAKES[name]
    with pytest.raises(error, match=words) as caught:
        make(compute, grid, **options)
    assert "\n" not in str(caught.value)


PANEL_MISTAKES = [
    (lambda: Lines(series={}), "at least one series"),
    (
        lambda: Lines(series={"s": [1, 2]}, x=[1, 2, 3]),
        r"series\['s'\] must have as many values as x, got 2 values for 3",
    ),
    (lambda: Lines(series={"s": [[1, 2]]}), r"1 dimension\(s\), got shape \(1, 2\)"),
    (lambda: Lines(series={"s": ["a"]}), "must be numbers"),
    (lambda: Lines(series={"s": [1]}, yscale="loglog"), "yscale must be 'linear' or 'log', got 'loglog'"),
    (lambda: Lines(series={"s": [1]}, yscale="log", ylim=(0, 1)), "low < high and positive"),
    (lambda: Lines(series={"s": [1]}, bands={"t": ([1], [1])}), "belongs to no series"),
    (lambda: Lines(series={"s": [1]}, x={"t": [1]}), "no positions for series 's'"),
    (lambda: HeatMap(matrix=[1, 2]), r"2 dimension\(s\)"),
    (lambda: HeatMap(matrix=np.eye(2), row_labels=["a"]), "row_labels must name 2 of them, got 1"),
    (lambda: Scatter(), "points, arrows or paths"),
    (lambda: Scatter(points={"p": [[1, 2, 3]]}), r"must have shape \(n, 2\), got \(1, 3\)"),
    (lambda: Scatter(points={"p": [[1, 2]]}, labels={"p": ["a", "b"]}), r"one text a point \(1\), got 2"),
    (lambda: Bars(values={"a": [1], "b": [1, 2]}), "as many values each"),
    (lambda: Bars(values={"a": [1]}, categories=["x", "y"]), "categories must name 1 places, got 2"),
]


@pytest.mark.parametrize(("panel", "words"), PANEL_MISTAKES)
def test_panels_refuse_what_does_not_fit(unchecked, panel, words):
    with pytest.raises(ValueError, match=words):
        panel()


def test_alt_text_is_asked_for():
    with pytest.raises(ValueError, match="alt must say"):
        explore(panels, GRID, alt=" ")


def test_tensors_with_gradients_are_taken():
    torch = pytest.importorskip("torch")
    bars = Bars(values={"s": torch.tensor([1.0, 2.0], requires_grad=True)})
    assert bars.arrays()["y:s"].tolist() == [1.0, 2.0]


def test_the_kernel_answers_on_and_off_the_grid():
    explorer = make()
    assert explorer.answer({"kind": "ready"})["payload"] == explorer.payload
    assert explorer.answer("noise") is None
    reply = explorer.answer({"kind": "compute", "id": "7", "values": {"norm": {"index": 1}, "power": {"value": 0.75}}})
    assert (reply["kind"], reply["id"]) == ("computed", "7")
    packed = {
        "panels": explorer.payload["panels"],
        "frames": [reply["frame"]],
        **{k: reply[k] for k in ("lengths", "data")},
    }
    np.testing.assert_array_equal(decode(packed, 0, 0, "y:sign"), (T**-0.75).astype("f4"))
    np.testing.assert_array_equal(decode(packed, 0, 3, "limits"), decode(explorer.payload, 0, 3, "limits"))
    assert reply["texts"][reply["frame"][0][0]] == "spectral norm"


def test_the_kernel_says_why_it_failed():
    explorer = make(lambda a: Bars(values={"s": [{1.0: 1, 2.0: 2}[a]]}), {"a": [1.0, 2.0]})
    reply = explorer.answer({"kind": "compute", "id": "1", "values": {"a": {"value": 1.5}}})
    assert reply == {"kind": "failed", "id": "1", "error": "KeyError: 1.5"}
    reply = explorer.answer({"kind": "compute", "id": "2", "values": {"a": {"value": 9}}})
    assert reply["error"] == "ValueError: a must lie between 1.0 and 2.0, got 9"
