"""The live side: a chapter opened in JupyterLab itself, run, and its explorer asked for a value off the grid."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixture_book import REPOSITORY, code, markdown
from inspect_page import open_page

from ibkit.book.notebook import read_notebook
from ibkit.book.parameters import bind_parameters, read_parameters, resolve_parameters

CHAPTER = """
import numpy as np

from ibkit.show import Lines, explore

asked = []


def compute(rate, power):
    asked.append(rate)
    t = np.arange(1, 40)
    return Lines(series={"loss": np.exp(-rate * t) * power}, x=t, xlabel="step", ylabel="loss", note=f"rate {rate:.4f}")


explore(compute, {"rate": [0.1, 0.2, 0.4], "power": [1, 2]}, formats={"rate": "{:.3f}"}, title="Decay", alt="It falls.")
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab on this machine alone, at a folder with one notebook; gives its address."""
    home = tmp_path_factory.mktemp("laboratory")
    cells = [markdown("# A chapter"), code(CHAPTER)]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    work = home / "work"
    work.mkdir()
    (work / "chapter.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (work / "imbalance-seli.ipynb").write_text(json.dumps(_of_the_book("collapse/imbalance-seli")), encoding="utf-8")
    settings = home / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # All cells stay on the page, whether they are in sight or not.
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}', encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    environment |= {
        name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    environment |= {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={work}", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = home / "log"
    with log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=work)
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(timeout=20)


def _of_the_book(chapter: str) -> dict[str, Any]:
    """Give a chapter of the book itself, at the tiny sizes of its dry profile."""
    notebook = read_notebook(REPOSITORY / "chapters" / f"{chapter}.ipynb")
    values = resolve_parameters(read_parameters(notebook, chapter), {"profile": "dry"}, chapter)
    return bind_parameters(notebook, values, chapter)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8")
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/lab", text):
            return f"http://127.0.0.1:{found[1]}/"
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


def _run_all(browser: Any, address: str, name: str) -> tuple[Any, Any, Any]:
    """Open a notebook in JupyterLab and run it; gives the tab, the explorer of that name and its first slider."""
    from playwright.sync_api import TimeoutError

    tab, _ = open_page(browser, address)
    tab.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    tab.wait_for_selector(".jp-NotebookPanel-toolbar [data-status=idle]", timeout=60_000)
    explorer = tab.locator(f".ibkit-explorer[aria-label='{name}']")
    slider = explorer.locator("input[type=range]").first
    choice = tab.locator(".jp-Dialog button.jp-mod-accept")
    for _ in range(4):
        tab.get_by_role("menuitem", name="Run", exact=True).click()
        tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            slider.or_(choice).first.wait_for(timeout=75_000)  # a whole chapter, on a busy machine
        except TimeoutError:
            continue
        if not choice.is_visible():
            break
        choice.click()  # it asks for a kernel when one is still starting, and then forgets to run
        tab.wait_for_timeout(2000)
    slider.wait_for(timeout=75_000)
    return tab, explorer, slider


def test_a_notebook_runs_and_its_explorer_answers_off_the_grid(browser: Any, laboratory: str) -> None:
    tab, explorer, slider = _run_all(browser, f"{laboratory}lab/tree/chapter.ipynb?reset", "Decay")
    note = explorer.locator(".ibx-note")
    assert note.inner_text() == "rate 0.1000"
    for _ in range(5):
        slider.press("ArrowRight")
    tab.wait_for_function(
        "() => document.querySelector('.ibkit-explorer .ibx-note')?.textContent === 'rate 0.1414'", timeout=20_000
    )
    assert slider.get_attribute("aria-valuetext") == "0.141"
    slider.press("End")
    tab.wait_for_function("() => document.querySelector('.ibkit-explorer .ibx-note').textContent === 'rate 0.4000'")
    assert tab.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    tab.context.close()


def test_a_chapter_of_the_book_runs_and_its_explorer_answers_off_the_grid(browser: Any, laboratory: str) -> None:
    address = f"{laboratory}lab/tree/imbalance-seli.ipynb?reset"
    tab, explorer, slider = _run_all(browser, address, "The geometry of four classes")
    cells = explorer.locator(".ibx-heatmap text")
    before, at = cells.all_text_contents(), slider.get_attribute("aria-valuetext")
    slider.press("ArrowRight")  # with a kernel a step is finer than the grid's
    tab.wait_for_function(
        "([name, old]) => [...document.querySelectorAll(`.ibkit-explorer[aria-label='${name}'] .ibx-heatmap text`)]"
        ".map((cell) => cell.textContent).join() !== old",
        arg=["The geometry of four classes", ",".join(before)],
        timeout=20_000,
    )
    shown = float(slider.get_attribute("aria-valuetext"))
    grid = [10 ** (3 * place / 12) for place in range(13)]
    assert str(shown) != at
    assert min(abs(shown / value - 1) for value in grid) > 0.01, "the value must lie between those of the grid"
    assert tab.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    tab.context.close()
