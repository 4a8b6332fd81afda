"""End processes together with everything that they started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


def kill_group(pid: int) -> None:
    """End a process that leads a group, and the whole group; kernels and workers lead groups of their own.

    Args:
        pid: the process; nothing happens when it is already gone.
    """
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)
