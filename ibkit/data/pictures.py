"""MNIST and CIFAR-10: downloaded once through pooch, checked by their hash each time they are read.

The hashes are those that TensorFlow Datasets keeps for the same addresses. CIFAR-10 comes in its binary form, so that
nothing is unpickled.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from ibkit.checks import one_of, require

CACHE_VARIABLE = "IBKIT_DATA"
"""Environment variable that names the folder of downloads, in place of the user's cache."""


@dataclass(frozen=True)
class Download:
    """A file elsewhere.

    Args:
        url: where it is.
        sha256: what it must hash to.
    """

    url: str
    sha256: str


_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
DOWNLOADS = {
    "mnist-train-images": Download(
        _MNIST + "train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "mnist-train-labels": Download(
        _MNIST + "train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "mnist-test-images": Download(
        _MNIST + "t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "mnist-test-labels": Download(
        _MNIST + "t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
    "cifar10": Download(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
}


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


def fetch(name: str) -> Path:
    """Return where a download lies, downloading it if it is not there yet.

    Args:
        name: one of ``DOWNLOADS``.

    Returns:
        The file, whose hash is right.

    Raises:
        ValueError: an unknown name.
        OSError: it cannot be downloaded, or what came has another hash.

    Example:
        >>> fetch("cifar10").name  # doctest: +SKIP
        'cifar-10-binary.tar.gz'
    """
    one_of("name", name, tuple(DOWNLOADS))
    import pooch

    wanted = DOWNLOADS[name]
    folder = Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("ibkit"))
    file = wanted.url.rsplit("/", 1)[-1]
    pooch.get_logger().setLevel("ERROR")  # a download is no news, and a line on stderr fails a chapter
    try:
        return Path(pooch.retrieve(wanted.url, f"sha256:{wanted.sha256}", fname=file, path=folder))
    except ValueError as error:  # the hash is wrong; pooch keeps no such file
        raise OSError(f"{wanted.url} is not the file it was: {error}") from error
    except Exception as error:
        raise OSError(
            f"{file} is not in {folder} and could not be downloaded ({type(error).__name__}): connect this machine to "
            f"the network once, or put the file from {wanted.url} there, or name its folder in {CACHE_VARIABLE}"
        ) from error


def _idx(path: Path) -> Tensor:
    """Read a file of the IDX format: two zeros, the type (8: bytes), the number of sizes, the sizes, the values."""
    content = gzip.decompress(path.read_bytes())
    require(content[:3] == b"\0\0\x08", f"{path.name} must be an IDX file of bytes, got the start {content[:4]!r}")
    sizes = np.frombuffer(content, dtype=">u4", count=content[3], offset=4)
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * content[3])
    return torch.from_numpy(values.reshape(*map(int, sizes)).copy())
