"""The table on a part's page: what leads where, by the part's own columns, each row with the claim that checked it.

A part's page names its columns in a mark, ``<!-- ibkit: table rule="Update rule" norm="Norm" limit="Limit" -->``: keys
of the atlas entries in the chapters' metadata, and the words above them. A chapter's entry that says something in each
of these columns is a row, once where several say the same; a chapter of the part without such an entry stops the build.
"""

from __future__ import annotations

import re
from html import escape

from ibkit.book.ledger import Ledger
from ibkit.book.mathematics import inline_math
from ibkit.book.pages.atlas import FIELDS, MORE, AtlasError, Place
from ibkit.book.pages.bits import state_sign

_COLUMN = re.compile(r'(\w+)="([^"]*)"')
_COLUMNS = tuple(name for name in (*FIELDS, *MORE) if name != "claim")


def part_table(ledger: Ledger, part: str, places: list[Place], mark: str, depth: str) -> str:
    """Write a part's table.

    Args:
        ledger: the ledger; it says which chapters the part has.
        part: the part's name.
        places: the atlas.
        mark: the columns, as the part's page names them.
        depth: the way from the page to the site's root.

    Raises:
        AtlasError: a column that no atlas entry has, or a chapter without a row.
    """
    columns = table_columns(mark, part)
    entries = [place for place in places if place.part == part and all(place.text(column) for column in columns)]
    first: dict[tuple[str | None, ...], Place] = {}
    for place in entries:
        first.setdefault((place.chapter, *map(place.text, columns)), place)
    rows = list(first.values())
    for entry in ledger.part(part):
        if entry.state == "present" and entry.title not in {row.chapter for row in rows}:
            raise AtlasError(
                f"{part}/{entry.slug}: metadata.ibkit.atlas must hold an entry with {', '.join(columns)}, "
                f"for the table of its part"
            )
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in (*columns.values(), "Checked by"))
    body = "".join(_row(row, columns, depth) for row in rows)
    label = escape(", ".join(columns.values()), quote=True)
    return (
        f'<div class="ibkit-atlas" role="region" aria-label="{label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def table_columns(mark: str, part: str) -> dict[str, str]:
    """Read the columns of a mark: keys of atlas entries, and the words above them.

    Raises:
        AtlasError: an unknown column, or none.

    Example:
        >>> table_columns('rule="Update rule" limit="Limit"', "margins")
        {'rule': 'Update rule', 'limit': 'Limit'}
    """
    columns = dict(_COLUMN.findall(mark))
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown or not columns:
        got = f"{unknown[0]!r}" if unknown else "none"
        raise AtlasError(f"chapters/{part}/index.md: the table's columns must be of {', '.join(_COLUMNS)}, got {got}")
    return columns


def _row(place: Place, columns: dict[str, str], depth: str) -> str:
    first, *others = columns
    cells = [f'<th scope="row">{inline_math(place.text(first) or "")}</th>']
    cells += [
        f'<td data-label="{escape(columns[name], quote=True)}">{inline_math(place.text(name) or "")}</td>'
        for name in others
    ]
    claim = (
        f'<a href="{depth}{escape(place.address, quote=True)}">{escape(place.citation)}</a> '
        f"{state_sign(place.state, place.state)}"
    )
    return f'<tr>{"".join(cells)}<td data-label="Checked by">{claim}</td></tr>'
