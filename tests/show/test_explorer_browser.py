"""The explorer in a real browser: a page opened from the file system, and the widget with a kernel behind it."""

import re
import time

import numpy as np
import pytest

from ibkit.show import Bars, HeatMap, Lines, Scatter, explore
from ibkit.show.explorer import page_script

X = np.linspace(0, 10, 41)


def curve(power, scale):
    return scale * np.cos(power * X / 4)


def compute(power, scale, norm):
    return [
        Lines(
            series={"wave": curve(power, scale), "flat": 0 * X + scale / 4},
            x=X,
            title="Waves",
            xlabel="time",
            ylabel="height",
        ),
        HeatMap(matrix=np.outer([1, -power], [scale, 2]), row_labels=["u", "v"], title="Outer product"),
        Scatter(points={"now": [[power, scale]]}, labels={"now": [norm]}, title="Where"),
        Bars(values={"σ": [power, scale]}, title="Spectrum"),
    ]


def make(**options):
    grid = {"power": [1.0, 2.0, 4.0], "scale": [1.0, 2.0], "norm": ["max", "spectral"]}
    return explore(
        compute, grid, labels={"power": "power p"}, units={"power": "1/s"}, title="Waves", alt="Waves.", **options
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "explorer-page.js").write_text(page_script(), encoding="utf-8")
    html = '<!doctype html><html lang="en" data-theme="{}"><meta charset="utf-8"><title>t</title>'
    html += '<meta name="viewport" content="width=device-width"><script src="explorer-page.js"></script>{}</html>'
    for theme in ("light", "dark"):
        (folder / f"{theme}.html").write_text(html.format(theme, make().to_html()), encoding="utf-8")
    return folder


def drawn(page, name):
    """The points of a curve in the units of its axes, read off the path by way of the ticks alone."""
    ends = {}
    for axis, part in (("x", 0), ("y", 1)):
        ticks = page.locator(f".ibx-lines .ibx-tick[data-axis={axis}]").evaluate_all(
            "nodes => nodes.map(node => [Number(node.dataset.value), node.getAttribute('transform')])"
        )
        values = [value for value, _ in ticks]
        pixels = [float(re.findall(r"-?[\d.]+", transform)[part]) for _, transform in ticks]
        ends[axis] = np.polyfit(pixels, values, 1)
    path = page.locator(f".ibx-lines .ibx-series[data-name={name}] .ibx-line").get_attribute("d")
    places = np.array([[float(number) for number in pair.split(",")] for pair in re.split("[ML]", path)[1:]])
    return np.column_stack([np.polyval(ends["x"], places[:, 0]), np.polyval(ends["y"], places[:, 1])])


def check_curve(page, power, scale):
    np.testing.assert_allclose(drawn(page, "wave"), np.column_stack([X, curve(power, scale)]), atol=0.02)


def test_a_slider_moved_by_keyboard_draws_the_next_grid_point(visit):
    found = visit()
    page = found.page
    check_curve(page, 1.0, 1.0)
    slider = page.get_by_label("power p", exact=True)
    assert slider.get_attribute("aria-valuetext") == "1 1/s"
    slider.focus()
    page.keyboard.press("ArrowRight")
    found.frame()
    check_curve(page, 2.0, 1.0)
    assert slider.get_attribute("aria-valuetext") == "2 1/s"
    page.get_by_role("slider", name="scale").focus()
    page.keyboard.press("End")
    found.frame()
    check_curve(page, 2.0, 2.0)
    assert page.locator(".ibx-heatmap .ibx-cells text").all_text_contents() == ["2.00", "2.00", "−4.00", "−4.00"]
    page.get_by_role("slider", name="norm").press("ArrowRight")
    found.frame()
    assert page.locator(".ibx-scatter .ibx-word").all_text_contents() == ["spectral"]
    page.get_by_role("button", name="Reset").click()
    found.frame()
    check_curve(page, 1.0, 1.0)


def test_the_legend_hides_and_shows_a_series(visit):
    found = visit()
    key = found.page.get_by_role("button", name="wave")
    line = found.page.locator(".ibx-lines .ibx-series[data-name=wave]")
    assert line.is_visible()
    key.click()
    assert key.get_attribute("aria-pressed") == "false"
    assert not line.is_visible()
    key.press("Enter")
    assert line.is_visible()


def test_values_are_read_by_pointer_and_keyboard(visit):
    page = visit().page
    plot = page.locator(".ibx-lines .ibx-plot")
    plot.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    tip = page.locator(".ibx-lines .ibx-tip")
    assert tip.inner_text().split("\n")[0] == "time: 0.25"
    assert f"{np.cos(1 / 16):.4g}" in tip.inner_text()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    cell = page.locator(".ibx-heatmap .ibx-cell").nth(3).bounding_box()
    page.mouse.move(cell["x"] + 5, cell["y"] + 5)
    assert page.locator(".ibx-heatmap .ibx-tip").inner_text().split() == ["v,", "2", "−2"]


def test_play_walks_through_the_values_unless_motion_is_unwanted(visit):
    page = visit().page
    page.get_by_role("button", name="Play power p").click()
    page.wait_for_function("document.querySelector('input').value === '2'", timeout=5000)
    still = visit(reduced_motion="reduce").page
    assert still.locator(".ibx-play").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_sees_it_whole(visit, theme):
    page = visit(theme, width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    widths = page.locator(".ibx-panel").evaluate_all("nodes => nodes.map(node => node.getBoundingClientRect().left)")
    assert len(set(widths)) == 1  # one column
    ground = page.locator(".ibkit-explorer").evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 30)"}[theme]


def test_without_scripts_and_in_print_there_is_the_picture(visit):
    page = visit(java_script_enabled=False).page
    assert page.locator("img.ibx-picture").bounding_box()["width"] > 300
    page = visit().page
    picture = page.locator("img.ibx-picture")
    assert not picture.is_visible()
    assert picture.evaluate("node => node.decode().then(() => node.naturalWidth)") > 300
    page.emulate_media(media="print")
    assert picture.is_visible()
    assert not page.locator(".ibx-body").is_visible()


def wait_for_curve(page, power, scale):
    deadline = time.monotonic() + 5
    while not np.allclose(drawn(page, "wave")[:, 1], curve(power, scale), atol=0.02) and time.monotonic() < deadline:
        page.wait_for_timeout(30)
    check_curve(page, power, scale)


def test_with_a_kernel_values_between_the_grid_are_computed(live_page):
    found = live_page(make())
    page = found.page
    slider = page.get_by_label("power p", exact=True)
    for _ in range(5):
        slider.press("ArrowRight")
    wait_for_curve(page, 1.5 if slider.get_attribute("aria-valuetext") == "1.5 1/s" else np.sqrt(2), 1.0)
    assert slider.get_attribute("aria-valuetext") in ("1.5 1/s", "1.414 1/s")
    for _ in range(5):
        slider.press("ArrowRight")
    wait_for_curve(page, 2.0, 1.0)
    norm = page.get_by_role("slider", name="norm")
    norm.press("ArrowRight")
    assert norm.get_attribute("aria-valuetext") == "spectral"  # nothing between two categories
    assert found.complaints == []
    page.close()


def test_values_off_the_grid_are_written_as_the_author_writes_them(live_page):
    found = live_page(make(formats={"power": "{:.3f}"}))
    slider = found.page.get_by_label("power p", exact=True)
    for _ in range(5):
        slider.press("ArrowRight")
    found.page.wait_for_function("document.querySelector('output').textContent === '1.414 1/s'", timeout=5000)
    assert slider.get_attribute("aria-valuetext") == "1.414 1/s"
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "1.000 1/s"
    found.page.close()


def test_on_a_phone_the_sliders_stay_in_sight(visit):
    page = visit(width=390).page
    page.locator(".ibx-panel").last.scroll_into_view_if_needed()
    box = page.locator(".ibx-controls").bounding_box()
    assert 0 <= box["y"] < 20


def test_with_a_kernel_errors_are_told(live_page):
    explorer = explore(lambda a: Lines(series={"s": [{1.0: 1, 2.0: 2}[a], 3]}), {"a": [1.0, 2.0]}, alt="A line.")
    found = live_page(explorer)
    found.page.get_by_label("a", exact=True).press("ArrowRight")
    found.page.wait_for_selector(".ibx-status[data-kind=error]")
    assert found.page.locator(".ibx-status").inner_text() == "KeyError: 1.1"
    found.page.close()


def test_without_live_the_sliders_stay_on_the_grid(live_page):
    found = live_page(make(live=False))
    slider = found.page.get_by_label("power p", exact=True)
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "2 1/s"
    found.page.close()


def test_its_keys_do_not_turn_the_books_pages(visit):
    page = visit().page
    page.evaluate("document.addEventListener('keydown', () => (window.leaked = true))")
    page.get_by_role("slider", name="norm").press("ArrowRight")
    page.locator(".ibx-bars .ibx-plot").press("ArrowRight")
    assert page.evaluate("window.leaked") is None
