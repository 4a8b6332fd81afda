"""Each part of ibkit imports only those before it."""

import ast
from pathlib import Path

import pytest

import ibkit

PACKAGE = Path(ibkit.__file__).parent
ORDER = [
    *("checks", "norms", "scaled", "devices"),
    *(
        "data",
        "models",
        "losses",
        "optim",
        "oracles",
        "measure",
        "train",
        "claims",
        "records",
        "show",
        "book",
        "__main__",
    ),
]
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(text):
    for node in ast.walk(ast.parse(text)):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        yield from (name.split(".")[1] for name in modules if name.startswith("ibkit."))


def breaches(part, text):
    return [other for other in imported_parts(text) if ORDER.index(other) > ORDER.index(part)]


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.parent != PACKAGE or p.name != "__init__.py"],
    ids=lambda p: p.relative_to(PACKAGE).as_posix(),
)
def test_imports_go_downwards_only(path):
    assert breaches(part_of(path), path.read_text(encoding="utf-8")) == []


def test_an_upward_import_is_caught():
    assert breaches("losses", "from ibkit.train import train") == ["train"]
    assert breaches("models", "import ibkit.book.run") == ["book"]
