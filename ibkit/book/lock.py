"""One build at a time in a book: a lock on its folder that ends with the process that holds it, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ibkit.book.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no lock on a folder
    fcntl = None  # type: ignore[assignment]


class BusyError(InputError):
    """Another process is at work in the same book."""


@contextmanager
def hold(folder: Path, exclusive: bool) -> Iterator[None]:
    """Hold a book's folder while working in it.

    The lock is on the folder itself: no file is written, and none is left behind.

    Args:
        folder: the book's folder.
        exclusive: True for a build, which must be alone; False for runs, which write whole files and may go on beside
            each other, but not beside a build.

    Raises:
        BusyError: another process holds it; the message says which, where the system tells.

    Example:
        >>> with hold(Path("."), exclusive=True):
        ...     pass
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another ibkit is at work in {folder}{_holder(handle)}; wait until it is done") from None
        yield
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    """Say which process holds the lock; nothing where the system does not tell."""
    inode = os.fstat(handle).st_ino
    try:
        # Such as `1: FLOCK  ADVISORY  WRITE 1234 00:2a:5678 0 EOF`.
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        numbers = [line[4] for line in locks if line[1] == "FLOCK" and line[5].split(":")[-1] == str(inode)]
        command = Path(f"/proc/{numbers[0]}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, IndexError):
        return ""
    return f" (process {numbers[0]}: {command.strip()[:120]})"
