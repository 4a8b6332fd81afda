"""Which settings a sweep runs: products of values, explicit lists, files of rows; checked before anything runs."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ibkit.book.errors import InputError
from ibkit.book.parameters import Parameter, Value, resolve_parameters

Setting = dict[str, Value]
_RANGE = re.compile(r"([+-]?\d+):([+-]?\d+)(?::([+-]?\d+))?")
_MOST = 1_000_000


def parse_values(text: str) -> list[str]:
    """Read the values of one parameter as a command line gives them.

    Args:
        text: values separated by commas, and ranges `first:end` or `first:end:step` of whole numbers, end excluded.

    Returns:
        The values as texts, in the order given.

    Raises:
        InputError: nothing between two commas, or a range without numbers in it.

    Example:
        >>> parse_values("0:3")
        ['0', '1', '2']
        >>> parse_values("0,0.5,10:30:10")
        ['0', '0.5', '10', '20']
    """
    values: list[str] = []
    for part in text.split(","):
        part = part.strip()
        found = _RANGE.fullmatch(part)
        if not found:
            if not part:
                raise InputError(f"expected values separated by commas, or a range such as 0:10, got {text!r}")
            values.append(part)
            continue
        first, end, step = int(found[1]), int(found[2]), int(found[3] or 1)
        numbers = range(first, end, step) if step else range(0)
        if not 0 < len(numbers) <= _MOST:
            raise InputError(f"the range {part!r} must hold between 1 and {_MOST:,} numbers; its end is not included")
        values += map(str, numbers)
    return values


def read_settings(path: str | Path) -> list[dict[str, Any]]:
    """Read settings from a file.

    Args:
        path: a CSV file with a header of parameter names and a row a setting; or a YAML file that holds a list of
            mappings, a setting each, or one mapping from names to a value or a list of values, whose product is meant.

    Returns:
        One mapping a setting; empty cells of a CSV file leave the parameter at its default.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"settings {path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"settings {path}: not UTF-8 text") from None
    rows = _from_csv(text, path) if path.suffix.lower() == ".csv" else _from_yaml(text, path)
    if not rows:
        raise InputError(f"settings {path}: expected at least one setting, got none")
    return rows


def expand(
    parameters: Mapping[str, Parameter],
    products: Mapping[str, Sequence[Value]],
    rows: Iterable[Mapping[str, Any]] = ({},),
    name: str = "notebook",
) -> list[Setting]:
    """Return every setting of a sweep, checked, each once.

    Args:
        parameters: what the chapter declares.
        products: values by parameter; all combinations are meant, the last parameter running fastest.
        rows: explicit settings, each of which is combined with all of the product.
        name: how errors name the chapter.

    Returns:
        A value for every parameter, for each setting; settings that are equal count once.

    Raises:
        InputError: a name is unknown, a value is of the wrong type, or a parameter is both in a row and in the product.
    """
    settings: dict[tuple[Any, ...], Setting] = {}
    for row in rows:
        twice = sorted(set(row) & set(products))
        if twice:
            raise InputError(f"{name}: parameter {twice[0]!r} is given both by -p and in the settings file")
        for combination in itertools.product(*products.values()):
            given = {**row, **dict(zip(products, combination, strict=True))}
            values = resolve_parameters(parameters, given, name)
            settings.setdefault(tuple((type(v), v) for v in values.values()), values)
    return list(settings.values())


def swept(settings: Sequence[Setting]) -> list[str]:
    """Return the parameters that take more than one value, those with most values first."""
    names = list(settings[0]) if settings else []
    counts = {name: len({setting[name] for setting in settings}) for name in names}
    return sorted((name for name in names if counts[name] > 1), key=lambda name: -counts[name])


def _from_csv(text: str, path: Path) -> list[dict[str, Any]]:
    lines = list(csv.reader(io.StringIO(text), strict=True))
    header = [name.strip() for name in lines[0]] if lines else []
    if not all(header) or len(set(header)) != len(header):
        raise InputError(f"settings {path}: expected a header of distinct parameter names, got {header}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        if len(line) != len(header):
            raise InputError(f"settings {path}, line {number}: expected {len(header)} cells, got {len(line)}")
        rows.append({key: cell.strip() for key, cell in zip(header, line, strict=True) if cell.strip()})
    return rows


def _from_yaml(text: str, path: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"settings {path}: not YAML: {' '.join(str(error).split())}") from None
    if isinstance(content, dict):
        lists = {str(key): value if isinstance(value, list) else [value] for key, value in content.items()}
        content = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise InputError(f"settings {path}: expected a list of mappings, or a mapping from names to lists of values")
    for row in content:
        for key, value in row.items():
            if not isinstance(value, int | float | str | bool):
                raise InputError(f"settings {path}: {key} must be an int, float, str or bool, got {value!r}")
    return [{str(key): value for key, value in row.items()} for row in content]
