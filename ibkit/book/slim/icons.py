"""Fewer icons: the theme's fonts hold two thousand, the site's pages show about thirty.

Run after the style sheets were slimmed: an icon whose rule is left is in use. Each font keeps those glyphs alone.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
_SOURCE = re.compile(r"src:\s*url\(([^)]*fontawesome[^)]*?)\.woff2\)[^;}]*")
_POINT = re.compile(r"""["']\\([0-9a-f]{4})["']""", re.IGNORECASE)


def slim_icons(static: Path) -> int:
    """Cut the glyphs out of the icon fonts that no style rule shows.

    Args:
        static: the folder of the site's style sheets and fonts.

    Returns:
        How many bytes a page that shows icons need not load any more; 0 where there is no icon font.
    """
    sheets = {path: path.read_text(encoding="utf-8") for path in static.rglob("*.css")}
    points = {int(found, 16) for text in sheets.values() for found in _POINT.findall(text)}
    saved = 0
    for path, text in sheets.items():
        for face in _FACE.findall(text):
            source = _SOURCE.search(face)
            font = (path.parent / f"{source[1]}.ttf").resolve() if source else None
            if font is None or not font.is_file():
                continue
            before = font.with_suffix(".woff2").stat().st_size
            small = subset_font(font.read_bytes(), points)
            font.with_suffix(".woff").write_bytes(small)
            font.unlink()
            font.with_suffix(".woff2").unlink()
            text = text.replace(face, _SOURCE.sub(f'src:url({source[1]}.woff) format("woff")', face))
            saved += before - len(small)
        path.write_text(text, encoding="utf-8")
    for script in static.rglob("fontawesome.js"):
        script.unlink()
    return saved


def subset_font(font: bytes, points: set[int]) -> bytes:
    """Keep of a TrueType font the glyphs of some code points, and give it as WOFF.

    Args:
        font: the font's bytes.
        points: code points; those that the font lacks are passed over.
    """
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(hinting=False, layout_features=[], name_IDs=[], glyph_names=False)
    options.drop_tables += ["FFTM"]
    loaded = TTFont(BytesIO(font), recalcTimestamp=False)  # the same pages give the same bytes
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(loaded)
    loaded.flavor = "woff"
    out = BytesIO()
    loaded.save(out)
    return out.getvalue()
