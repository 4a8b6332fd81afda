"""The API reference: a page for each package of ``ibkit``, made from what the packages export and their docstrings say.

The pages only name what is documented; Sphinx reads the docstrings themselves.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import pkgutil
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from ibkit.book.cache import library_hash
from ibkit.book.store import LocalFolder

# In the order in which a chapter's author thinks of them.
_ORDER = ("data", "models", "losses", "norms", "scaled", "optim", "oracles", "measure", "train", "claims", "show")


@dataclass(frozen=True)
class ApiPage:
    """One page of the reference.

    Attributes:
        name: the file's name in ``api/``, without suffix.
        text: reStructuredText.
    """

    name: str
    text: str


def public_modules() -> list[str]:
    """List what chapters import from, in the book's order; the book's machinery is no part of it.

    Example:
        >>> [name for name in public_modules() if name in ("ibkit.book", "ibkit.losses")]
        ['ibkit.losses']
    """
    import ibkit

    found = [info.name for info in pkgutil.iter_modules(ibkit.__path__) if not info.name.startswith("_")]
    known = [name for name in found if name != "book"]
    rank = {name: place for place, name in enumerate(_ORDER)}
    return [f"ibkit.{name}" for name in sorted(known, key=lambda name: (rank.get(name, len(rank)), name))]


def public_names(module: ModuleType) -> list[str]:
    """List what a module offers: its ``__all__``, else the public functions and classes that it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


def api_pages() -> list[ApiPage]:
    """Write the reference: an index, and a page for each module that chapters import from."""
    modules = [importlib.import_module(name) for name in public_modules()]
    pages = [page for page in map(_page, modules) if page]
    rows = []
    for module, page in ((m, p) for m in modules for p in pages if p.name == _file(m)):
        names = ", ".join(f":py:obj:`~{module.__name__}.{name}`" for name in public_names(module))
        rows += [f":doc:`{module.__name__} <{page.name}>`", f"    {_summary(module)}", "", f"    {names}", ""]
    title = "The library"
    intro = (
        "Every chapter imports one library, ``ibkit``. These pages are made from its docstrings; their examples are\n"
        "run by the tests. Modules stand in the order in which one thinks of an experiment: data, model, loss,\n"
        "update rule, where training should end up, what to measure."
    )
    return [ApiPage("index", "\n".join([title, "=" * len(title), "", intro, "", *rows])), *pages]


def kept_api_pages(store: Path) -> list[ApiPage]:
    """Give the reference, written anew only when the library has changed: importing all of it takes seconds.

    Args:
        store: the file in which the last reference is kept; a missing or damaged one is written again.
    """
    key = library_hash() + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    try:
        kept = json.loads(store.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return [ApiPage(**page) for page in kept["pages"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    pages = api_pages()
    text = json.dumps({"key": key, "pages": [asdict(page) for page in pages]})
    LocalFolder(store.parent).write(store.name, text)
    return pages


def _page(module: ModuleType) -> ApiPage | None:
    names = public_names(module)
    if not names:
        return None
    lines = [module.__name__, "=" * len(module.__name__), "", f".. automodule:: {module.__name__}", ""]
    for name in names:
        value = getattr(module, name)
        full = f"{module.__name__}.{name}"
        lines += [name, "-" * len(name), ""]
        if inspect.isclass(value):
            lines += [f".. autoclass:: {full}", "   :members:", ""]
        elif callable(value):
            lines += [f".. autofunction:: {full}", ""]
        else:
            lines += [f".. py:data:: {full}", "", f"   ``{_short(value)}``", ""]
    return ApiPage(_file(module), "\n".join(lines))


def _short(value: object) -> str:
    text = repr(value).replace("`", "'")
    return text if len(text) <= 200 else text[:197] + "..."


def _file(module: ModuleType) -> str:
    return module.__name__.removeprefix("ibkit.")


def _summary(module: ModuleType) -> str:
    return (inspect.getdoc(module) or module.__name__).split("\n\n")[0].replace("\n", " ")
