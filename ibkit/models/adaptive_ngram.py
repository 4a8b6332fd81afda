r"""An n-gram model that goes on counting while it reads: a small language model with a memory of any length.

Counts of a training text, plus those of the context itself at a higher weight (a cache; Kuhn and De Mori 1990,
Jelinek et al. 1991), backed off by Witten-Bell interpolation (1991). What it knows of a suffix is exactly what the
suffix holds, so that its predictions at growing context lengths are comparable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor

from ibkit.checks import labels_in_range, require


class AdaptiveNgram:
    r"""Count a training text; predict from counts of it and of what has been read.

    For the last :math:`k-1` tokens h of a context s, with counts :math:`c=c_{\mathrm{train}}+\kappa\,c_s`, total
    :math:`C(h)` and T(h) different followers,

    .. math:: p_k(w|h)=\frac{c(h,w)+T(h)\,p_{k-1}(w|h')}{C(h)+T(h)},

    h' being h without its first token, from the uniform distribution :math:`p_0` up to the model's order.

    Args:
        text: the training tokens' numbers, ``(length,)``.
        vocabulary: V, how many tokens there are.
        order: the longest n-grams counted, at least 1; `order` tokens, so `order` - 1 of history.
        memory: the weight :math:`\kappa\ge0` of a count in the context.

    Raises:
        ValueError: numbers outside the vocabulary, a text shorter than `order`, or settings out of range.

    Example:
        >>> model = AdaptiveNgram(torch.tensor([0, 1, 0, 1, 0, 2]), vocabulary=3, order=2, memory=1.0)
        >>> model.predict(torch.tensor([[1, 0]]), lengths=[1, 2]).shape
        torch.Size([2, 1, 3])
    """

    def __init__(self, text: Int[Tensor, " length"], vocabulary: int, order: int = 4, memory: float = 4.0) -> None:
        require(vocabulary >= 1, f"vocabulary must be at least 1, got {vocabulary}")
        require(order >= 1, f"order must be at least 1, got {order}")
        require(memory >= 0, f"memory must be at least 0, got {memory}")
        require(len(text) >= order, f"text must hold at least {order} tokens (the order), got {len(text)}")
        labels_in_range("text", text, vocabulary)
        self.vocabulary, self.order, self.memory = vocabulary, order, memory
        tokens = text.numpy()
        # A history of k - 1 tokens gets the number of its row; a longer one is found by (row of its end, first token).
        self._keys: list[np.ndarray] = []
        self._counts: list[sparse.csr_matrix] = []
        row = np.zeros(len(tokens), dtype=np.int64)  # of the history that ends before each token
        for k in range(1, order + 1):
            start = k - 1
            if k > 1:
                keys = row[start:] * vocabulary + tokens[: len(tokens) - start]
                known, found = np.unique(keys, return_inverse=True)
                self._keys.append(known)
                row = np.concatenate([np.zeros(start, dtype=np.int64), found])
            rows = 1 if k == 1 else len(self._keys[-1])
            ones = np.ones(len(tokens) - start)
            shape = (rows + 1, vocabulary)  # the last row stays empty: histories never seen
            self._counts.append(sparse.csr_matrix((ones, (row[start:], tokens[start:])), shape=shape))

    def predict(
        self, windows: Int[Tensor, "windows length"], lengths: Sequence[int]
    ) -> Float[Tensor, "lengths windows vocabulary"]:
        """Return the next-token distribution given the last tokens of each window, for several context lengths.

        Args:
            windows: the latest token last.
            lengths: context lengths in ``1 .. length``.

        Raises:
            ValueError: lengths that the windows do not have, or numbers outside the vocabulary.
        """
        count, size = windows.shape
        require(
            len(lengths) > 0 and min(lengths) >= 1 and max(lengths) <= size,
            f"lengths must lie in 1..{size} (the windows' length), got {list(lengths)}",
        )
        labels_in_range("windows", windows, self.vocabulary)
        tokens = windows.numpy()
        trained = self._rows(tokens, max(lengths))
        same = np.ones((count, size), dtype=bool)  # whether the token at a place follows the final history
        p = np.full((len(lengths), count, self.vocabulary), 1 / self.vocabulary)
        for k in range(1, self.order + 1):
            if k > 1:
                same[:, : k - 1] = False
                same[:, k - 1 :] &= tokens[:, : size - k + 1] == tokens[:, size - k + 1, None]
            where, place = np.nonzero(same)
            for i, length in enumerate(lengths):
                if k - 1 > length:
                    continue
                inside = place - (k - 1) >= size - length
                seen = (where[inside], tokens[where[inside], place[inside]])
                extra = sparse.csr_matrix((np.full(len(seen[0]), self.memory), seen), shape=p.shape[1:])
                _interpolate(p[i], trained[k - 1] + extra)
        return torch.from_numpy(p)

    def _rows(self, tokens: np.ndarray, longest: int) -> list[sparse.csr_matrix]:
        """Return the training counts behind each window's final history, one matrix an order."""
        row = np.zeros(len(tokens), dtype=np.int64)
        found = np.ones(len(tokens), dtype=bool)
        counts = []
        for k in range(1, self.order + 1):
            if k - 1 > longest:
                break
            if k > 1:
                keys = row * self.vocabulary + tokens[:, -(k - 1)]
                known = self._keys[k - 2]
                row = np.minimum(np.searchsorted(known, keys), len(known) - 1)
                found &= known[row] == keys
            counts.append(self._counts[k - 1][np.where(found, row, self._counts[k - 1].shape[0] - 1)])
        return counts


def _interpolate(p: np.ndarray, counts: sparse.csr_matrix) -> None:
    """Go one order up, in place."""
    counts.eliminate_zeros()
    kinds = np.diff(counts.indptr)
    total = np.asarray(counts.sum(axis=1)).ravel() + kinds
    known = total > 0
    p *= np.where(known, kinds / np.where(known, total, 1.0), 1.0)[:, None]
    if 4 * counts.nnz > p.size:  # nearly every token follows
        p += counts.toarray() / np.where(known, total, 1.0)[:, None]
        return
    rows = np.repeat(np.arange(len(p)), kinds)
    p[rows, counts.indices] += counts.data / total[rows]
