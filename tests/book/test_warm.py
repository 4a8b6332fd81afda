"""A warm kernel is as fresh as a cold one: the same bytes, no namespace of another run, nothing left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from ibkit.book.run import run_chapters
from ibkit.book.tree import Tree

from .conftest import claim_code, make_book, notebook, outputs

FIGURE = """
import matplotlib.pyplot as plt
import numpy as np
import torch
from ibkit.claims import claim
from ibkit.records import record
from ibkit.show import explore, Lines, use_style
use_style()
W = torch.randn(20, 20, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
values = torch.linalg.svdvals(W @ W.T)
print({"b", "a", "c"}, hash("text"), values.sum().item())
figure, ax = plt.subplots(figsize=(3, 2))
ax.plot(values, label="singular values")
ax.legend()
plt.show()
"""
CLAIM = """
record("top", values[0])
claim("top", "It is large", measured=values[:3], at_least=1.0, source="here", kind="theorem")
explore(lambda step: Lines(series={"y": values * step}, x=np.arange(1, 21)), grid={"step": [1.0, 2.0]}, alt="A line.")
"""
MARK = "import builtins, torch\nprint(hasattr(builtins, 'mark'), hasattr(torch, 'mark'), 'left' in globals())\n"
DRAW = "import random, numpy, uuid\nprint(random.random(), numpy.random.rand(), torch.rand(1).item(), uuid.uuid4())"
LEAVE = (
    "builtins.mark = torch.mark = left = 1\nimport os\nos.environ['MARK'] = 'x'\ntorch.set_default_dtype(torch.float64)"
)


def book(root: Path) -> Tree:
    pictures = {f"picture{number}": notebook(FIGURE, CLAIM) for number in range(2)}
    marks = {
        f"mark{n}": notebook(MARK + "print('MARK' in __import__('os').environ, torch.zeros(1).dtype)", LEAVE, DRAW)
        for n in range(3)
    }
    return make_book(root, **pictures, **marks)


def cells(tree: Tree) -> dict[str, Any]:
    """Everything of the executed pictures but what their runs took."""
    found = {}
    for path in sorted(tree.executed.rglob("picture*.ipynb")):
        nb = json.loads(path.read_text())
        found[path.stem] = (json.dumps(nb["cells"]), nb["metadata"]["ibkit"]["run"]["versions"])
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    made = {}
    for name, warm, jobs in (("cold", False, 2), ("serial", True, 1), ("parallel", True, 2)):
        made[name] = book(tmp_path_factory.mktemp(name))
        report = run_chapters(made[name].chapters(), tree=made[name], jobs=jobs, warm=warm)
        assert report.ok, report.failed
    return made


def test_same_claims_and_figure_bytes_cold_and_warm_serial_and_parallel(runs: dict[str, Tree]) -> None:
    cold = cells(runs["cold"])
    assert "image/png" in cold["picture0"][0]
    assert "vnd.ibkit.claim" in cold["picture0"][0]
    assert "ibkit-explorer" in cold["picture0"][0]
    assert cold == cells(runs["serial"]) == cells(runs["parallel"])


def test_every_kernel_begins_with_an_empty_namespace(runs: dict[str, Tree]) -> None:
    draws = []
    for number in range(3):
        nb = json.loads((runs["serial"].executed / "part" / f"mark{number}.ipynb").read_text())
        assert outputs(nb).startswith("False False False\nFalse torch.float32\n")
        draws.append(outputs(nb).splitlines()[-1].split())
    # Without a seed a kernel draws what no other draws, as a fresh process does.
    assert all(len(set(column)) == 3 for column in zip(*draws, strict=True))


def test_kernels_are_forked_where_that_can_be(tmp_path: Path) -> None:
    """The parent of a warm kernel is its keeper, a fork of the nursery; that of a cold one is the worker."""
    tree = make_book(tmp_path, one=notebook("import psutil\nprint(psutil.Process().parent().cmdline())"))
    for warm, parent in ((True, "ibkit.book.nursery"), (False, "ibkit.book.worker")):
        report = run_chapters(tree.chapters(), tree=tree, warm=warm, force=True)
        said = outputs(json.loads(Path(report.results[0].address).read_text()))
        assert (parent if sys.platform == "linux" else "ibkit.book.worker") in said


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_death_of_the_nursery_costs_nothing(tmp_path: Path) -> None:
    """Running kernels have keepers of their own; later ones are started cold."""
    kill = (
        "import os, psutil\n"
        "nursery = psutil.Process().parent().parent()\n"
        "assert 'ibkit.book.nursery' in nursery.cmdline(), nursery.cmdline()\n"
        "nursery.kill()\nimport time\ntime.sleep(0.3)\nprint('alive')"
    )
    tree = make_book(tmp_path, kill=notebook(kill, ibkit={"seconds": 9}), later=notebook(claim_code("one")))
    report = run_chapters(tree.chapters(), tree=tree, jobs=1)
    assert report.ok, report.failed
    assert not psutil.Process().children(recursive=True)
