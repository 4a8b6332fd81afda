"""Fewer icons: the theme's script draws 2000 of them, the site's pages show about twenty.

The script is by far the largest file that a page loads. Definitions of icons that no page and no other script names
are cut out; the rest of the script is left as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

_SCRIPT = "_static/scripts/fontawesome.js"
# An icon in the script's tables: name:[width,height,[aliases],"code point","path"],
_ICON = re.compile(r'(?:"([\w-]+)"|([\w$]+)):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]*",(?:"[^"]*"|\[[^\]]*\])\],?')
_NAME = re.compile(r"fa-([a-z0-9-]+)")


def drop_unused_icons(html: Path) -> int:
    """Cut unused icons out of a built site.

    Args:
        html: the site's folder.

    Returns:
        How many bytes the site's pages need not load any more; 0 where the theme brings no such script.
    """
    script = html / _SCRIPT
    if not script.is_file():
        return 0
    used = set()
    for path in [*html.rglob("*.html"), *html.rglob("*.js")]:
        if path.name != script.name:
            used.update(_NAME.findall(path.read_text(encoding="utf-8", errors="ignore")))
    text = script.read_text(encoding="utf-8")
    slim = slim_icons(text, used)
    script.write_text(slim, encoding="utf-8")
    script.with_name(script.name + ".map").unlink(missing_ok=True)
    return len(text) - len(slim)


def slim_icons(script: str, used: set[str]) -> str:
    """Cut the icons out of the script whose names and aliases are not used.

    Example:
        >>> slim_icons('{sun:[1,1,[9728],"f185","M1"],"angle-up":[1,1,[],"f106","M2"]}', {"sun"})
        '{sun:[1,1,[9728],"f185","M1"],}'
    """

    def keep(match: re.Match[str]) -> str:
        names = {match[1] or match[2], *re.findall(r'"([\w-]+)"', match[3])}
        return match[0] if names & used else ""

    return _ICON.sub(keep, script)
