"""What was executed here, and what only claims to have been: seals are hashes with a key that no book contains.

An executed notebook holds HTML that a page shows as it stands, so one from elsewhere (a download, somebody's `_build`)
must not be taken for our own. The key lies in the user's own folder, outside every book. Where executed notebooks are
carried from one machine to another on purpose (a continuous integration that keeps `_build` between its jobs),
`IBKIT_SEAL_KEY` gives both the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

KEY_VARIABLE = "IBKIT_SEAL_KEY"


def keyed_hash(text: str) -> str:
    """Return the hash of a text that only this user can make.

    Args:
        text: what is sealed.

    Returns:
        64 hexadecimal digits.
    """
    return hmac.new(_key(os.environ.get(KEY_VARIABLE) or None), text.encode(), hashlib.sha256).hexdigest()


@cache
def _key(given: str | None) -> bytes:
    if given is not None:
        return given.encode()
    path = _folder() / "seal-key"
    with suppress(OSError):
        if not path.exists():
            _write_once(path, secrets.token_hex(32))
        return path.read_bytes()
    # No folder to keep it in: what this process seals is trusted by this process and its workers alone.
    os.environ[KEY_VARIABLE] = secrets.token_hex(32)
    return os.environ[KEY_VARIABLE].encode()


def _folder() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ibkit"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ibkit"


def _write_once(path: Path, key: str) -> None:
    """Write a file that only the user can read, whole, unless another process is first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key)
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
