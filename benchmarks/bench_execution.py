"""Executing a book: ours against the sum of its work, and against the ways that one would use instead.

Eight synthetic chapters, each of which imports torch and matplotlib, works about two seconds and draws a figure.
nbmake, which only this file needs, is installed into a folder of its own (`pip install --target`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from timing import report

from ibkit.book.environment import kernel_environment, worker_environment
from ibkit.book.run import run_chapters
from ibkit.book.tree import Tree

CHAPTERS, CORES = 8, 2
PARAMETERS = 'seed: int = 0  # random seed\nprofile: str = "quick"  # quick | full'
IMPORTS = "import time\nimport numpy as np\nimport torch\nimport matplotlib.pyplot as plt"
WORK = "end = time.process_time() + 2\nwhile time.process_time() < end:\n    torch.randn(50, 50) @ torch.randn(50, 50)"
DRAW = "plt.plot(np.arange(9))\nplt.show()"
ENVIRONMENT = {**worker_environment(), **{k: v for k, v in kernel_environment().items() if "THREADS" in k}}


def make_book(root: Path) -> Tree:
    """Write the chapters, and what Jupyter Book needs to build them."""
    (root / "chapters" / "part").mkdir(parents=True)
    toc = ["format: jb-book", "root: index", "chapters:"]
    for number in range(CHAPTERS):
        cells = [{"cell_type": "markdown", "metadata": {}, "source": f"# Chapter {number}"}]
        for source in (PARAMETERS, IMPORTS, WORK, DRAW):
            tags = {"tags": ["parameters"]} if source is PARAMETERS else {}
            cells.append(
                {"cell_type": "code", "metadata": tags, "source": source, "outputs": [], "execution_count": None}
            )
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nb = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}
        (root / "chapters" / "part" / f"c{number}.ipynb").write_text(json.dumps(nb))
        toc.append(f"  - file: chapters/part/c{number}")
    (root / "_toc.yml").write_text("\n".join(toc) + "\n")
    (root / "index.md").write_text("# A book\n")
    (root / "_config.yml").write_text("title: A book\nexecute: {execute_notebooks: force}\n")
    return Tree(root)


def clock(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def command(*words: str | Path, root: Path, **environment: str) -> Callable[[], object]:
    """Return a call that runs a command in the book, and stops everything if it fails."""
    return lambda: subprocess.run(
        [sys.executable, *words], cwd=root, env={**ENVIRONMENT, **environment}, check=True, capture_output=True
    )


def install_nbmake(folder: Path) -> bool:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "nbmake==1.5.5"]
    return subprocess.run(pip, capture_output=True, check=False).returncode == 0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        root = Path(scratch) / "book"
        tree = make_book(root)
        chapters = tree.chapters()
        notebooks = [chapter.path for chapter in chapters]
        kept = True
        measured = {}
        for name, warm in (("warm", True), ("cold", False)):
            done = run_chapters(chapters, tree=tree, jobs=CORES, warm=warm, force=True)
            busy = sum(result.seconds for result in done.results)
            measured[name] = done.seconds
            bound = 1.10 if warm else None
            kept &= report(f"{name}: wall / (seconds in cells / {CORES})", done.seconds / (busy / CORES), bound)
        fixed = {}
        for name, warm in (("warm", True), ("cold", False)):
            many = run_chapters(chapters[:4], tree=tree, jobs=1, warm=warm, force=True)
            around = [result.kernel_seconds - result.seconds for result in many.results]
            # The imports are a cell's, and work takes two seconds: what else a chapter takes is fixed cost.
            fixed[name] = sorted(around[i] + many.results[i].seconds - 2 for i in range(4))[1]
        stock = []
        for path in notebooks[:3]:
            call = f"import papermill; papermill.execute_notebook({str(path)!r}, None, progress_bar=False)"
            stock.append(clock(command("-c", call, root=root)) - 2)
        kept &= report("seconds around a chapter, imports included, warm workers", fixed["warm"], 1.0)
        report("  the same, cold workers", fixed["cold"])
        report("  the same, papermill in a process a chapter", sorted(stock)[1])
        shell = clock(
            lambda: [
                command("-m", "papermill", "--no-progress-bar", path, root / "out.ipynb", root=root)()
                for path in notebooks
            ]
        )
        build = clock(command("-c", "from jupyter_book.cli.main import main; main()", "build", "-q", ".", root=root))
        report("ours / papermill's command line in a loop", measured["warm"] / shell)
        report("ours / jupyter-book build that executes (its pages included)", measured["warm"] / build)
        if install_nbmake(root / "nbmake"):
            path = os.pathsep.join([str(root / "nbmake"), ENVIRONMENT["PYTHONPATH"]])
            options = [
                "-p",
                "nbmake.pytest_plugin",
                "-p",
                "no:cacheprovider",
                "--nbmake",
                "-n",
                str(CORES),
                "-q",
                "--rootdir",
                str(root),
            ]
            nbmake = clock(command("-m", "pytest", *options, *notebooks, root=root, PYTHONPATH=path))
            report(f"ours / nbmake -n {CORES}", measured["warm"] / nbmake)
        else:
            print("nbmake could not be installed: not compared with it")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
