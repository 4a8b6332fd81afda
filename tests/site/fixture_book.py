"""A tiny book with the real settings: two chapters of real papers, written by hand as executed notebooks."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ibkit.book.cache import seal
from ibkit.book.catalogue import load_catalogue
from ibkit.book.notebook import parse_notebook
from ibkit.book.toc import write_toc
from ibkit.claims import Bound, Claim, ClaimsTable, Measured
from ibkit.show import Lines, explore

REPOSITORY = Path(__file__).resolve().parents[2]
TITLES = {
    "margins/spectral-descent": "Spectral descent and the margins it maximizes",
    "next-token/next-token-margin": "What next-token prediction converges to",
}


def make_book(root: Path) -> Path:
    """Write the fixture book into ``root`` and its executed notebooks into ``root/_build/executed``."""
    for name in ("_config.yml", "references.bib"):
        shutil.copyfile(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / "_assets", root / "_assets")
    for page in (REPOSITORY / "chapters").rglob("*.md"):
        target = root / page.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, target)
    for chapter, title in TITLES.items():
        write_executed(root, chapter, chapter_notebook(chapter, title))
    write_toc(root, load_catalogue(root))
    return root


def write_executed(root: Path, chapter: str, notebook: dict[str, Any]) -> None:
    """Store a notebook as executed, and without its outputs as the source."""
    executed = root / "_build" / "executed" / f"{chapter}.ipynb"
    executed.parent.mkdir(parents=True, exist_ok=True)
    executed.write_text(seal(parse_notebook(json.dumps(notebook), chapter)), encoding="utf-8")
    stripped = json.loads(json.dumps(notebook))
    stripped["metadata"]["ibkit"].pop("run")
    for cell in stripped["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    source = root / "chapters" / f"{chapter}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(json.dumps(stripped), encoding="utf-8")


def chapter_notebook(chapter: str, title: str) -> dict[str, Any]:
    """A chapter with mathematics, a figure, an explorer, claims and their table."""
    part, slug = chapter.split("/")
    plain = Measured((0.4, 0.5), 0.0, "plain descent")
    claims = (
        made_claim("diag", "Training reaches the largest margin $\\gamma$", contrast=plain),
        made_claim("rate", "It is fast", open_because="a longer run is needed"),
    )
    cells = [
        markdown(f"# {title}\n\nA companion to {{cite:t}}`{slug}`."),
        code("seed: int = 0  # random seed", tags=["parameters"]),
        markdown(
            "## In one picture\n\nThe margin grows ({numref}`fig-" + slug + "`), by {eq}`eq-margin-" + slug + "`.\n\n"
            "$$\nm(W) = \\min_{i,\\, c \\neq y_i} \\frac{(e_{y_i} - e_c)^\\top W x_i}{\\lVert W \\rVert}, \\qquad "
            "\\mathcal{L}(W) = -\\frac{1}{n} \\sum_{i=1}^{n} \\log \\frac{\\exp(e_{y_i}^\\top W x_i)}"
            "{\\sum_{c=1}^{k} \\exp(e_c^\\top W x_i)} + \\frac{\\lambda}{2} \\operatorname{tr}(W W^\\top)\n$$ "
            "(eq-margin-" + slug + ")\n\nInline mathematics such as $\\gamma = \\max_W m(W) > 0$ stands in the text."
        ),
        code("import numpy", tags=["hide-input"]),
        code("x = 1", tags=["hide-input"]),
        markdown(":::{admonition} Proof\n:class: dropdown\nWhatever stands in a proof.\n:::"),
        markdown("```{margin} An aside\nIt stands in the margin.\n```"),
        code("figure", [figure_output()], mystnb=figure_metadata(slug)),
        markdown("## Explore\n\nMove the slider."),
        code(
            "explore(compute)",
            [display({"text/html": explorer_html(), "text/plain": "Explorer()"})],
            tags=["hide-input"],
        ),
        markdown("## Claims"),
        *(code(f"claim({made.id!r})", [display(made.bundle())], tags=["remove-output"]) for made in claims),
        code("claims_table()", [display({"text/html": ClaimsTable(claims)._repr_html_(), "text/plain": "2 claims"})]),
    ]
    run = {"ibkit": "0.1.0", "commit": "abc1234", "parameters": {}, "profile": "quick", "seconds": 11.6}
    run.update(kernel_seconds=13.0, peak_mb=300, key="k", versions={"python": "3.11", "torch": "2.13"})
    about = {
        "slug": slug,
        "part": part,
        "concepts": ["max margin", "steepest descent"] if part == "margins" else ["Max margin"],
        "sentence": "Which margin is maximized?",
        "atlas": [atlas_entry(slug)],
        "run": run,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"ibkit": about, "kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def atlas_entry(slug: str) -> dict[str, str]:
    limits = {"spectral-descent": "the largest margin"}
    rule = "descent" if slug in limits else "another rule"
    limit = limits.get(slug, "a margin $\\gamma$")
    result = {"model": "linear classifier", "loss": "cross-entropy", "rule": rule, "limit": limit, "claim": "diag"}
    return {**result, "norm": "max", "architecture": "linear", "classes": "balanced", "parameterisation": "W"}


def made_claim(identifier: str, statement: str, values: tuple[float, ...] = (0.98, 0.99, 1.0), **more: Any) -> Claim:
    """A claim as chapters make it, without entering it in the table of this process."""
    bound = Bound(at_least=0.98)
    measured = Measured(values, sum(map(bound.holds, values)) / len(values))
    return Claim(identifier, statement, "theorem", "Theorem 2", bound, measured, **more)


def explorer_html() -> str:
    """A real explorer's form for pages."""

    def compute(step: float) -> Lines:
        t = np.arange(1, 30)
        return Lines(series={"margin": 1 - np.exp(-step * t)}, x=t, xlabel="steps", ylabel="margin")

    explorer = explore(compute, {"step": [0.1, 0.3, 1.0]}, alt="The margin rises to one.", title="Margin")
    return explorer._repr_mimebundle_()[0]["text/html"]


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": cell_id(source), "metadata": {}, "source": source}


def code(
    source: str, outputs: list[dict[str, Any]] | None = None, tags: list[str] | None = None, **metadata: Any
) -> dict:
    about = {**({"tags": tags} if tags else {}), **metadata}
    cell = {"cell_type": "code", "id": cell_id(source), "metadata": about, "source": source}
    return {**cell, "execution_count": 1, "outputs": outputs or []}


def cell_id(source: str) -> str:
    return base64.b32encode(source.encode()).decode().rstrip("=").lower()[:40]


def display(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def figure_output() -> dict[str, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.5))
    axes = figure.subplots()
    axes.plot([1, 10, 100], [0.2, 0.7, 0.99])
    axes.set(xscale="log", xlabel="steps", ylabel="margin")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    shown = display({"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": "<Figure>"})
    return {**shown, "metadata": {"image/png": {"width": 480, "height": 240}}}  # as Jupyter stores them


def figure_metadata(slug: str) -> dict[str, Any]:
    figure = {"name": f"fig-{slug}", "caption": "The margin against steps: it approaches the best value $\\gamma$."}
    return {"image": {"alt": "A curve that rises towards one."}, "figure": figure}
