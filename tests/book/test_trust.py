"""What was not executed here is never taken for what was: not by a run, not by the site."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ibkit.book.cache import read_sealed, seal, seal_json, unseal_json
from ibkit.book.environment import worker_environment
from ibkit.book.gate import chapter_problem
from ibkit.book.notebook import parse_notebook
from ibkit.book.trust import KEY_VARIABLE

from .conftest import Wide


def test_a_notebook_from_elsewhere_is_not_ours(wide: Wide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A page shows HTML as it stands, so an executed notebook that somebody else sealed is run again, not shown."""
    ours = (wide.tree.executed / "part" / "good.ipynb").read_text()
    source = wide.tree.root / "chapters" / "part" / "good.ipynb"
    assert chapter_problem("part/good", source, wide.tree.executed / "part" / "good.ipynb") is None
    nb = parse_notebook(ours, "good")
    script = "<script>alert(1)</script>"
    nb["cells"][-1]["outputs"].append({"output_type": "display_data", "metadata": {}, "data": {"text/html": script}})
    monkeypatch.setenv(KEY_VARIABLE, "somebody else's")
    theirs = tmp_path / "good.ipynb"
    theirs.write_text(seal(nb))
    assert read_sealed(theirs.read_text())
    monkeypatch.undo()
    assert read_sealed(theirs.read_text()) is None
    assert "was not made here" in chapter_problem("part/good", source, theirs)


def test_sealed_values(monkeypatch: pytest.MonkeyPatch) -> None:
    text = seal_json({"a": [1, None, "é"]})
    assert unseal_json(text) == {"a": [1, None, "é"]}
    assert unseal_json(text.replace("1", "2", 1)) is None
    assert unseal_json(text[:-5]) is None
    assert unseal_json("[]") is unseal_json(None) is unseal_json("{}") is None
    monkeypatch.setenv(KEY_VARIABLE, "another")
    assert unseal_json(text) is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_key_is_made_once_and_for_the_user_alone(tmp_path: Path) -> None:
    environment = {**worker_environment(), "XDG_STATE_HOME": str(tmp_path)}
    environment.pop(KEY_VARIABLE, None)
    script = "from ibkit.book.trust import keyed_hash; print(keyed_hash('a'))"
    started = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    (key,) = (tmp_path / "ibkit").iterdir()
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
