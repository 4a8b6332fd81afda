"""A run that wants too much: memory, disk; and a clock that jumps under it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ibkit.book.cache import read_sealed
from ibkit.book.environment import worker_environment
from ibkit.book.run import run_chapters

from .conftest import claim_code, gone, make_book, notebook, outputs

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


@linux
def test_an_allocation_beyond_the_limit_fails_in_its_cell(tmp_path: Path) -> None:
    tree = make_book(
        tmp_path,
        numpy=notebook("print('before')", "import numpy\nhuge = numpy.ones(10**9)", "print('after')"),
        torch=notebook("import torch\nhuge = torch.ones(10**9, dtype=torch.float64)"),
        python=notebook("huge = [0] * 10**9"),
        modest=notebook("print(len(bytearray(10**8)))", claim_code("one")),
    )
    report = run_chapters(tree.chapters(), tree=tree, memory_mb=1500)
    results = {result.chapter.slug: result for result in report.results}
    assert results["modest"].status == "passed"
    for slug in ("numpy", "torch", "python"):
        (problem,) = results[slug].problems
        assert problem.startswith("cell "), problem
        assert problem.endswith("(a run may use 1500 MB)"), problem
    kept = json.loads(Path(results["numpy"].address).read_text())
    assert outputs(kept) == "before\n"


@linux
def test_what_a_chapter_starts_counts_too(tmp_path: Path) -> None:
    """Each process stays below the limit, together they do not."""
    child = "import time; kept = bytearray(150_000_000); print(len(kept), flush=True); time.sleep(1000)"
    code = (
        "import subprocess, sys, time\n"
        f"many = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(3)]\n"
        "print(*(one.pid for one in many), flush=True)\ntime.sleep(1000)"
    )
    tree = make_book(tmp_path, brood=notebook(code))
    (result,) = run_chapters(tree.chapters(), tree=tree, memory_mb=300).results
    assert "MB of memory, and a run may use 300 MB" in result.problems[0]
    pids = outputs(json.loads(Path(result.address).read_text())).split()[:3]
    assert all(gone(int(pid)) for pid in pids)
    assert not psutil.Process().children(recursive=True)


@linux
def test_full_disk(tmp_path: Path) -> None:
    """No file may grow beyond 40 kB, as on a disk with that much left: what does not fit is not there at all."""
    tree = make_book(tmp_path / "book", large=notebook("print('x' * 100_000)"), small=notebook("print('y')"))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{limit}; from ibkit.book.cli import main; main(['run', '--root', {str(tree.root)!r}])",
        ],
        capture_output=True,
        text=True,
        env={**worker_environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "part/large its notebook could not be written to" in done.stderr
    assert "File too large" in done.stderr
    files = [path for path in tree.build.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["small.ipynb"]
    assert read_sealed(files[0].read_text())


JUMP = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
#include <sys/time.h>
/* Every look at the clock of the day jumps a day ahead or back; the clock that only counts stays as it is. */
static time_t jump(void) { static int looks; return (looks++ % 2 ? -86400 : 86400); }
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += jump();
    return done;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(now, zone);
    now->tv_sec += jump();
    return done;
}
"""


@linux
@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler to make the clock jump")
def test_a_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "jump.c").write_text(JUMP)
    library = tmp_path / "jump.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "jump.c", "-ldl"], check=True)
    look = "import time\nlooks = [time.time() for _ in range(4)]\nprint(max(looks) - min(looks) > 80_000)"
    tree = make_book(tmp_path / "book", one=notebook(look, claim_code("one")), two=notebook(claim_code("two")))
    command = [sys.executable, "-m", "ibkit", "run", "--root", tree.root, "--timeout", "60"]
    for said in ("2 chapters in", "2 unchanged"):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**worker_environment(), "LD_PRELOAD": str(library)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    nb = json.loads((tree.executed / "part" / "one.ipynb").read_text())
    assert outputs(nb) == "True\n"
    assert 0 < nb["metadata"]["ibkit"]["run"]["kernel_seconds"] < 60
