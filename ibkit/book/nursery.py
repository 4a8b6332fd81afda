"""A process that has imported what kernels need and forks them: `python -m ibkit.book.nursery`.

Importing torch, matplotlib and a solver costs each cold kernel more than a second. The nursery imports them once, never
runs a line of a notebook, and forks a kernel whenever one is asked for. A forked kernel is as fresh as a cold one: the
same modules, no namespace of an earlier run, its own seeds. Each kernel gets a keeper, a fork of its own, which waits
for it and ends it, with all that it started, as soon as whoever asked for it is gone. So neither the death of a worker
nor that of the nursery leaves a kernel behind, and the death of a keeper touches one kernel only.

Forking is sound here because the nursery has a single thread, which it checks; this is Linux only (`available`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ibkit.book.environment import nursery_environment

#: Packages that may be imported ahead: chapters use them, and importing one does no more than define things.
_SAFE = frozenset({"cvxpy", "ibkit", "matplotlib", "numpy", "scipy", "sklearn", "torch"})
#: What those import only at first use, which every kernel would otherwise do.
_LATER = {"matplotlib": ["matplotlib.backends.backend_agg"], "cvxpy": ["clarabel", "highspy"]}
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def available() -> bool:
    """Return whether kernels can be forked here."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def main(modules: Sequence[str]) -> None:
    """Import the modules, then serve the socket that is standard input until whoever holds the other end is gone.

    Args:
        modules: what the notebooks at hand import; those that are not known to be harmless are left to the kernels.
    """
    # `python -m` puts the current folder first; kernels have it last, and it is theirs.
    del sys.path[0]
    parent = os.getppid()
    listener = socket.socket(fileno=0)
    _preload(modules)
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("an imported module has started a thread; kernels are started cold")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    gc.collect()
    gc.freeze()
    listener.settimeout(1.0)
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        if os.fork() == 0:
            _as_keeper(listener, connection)
        connection.close()


def _preload(modules: Sequence[str]) -> None:
    for name in ["ipykernel.kernelapp", *modules]:
        package = name.split(".")[0]
        if package not in _SAFE and package != "ipykernel":
            continue
        for each in (name, *_LATER.get(package, ())):
            with suppress(Exception):  # the kernel that needs it will say what is wrong
                importlib.import_module(each)


def _as_keeper(listener: socket.socket, connection: socket.socket) -> NoReturn:
    code = 1
    try:
        listener.close()
        connection.settimeout(30)
        code = _keep(connection)
    finally:
        os._exit(code)


def _keep(connection: socket.socket) -> int:
    """Fork the kernel that is asked for, and stay until it has ended or nobody wants it any more."""
    request = json.loads(connection.makefile("r", encoding="utf-8").readline() or "null")
    if request is None:
        return 0
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    kernel = os.fork()
    if kernel == 0:
        connection.close()
        _become_kernel(request)
    connection.sendall(json.dumps({"pid": kernel}).encode() + b"\n")
    watched = os.pidfd_open(kernel)
    select.select([watched, connection], [], [])
    # The kernel is not waited for yet, so its number is still its own: nothing else can be hit.
    with suppress(ProcessLookupError, PermissionError):
        os.kill(kernel, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(kernel, signal.SIGKILL)
    _, status = os.waitpid(kernel, 0)
    with suppress(OSError):
        connection.sendall(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
    return 0


def _become_kernel(request: dict[str, Any]) -> NoReturn:
    """Make of this fork what `python -m ipykernel_launcher -f FILE` would be."""
    code = 1
    try:
        _die_with_parent()
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(request["cwd"])
        os.environ.clear()
        # ipykernel ends itself when its parent is another than this.
        os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["ipykernel_launcher.py", *request["arguments"]]
        gc.unfreeze()
        _reseed()
        _serve(request["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _serve(arguments: list[str]) -> None:
    from ipykernel.kernelapp import IPKernelApp

    # Its default was read from the environment when the module was imported.
    app = IPKernelApp.instance(parent_handle=os.getppid())
    app.initialize(list(arguments))
    if "ipywidgets" in sys.modules:  # registers itself when it is imported, but only inside a kernel
        sys.modules["ipywidgets"].register_comm_target()
    app.start()


def _reseed() -> None:
    """Give the kernel the entropy that a fresh process would have; Python's own `random` sees to itself."""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


class Nursery:
    """A running nursery, as the process that started it sees it.

    Kernels are asked for at `address`; whoever connects early waits there until the imports are done. When it cannot
    serve, connections end unanswered, and kernels are started cold.

    Args:
        folder: where its socket and its log lie; a short path, since that of a socket has at most about 100 characters.
        modules: what the notebooks at hand import.
    """

    def __init__(self, folder: Path, modules: Sequence[str]) -> None:
        self.address = str(folder / "n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, (folder / "nursery.log").open("ab") as log:
            listener.bind(self.address)
            listener.listen(64)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ibkit.book.nursery", *modules],
                stdin=listener,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=nursery_environment(),
                start_new_session=True,
            )

    def close(self) -> None:
        """End the nursery; kernels that run end with those who asked for them."""
        self.process.kill()
        self.process.wait()


def imported_modules(notebook: dict[str, Any]) -> set[str]:
    r"""Return the modules that a notebook's code names in import statements.

    Example:
        >>> cell = {"cell_type": "code", "source": "%matplotlib inline\nimport torch\nfrom ibkit.claims import claim"}
        >>> sorted(imported_modules({"cells": [cell]}))
        ['ibkit.claims', 'torch']
    """
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    return set(re.findall(r"^\s*(?:import|from)\s+([A-Za-z_][\w.]*)", code, flags=re.MULTILINE))


if __name__ == "__main__":
    main(sys.argv[1:])
