"""The environment variables of the processes that run chapters."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

#: One thread a kernel: sums are then taken in the same order whatever runs beside it, and `-j` is the only parallelism.
_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB_MAXIMUM")
_SETTINGS = {
    **{f"{name}_NUM_THREADS": "1" for name in _THREADS},
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
_INLINE = "module://matplotlib_inline.backend_inline"


def worker_environment() -> dict[str, str]:
    """Return the environment of workers, in which the ibkit that is imported here is the one that runs."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    package = str(Path(__file__).resolve().parents[2])
    # An ibkit run from its sources without being installed would not be found from another folder.
    if package not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *paths}:
        paths.append(package)
    # The environment's own kernel, not one of the same name that the user installed elsewhere.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "JUPYTER_PREFER_ENV_PATH": "1"}


def kernel_environment() -> dict[str, str]:
    """Return the environment of a kernel: single-threaded, with a fixed hash seed, free of the debugger's warning."""
    return {**os.environ, **_SETTINGS}


def nursery_environment() -> dict[str, str]:
    """Return the environment in which modules are imported for kernels: theirs, with the backend that Jupyter sets."""
    return {"MPLBACKEND": _INLINE, **worker_environment(), **_SETTINGS}
