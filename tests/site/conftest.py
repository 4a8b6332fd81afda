"""The fixture book, built once a session, and a browser to look at it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fixture_book import make_book

from ibkit.book.site import build_site

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture book's folder, with its site built: a warning would have been an error."""
    root = make_book(tmp_path_factory.mktemp("book"))
    build_site(root)
    return root


@pytest.fixture(scope="session")
def html(book: Path) -> Path:
    """The built site."""
    return book / "_build" / "html"


@pytest.fixture(scope="session")
def server(html: Path) -> Iterator[str]:
    """The site's address on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(html))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()
        thread.join()


@pytest.fixture(scope="module")  # other tests count the processes that are left over
def browser() -> Iterator[object]:
    """The system's Chromium, driven by Playwright; its absence is a failure on continuous integration only."""
    found = os.environ.get("IBKIT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        message = f"no browser found (looked for {', '.join(BROWSERS)} and the variable IBKIT_CHROMIUM)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()
