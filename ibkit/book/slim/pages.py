"""Fewer scripts on a page, and code without elements that no style sheet colours."""

from __future__ import annotations

import re

_SCRIPT = re.compile(r'[ \t]*<script\b[^>]*\bsrc="[^"]*?([\w.-]+\.js)(?:\?[^"]*)?"[^>]*></script>\n?')
_SEARCH = {"searchtools.js", "language_data.js", "searchindex.js"}
_NEVER = {"fontawesome.js"}  # draws icons that the style sheet draws too
# A script, and what a page must hold to need it.
_NEEDED_FOR = {
    "design-tabs.js": "sd-tab-set",
    "togglebutton.js": 'class="toggle|class="[^"]*\\b(?:dropdown admonition|admonition dropdown|toggle)\\b',
    "copybutton.js": 'class="highlight"',
    "clipboard.min.js": 'class="highlight"',
    "explorer.js": 'class="ibkit-explorer"',
    "ledger.js": "data-ibkit-ledger",
}
_TOKEN = re.compile(r'<span class="([\w ]+)">([^<]*)</span>')
_CODE = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre></div>)', re.DOTALL)


def slim_page(text: str, is_search: bool, coloured: set[str]) -> str:
    r"""Drop the scripts that a page does not need, and elements around code that have no colour.

    Args:
        text: the page.
        is_search: whether it is the one that searches.
        coloured: the classes of code that the style sheet names.

    Returns:
        The page, looking and working the same.

    Example:
        >>> slim_page('<script src="_static/design-tabs.js?v=1"></script>\n<p>x</p>', False, set())
        '<p>x</p>'
        >>> code = '<div class="highlight"><pre><span class="n">a</span><span class="o">+</span></pre></div>'
        >>> slim_page(code, False, {"o"})
        '<div class="highlight"><pre>a<span class="o">+</span></pre></div>'
    """

    def keep(match: re.Match[str]) -> str:
        name = match[1]
        if name in _NEVER or (name in _SEARCH and not is_search):
            return ""
        return match[0] if name not in _NEEDED_FOR or re.search(_NEEDED_FOR[name], text) else ""

    def bare(match: re.Match[str]) -> str:
        return match[0] if coloured.intersection(match[1].split()) else match[2]

    text = _SCRIPT.sub(keep, text)
    text = _CODE.sub(
        lambda match: match[1] + _TOKEN.sub(bare, match[2].replace("<span></span>", "", 1)) + match[3], text
    )
    return re.sub(r"\n[ \t]*\n(?:[ \t]*\n)+", "\n\n", text) if "<pre" not in text else _squeeze(text)


def _squeeze(text: str) -> str:
    """Shorten runs of blank lines, which templates leave by the hundred, outside code."""
    parts = re.split(r"(<pre\b.*?</pre>|<script\b.*?</script>)", text, flags=re.DOTALL)
    return "".join(
        part if index % 2 else re.sub(r"\n[ \t]*\n(?:[ \t]*\n)*", "\n", part) for index, part in enumerate(parts)
    )
