"""Downloads: read from a cache by their hash, refused when they are others, a clear word where there is no network."""

import gzip
import hashlib
import io
import struct
import tarfile

import numpy as np
import pytest
import torch

from ibkit.data import cifar10, downloads, fetch, mnist

NOWHERE = "http://127.0.0.1:9/"  # the port where nothing answers


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Put small files of the real formats into a cache, with their hashes, where the network cannot be reached."""
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path))

    def put(name, content):
        file = downloads.DOWNLOADS[name].url.rsplit("/", 1)[-1]
        (tmp_path / file).write_bytes(content)
        made = downloads.Download(NOWHERE + file, hashlib.sha256(content).hexdigest())
        monkeypatch.setitem(downloads.DOWNLOADS, name, made)
        return tmp_path / file

    return put


def idx(values):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return gzip.compress(header + values.tobytes())


def test_mnist_reads_the_idx_format(cache):
    images = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
    cache("mnist-test-images", idx(images))
    cache("mnist-test-labels", idx(np.array([7, 2, 1], dtype=np.uint8)))
    X, y = mnist("test")
    assert torch.equal(X, torch.from_numpy(images))
    assert y.tolist() == [7, 2, 1]


def test_cifar_reads_the_binary_batches(cache):
    rows = np.arange(2 * 3073, dtype=np.uint32).astype(np.uint8).reshape(2, 3073)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        info.size = rows.nbytes
        archive.addfile(info, io.BytesIO(rows.tobytes()))
    cache("cifar10", content.getvalue())
    X, y = cifar10("test")
    assert y.tolist() == rows[:, 0].tolist()
    np.testing.assert_array_equal(X[1, 2, 31].numpy(), rows[1, -32:])


def test_a_damaged_file_is_never_read(cache):
    cache("mnist-test-labels", idx(np.zeros(2, dtype=np.uint8))).write_bytes(b"something else")
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch("mnist-test-labels")


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setitem(downloads.DOWNLOADS, "cifar10", downloads.Download(NOWHERE + "file.tar.gz", "0" * 64))
    with pytest.raises(OSError, match=r"connect this machine .* or put the file from .* there, or name its folder"):
        fetch("cifar10")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="split"):
        mnist("valid")
    with pytest.raises(ValueError, match="name"):
        fetch("imagenet")
