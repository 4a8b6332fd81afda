"""A real browser for the explorer's tests; each file of them makes its own ``site``: a folder of pages."""

import os
import shutil

import pytest

from ibkit.show.explorer import module_script

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium on this machine; CI must have one")
        pytest.skip("no Chromium on this machine: the explorer is not tested in a browser")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """A page with everything it asked for and complained of."""

    def __init__(self, browser, **options):
        self.page = browser.new_page(**options)
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def frame(self):
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def visit(browser, site):
    visits = []

    def open_page(theme="light", width=1000, **options):
        found = Visit(browser, viewport={"width": width, "height": 800}, **options)
        visits.append(found)
        found.page.goto((site / f"{theme}.html").as_uri())
        return found

    yield open_page
    for found in visits:
        assert found.complaints == []
        assert all(url.startswith(("file:", "data:")) for url in found.requests)
        found.page.close()


def live_page_of(browser, explorer):
    """The widget's module, with the front end's side of the wire played by the page and the kernel by this process."""
    found = Visit(browser, viewport={"width": 1000, "height": 800})
    found.page.goto("about:blank")
    found.page.expose_function("kernel", explorer.answer)
    script = module_script().replace("export default { render };", "window.explorerRender = render;")
    found.page.add_script_tag(content=script, type="module")
    found.page.wait_for_function(
        "typeof window.explorerRender === 'function'"
    )  # a module runs when it is read, not when it is added
    found.page.evaluate(
        """() => {
            const heard = new Set();
            const model = {
                on: (_, hear) => heard.add(hear),
                off: (_, hear) => heard.delete(hear),
                send: (message) => kernel(message).then((answer) => heard.forEach((hear) => hear(answer))),
            };
            explorerRender({ model, el: document.body });
        }"""
    )
    found.page.wait_for_selector(".ibx-stage .ibx-series :is(.ibx-line, .ibx-head)")
    return found


@pytest.fixture
def live_page(browser):
    return lambda explorer: live_page_of(browser, explorer)
