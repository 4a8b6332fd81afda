"""A chapter's parameters: read from its tagged cell, checked before a kernel starts, written back as literals.

The cell tagged `parameters` holds lines such as `seed: int = 0  # random seed`; a comment that begins with
`quick | full` lists the only values allowed. The cell is parsed, never run.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass

from ibkit.book.errors import InputError
from ibkit.book.notebook import Notebook, tags
from ibkit.book.tree import near_matches

Value = int | float | str | bool
TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_CHOICES = re.compile(r"([\w.+-]+(?:\s*\|\s*[\w.+-]+)+)\s*[,:;]?\s*(.*)")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter.

    Args:
        name: as the chapter's code calls it.
        type: `int`, `float`, `str` or `bool`.
        default: the value in the notebook.
        choices: the only values allowed; empty when any value of the type is.
        help: the comment beside it, less the choices.
    """

    name: str
    type: str
    default: Value
    choices: tuple[Value, ...] = ()
    help: str = ""

    def parse(self, given: Value) -> Value:
        """Turn what was given into a value of this parameter's type, strictly.

        Args:
            given: text from a command line, or a value.

        Returns:
            A value of exactly the parameter's type.

        Raises:
            InputError: it is of another type, or not among the choices.

        Example:
            >>> Parameter("seed", "int", 0).parse("3")
            3
            >>> Parameter("p", "float", 2.0).parse("inf")
            inf
        """
        value = _from_text(self.type, given) if isinstance(given, str) else _from_value(self.type, given)
        if value is None:
            raise InputError(f"parameter {self.name!r} must be {_expected(self.type)}, got {given!r}")
        if self.choices and value not in self.choices:
            listed = " | ".join(map(str, self.choices))
            raise InputError(f"parameter {self.name!r} must be one of {listed}, got {given!r}")
        return value

    def __str__(self) -> str:
        choices = f" ({' | '.join(map(str, self.choices))})" if self.choices else ""
        return f"{self.name}: {self.type} = {literal(self.default)}{choices}"


def read_parameters(nb: Notebook, name: str = "notebook") -> dict[str, Parameter]:
    """Read the parameters that a notebook declares, in their order.

    Args:
        nb: the notebook.
        name: how errors name it.

    Returns:
        The parameters by name; empty when no cell is tagged `parameters`.

    Raises:
        InputError: the cell is not Python, or a default is not a plain int, float, str or bool of its annotated type.
    """
    cell = _parameters_cell(nb)
    return _parse_cell(nb["cells"][cell]["source"], name) if cell is not None else {}


def resolve_parameters(
    parameters: Mapping[str, Parameter], given: Mapping[str, Value], name: str = "notebook"
) -> dict[str, Value]:
    """Check what was given against what the chapter declares.

    Args:
        parameters: the chapter's parameters.
        given: the values to set, as text or as values.
        name: how errors name the chapter.

    Returns:
        A value for every parameter of the chapter.

    Raises:
        InputError: a name is unknown, or a value is of the wrong type; the line lists the chapter's parameters.
    """
    values = {key: parameter.default for key, parameter in parameters.items()}
    listed = f"its parameters: {', '.join(map(str, parameters.values()))}" if parameters else "it has no parameters"
    for key, value in given.items():
        if key not in parameters:
            near = near_matches(key, list(parameters))
            raise InputError(f"{name}: unknown parameter {key!r}{near}; {listed}")
        try:
            values[key] = parameters[key].parse(value)
        except InputError as error:
            raise InputError(f"{name}: {error}; {listed}") from None
    return values


def bind_parameters(nb: Notebook, values: Mapping[str, Value], name: str = "notebook") -> Notebook:
    """Write values into the parameters cell as Python literals, and say beside each what the default was.

    The page then shows one parameters cell that is true, with no injected cell after it. A value can only become
    a literal: the result is parsed again and must equal the original in everything but the values.

    Args:
        nb: the notebook; it is not changed.
        values: the values by name, of the declared types.
        name: how errors name the notebook.

    Returns:
        A new notebook.

    Raises:
        InputError: the notebook's parameters cell cannot be read.
    """
    bound = copy.deepcopy(nb)
    index = _parameters_cell(nb)
    if index is None:
        return bound
    cell = bound["cells"][index]
    declared = _parse_cell(cell["source"], name)
    changed = {key: value for key, value in values.items() if key in declared and value != declared[key].default}
    lines = [line.encode() for line in cell["source"].split("\n")]
    for key, node in reversed(list(_assignments(ast.parse(cell["source"])))):
        if key not in changed:
            continue
        first, last = node.lineno - 1, node.end_lineno - 1
        rest = lines[last][node.end_col_offset :].rstrip()
        note = f"default {literal(declared[key].default)}"
        rest += (f" ({note})" if b"#" in rest else f"  # {note}").encode()
        lines[first : last + 1] = [lines[first][: node.col_offset] + literal(changed[key]).encode() + rest]
    cell["source"] = b"\n".join(lines).decode()
    after = _parse_cell(cell["source"], name)
    expected = {key: changed.get(key, parameter.default) for key, parameter in declared.items()}
    if {key: p.default for key, p in after.items()} != expected or _shape(cell["source"]) != _shape(
        nb["cells"][index]["source"]
    ):
        raise InputError(
            f"{name}: its parameters cell is too unusual to set values in; one `name: type = value` a line"
        )
    return bound


def literal(value: Value) -> str:
    """Write a value as Python source that evaluates to it and does nothing else.

    Example:
        >>> print(literal(2), literal(True), literal("a"), literal(float("inf")))
        2 True "a" float("inf")
    """
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return _quote(value) if isinstance(value, str) else repr(value)


def jsonable(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values as strict JSON can hold them: an infinite float becomes the text `inf`."""
    return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _quote(text: str) -> str:
    # JSON's escapes are Python's too, and its quotes are the ones that formatters prefer.
    quoted = json.dumps(text)
    return quoted if ast.literal_eval(quoted) == text else repr(text)


def _parameters_cell(nb: Notebook) -> int | None:
    cells = (i for i, cell in enumerate(nb["cells"]) if cell["cell_type"] == "code" and "parameters" in tags(cell))
    return next(cells, None)


def _parse_cell(source: str, name: str) -> dict[str, Parameter]:
    try:
        module = ast.parse(source)
    except SyntaxError as error:
        raise InputError(f"{name}: its parameters cell is not Python: {error.msg} at line {error.lineno}") from None
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = {}
    for statement, (key, node) in zip(_statements(module), _assignments(module), strict=True):
        default = _literal_value(node)
        if default is None:
            shown = ast.unparse(node)
            raise InputError(
                f"{name}: parameter {key!r} has the default `{shown}`, expected an int, float, str or bool"
            )
        kind = type(default).__name__
        if isinstance(statement, ast.AnnAssign):
            kind = ast.unparse(statement.annotation)
            if kind not in TYPES:
                raise InputError(f"{name}: parameter {key!r} has the type {kind}, expected int, float, str or bool")
            checked = _from_value(kind, default)
            if checked is None:
                raise InputError(f"{name}: parameter {key!r} is {kind} but its default is {default!r}")
            default = checked
        choices, text = _choices(kind, comments.get(node.end_lineno or node.lineno, ""))
        if choices and default not in choices:
            raise InputError(f"{name}: parameter {key!r} has the default {default!r}, which is not among its choices")
        parameters[key] = Parameter(key, kind, default, choices, text)
    return parameters


def _statements(module: ast.Module) -> list[ast.AnnAssign | ast.Assign]:
    found: list[ast.AnnAssign | ast.Assign] = []
    for statement in module.body:
        annotated = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value
        plain = isinstance(statement, ast.Assign) and [type(t) for t in statement.targets] == [ast.Name]
        if annotated or plain:
            found.append(statement)  # type: ignore[arg-type]
    return found


def _assignments(module: ast.Module) -> list[tuple[str, ast.expr]]:
    pairs = []
    for statement in _statements(module):
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        pairs.append((target.id, statement.value))  # type: ignore[union-attr]
    return pairs  # type: ignore[return-value]


def _shape(source: str) -> str:
    module = ast.parse(source)
    for statement in _statements(module):
        statement.value = ast.Constant(0)
    return ast.dump(module)


def _literal_value(node: ast.expr) -> Value | None:
    infinite = isinstance(node, ast.Call) and ast.unparse(node) in {"float('inf')", "float('-inf')"}
    if infinite:
        return float(node.args[0].value)  # type: ignore[attr-defined]
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if type(value) in TYPES.values() else None


def _choices(kind: str, comment: str) -> tuple[tuple[Value, ...], str]:
    match = _CHOICES.fullmatch(comment)
    if not match:
        return (), comment
    values = [_from_text(kind, choice.strip()) for choice in match[1].split("|")]
    return ((), comment) if None in values else (tuple(values), match[2])  # type: ignore[return-value]


def _from_text(kind: str, text: str) -> Value | None:
    if kind == "str":
        # Bytes that are not UTF-8 arrive as lone surrogates, which no file can hold.
        return text if text.isprintable() or text.encode("utf-8", "ignore").decode() == text else None
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower())
    if kind == "int":
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,4000}", text) else None
    if re.fullmatch(r"[+-]?inf", text):
        return float(text)
    finite = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text)
    return float(text) if finite and math.isfinite(float(text)) else None


def _from_value(kind: str, value: Value) -> Value | None:
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value) is not TYPES[kind] or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def _expected(kind: str) -> str:
    return "bool (true or false)" if kind == "bool" else kind
