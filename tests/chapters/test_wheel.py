"""A notebook alone plus an installed ibkit runs: outside the repository, from the wheel, with nothing else of ours."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def seconds(path):
    return json.loads(path.read_text(encoding="utf-8"))["metadata"]["ibkit"]["seconds"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment that holds our wheel, and the heavy packages of this one by their folder alone."""
    home = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home / "dist")],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = (home / "dist").glob("*.whl")
    venv.create(home / "env", with_pip=False)
    python = home / "env/bin/python"
    folder = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    zipfile.ZipFile(wheel).extractall(folder)
    # A folder named in a .pth file is searched, but its own .pth files (our editable install) are not followed.
    Path(folder, "heavy.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home, python


def clean_environment():
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "JUPYTER_PATH"}
    return {k: v for k, v in os.environ.items() if k not in hidden} | {"OMP_NUM_THREADS": "1"}


def test_the_wheel_holds_the_package_and_all_its_files(installed):
    home, python = installed
    code = (
        "import ibkit, importlib.resources as r; from ibkit.show.explorer import page_script; page_script();"
        "assert r.files('ibkit.book').joinpath('template.ipynb').is_file(); print(ibkit.__file__)"
    )
    done = subprocess.run(
        [python, "-c", code], cwd=home, env=clean_environment(), check=True, capture_output=True, text=True
    )
    assert done.stdout.strip().startswith(str(home / "env"))


def test_one_notebook_alone_runs_from_the_wheel(installed):
    home, python = installed
    quickest = min(ROOT.glob("chapters/*/*.ipynb"), key=seconds)
    work = home / "work"
    work.mkdir()
    (work / quickest.name).write_bytes(quickest.read_bytes())
    command = [python, "-m", "papermill", "--no-progress-bar", quickest.name, "out.ipynb", "-p", "device", "cpu"]
    done = subprocess.run(command, cwd=work, env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    executed = json.loads((work / "out.ipynb").read_text())
    claims = [
        output["data"]["application/vnd.ibkit.claim+json"]
        for cell in executed["cells"]
        for output in cell.get("outputs", [])
        if "application/vnd.ibkit.claim+json" in output.get("data", {})
    ]
    assert len(claims) >= 3
    assert {claim["state"] for claim in claims} <= {"held", "open"}
    assert sorted(p.name for p in work.iterdir()) == sorted([quickest.name, "out.ipynb"])
