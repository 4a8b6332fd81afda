"""The page that one would get without this book's site code: html-manager, require.js and MathJax, served by oneself.

It holds a chapter's text and formulas as TeX, and one slider, stored as widget state. The packages come
through npm, once, into the folder given.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

PACKAGES = {
    "@jupyter-widgets/html-manager@1.0.15": ("package/dist/embed-amd.js", "embed-amd.js"),
    "requirejs@2.3.8": ("package/require.js", "require.js"),
    "mathjax@3.2.2": ("package/es5", "mathjax"),
}
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


def fetch_packages(folder: Path) -> bool:
    """Put the stock recipe's scripts into a folder, unless they are there; False where there is no npm."""
    npm = shutil.which("npm")
    folder.mkdir(parents=True, exist_ok=True)
    for package, (inside, name) in PACKAGES.items():
        if (folder / name).exists():
            continue
        if npm is None:
            return False
        run = subprocess.run(
            [npm, "pack", "--silent", package], cwd=folder, capture_output=True, text=True, check=False
        )
        if run.returncode:
            return False
        archive = folder / run.stdout.split()[-1]
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "unpacked", filter="data")
        shutil.move(folder / "unpacked" / inside, folder / name)
        shutil.rmtree(folder / "unpacked")
        archive.unlink()
    return True


def write_page(notebook: Path, folder: Path) -> Path:
    """Write the page beside the scripts.

    Args:
        notebook: the chapter, for its text and formulas.
        folder: where the scripts are.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    body = "\n".join(f"<section>{_typed(text)}</section>" for text in texts)
    state = {"version_major": 2, "version_minor": 0, "state": _slider()}
    page = (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>stock</title>'
        "<script>window.MathJax = {tex: {inlineMath: [['\\\\(', '\\\\)']], macros: "
        "{R: '\\\\mathbb{R}', E: '\\\\mathbb{E}', tr: '\\\\operatorname{tr}', "
        "diag: '\\\\operatorname{diag}'}}}</script>"
        '<script defer src="mathjax/tex-chtml-full.js"></script>'
        '<script src="require.js"></script><script src="embed-amd.js"></script></head><body>'
        f'<script type="{VIEW}">{json.dumps({"version_major": 2, "version_minor": 0, "model_id": "slider"})}</script>'
        f'<script type="{STATE}">{json.dumps(state)}</script>{body}</body></html>'
    )
    target = folder / "index.html"
    target.write_text(page, encoding="utf-8")
    return target


def _typed(text: str) -> str:
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"\$\$(.+?)\$\$(?:\s*\([\w-]+\))?", r"\\[\1\\]", escaped, flags=re.DOTALL)
    return re.sub(r"\$([^$]+)\$", r"\\(\1\\)", escaped)


def _slider() -> dict[str, dict[str, object]]:
    def model(name: str, module: str, state: dict[str, object]) -> dict[str, object]:
        version = "2.0.0"
        return {
            "model_name": name,
            "model_module": f"@jupyter-widgets/{module}",
            "model_module_version": version,
            "state": state,
        }

    return {
        "layout": model("LayoutModel", "base", {}),
        "style": model("SliderStyleModel", "controls", {}),
        "slider": model(
            "IntSliderModel",
            "controls",
            {"layout": "IPY_MODEL_layout", "style": "IPY_MODEL_style", "min": 0, "max": 10, "value": 3},
        ),
    }
