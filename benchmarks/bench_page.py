"""A chapter's page: what it loads, how soon its explorer answers, how fast it redraws; beside the stock recipe's page.

The stock recipe is html-manager and MathJax from the same server, with the same text and formulas and one slider.
"Loaded" counts whole files as they lie on the server, without compression; the compressed size is given beside it.
Needs a built site (``make book``) and Chromium; the stock page also needs npm, and is left out without it.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from stock_page import fetch_packages, write_page
from timing import report

from ibkit.show import Lines, explore
from ibkit.show.explorer import page_script

ROOT = Path(__file__).resolve().parents[1]
SITE, WORK = ROOT / "_build" / "html", ROOT / "_build" / "bench"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ACTIVE = (".js", ".woff", ".woff2")
ROUNDS = 7

# Runs in the page from its first moment: as soon as a slider stands, moves it, and notes when the page has followed.
ANSWER = """(() => {
  const start = () => {
    const ours = document.querySelector('.ibkit-explorer[data-mounted] input[type=range]');
    const stock = document.querySelector('.widget-readout');
    if (ours) {
      const panel = document.querySelector('.ibkit-explorer .ibx-panel');
      const before = panel.innerHTML;
      ours.value = Number(ours.value) ? 0 : 1;
      ours.dispatchEvent(new Event('input', {bubbles: true}));
      return wait(() => panel.innerHTML !== before);
    }
    if (stock) {
      const handle = document.querySelector('.noUi-handle');
      const before = stock.textContent;
      handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
      return wait(() => stock.textContent !== before);
    }
    setTimeout(start, 4);
  };
  const wait = (done) => (done() ? (window.answered = performance.now()) : setTimeout(() => wait(done), 2));
  addEventListener('DOMContentLoaded', start);
})();"""
# From the start of the frame that draws to after its paint, for every step of the first slider, there and back.
REDRAW = """async () => {
  const input = document.querySelector('.ibkit-explorer input[type=range]');
  const panels = document.querySelector('.ibx-grid-of-panels');
  const times = [];
  let last = '';
  for (let step = 0; step < 120; step++) {
    const place = step % (2 * input.max);
    input.value = place <= input.max ? place : 2 * input.max - place;
    times.push(await new Promise((done) => {
      requestAnimationFrame(() => {
        const begun = performance.now();
        const after = new MessageChannel();
        after.port1.onmessage = () => done(performance.now() - begun);
        after.port2.postMessage(0);
      });
      input.dispatchEvent(new Event('input', {bubbles: true}));
    }));
    if (panels.innerHTML === last) throw new Error('a step drew nothing anew');
    last = panels.innerHTML;
  }
  return times.slice(10);
}"""


class Server:
    """A folder on a port of this machine."""

    def __init__(self, folder: Path) -> None:
        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

        self.folder = folder
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        self.http.handle_error = lambda request, address: None  # type: ignore[method-assign]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.http.server_port}/"


def weigh(browser: Any, server: Server, page: str) -> dict[str, float]:
    """Sum up what a page loads when it is read to its end, in kB of 1000 bytes."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    sizes: dict[str, bytes] = {}
    tab.on("response", lambda answer: sizes.__setitem__(answer.url.split("?")[0], answer.body()))
    tab.goto(server.address + page, wait_until="networkidle")
    tab.evaluate(
        "async () => { for (let y = 0; y < document.body.scrollHeight; y += 800) "
        "{ scrollTo(0, y); await new Promise(done => setTimeout(done, 15)); } }"
    )
    tab.wait_for_timeout(500)
    tab.close()
    packed = sum(
        len(body) if url.endswith((".png", ".woff", ".woff2")) else len(gzip.compress(body, 6))
        for url, body in sizes.items()
    )
    return {
        "all": sum(map(len, sizes.values())) / 1000,
        "scripts and fonts": sum(len(body) for url, body in sizes.items() if url.endswith(ACTIVE)) / 1000,
        "compressed": packed / 1000,
    }


def answer_times(browser: Any, pages: dict[str, str]) -> dict[str, float]:
    """Median milliseconds from navigation to the first answer of a slider, each visit with an empty cache, in turn."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, address in pages.items():
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.add_init_script(ANSWER)
            tab = context.new_page()
            tab.goto(address, wait_until="commit")
            tab.wait_for_function("window.answered", timeout=60_000)
            times[name].append(tab.evaluate("window.answered"))
            context.close()
    return {name: statistics.median(values) for name, values in times.items()}


def redraw_times(browser: Any, folder: Path) -> list[float]:
    """Milliseconds of every step with four panels of five lines of 200 points."""
    t = np.linspace(0, 10, 200)

    def compute(step: float) -> list[Lines]:
        return [
            Lines(series={f"line {j}": np.sin(step * t + i + j) for j in range(5)}, x=t, title=f"panel {i}")
            for i in range(4)
        ]

    explorer = explore(compute, {"step": list(np.linspace(0.5, 2, 13))}, alt="Waves.", title="Waves", limit_kb=1000)
    html = f'<!DOCTYPE html><html lang="en"><script>{page_script()}</script><body>{explorer.to_html()}</body></html>'
    page = folder / "redraw.html"
    page.write_text(html, encoding="utf-8")
    tab = browser.new_page(viewport={"width": 1280, "height": 1100})
    tab.goto(page.as_uri())
    tab.wait_for_selector(".ibkit-explorer[data-mounted]")
    times = tab.evaluate(REDRAW)
    tab.close()
    return times


def main() -> int:
    chapters = sorted(
        path.relative_to(SITE).as_posix() for path in SITE.glob("chapters/*/*.html") if path.name != "index.html"
    )
    found = os.environ.get("IBKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chapters or not found:
        print("bench_page: needs a built site (make book) and Chromium; left out")
        return 0
    from playwright.sync_api import sync_playwright

    WORK.mkdir(parents=True, exist_ok=True)
    kept = True
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        site = Server(SITE)
        weights = {chapter: weigh(browser, site, chapter) for chapter in chapters}
        heaviest = max(chapters, key=lambda chapter: weights[chapter]["all"])
        for chapter in chapters:
            print(f"{chapter}: " + ", ".join(f"{name} {kb:.0f} kB" for name, kb in weights[chapter].items()))
        kept &= report("heaviest chapter, all that it loads, MB", weights[heaviest]["all"] / 1000, 1.0)
        kept &= report(
            "most scripts and fonts of a chapter, MB", max(w["scripts and fonts"] for w in weights.values()) / 1000, 0.5
        )
        pages = {"book": site.address + heaviest}
        stock = WORK / "stock"
        if fetch_packages(stock):
            write_page(SITE / "_sources" / heaviest.replace(".html", ".ipynb"), stock)
            server = Server(stock)
            pages["stock"] = server.address + "index.html"
            weight = weigh(browser, server, "index.html")
            print("stock recipe: " + ", ".join(f"{name} {kb:.0f} kB" for name, kb in weight.items()))
            kept &= report(
                "loaded, over the stock recipe (without its pictures)", weights[heaviest]["all"] / weight["all"], 1
            )
        else:
            print("the stock recipe needs npm; left out")
        times = answer_times(browser, pages)
        print(", ".join(f"{name} answers after {ms:.0f} ms" for name, ms in times.items()))
        kept &= report("explorer's first answer, seconds after navigation", times["book"] / 1000, 1.0)
        if "stock" in times:
            kept &= report("first answer, over the stock recipe", times["book"] / times["stock"], 1.0)
        steps = redraw_times(browser, WORK)
        print(
            f"redraw: median {statistics.median(steps):.1f} ms, slowest tenth above "
            f"{statistics.quantiles(steps, n=10)[-1]:.1f} ms"
        )
        kept &= report(
            "redraw of four panels of five lines of 200 points, in frames of 16 ms", statistics.median(steps) / 16, 1.0
        )
        browser.close()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
