"""Arrows in space in a real browser: what turns them, what turns them back, and what leaves them as they stand."""

import re

import numpy as np
import pytest

from ibkit.show import Arrows3D, Lines, explore
from ibkit.show.arrows import camera
from ibkit.show.explorer import page_script

VIEW = (30.0, 20.0)
PLOT = ".ibx-arrows3d .ibx-plot"


def vectors(size):
    return {"majority": size * np.eye(3)[:2], "minority": np.array([[-0.3, 0.2, 0.4]])}


def compute(size):
    arrows = Arrows3D(
        vectors=vectors(size), labels={"minority": ["m"]}, edges=[[0, 1, 2, 0]], title="Means", view=VIEW, reach=1.0
    )
    return [arrows, Lines(series={"size": [size, 1.0]})]


def make():
    return explore(compute, {"size": [0.5, 0.75, 1.0]}, alt="Arrows.")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "explorer-page.js").write_text(page_script(), encoding="utf-8")
    for theme in ("light", "dark"):
        html = f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>t</title>'
        html += '<meta name="viewport" content="width=device-width"><script src="explorer-page.js"></script>'
        html += f'{make().to_html()}<p style="height:1500px">below</p></html>'
        (folder / f"{theme}.html").write_text(html, encoding="utf-8")
    return folder


def drawn(page):
    """The arrows' tips by series, in the vectors' units: right and up of the origin."""
    arrows = page.locator(f"{PLOT} .ibx-arrow").evaluate_all(
        "nodes => nodes.map(node => [node.dataset.name, ...[...node.children].map(path => path.getAttribute('d'))])"
    )
    box = page.locator(PLOT).bounding_box()
    unit = (min(box["width"], box["height"]) - 30) / 2
    tips = {}
    for name, shaft, head in arrows:
        origin, tip = (np.array([float(x) for x in re.findall(r"-?[\d.]+", path)[:2]]) for path in (shaft, head))
        tips.setdefault(name, []).append((tip - origin) * [1, -1] / unit)
    return {name: np.array(sorted(map(tuple, found))) for name, found in tips.items()}


def shows(page, view, size):
    found = drawn(page)
    return all(
        np.allclose(found[name], sorted(map(tuple, (array @ camera(view).T)[:, :2])), atol=0.003)
        for name, array in vectors(size).items()
    )


def drag(found, right, down):
    box = found.page.locator(PLOT).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    found.page.mouse.move(x, y)
    found.page.mouse.down()
    found.page.mouse.move(x + right / 2, y + down / 2)
    found.page.mouse.move(x + right, y + down)
    found.page.mouse.up()
    found.frame()


def test_a_drag_turns_what_is_drawn_and_sliders_leave_it_turned(visit):
    found = visit()
    assert shows(found.page, VIEW, 0.5)
    drag(found, 60, -40)
    assert shows(found.page, (VIEW[0] - 30, VIEW[1] - 20), 0.5)
    found.page.get_by_role("slider", name="size").press("End")
    found.frame()
    assert shows(found.page, (VIEW[0] - 30, VIEW[1] - 20), 1.0)
    drag(found, 0, 700)  # not over the pole
    assert shows(found.page, (VIEW[0] - 30, 90), 1.0)
    found.page.get_by_role("button", name="Reset").click()
    found.frame()
    assert shows(found.page, VIEW, 0.5)


def test_keys_turn_it_and_home_or_a_double_click_turns_it_back(visit):
    found = visit("dark")
    plot = found.page.locator(PLOT)
    label = plot.get_attribute("aria-label")
    assert label.startswith("Means: arrows")
    assert "Arrow keys turn the drawing" in label
    plot.focus()
    for key, view in (("ArrowRight", (20, 20)), ("ArrowUp", (20, 10)), ("ArrowLeft", (30, 10)), ("ArrowDown", VIEW)):
        plot.press(key)
        found.frame()
        assert shows(found.page, view, 0.5), key
    plot.press("ArrowLeft")
    assert "40 degrees round" in found.page.locator(".ibx-arrows3d .ibx-spoken").inner_text()
    plot.press("Home")
    found.frame()
    assert shows(found.page, VIEW, 0.5)
    plot.press("ArrowLeft")
    plot.dblclick()
    found.frame()
    assert shows(found.page, VIEW, 0.5)


def test_arrows_are_read_by_pointer_and_keys_also_while_they_turn(visit):
    found = visit()
    plot, tip = found.page.locator(PLOT), found.page.locator(".ibx-arrows3d .ibx-tip")
    plot.press("PageDown")
    plot.press("PageDown")
    plot.press("PageDown")
    assert tip.inner_text().split("\n")[0] == "m"
    assert "(−0.3, 0.2, 0.4)" in tip.inner_text()
    before = tip.bounding_box()
    plot.press("ArrowLeft")
    found.frame()
    assert tip.bounding_box() != before
    plot.press("Escape")
    assert not tip.is_visible()


def test_a_hidden_series_takes_its_edges_with_it(visit):
    found = visit()
    assert found.page.locator(f"{PLOT} .ibx-edge").count() == 3
    found.page.get_by_role("button", name="minority").click()
    found.frame()
    assert found.page.locator(f"{PLOT} .ibx-edge").count() == 1
    assert set(drawn(found.page)) == {"majority"}


def test_the_far_arrows_are_drawn_first_and_paler(visit):
    page = visit().page
    fades = page.locator(f"{PLOT} .ibx-arrow").evaluate_all(
        "nodes => nodes.map(node => Number(node.style.getPropertyValue('--f').replace('%', '')))"
    )
    assert fades == sorted(fades)
    assert fades[0] < fades[-1]


def swipe(page, right, down):
    """A finger, by the browser's own input pipeline: it decides itself what scrolls."""
    box = page.locator(PLOT).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    wire = page.context.new_cdp_session(page)
    wire.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        at = {"x": x + right * step / 8, "y": y + down * step / 8}
        wire.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(150)


def test_a_finger_turns_it_sideways_and_scrolls_the_page_up_and_down(visit):
    page = visit(width=390, has_touch=True).page
    page.locator(PLOT).scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    swipe(page, 80, 0)
    assert page.evaluate("scrollY") == place
    assert not shows(page, VIEW, 0.5)
    turned = drawn(page)
    swipe(page, 0, -120)
    assert page.evaluate("scrollY") > place + 50
    for name, tips in drawn(page).items():
        np.testing.assert_array_equal(tips, turned[name])


def test_with_a_kernel_it_turns_alike(live_page):
    found = live_page(make())
    plot = found.page.locator(PLOT)
    plot.press("ArrowRight")
    found.frame()
    assert shows(found.page, (20, 20), 0.5)
    found.page.get_by_role("slider", name="size").press("End")
    found.frame()
    assert shows(found.page, (20, 20), 1.0)
    assert found.complaints == []
    found.page.close()
