"""Folders that take a file whole or not at all: on disk, or at any address that fsspec knows."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ibkit.book.errors import InputError


@runtime_checkable
class Folder(Protocol):
    """Where executed notebooks go; names are relative, such as `margins/spectral-descent.ipynb`."""

    def check_writable(self) -> None:
        """Write and remove a small file, or raise `InputError`."""

    def read(self, name: str) -> str | None:
        """Return a file's text, None when it is not there or is not text."""

    def read_bytes(self, name: str) -> bytes | None:
        """Return a file's bytes, None when it is not there."""

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file whole or not at all, and return its address."""

    def names(self, folder: str) -> set[str]:
        """Return the names of the files that lie in a folder within this one."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""


def open_folder(address: str | Path) -> Folder:
    """Open an output folder.

    Args:
        address: a path, or an address such as `memory://runs` or `s3://bucket/runs`.

    Returns:
        The folder; nothing is created yet.

    Raises:
        InputError: the address has a protocol that is not known or not installed.
    """
    text = str(address)
    if "://" not in text:
        return LocalFolder(Path(text).absolute())
    if text.startswith("file://"):
        return LocalFolder(Path(text.removeprefix("file://")).absolute())
    return RemoteFolder(text)


class LocalFolder:
    """A folder on disk.

    Args:
        path: the folder, made when first written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def check_writable(self) -> None:
        """Write and remove a small file, or raise `InputError`."""
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.write(".probe", "")
            self.remove(".probe")
        except OSError as error:
            raise InputError(f"output folder {self.path} cannot be written: {error.strerror or error}") from None
        finally:
            # A check leaves nothing behind: folders are made for good by the first result.
            for folder in missing:
                with suppress(OSError):
                    folder.rmdir()

    def read(self, name: str) -> str | None:
        """Return a file's text, None when it is not there or is not text."""
        return _text(self.read_bytes(name))

    def read_bytes(self, name: str) -> bytes | None:
        """Return a file's bytes, None when it is not there."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file whole or not at all, and return its path."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(_bytes(content))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return str(target)

    def names(self, folder: str) -> set[str]:
        """Return the names of the files that lie in a folder within this one."""
        try:
            return {name for name in os.listdir(self.path / folder) if not name.startswith(".")}
        except OSError:
            return set()

    def remove(self, name: str) -> None:
        """Remove a file if it is there, and its folder when that leaves it empty."""
        target = self.path / name
        target.unlink(missing_ok=True)
        if target.parent != self.path:
            with suppress(OSError):
                target.parent.rmdir()


class RemoteFolder:
    """A folder at an fsspec address.

    Args:
        address: such as `memory://runs`.

    Raises:
        InputError: the protocol is not known, or its package is not installed.
    """

    def __init__(self, address: str) -> None:
        import fsspec

        self.address = address.rstrip("/")
        try:
            self.fs, self.base = fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError, OSError) as error:
            raise InputError(f"output folder {address}: {_one_line(error)}") from None

    def __str__(self) -> str:
        return self.address

    def check_writable(self) -> None:
        """Write and remove a small file, or raise `InputError`."""
        try:
            self.write(".probe", "")
            self.remove(".probe")
        except Exception as error:  # each file system raises its own kinds
            raise InputError(f"output folder {self.address} cannot be written: {_one_line(error)}") from None

    def read(self, name: str) -> str | None:
        """Return a file's text, None when it is not there or is not text."""
        return _text(self.read_bytes(name))

    def read_bytes(self, name: str) -> bytes | None:
        """Return a file's bytes, None when it is not there."""
        try:
            return self.fs.cat_file(self._at(name))
        except OSError:
            return None

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file under another name, then move it, and return its address."""
        target = self._at(name)
        temporary = f"{target}.{uuid.uuid4().hex}.tmp"
        with suppress(OSError):
            self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        try:
            self.fs.pipe_file(temporary, _bytes(content))
            self.fs.mv(temporary, target)
        finally:
            if self.fs.exists(temporary):
                self.fs.rm_file(temporary)
        return f"{self.address}/{name}"

    def names(self, folder: str) -> set[str]:
        """Return the names of the files that lie in a folder within this one."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(self._at(folder), detail=False)
        except OSError:
            return set()
        return {name.rstrip("/").rsplit("/", 1)[-1] for name in found}

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        if self.fs.exists(self._at(name)):
            self.fs.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self.base.rstrip('/')}/{name}"


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _one_line(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__
