"""Every public name says what it does, what it takes and gives, what it raises, and shows it by an example."""

import importlib
import inspect
import re

import pytest

PACKAGES = ["data", "models", "losses", "optim", "oracles", "measure", "show"]
MODULES = ["checks", "norms", "scaled", "devices", "train", "claims", "records"]


def public_names():
    for package in PACKAGES:
        module = importlib.import_module(f"ibkit.{package}")
        yield from ((f"ibkit.{package}.{name}", getattr(module, name)) for name in module.__all__)
    for name in MODULES:
        module = importlib.import_module(f"ibkit.{name}")
        for attribute, value in vars(module).items():
            own = getattr(value, "__module__", None) == module.__name__
            if own and not attribute.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
                yield f"ibkit.{name}.{attribute}", value


NAMES = {name: value for name, value in public_names() if callable(value)}


@pytest.mark.parametrize("name", NAMES)
def test_docstring_is_whole(name):
    value = NAMES[name]
    text = inspect.getdoc(value) or ""
    assert text, "no docstring"
    assert text.splitlines()[0].endswith((".", ":")), "the first line is no sentence"
    if not inspect.isfunction(value):
        return
    assert ">>>" in text, "no example that doctest runs"
    parameters = [p for p in inspect.signature(value).parameters.values() if p.kind != p.VAR_KEYWORD]
    missing = [p.name for p in parameters if not re.search(rf"\b{re.escape(p.name)}\b", text)]
    assert not missing, f"it does not speak of {missing}"


@pytest.mark.parametrize(
    "name", [n for n, v in NAMES.items() if inspect.isfunction(v) and not n.startswith("ibkit.show")]
)
def test_what_is_raised_is_said(name):
    """A function that checks its input says which error that is."""
    source = inspect.getsource(NAMES[name])
    if re.search(r"^\s+(require|finite|shape|labels_in_range|one_of|raise)\b", source, flags=re.M):
        assert "Raises:" in inspect.getdoc(NAMES[name])


def test_there_are_names():
    assert len(NAMES) > 60
