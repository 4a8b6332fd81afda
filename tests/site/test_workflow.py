"""The workflow and the environment that others run the book in."""

from __future__ import annotations

import subprocess
import sys

import yaml
from fixture_book import REPOSITORY

WORKFLOW = REPOSITORY / ".github" / "workflows" / "book.yml"


def test_workflow_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_workflow_runs_the_two_commands_with_little_power() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    steps = [step.get("run") for step in workflow["jobs"]["build"]["steps"]]
    assert [step for step in steps if step] == ["make test", "make book"]
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow["jobs"]["publish"]["permissions"]) == {"pages", "id-token"}


def test_environment_installs_the_lock_and_the_package() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert "python=3.11" in conda
    assert pip["pip"] == ["-r requirements.lock", "-e ."]


def test_citation_names_the_package_version() -> None:
    import ibkit

    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == ibkit.__version__
