"""The fixture book, built once a session, and a browser to look at it."""

from __future__ import annotations

import os
import shutil
import threading
import time
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
def book(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The fixture book's folder, with its site built: a warning would have been an error.

    Several workers of one run share one build: the first to come makes it, the others wait.
    """
    if worker_id == "master":
        return build_book(tmp_path_factory.mktemp("book"))
    shared = tmp_path_factory.getbasetemp().parent / "book"
    done, failed = shared / ".done", shared / ".failed"
    try:
        shared.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + 300
        while not done.exists():
            if failed.exists() or time.monotonic() > deadline:
                pytest.fail("the fixture book was not built by the worker that set out to; see its error")
            time.sleep(0.1)
        return shared
    try:
        build_book(shared)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return shared


def build_book(root: Path) -> Path:
    build_site(make_book(root))
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

    class Patient(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the browser closed a page before all of it was sent

    with Patient(("127.0.0.1", 0), partial(Quiet, directory=str(html))) as httpd:
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
