r"""English text and what becomes of it: a novel that the project contains, a larger corpus, tokens, and windows.

Jane Austen's *Pride and Prejudice* (1813) is in the public domain. The text is that of Project Gutenberg as the R
package janeaustenr (Silge 2016) prepared it, with line breaks inside paragraphs removed here.
"""

from __future__ import annotations

import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ibkit.checks import require
from ibkit.data.downloads import fetch

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[.,;:!?]")
UNKNOWN = "<unknown>"


@cache
def novel() -> str:
    """Return *Pride and Prejudice*, one paragraph a line.

    Example:
        >>> text = novel()
        >>> text.splitlines()[3][:57], len(text) // 1000
        ('It is a truth universally acknowledged, that a single man', 682)
    """
    packed = resources.files("ibkit.data").joinpath("pride-and-prejudice.txt.xz").read_bytes()
    return lzma.decompress(packed).decode("utf-8")


def text8() -> str:
    """Return text8: a hundred million characters of English Wikipedia, the letters a to z and blanks (Mahoney 2006).

    Raises:
        OSError: it is neither in the cache nor can it be downloaded, or it is damaged.

    Example:
        >>> len(text8())  # doctest: +SKIP
        100000000
    """
    with zipfile.ZipFile(fetch("text8")) as archive:
        return archive.read("text8").decode("ascii")


def words(text: str) -> list[str]:
    """Split a text into lower-case words and punctuation marks; all else parts them.

    Args:
        text: any text.

    Example:
        >>> words("My dear Mr. Bennet, don't!")
        ['my', 'dear', 'mr', '.', 'bennet', ',', "don't", '!']
    """
    return _WORD.findall(text.lower().replace("’", "'"))


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and their numbers, the most frequent first.

    Args:
        tokens: each token once; the last may be ``UNKNOWN``, which stands for all others.
    """

    tokens: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many tokens there are."""
        return len(self.tokens)

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    def encode(self, tokens: Sequence[str]) -> Int[Tensor, " length"]:
        """Return the tokens' numbers.

        Args:
            tokens: a list of tokens, or a text whose characters are the tokens.

        Raises:
            ValueError: a token that the vocabulary lacks, where it has no ``UNKNOWN``.

        Example:
            >>> vocabulary_of("banana").encode("nab")
            tensor([1, 0, 2])
        """
        numbers = self.numbers
        unknown = numbers.get(UNKNOWN)
        found = [numbers.get(token, unknown) for token in tokens]
        missing = next((token for token, number in zip(tokens, found, strict=True) if number is None), None)
        require(missing is None, f"tokens must be of the vocabulary, got {missing!r}")
        return torch.tensor(found, dtype=torch.long)

    def decode(self, numbers: Int[Tensor, " length"]) -> list[str]:
        """Return the tokens that numbers stand for.

        Args:
            numbers: in ``0 .. len(self) - 1``.

        Example:
            >>> vocabulary_of("banana").decode(torch.tensor([1, 0, 2]))
            ['n', 'a', 'b']
        """
        return [self.tokens[int(number)] for number in numbers]


def vocabulary_of(tokens: Sequence[str], most: int | None = None) -> Vocabulary:
    """Return the tokens that occur, by falling frequency; equally frequent ones in alphabetical order.

    Args:
        tokens: a list of tokens, or a text whose characters are the tokens.
        most: keep that many at most, the last of which is ``UNKNOWN``, for all others.

    Raises:
        ValueError: no tokens, or `most` below two.

    Example:
        >>> vocabulary_of("banana").tokens, vocabulary_of("banana", most=2).tokens
        (('a', 'n', 'b'), ('a', '<unknown>'))
    """
    require(len(tokens) > 0, "tokens must not be empty")
    require(most is None or most >= 2, f"most must be at least 2, got {most}")
    ranked = sorted(Counter(tokens).items(), key=lambda item: (-item[1], item[0]))
    kept = [token for token, _ in ranked]
    if most is not None and len(kept) > most:
        kept = [*kept[: most - 1], UNKNOWN]
    return Vocabulary(tuple(kept))


def random_windows(
    stream: Int[Tensor, " length"], generators: Sequence[np.random.Generator], windows: int, size: int
) -> Int[Tensor, "runs windows size"]:
    """Draw windows of consecutive tokens, for each run its own.

    Args:
        stream: the text's token numbers.
        generators: one a run (`ibkit.data.run_generators`); they are advanced.
        windows: how many a run.
        size: tokens in a window; for a next-token loss one more than the context length.

    Raises:
        ValueError: a stream shorter than a window, or sizes below one.

    Example:
        >>> from ibkit.data import run_generators
        >>> random_windows(torch.arange(10), run_generators(0, 2), windows=3, size=4).shape
        torch.Size([2, 3, 4])
    """
    require(windows >= 1 and size >= 1, f"windows and size must be at least 1, got {windows} and {size}")
    require(len(stream) >= size, f"stream must hold at least one window of {size} tokens, got {len(stream)}")
    starts = np.stack([rng.integers(0, len(stream) - size + 1, size=windows) for rng in generators])
    return stream[torch.from_numpy(starts)[..., None] + torch.arange(size)]
