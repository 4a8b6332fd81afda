"""MNIST and CIFAR-10, through `ibkit.data.downloads`. CIFAR-10 comes in its binary form: nothing is unpickled."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from ibkit.checks import one_of, require
from ibkit.data.downloads import fetch


def mnist(split: str = "train") -> tuple[UInt8[Tensor, "samples 28 28"], Int[Tensor, " samples"]]:
    """Return MNIST: handwritten digits, 60000 to train on and 10000 to test on (LeCun, Cortes and Burges).

    Args:
        split: ``train`` or ``test``.

    Returns:
        Grey values from 0 to 255 ``(samples, 28, 28)`` as bytes, and labels ``(samples,)``.

    Raises:
        ValueError: another split.
        OSError: the files are neither in the cache nor can they be downloaded, or they are damaged.

    Example:
        >>> images, labels = mnist("test")  # doctest: +SKIP
        >>> images.shape  # doctest: +SKIP
        torch.Size([10000, 28, 28])
    """
    one_of("split", split, ("train", "test"))
    images, labels = (_idx(fetch(f"mnist-{split}-{kind}")) for kind in ("images", "labels"))
    return images, labels.long()


def cifar10(split: str = "train") -> tuple[UInt8[Tensor, "samples 3 32 32"], Int[Tensor, " samples"]]:
    """Return CIFAR-10: small colour pictures of ten classes, 50000 to train on and 10000 to test on (Krizhevsky 2009).

    Args:
        split: ``train`` or ``test``.

    Returns:
        Red, green and blue from 0 to 255 ``(samples, 3, 32, 32)`` as bytes, and labels ``(samples,)``.

    Raises:
        ValueError: another split.
        OSError: the file is neither in the cache nor can it be downloaded, or it is damaged.

    Example:
        >>> images, labels = cifar10("test")  # doctest: +SKIP
        >>> images.shape  # doctest: +SKIP
        torch.Size([10000, 3, 32, 32])
    """
    one_of("split", split, ("train", "test"))
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if split == "train" else ["test_batch.bin"]
    with tarfile.open(fetch("cifar10")) as archive:
        parts = [archive.extractfile(f"cifar-10-batches-bin/{name}").read() for name in names]  # type: ignore[union-attr]
    rows = torch.from_numpy(np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32).copy())
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].long()


def _idx(path: Path) -> Tensor:
    """Read a file of the IDX format: two zeros, the type (8: bytes), the number of sizes, the sizes, the values."""
    content = gzip.decompress(path.read_bytes())
    require(content[:3] == b"\0\0\x08", f"{path.name} must be an IDX file of bytes, got the start {content[:4]!r}")
    sizes = np.frombuffer(content, dtype=">u4", count=content[3], offset=4)
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * content[3])
    return torch.from_numpy(values.reshape(*map(int, sizes)).copy())
