"""What every chapter keeps: the checks, each a function of a notebook that yields what is wrong with it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

from ibkit.book.pages.atlas import atlas_problem

Notebook = dict[str, Any]

SECTIONS = [
    "In one picture",
    "The question",
    "Setup",
    "Derivation",
    "Experiments",
    "Explore",
    "Claims",
    "Limits",
    "Try it",
]
RESULTS = {"In one picture", "Experiments", "Explore", "Claims"}
PARAMETERS = [("seed", "int"), ("profile", "str"), ("device", "str")]
READERS = {
    *("open", "read_csv", "read_text", "read_bytes", "load", "loadtxt", "genfromtxt", "fromfile", "imread"),
    *("read_parquet", "read_json", "read_excel", "loadmat"),
}
LIBRARIES = {"ibkit", "numpy", "torch", "matplotlib", "scipy", "math", "itertools", "functools", "collections"}


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def tree(notebook: Notebook) -> ast.Module:
    return ast.parse("\n".join(source(cell) for cell in code_cells(notebook) if "setup" not in tags(cell)))


def calls(notebook: Notebook, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree(notebook))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def stripped(notebook: Notebook) -> Iterator[str]:
    for number, cell in enumerate(code_cells(notebook)):
        if cell["outputs"] or cell["execution_count"] is not None:
            yield f"code cell {number} holds outputs or an execution count"
    for key in set(notebook["metadata"]) - {"ibkit", "kernelspec", "language_info"}:
        yield f"notebook metadata holds {key!r}"
    if "execution_mode" in str(notebook["metadata"]):
        yield "an execution mode of its own"


def sections_in_order(notebook: Notebook) -> Iterator[str]:
    text = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    headings = [line for part in text for line in re.sub(r"```.*?```", "", part, flags=re.S).splitlines()]
    levels = {level: [h[level + 1 :].strip() for h in headings if re.match(rf"#{{{level}}} ", h)] for level in (1, 2)}
    if len(levels[1]) != 1:
        yield f"it needs one title, got {levels[1]}"
    if levels[2] != SECTIONS:
        yield f"its sections must be {SECTIONS}, got {levels[2]}"


def begins_as_agreed(notebook: Notebook) -> Iterator[str]:
    first, second, third = notebook["cells"][:3]
    slug = notebook["metadata"]["ibkit"]["slug"]
    if first["cell_type"] != "markdown" or not re.search(rf"{{cite(:\w+)?}}`{re.escape(slug)}`", source(first)):
        yield f"the first cell must cite {slug}"
    if not {"setup", "hide-cell"} <= set(tags(second)):
        yield "the second cell must be the hidden set-up cell"
    if "parameters" not in tags(third):
        yield "the third cell must hold the parameters"
        return
    declared = [
        (node.target.id, node.annotation.id)
        for node in ast.parse(source(third)).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    if declared[:3] != PARAMETERS:
        yield f"the parameters must begin with {PARAMETERS}, got {declared[:3]}"
    for line in source(third).splitlines():
        if line.strip() and not re.match(r"\w+: (int|float|str|bool) = .+  # .+", line):
            yield f"a parameter must read `name: type = default  # help`, got {line!r}"


def profiles_differ_in_sizes_alone(notebook: Notebook) -> Iterator[str]:
    """One row of a table of sizes, and nothing else looks at the profile: so a dry run shows the code of a full one."""
    uses = [node for node in ast.walk(tree(notebook)) if isinstance(node, ast.Name) and node.id == "profile"]
    reads = [node for node in uses if isinstance(node.ctx, ast.Load)]
    tables = [
        node.value
        for node in ast.walk(tree(notebook))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and node.slice.id == "profile"
    ]
    if len(reads) != 1 or len(tables) != 1 or not isinstance(tables[0], ast.Dict):
        yield f"profile must be read once, as `settings = {{...}}[profile]`; it is read {len(reads)} times"
        return
    names = [key.value for key in tables[0].keys if isinstance(key, ast.Constant)]
    if names != ["quick", "full", "dry"]:
        yield f"the settings must be those of quick, full and dry, got {names}"
    sizes = [{word.arg for word in row.keywords} if isinstance(row, ast.Call) else None for row in tables[0].values]
    if None in sizes or any(row != sizes[0] for row in sizes):
        yield f"every profile must set the same names by dict(...), got {sizes}"
    if not re.search(r'profile: str = "quick"  # quick \| full \| dry$', source(notebook["cells"][2]), flags=re.M):
        yield "the parameter profile must allow quick | full | dry"


def metadata_is_whole(notebook: Notebook) -> Iterator[str]:
    about = notebook["metadata"].get("ibkit", {})
    if missing := {"slug", "part", "concepts", "sentence", "seconds"} - set(about):
        yield f"metadata.ibkit lacks {sorted(missing)}"


def atlas_is_whole(notebook: Notebook) -> Iterator[str]:
    """What the chapter enters in the book's map: each result names a claim that the chapter makes."""
    entries = notebook["metadata"].get("ibkit", {}).get("atlas", [])
    made = calls(notebook, "claim")
    claims = {call.args[0].value for call in made if call.args and isinstance(call.args[0], ast.Constant)}
    for number, entry in enumerate(entries, start=1):
        if problem := atlas_problem(entry, claims):
            yield f"metadata.ibkit.atlas, entry {number}: {problem}"


def has_claims(notebook: Notebook) -> Iterator[str]:
    made = calls(notebook, "claim")
    if len(made) < 3:
        yield f"it needs at least three claims, got {len(made)}"
    if not any(keyword.arg == "contrast" for call in made for keyword in call.keywords):
        yield "no claim has a contrast"
    names = [call.args[0].value for call in made if call.args and isinstance(call.args[0], ast.Constant)]
    if len(set(names)) != len(made):
        yield f"claims need ids of their own, written as text, got {names}"
    for cell in code_cells(notebook):
        if re.search(r"(?<!\w)claim\(", source(cell)) and "remove-output" not in tags(cell):
            yield "a cell with claims must carry the tag remove-output"
    if len(calls(notebook, "claims_table")) != 1:
        yield "it needs one claims_table()"


def has_figures(notebook: Notebook) -> Iterator[str]:
    figures = [cell["metadata"].get("mystnb", {}) for cell in code_cells(notebook)]
    captioned = [f for f in figures if f.get("figure", {}).get("caption") and f["figure"].get("name")]
    if len(captioned) < 2:
        yield f"it needs at least two captioned figures, got {len(captioned)}"
    for figure in captioned:
        if len(figure.get("image", {}).get("alt", "")) < 20:
            yield f"{figure['figure']['name']} needs alt text"
        if not figure["figure"]["name"].startswith(f"fig-{notebook['metadata']['ibkit']['slug']}-"):
            yield f"{figure['figure']['name']} must be named fig-<slug>-..."
    drawn = sum("plt.show(" in source(cell) for cell in code_cells(notebook))
    if drawn != len(captioned):
        yield f"{drawn} cells draw but {len(captioned)} have a caption"


def has_an_explorer(notebook: Notebook) -> Iterator[str]:
    if not calls(notebook, "explore"):
        yield "it has no explorer"


def imports_are_public(notebook: Notebook) -> Iterator[str]:
    for node in ast.walk(tree(notebook)):
        if isinstance(node, ast.Import):
            modules = [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [(node.module or "", [alias.name for alias in node.names])]
        else:
            continue
        for module, names in modules:
            if module.split(".")[0] not in LIBRARIES:
                yield f"it imports {module}, which a plain install may lack"
            if not module.startswith("ibkit"):
                continue
            if module.startswith("ibkit.book") or any(part.startswith("_") for part in module.split(".")):
                yield f"it imports {module}, which is not for chapters"
                continue
            home = importlib.import_module(module)
            for name in names:
                if name.startswith("_") or not hasattr(home, name) or name not in getattr(home, "__all__", dir(home)):
                    yield f"{module}.{name} is not public"


def cells_are_short(notebook: Notebook) -> Iterator[str]:
    for cell in code_cells(notebook):
        lines = source(cell).count("\n") + 1
        if lines > 40:
            yield f"a code cell has {lines} lines: {source(cell)[:40]!r}"


def reads_no_file(notebook: Notebook) -> Iterator[str]:
    for node in ast.walk(tree(notebook)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in READERS:
                yield f"it calls {name}(...), which reads a file"


def result_prose_holds_no_typed_numbers(notebook: Notebook) -> Iterator[str]:
    section = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = source(cell)
            for part in re.split(r"(?m)^(?=## )", text):
                if heading := re.match(r"## (.+)", part):
                    section = heading[1].strip()
                if section in RESULTS:
                    yield from typed_numbers(part)
        elif section in RESULTS:
            yield from typed_numbers(cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", ""))


def typed_numbers(text: str) -> Iterator[str]:
    """Digits outside mathematics, code, roles and links; decimals inside mathematics."""
    for formula in re.findall(r"\$\$.*?\$\$|\$[^$]*\$", text, flags=re.S):
        if number := re.search(r"\d+\.\d+", formula):
            yield f"the number {number[0]} is typed into a formula of the results"
    plain = re.sub(
        r"```.*?```|\$\$.*?\$\$(?:\s*\([\w-]+\))?|\$[^$]*\$|\{[\w:]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)|^#+ [^\n]*",
        " ",
        text,
        flags=re.S | re.M,
    )
    if number := re.search(r"(?<![\w-])\d+(?:[.,]\d+)*", plain):
        context = plain[max(0, number.start() - 25) : number.end() + 15].replace("\n", " ")
        yield f"the number {number[0]} is typed into the prose of the results: ...{context}..."


CHECKS = [
    stripped,
    sections_in_order,
    begins_as_agreed,
    profiles_differ_in_sizes_alone,
    metadata_is_whole,
    atlas_is_whole,
    has_claims,
    has_figures,
    has_an_explorer,
    imports_are_public,
    cells_are_short,
    reads_no_file,
    result_prose_holds_no_typed_numbers,
]
