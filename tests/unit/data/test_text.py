import hashlib
import io
import zipfile

import pytest
import torch

from ibkit.data import downloads, novel, text8, vocabulary_of, words
from ibkit.data.text import UNKNOWN


def test_the_novel_is_whole():
    text = novel()
    assert text.count("\nChapter ") == 61
    assert text.startswith("PRIDE AND PREJUDICE\n")
    assert text.rstrip().endswith("had been the means of uniting them.")
    assert 350 < words(text).count("darcy") < 450
    assert "\r" not in text


def test_words_and_letters_come_back():
    tokens = words("Mr. Bennet's wife -- and daughters!")
    assert tokens == ["mr", ".", "bennet's", "wife", "and", "daughters", "!"]
    vocabulary = vocabulary_of(tokens)
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens


def test_rare_tokens_become_unknown():
    vocabulary = vocabulary_of(["a"] * 3 + ["b"] * 2 + ["c", "d"], most=3)
    assert vocabulary.tokens == ("a", "b", UNKNOWN)
    assert vocabulary.encode(["c", "a", "zebra"]).tolist() == [2, 0, 2]
    with pytest.raises(ValueError, match="tokens must be of the vocabulary, got 'c'"):
        vocabulary_of("aab").encode("abc")


def test_text8_is_read_from_its_archive(tmp_path, monkeypatch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("text8", " anarchism originated")
    (tmp_path / "text8.zip").write_bytes(packed.getvalue())
    made = downloads.Download("http://127.0.0.1:9/text8.zip", hashlib.sha256(packed.getvalue()).hexdigest())
    monkeypatch.setitem(downloads.DOWNLOADS, "text8", made)
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path))
    assert text8() == " anarchism originated"
    (tmp_path / "text8.zip").write_bytes(b"damaged")
    with pytest.raises(OSError, match=r"text8\.zip"):
        text8()


def test_numbers_are_int64():
    assert vocabulary_of("ab").encode("ba").dtype == torch.int64
