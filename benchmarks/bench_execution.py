"""Executing a book: ours against the sum of its work, and against the ways that one would use instead.

Synthetic chapters import torch and matplotlib, work for some seconds of processor time and draw a figure: long ones as
the book's are, short ones for the comparison. nbmake, which only this file needs, is installed into a folder of its own
(`pip install --target`), without what it depends on: that is here.
"""

from __future__ import annotations

import json
import os
import statistics
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

CORES = 2
LONG, SHORT = (8, 8), (6, 2)  # how many chapters, of how many seconds each
PARAMETERS = 'seed: int = 0  # random seed\nprofile: str = "quick"  # quick | full'
IMPORTS = "import time\nimport numpy as np\nimport torch\nimport matplotlib.pyplot as plt"
WORK = """begun, end = time.perf_counter(), time.process_time() + {seconds}
while time.process_time() < end:
    torch.randn(50, 50) @ torch.randn(50, 50)
print(time.perf_counter() - begun)"""
DRAW = "plt.plot(np.arange(9))\nplt.show()"
ENVIRONMENT = {**worker_environment(), **{k: v for k, v in kernel_environment().items() if "THREADS" in k}}


def make_book(root: Path, chapters: int, seconds: int) -> Tree:
    """Write the chapters, and what Jupyter Book needs to build them."""
    (root / "chapters" / "part").mkdir(parents=True)
    toc = ["format: jb-book", "root: index", "chapters:"]
    for number in range(chapters):
        cells = [{"cell_type": "markdown", "metadata": {}, "source": f"# Chapter {number}"}]
        for source in (PARAMETERS, IMPORTS, WORK.format(seconds=seconds), DRAW):
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


def worked(path: Path) -> float:
    """Return how long the work in an executed chapter took by its own clock."""
    outputs = [output for cell in json.loads(path.read_text())["cells"] for output in cell.get("outputs", [])]
    return float("".join(next(output["text"] for output in outputs if output["output_type"] == "stream")))


def fixed_cost(tree: Tree, warm: bool) -> float:
    """Return the median seconds that a kernel lives beyond the work in it, once the workers are up."""
    done = run_chapters(tree.chapters()[:4], tree=tree, jobs=1, warm=warm, force=True)
    around = [result.kernel_seconds - worked(Path(result.address)) for result in done.results]
    return statistics.median(around[1:])


def stock_cost(tree: Tree, out: Path) -> float:
    """Return the median seconds that a process with papermill takes beyond the work in its chapter."""
    around = []
    for chapter in tree.chapters()[:3]:
        call = f"import papermill; papermill.execute_notebook({str(chapter.path)!r}, {str(out)!r}, progress_bar=False)"
        around.append(clock(command("-c", call, root=tree.root)) - worked(out))
    return statistics.median(around)


def install_nbmake(folder: Path) -> bool:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "nbmake==1.5.5"]
    return subprocess.run(pip, capture_output=True, check=False).returncode == 0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        out = Path(scratch) / "out.ipynb"
        tree = make_book(Path(scratch) / "long", *LONG)
        done = run_chapters(tree.chapters(), tree=tree, jobs=CORES)
        busy = sum(result.seconds for result in done.results) / CORES
        kept = report(
            f"{LONG[0]} chapters of {LONG[1]} s: wall / (seconds in cells / {CORES})", done.seconds / busy, 1.10
        )
        root = Path(scratch) / "short"
        tree = make_book(root, *SHORT)
        notebooks = [chapter.path for chapter in tree.chapters()]
        kept &= report("seconds around a chapter, imports included, warm workers", fixed_cost(tree, True), 1.0)
        report("  the same, cold kernels", fixed_cost(tree, False))
        report("  the same, stock papermill in a process a chapter", stock_cost(tree, out))
        ours = run_chapters(tree.chapters(), tree=tree, jobs=CORES, force=True).seconds
        cold = run_chapters(tree.chapters(), tree=tree, jobs=CORES, force=True, warm=False).seconds
        loop = [command("-m", "papermill", "--no-progress-bar", path, out, root=root) for path in notebooks]
        shell = clock(lambda: [run() for run in loop])
        build = clock(command("-c", "from jupyter_book.cli.main import main; main()", "build", "-q", ".", root=root))
        print(f"{SHORT[0]} chapters of {SHORT[1]} s, all in {ours:.1f} s")
        report("  ours / ours with cold kernels", ours / cold)
        report("  ours / papermill's command line in a loop", ours / shell)
        report("  ours / jupyter-book build that executes (its pages included)", ours / build)
        if install_nbmake(Path(scratch) / "nbmake"):
            path = os.pathsep.join([str(Path(scratch) / "nbmake"), ENVIRONMENT["PYTHONPATH"]])
            options = ["-p", "no:cacheprovider", "--nbmake", "-n", str(CORES), "-q", "--rootdir", str(root)]
            nbmake = clock(command("-m", "pytest", *options, *notebooks, root=root, PYTHONPATH=path))
            report(f"  ours / nbmake -n {CORES}", ours / nbmake)
        else:
            print("  nbmake could not be installed: not compared with it")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
