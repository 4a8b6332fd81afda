"""Files from elsewhere: downloaded once through pooch, checked by their hash each time they are read.

The hashes of MNIST and CIFAR-10 are those that TensorFlow Datasets keeps for the same addresses.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ibkit.checks import one_of

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
    "text8": Download(
        "http://mattmahoney.net/dc/text8.zip", "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232"
    ),
}


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
