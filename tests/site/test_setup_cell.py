"""Where ibkit is missing, as on Colab, a chapter's set-up cell installs it; Binder gets what the lock pins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
import tomllib
import venv
from pathlib import Path

import yaml
from fixture_book import REPOSITORY

SETUP = next(
    "".join(cell["source"])
    for path in sorted((REPOSITORY / "chapters").glob("*/*.ipynb"))
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    if "setup" in cell["metadata"].get("tags", [])
)


def test_the_set_up_cell_installs_ibkit_from_the_repository(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git = ["git", "-c", "safe.directory=*", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "gc.auto=0"]
    tracked = subprocess.run([*git, "ls-files", "-z", "ibkit"], cwd=REPOSITORY, capture_output=True, check=False).stdout
    files = [REPOSITORY / name for name in tracked.decode().split("\0") if name]
    files = files or [path for path in (REPOSITORY / "ibkit").rglob("*") if path.is_file()]
    for path in [*files, *(REPOSITORY / name for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-text"))]:
        if path.is_file():
            target = clone / path.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=clone, check=True, capture_output=True)

    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    folder = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    # The heavy packages of this environment, but not our own editable install: its .pth file is not followed.
    Path(folder, "heavy.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    # Nothing is fetched: what the wheel is built with and needs is there ("0" is how pip spells "no isolation").
    environment |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {"IBKIT_SOURCE": f"git+{clone.as_uri()}", "PIP_ROOT_USER_ACTION": "ignore"}

    before = "import importlib.util as u; assert u.find_spec('ibkit') is None, u.find_spec('ibkit')"
    subprocess.run([python, "-c", before], env=environment, check=True, cwd=tmp_path)
    use = "\nimport ibkit.norms\nfrom importlib.metadata import version\nprint(ibkit.norms.__file__, version('ibkit'))"
    run = subprocess.run(
        [python, "-c", SETUP + use], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.startswith(str(tmp_path / "env"))
    again = environment | {"IBKIT_SOURCE": "git+file:///nowhere"}  # it is there now: nothing is installed
    subprocess.run([python, "-c", SETUP], env=again, cwd=tmp_path, check=True, capture_output=True)


def test_the_lock_pins_all_that_the_book_needs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    names = {re.split(r"[^\w.-]", each)[0].lower().replace("_", "-") for each in needed}
    lines = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].split("[")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert names - pinned == set()
    assert [line for line in lines if line.strip() and not line.startswith(("#", "-")) and "==" not in line] == []


def test_binder_gets_what_the_lock_pins() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]  # nothing beside the lock, which would drift from it
    assert pip["pip"] == ["-r requirements.lock", "-e ."]
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").lower()
    assert "\njupyterlab==" in lock
    assert "\nipykernel==" in lock
