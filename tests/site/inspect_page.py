"""What a reader's browser makes of a page: what it loads, complains of, draws, and lets one do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KNOWN_ERRORS = ("THEBE_JS_URL has already been declared",)
AXE = Path(__file__).parent / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

MATHEMATICS = """() => {
  const formulas = [...document.querySelectorAll('span.math, div.math')];
  const whole = (formula) => {
    const math = formula.querySelector('math');
    return math && math.getBoundingClientRect().width > 0 && math.getBoundingClientRect().height > 0;
  };
  const shown = formulas.filter((formula) => formula.checkVisibility());
  return {
    formulas: formulas.length,
    typeset: formulas.filter((formula) => formula.querySelector('math')).length,
    drawn: shown.every(whole),
    errors: document.querySelectorAll('merror, .temml-error').length,
    left: (document.querySelector('article')?.innerText.match(/\\\\[([]/g) || []).length,
  };
}"""
# Moves the sliders of an explorer one after the other, until a picture changes; gives the panels before and after.
PANELS = "root => [...root.querySelectorAll('.ibx-panel')].map(panel => panel.innerHTML).join('|')"
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


@dataclass
class Seen:
    """What was found on a page."""

    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    mathematics: dict[str, Any] = field(default_factory=dict)
    overflow: int = 0
    theme: str = ""
    explorers: int = 0
    dead: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def complaints(self, base: str) -> list[str]:
        """Everything that a published page must not have, in words."""
        outside = [url for url in self.requests if not url.startswith((base, "data:", "blob:", "about:"))]
        found = [f"leaves the site: {url}" for url in outside] + self.problems + self.dead + self.violations
        formulas = self.mathematics
        if formulas["typeset"] != formulas["formulas"] or formulas["errors"] or formulas["left"]:
            found.append(f"mathematics is not typeset: {formulas}")
        if not formulas["drawn"]:
            found.append("a formula takes no room")
        if self.overflow > 0:
            found.append(f"{self.overflow} pixels hang over the right edge")
        return found


def open_page(browser: Any, address: str, width: int = 1280, dark: bool = False, **options: Any) -> tuple[Any, Seen]:
    """Open an address in a context of its own.

    Returns:
        The tab, and what it asks for and complains of, which goes on being filled.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
    if dark:
        context.add_init_script("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    tab, seen = context.new_page(), Seen()
    tab.on("request", lambda request: seen.requests.append(request.url))
    tab.on("requestfailed", lambda request: seen.problems.append(f"not loaded: {request.url}"))
    tab.on("response", lambda response: seen.problems.append(response.url) if response.status >= 400 else None)
    tab.on("pageerror", lambda error: _note(seen, str(error)))
    tab.on("console", lambda line: _note(seen, line.text) if line.type == "error" else None)
    tab.goto(address)
    return tab, seen


def _note(seen: Seen, text: str) -> None:
    if not any(known in text for known in KNOWN_ERRORS):
        seen.problems.append(text)


def inspect(
    browser: Any, address: str, width: int = 1280, dark: bool = False, play: bool = True, axe: bool = True
) -> Seen:
    """Load a page, look at it, play with its explorers by keyboard, and have axe-core judge it.

    Args:
        browser: Playwright's.
        address: the page's.
        width: of the window, in pixels.
        dark: whether the reader prefers the dark.
        play: whether to move the explorers' sliders.
        axe: whether to look for barriers; axe-core is put into the page, and asks for nothing itself.
    """
    tab, seen = open_page(browser, address, width, dark)
    tab.evaluate(FRAMES)
    seen.mathematics = tab.evaluate(MATHEMATICS)
    seen.overflow = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    seen.theme = tab.evaluate("document.documentElement.dataset.theme || ''")
    explorers = tab.locator(".ibkit-explorer")
    seen.explorers = explorers.count()
    if play:
        seen.dead = [words for place in range(seen.explorers) if (words := _dead(tab, explorers.nth(place)))]
    if axe:
        seen.violations = violations(tab)
    tab.wait_for_timeout(30)  # for requests that scripts start once the page stands
    tab.context.close()
    return seen


def _dead(tab: Any, explorer: Any) -> str | None:
    """Move every slider by keyboard and back; say so if no panel is drawn anew."""
    name = explorer.get_attribute("aria-label") or "an explorer"
    sliders = explorer.locator("input[type=range]:enabled")
    if not sliders.count():
        return f"{name}: it has no slider"
    before = explorer.evaluate(PANELS)
    for place in range(sliders.count()):
        slider = sliders.nth(place)
        value = slider.input_value()
        slider.press("ArrowRight")
        if slider.input_value() == value:
            slider.press("ArrowLeft")
        if slider.input_value() == value:
            return f"{name}: a slider does not move by keyboard"
        tab.evaluate(FRAMES)
        if explorer.evaluate(PANELS) != before:
            return None
    return f"{name}: nothing is drawn anew when its sliders move"


def violations(tab: Any) -> list[str]:
    """Have axe-core judge the page by WCAG 2.1, levels A and AA."""
    if not tab.evaluate("typeof window.axe === 'object'"):
        tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(
        "rules => axe.run(document, "
        "{runOnly: {type: 'tag', values: rules}, resultTypes: ['violations'], preload: false})"
        ".then(result => result.violations.map(v => [v.id, v.help, v.nodes.map(n => n.target.join(' ') + ' ' + "
        "(n.any[0]?.message || n.all[0]?.message || n.none[0]?.message || ''))]))",
        RULES,
    )
    return [f"axe {rule}: {words}: {'; '.join(nodes[:4])} ({len(nodes)})" for rule, words, nodes in found]
