"""Sphinx kept warm: a build reads and writes the pages that changed, and gives what a build from nothing would give.

Sphinx remembers what it read of every page (``_build/sphinx``) and which pages depend on which. That memory is used
only as long as nothing changed that reaches every page: settings, contents, bibliography, style, this library, the
tools. Anything that goes wrong throws it away: a warning is shown for a page that is read, never for one that is not.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ibkit
from ibkit.book.errors import SiteError

_REACH = ".ibkit-reach"


def follow(new: Path, kept: Path) -> None:
    """Make the folder `kept` hold what `new` holds, and touch no file whose content stays; `new` is used up.

    Sphinx reads a page again when its file is newer than its memory of it.

    Args:
        new: the folder as it should be.
        kept: the folder as it was; it need not exist.
    """
    for path in sorted(kept.rglob("*"), reverse=True):
        there = new / path.relative_to(kept)
        if path.is_dir() and not path.is_symlink():
            if not there.is_dir():
                shutil.rmtree(path)
        elif not there.is_file():
            path.unlink()
    for path in sorted(new.rglob("*")):
        here = kept / path.relative_to(new)
        if path.is_dir():
            here.mkdir(parents=True, exist_ok=True)
        elif not here.is_file() or not filecmp.cmp(path, here, shallow=False):
            here.parent.mkdir(parents=True, exist_ok=True)
            path.replace(here)
    shutil.rmtree(new)


def run_jupyter_book(source: Path, kept: Path, html: Path, reach: str) -> None:
    """Build the source tree; every warning is an error, and is shown.

    Args:
        source: the tree that Jupyter Book reads.
        kept: the folder of Sphinx's memory and of the pages as it writes them.
        html: where a copy of all pages goes; what stood there is removed.
        reach: a hash of all that reaches every page. With another one than the last time everything is built anew.

    Raises:
        SiteError: a warning or an error of Sphinx; the memory is gone then.
    """
    mark = kept / _REACH
    if not mark.is_file() or mark.read_text(encoding="utf-8") != reach:
        shutil.rmtree(kept, ignore_errors=True)
    mark.unlink(missing_ok=True)  # a build that is cut off leaves no memory either
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source)]
    command += ["--path-output", str(kept), "-n", "-W", "--keep-going", "-q"]
    # The extension is imported from wherever this ibkit is, and a search for widgets on the network is never right.
    paths = [str(Path(ibkit.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    written = kept / "_build" / "html"
    if run.returncode or not (written / "index.html").is_file():
        shutil.rmtree(kept, ignore_errors=True)
        said = [line for line in (run.stderr + run.stdout).splitlines() if "WARNING" in line or "ERROR" in line]
        lines = said or (run.stderr + run.stdout).strip().splitlines()[-30:]
        raise SiteError("the site did not build:\n" + "\n".join(line.replace(f"{source}/", "") for line in lines))
    mark.write_text(reach, encoding="utf-8")
    shutil.rmtree(html, ignore_errors=True)
    shutil.copytree(written, html)
