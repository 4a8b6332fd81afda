"""The code of a full run, seen on a CPU: every chapter with its full profile's path at tiny sizes."""

from pathlib import Path

import pytest

from ibkit.book.run import run_chapters
from ibkit.book.tree import need_tree

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dry(tmp_path_factory):
    tree = need_tree(ROOT)
    out = tmp_path_factory.mktemp("dry")
    report = run_chapters(tree.chapters(), tree=tree, parameters={"profile": "dry", "device": "cpu"}, jobs=1, out=out)
    return {result.chapter.slug: result for result in report.results}


@pytest.mark.parametrize("slug", sorted(path.stem for path in ROOT.glob("chapters/*/*.ipynb")))
def test_every_cell_of_the_full_path_runs(dry, slug):
    assert dry[slug].problems == ()
    assert dry[slug].held + dry[slug].open + dry[slug].red >= 3
