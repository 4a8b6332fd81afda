"""A tiny book with the real settings: two chapters of real papers, written by hand as executed notebooks."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

from ibkit.book.catalogue import load_catalogue
from ibkit.book.toc import write_toc

REPOSITORY = Path(__file__).resolve().parents[2]
CLAIM_MIME = "application/vnd.ibkit.claim+json"
TITLES = {
    "margins/spectral-descent": "Spectral descent and the margins it maximizes",
    "next-token/next-token-margin": "What next-token prediction converges to",
}
EXPLORER = """<div class="ibkit-explorer" role="group" aria-label="Margin against steps">
<p>The margin after 1000 steps</p><input type="range" min="0" max="3" value="1" aria-label="step size">
<script type="application/json">{"step": [0.1, 0.3, 1.0, 3.0], "margin": [0.7, 0.9, 0.98, 0.99]}</script></div>"""


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
    executed.write_text(json.dumps(notebook), encoding="utf-8")
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
    claims = [claim_record("diag", "Training reaches the largest margin $\\gamma$"), claim_record("rate", "It is fast")]
    claims[1].update(state="open", open_because="a longer run is needed", contrast=None)
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
        code("figure", [figure_output()], mystnb=figure_metadata(slug)),
        markdown("## Explore\n\nMove the slider."),
        code("explore(compute)", [display({"text/html": EXPLORER, "text/plain": "Explorer()"})], tags=["hide-input"]),
        markdown("## Claims"),
        *(
            code(f"claim({record['id']!r})", [display(claim_bundle(record))], tags=["remove-output"])
            for record in claims
        ),
        code("claims_table()", [display({"text/html": claims_html(claims), "text/plain": "2 claims"})]),
    ]
    run = {"ibkit": "0.1.0", "commit": "abc1234", "parameters": {}, "profile": "quick", "seconds": 11.6}
    run.update(kernel_seconds=13.0, peak_mb=300, key="k", versions={"python": "3.11", "torch": "2.13"})
    about = {
        "slug": slug,
        "part": part,
        "concepts": ["max margin"],
        "sentence": "Which margin is maximized?",
        "run": run,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"ibkit": about, "kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def claim_record(identifier: str, statement: str, state: str = "held") -> dict[str, Any]:
    measured = {"values": [0.98, 0.99, 1.0], "median": 0.99, "low": 0.98, "high": 1.0, "satisfied": 1.0}
    contrast = {
        "values": [0.4, 0.5],
        "median": 0.45,
        "low": 0.4,
        "high": 0.5,
        "satisfied": 0.0,
        "label": "plain descent",
    }
    record = {"schema": 1, "id": identifier, "statement": statement, "kind": "theorem", "source": "Theorem 2"}
    record.update(state=state, bound="≥ 0.98", rule={"at_least": 0.98}, share=1.0, measured=measured)
    return {**record, "contrast": contrast, "open_because": None}


def claim_bundle(record: dict[str, Any]) -> dict[str, Any]:
    return {
        CLAIM_MIME: record,
        "text/plain": record["id"],
        "text/html": f"<table><tr><td>{record['id']}</td></tr></table>",
    }


def claims_html(claims: list[dict[str, Any]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("state", "claim", "bound", "measured", "contrast"))
    rows = "".join(
        f'<tr class="ibkit-claim"><td>{claim["state"]}</td><td>{claim["statement"]}</td><td>{claim["bound"]}</td>'
        f"<td>0.99 [0.98, 1]</td><td>0.45 [0.4, 0.5]</td></tr>"
        for claim in claims
    )
    return f'<table class="ibkit-claims"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


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
    return display({"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": "<Figure>"})


def figure_metadata(slug: str) -> dict[str, Any]:
    figure = {"name": f"fig-{slug}", "caption": "The margin against steps: it approaches the best value $\\gamma$."}
    return {"image": {"alt": "A curve that rises towards one."}, "figure": figure}
