"""A Dask worker of a local cluster: `python -m ibkit.book.local_worker ADDRESS FOLDER`.

It listens on the loopback interface only, and ends at once when the process that started it is gone, even in the middle
of a run: Dask's own worker would first wait for the run.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from ibkit.book.cluster import LOOPBACK

_EVERY = 0.5


def main(address: str, folder: str) -> None:
    """Serve a scheduler until it, or the process that started this one, is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    from distributed.cli.dask_worker import main as dask_worker

    options = ["--nworkers", "1", "--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--death-timeout", "60"]
    options += ["--host", LOOPBACK, "--dashboard-address", f"{LOOPBACK}:0", "--local-directory", folder]
    dask_worker([address, *options])


if __name__ == "__main__":
    main(*sys.argv[1:])
