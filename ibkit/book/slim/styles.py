"""Fewer style rules: a rule stays when every class and id that it names stands somewhere on the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ATTRIBUTES = re.compile(r"""\b(?:class|id)=(?:"([^"]*)"|'([^']*)')""")
_NAMED = re.compile(r"[.#](-?[A-Za-z_](?:[\w-]|\\.)*)")
_NOT_NEEDED = re.compile(r":(?:not|is|where|has)\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_HOLDS_RULES = ("@media", "@supports", "@layer", "@container")
# A whole language, every icon's name, and components that no page has: none of these puts a class on a page.
_NO_WORDS = ("searchindex.js", "fontawesome.js", "bootstrap.js")
_SET_BY_SCRIPTS = {"show", "collapse", "collapsing", "collapsed", "fade", "active", "disabled", "dropdown-backdrop"}


def words_in_use(html: Path) -> set[str]:
    """Collect what selectors may refer to: classes and ids of the pages, and every word of the scripts.

    Args:
        html: the site's folder.
    """
    words = set(_SET_BY_SCRIPTS)
    for path in html.rglob("*.html"):
        for first, second in _ATTRIBUTES.findall(path.read_text(encoding="utf-8", errors="ignore")):
            words.update((first or second).split())
        for script in re.findall(r"<script[^>]*>([^<]+)</script>", path.read_text(encoding="utf-8", errors="ignore")):
            words.update(_WORD.findall(script) if "{" not in script[:1] else ())
    for path in html.rglob("*.js"):
        if path.name not in _NO_WORDS:
            words.update(_WORD.findall(path.read_text(encoding="utf-8", errors="ignore")))
    return words


def slim_styles(folder: Path, words: set[str]) -> int:
    """Cut unused rules out of every style sheet.

    Args:
        folder: where the style sheets are, at any depth.
        words: classes and ids in use.

    Returns:
        How many bytes are gone.
    """
    saved = 0
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        slim = slim_sheet(text, words)
        path.write_text(slim, encoding="utf-8")
        saved += len(text) - len(slim)
    return saved


def slim_sheet(css: str, words: set[str]) -> str:
    """Cut the rules out of a style sheet that name a class or id not among ``words``.

    Example:
        >>> slim_sheet(".a{x:1} .b,.a:hover{y:2} @media print{.b{z:3}} p{w:4}", {"a"})
        '.a{x:1}.a:hover{y:2}p{w:4}'
    """
    return "".join(_kept(_COMMENT.sub("", css), words))


def _kept(css: str, words: set[str]) -> Iterator[str]:
    for head, body in _blocks(css):
        if body is None:
            yield f"{head};"
        elif head.startswith(_HOLDS_RULES):
            inner = "".join(_kept(body, words))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            yield f"{head}{{{_tight(body)}}}"
        else:
            selectors = [each for each in _split(head) if _used(each, words)]
            if selectors and body.strip():
                yield f"{','.join(selectors)}{{{_tight(body)}}}"


def _blocks(css: str) -> Iterator[tuple[str, str | None]]:
    """Part a style sheet into statements: what stands before the braces, and what stands in them."""
    start = place = 0
    while place < len(css):
        sign = css[place]
        if sign in "\"'":
            place = _after_string(css, place)
        elif sign == ";":
            if head := css[start:place].strip():
                yield head, None
            place = start = place + 1
        elif sign == "{":
            head, begin, depth = css[start:place].strip(), place + 1, 1
            place += 1
            while place < len(css) and depth:
                if css[place] in "\"'":
                    place = _after_string(css, place)
                    continue
                depth += {"{": 1, "}": -1}.get(css[place], 0)
                place += 1
            yield head, css[begin : place - 1]
            start = place
        else:
            place += 1


def _after_string(css: str, place: int) -> int:
    quote, place = css[place], place + 1
    while place < len(css) and css[place] != quote:
        place += 2 if css[place] == "\\" else 1
    return place + 1


def _split(selectors: str) -> list[str]:
    """Part a list of selectors at its outer commas."""
    parts, depth, last = [], 0, 0
    for place, sign in enumerate(selectors):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append(selectors[last:place].strip())
            last = place + 1
    return [*parts, selectors[last:].strip()]


def _used(selector: str, words: set[str]) -> bool:
    """Tell whether every class and id that must be there for the selector to match is in use."""
    bare = selector
    while (shorter := _NOT_NEEDED.sub("", bare)) != bare:
        bare = shorter
    return all(name.replace("\\", "") in words for name in _NAMED.findall(bare))


def _tight(body: str) -> str:
    return re.sub(r"\s*\n\s*", "", body).strip()


def coloured_tokens(sheet: Path) -> set[str]:
    """List the classes of code that have a look of their own; the others need no element.

    Args:
        sheet: the style sheet of code; a class of the colour that all code has counts as plain.
    """
    if not sheet.is_file():
        return set()
    base: dict[str, str] = {}
    coloured = set()
    for head, body in _blocks(_COMMENT.sub("", sheet.read_text(encoding="utf-8"))):
        theme, _, rest = head.rpartition(".highlight")
        look = (body or "").split(";")[-1].strip() if not rest.strip() else (body or "").strip(" ;")
        if not rest.strip():
            base[theme] = look
        elif look != base.get(theme):
            coloured.update(_NAMED.findall(rest))
    return coloured
