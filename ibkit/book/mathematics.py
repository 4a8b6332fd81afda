r"""Mathematics, typeset when the book is built: TeX becomes MathML, which browsers draw themselves.

No script and no picture goes to the reader: a formula is text in the page, read aloud by screen readers, copied,
printed, and there at once. The translator is Temml (``temml/temml.min.js``), run by an embedded JavaScript engine; the
font's glyphs are in ``_assets/math``. What Temml cannot read is a warning, and so stops the build.
"""

from __future__ import annotations

import html
import json
import re
from functools import cache
from importlib import resources
from typing import Any

INLINE = '<span class="math notranslate nohighlight">\\({}\\)</span>'
_MARKED = re.compile(r'(<span class="math notranslate nohighlight">)\\\((.*?)\\\)</span>', re.DOTALL)
_NUMBERED = re.compile(r"\\(begin|end)\{(align|gather|equation|multline|alignat)\}")


class MathError(ValueError):
    """A formula that cannot be read; the message quotes it."""


class Typesetter:
    r"""Turns TeX into MathML, each formula once.

    Args:
        macros: replacements by command, such as ``{"R": "\\mathbb{R}"}``.

    Example:
        >>> Typesetter().inline("x_i")
        '<math><msub><mi>x</mi><mi>i</mi></msub></math>'
        >>> Typesetter().inline(r"\frac{1}{")
        Traceback (most recent call last):
        ...
        ibkit.book.mathematics.MathError: cannot typeset '\\frac{1}{': ...
    """

    def __init__(self, macros: dict[str, str] | None = None) -> None:
        self._macros = {f"\\{name}": text for name, text in (macros or {}).items()}
        self._known: dict[tuple[str, bool], str] = {}

    def inline(self, tex: str) -> str:
        """Typeset a formula that stands in a sentence."""
        return self._typeset(tex, display=False)

    def display(self, tex: str) -> str:
        r"""Typeset a formula on a line of its own; blank lines and ``\\`` part it into several."""
        return self._typeset(_as_lines(tex), display=True)

    def page(self, text: str) -> str:
        r"""Typeset the formulas that generated HTML marks as ``<span class="math ...">\(...\)</span>``."""
        return _MARKED.sub(lambda match: f"{match[1]}{self.inline(html.unescape(match[2]))}</span>", text)

    def _typeset(self, tex: str, display: bool) -> str:
        key = (tex, display)
        if key not in self._known:
            options = {"displayMode": display, "macros": self._macros, "throwOnError": True, "trust": False}
            try:
                mathml = _engine().eval(f"typeset({json.dumps(tex)}, {json.dumps(options)})")
            except Exception as error:  # the engine's own kinds of error are no part of its interface
                raise MathError(f"cannot typeset {tex!r}: {_reason(error)}") from None
            # Brackets of a chosen size have no form, and browsers then space them like relations.
            self._known[key] = mathml.replace(' minsize="', ' lspace="0em" rspace="0em" minsize="')
        return self._known[key]


@cache
def _engine() -> Any:
    """Start the JavaScript engine with Temml in it, once a process."""
    from py_mini_racer import MiniRacer

    engine = MiniRacer()
    engine.eval(resources.files("ibkit.book").joinpath("temml", "temml.min.js").read_text(encoding="utf-8"))
    engine.eval("const typeset = (tex, options) => temml.renderToString(tex, options);")
    return engine


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "ParseError" in line or "Error:" in line]
    return lines[0].split("ParseError: ")[-1] if lines else str(error)


def _as_lines(tex: str) -> str:
    r"""Wrap a formula of several lines in what TeX needs for them; numbers are Sphinx's, so starred forms do.

    Example:
        >>> _as_lines(r"a \\ b"), _as_lines(r"\begin{align}a\end{align}"), _as_lines("a")
        ('\\begin{split}a \\\\ b\\end{split}', '\\begin{align*}a\\end{align*}', 'a')
    """
    tex = _NUMBERED.sub(r"\\\1{\2*}", tex).strip()
    parts = [part.strip() for part in re.split(r"\n\s*\n", tex) if part.strip()]
    if len(parts) > 1:
        return "\\begin{gathered}" + " \\\\ ".join(map(_as_lines, parts)) + "\\end{gathered}"
    inner = tex
    while (shorter := re.sub(r"\\begin\{([^{}]*)\}(?:(?!\\begin).)*?\\end\{\1\}", "", inner, flags=re.DOTALL)) != inner:
        inner = shorter
    return f"\\begin{{split}}{tex}\\end{{split}}" if "\\\\" in inner else tex


def inline_math(text: str) -> str:
    r"""Escape text for HTML and mark ``$...$`` as mathematics.

    Example:
        >>> inline_math("at least $1/2$ & more")
        'at least <span class="math notranslate nohighlight">\\(1/2\\)</span> &amp; more'
    """
    return mark_math(html.escape(text, quote=False))


def mark_math(escaped: str) -> str:
    """Mark ``$...$`` as mathematics in text that is HTML already."""
    return re.sub(r"\$([^$<>]+)\$", lambda match: INLINE.format(match[1]), escaped)


def setup(app: Any) -> None:
    """Make this the book's way with mathematics; called by the book's Sphinx extension."""
    app.add_config_value("ibkit_macros", {}, "html", [dict])
    app.add_html_math_renderer("ibkit", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None))
    app.connect("config-inited", _configure)


def _configure(app: Any, config: Any) -> None:
    config.html_math_renderer = "ibkit"
    app.ibkit_typesetter = Typesetter(config.ibkit_macros)


def _visit_inline(writer: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    formula = _or_warn(writer, node, writer.builder.app.ibkit_typesetter.inline)
    writer.body.append(writer.starttag(node, "span", "", CLASS="math notranslate nohighlight") + formula + "</span>")
    raise SkipNode


def _visit_block(writer: Any, node: Any) -> None:
    from docutils.nodes import SkipNode
    from sphinx.util.math import get_node_equation_number

    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate nohighlight"))
    formula = _or_warn(writer, node, writer.builder.app.ibkit_typesetter.display)
    writer.body.append(f'<div class="ibkit-formula">{formula}</div>')
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise SkipNode


def _or_warn(writer: Any, node: Any, typeset: Any) -> str:
    from sphinx.util import logging

    try:
        return typeset(node.astext())
    except MathError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
        return f"<code>{html.escape(node.astext())}</code>"
