r"""Where a softmax-attention layer runs to: the hard-margin machine that separates selected tokens from the others.

With selected tokens :math:`\alpha_i` and :math:`D_{it}=(x_{i\alpha_i}-x_{it})z_i^\top`, the least W in a norm with
:math:`\langle D_{it},W\rangle\ge1` for all sequences i and tokens :math:`t\ne\alpha_i` (Ataee Tarzanagh, Li,
Thrampoulidis and Oymak 2023: Frobenius where W is trained, nuclear where its factors are).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cvxpy as cp
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, one_of, require, shape
from ibkit.losses.token_attention import attention_logits, attention_margins
from ibkit.oracles.certificate import OracleError, solve
from ibkit.oracles.nearest_point import nearest_hull_point

AttentionNorm = Literal["frobenius", "nuclear"]

GAP_TOLERANCE = {"frobenius": 1e-8, "nuclear": 1e-5}
"""Largest relative duality gap that an answer may have."""

FEASIBLE_TOLERANCE = 1e-6
"""Best margin, per unit of Frobenius norm and of the longest constraint, below which tokens count as not separable."""


@dataclass(frozen=True)
class AttentionSVM:
    r"""The least matrix that separates the selected tokens, and its proof.

    Args:
        W: all margins at least one, ``(*runs, features, features)``; unique in the Frobenius norm only.
        multipliers: :math:`\lambda_{it}\ge0`, zero at the selected tokens, ``(*runs, samples, length)``. In the
            Frobenius norm :math:`W=\sum\lambda_{it}D_{it}`; in the nuclear norm the sum has spectral norm one.
        norm: of W, ``(*runs)``; its reciprocal is the best margin per unit of norm.
        gap: relative duality gap: `norm` is within this share of the least possible, ``(*runs)``.
    """

    W: Tensor
    multipliers: Tensor
    norm: Tensor
    gap: Tensor


def attention_svm(
    tokens: Float[Tensor, "*runs samples length features"],
    queries: Float[Tensor, "*runs samples features"],
    selected: Int[Tensor, "*runs samples"],
    norm: AttentionNorm = "frobenius",
) -> AttentionSVM:
    r"""Return the least W, in the Frobenius or the nuclear norm, that puts the selected tokens one above the others.

    Frobenius: the dual needs only inner products :math:`\langle D,D'\rangle=(\Delta^\top\Delta')(z^\top z')` of the
    rank-one constraints, so that its cost hardly depends on the number of features. Nuclear: a conic program; a
    minimiser has its columns in the span of the token differences and its rows in that of the queries, as projecting on
    these spans changes no margin and lengthens no singular value, so the program is solved in coordinates of these.

    The certificate does not trust the solvers. W is rescaled to be exactly feasible, and any :math:`\lambda\ge0` prove
    :math:`\|W\|\ge\sum\lambda\,/\,\|\sum\lambda_{it}D_{it}\|` in the dual norm, which the multipliers found must
    approach.

    Args:
        tokens: :math:`x_{it}` as rows; with leading runs, one program each.
        queries: :math:`z_i`.
        selected: :math:`\alpha_i`, one token a sequence.
        norm: ``"frobenius"`` or ``"nuclear"``.

    Raises:
        ValueError: NaN, a single token a sequence, tokens out of range, another norm, or shapes that do not fit.
        OracleError: if no W separates the selected tokens (the line says in which run), if the solver fails, or if its
            answer does not pass the certificate.

    Example:
        >>> x, z = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]]), torch.tensor([[0.0, 1.0]])
        >>> attention_svm(x, z, torch.tensor([0])).W  # 2 W_12 = 1
        tensor([[0.0000, 0.5000],
                [0.0000, 0.0000]], dtype=torch.float64)
    """
    one_of("norm", norm, GAP_TOLERANCE)
    sets, runs = _split(tokens, queries, selected)
    answers = []
    for run, (differences, asking, _) in enumerate(sets):
        _, distance, hull = _best_margin(differences, asking)
        if distance == 0.0:
            raise OracleError(
                "attention max margin: no matrix separates the selected tokens "
                f"(run {run}: best margin per unit norm below {FEASIBLE_TOLERANCE:g})"
            )
        if norm == "frobenius":
            W, multipliers = differences.T @ (hull[:, None] * asking) / distance**2, hull / distance**2
        else:
            W, multipliers = _nuclear(differences, asking)
        answers.append(_certified(differences, asking, W, multipliers, norm))
    device, (samples, length) = tokens.device, tokens.shape[-3:-1]
    W, multipliers, size, gap = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*answers, strict=True))
    others = torch.from_numpy(np.stack([each for _, _, each in sets]))
    spread = torch.zeros(len(answers), samples * length, dtype=torch.float64, device=device)
    spread.scatter_(-1, others.to(device), multipliers)
    d = tokens.shape[-1]
    return AttentionSVM(
        W.reshape(*runs, d, d), spread.reshape(*runs, samples, length), size.reshape(runs), gap.reshape(runs)
    )


def attention_feasible(
    tokens: Float[Tensor, "*runs samples length features"],
    queries: Float[Tensor, "*runs samples features"],
    selected: Int[Tensor, "*runs samples"],
) -> Bool[Tensor, "*runs"]:
    r"""Return whether some W puts the selected token of every sequence above all its others.

    It does so exactly where the convex hull of the constraints :math:`D_{it}` keeps away from the origin. For
    :math:`d\ge\max(T-1,n)` almost every data set is feasible for every selection.

    Args:
        tokens: :math:`x_{it}` as rows; with leading runs, one answer each.
        queries: :math:`z_i`.
        selected: :math:`\alpha_i`, one token a sequence.

    Raises:
        ValueError: as for `attention_svm`.
        OracleError: if the solver fails.

    Example:
        >>> x, z = torch.tensor([[[1.0], [0.0], [2.0]]]), torch.ones(1, 1)  # three tokens on a line
        >>> attention_feasible(x, z, torch.tensor([0])), attention_feasible(x, z, torch.tensor([2]))
        (tensor(False), tensor(True))
    """
    sets, runs = _split(tokens, queries, selected)
    found = [_best_margin(differences, asking)[1] > 0 for differences, asking, _ in sets]
    return torch.tensor(found, device=tokens.device).reshape(runs)


def locally_optimal(
    tokens: Float[Tensor, "*runs samples length features"],
    queries: Float[Tensor, "*runs samples features"],
    scores: Float[Tensor, "*runs samples length"],
    selected: Int[Tensor, "*runs samples"],
    tolerance: float = 1e-6,
) -> Bool[Tensor, "*runs"]:
    r"""Return whether a selection can be where training ends: no token beside the margin has a higher score.

    The tokens of sequence i with margin one under the Frobenius machine are its support tokens; a selection is locally
    optimal if its tokens score higher than all their support tokens. One that no W separates is not.

    Args:
        tokens: :math:`x_{it}` as rows; with leading runs, one answer each.
        queries: :math:`z_i`.
        scores: :math:`\gamma_{it}`.
        selected: :math:`\alpha_i`, one token a sequence.
        tolerance: how far above one a margin may lie to count as one.

    Raises:
        ValueError: as for `attention_svm`, or a tolerance that is not positive.
        OracleError: if the solver fails.

    Example:
        >>> x, z = torch.tensor([[[1.0], [0.0], [-2.0]]]), torch.ones(1, 1)
        >>> scores = torch.tensor([[1.0, 0.0, 5.0]])  # the last token is best, but the second lies between
        >>> locally_optimal(x, z, scores, torch.tensor([0])), locally_optimal(x, z, scores, torch.tensor([1]))
        (tensor(True), tensor(False))
    """
    require(tolerance > 0, f"tolerance must be positive, got {tolerance}")
    shape("scores", scores, tuple(tokens.shape[-3:-1]))
    feasible = attention_feasible(tokens, queries, selected)
    if not feasible.any():
        return feasible
    x, z, picked = tokens[feasible], queries[feasible], selected[feasible]
    margins = attention_margins(attention_logits(x.double(), z.double(), attention_svm(x, z, picked).W), picked)
    worse = scores[feasible] < scores[feasible].gather(-1, picked.unsqueeze(-1))
    own = torch.zeros_like(worse).scatter(-1, picked.unsqueeze(-1), True)
    return feasible.masked_scatter(feasible, (worse | own | (margins > 1 + tolerance)).all((-2, -1)))


def _split(tokens: Tensor, queries: Tensor, selected: Tensor) -> tuple[list[tuple[np.ndarray, ...]], torch.Size]:
    """Return for each run the token differences, their queries and which tokens they belong to, and the run shape."""
    require(tokens.ndim >= 3, f"tokens must be (*runs, samples, length, features), got shape {tuple(tokens.shape)}")
    samples, length, d = tokens.shape[-3:]
    runs = tokens.shape[:-3]
    require(length >= 2, "a sequence must have at least 2 tokens, got 1")
    for name, values, expected in (("queries", queries, (samples, d)), ("selected", selected, (samples,))):
        wanted = (*runs, *expected)
        require(values.shape == wanted, f"{name} must have shape {tuple(wanted)}, got {tuple(values.shape)}")
    finite("tokens", tokens)
    finite("queries", queries)
    labels_in_range("selected", selected, length)
    x = tokens.detach().cpu().double().numpy().reshape(-1, samples, length, d)
    z = queries.detach().cpu().double().numpy().reshape(-1, samples, d)
    chosen = selected.cpu().numpy().reshape(-1, samples)
    sets = []
    for one, asking, picked in zip(x, z, chosen, strict=True):
        others = np.flatnonzero(np.arange(length) != picked[:, None])
        differences = (one[np.arange(samples), picked][:, None] - one).reshape(-1, d)[others]
        sets.append((differences, asking.repeat(length - 1, axis=0), others))
    return sets, runs


def _best_margin(differences: np.ndarray, asking: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Length of the longest constraint, distance of their hull from the origin (zero if too small), its weights."""
    gram = (differences @ differences.T) * (asking @ asking.T)
    longest = float(np.sqrt(gram.diagonal().max()))
    if longest == 0:
        return 0.0, 0.0, np.zeros(len(gram))
    hull = nearest_hull_point(gram / longest**2, "attention max margin")
    distance = float(np.linalg.norm(differences.T @ (hull[:, None] * asking)))
    return longest, 0.0 if distance <= FEASIBLE_TOLERANCE * longest else distance, hull


def _nuclear(differences: np.ndarray, asking: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve for the least nuclear norm in coordinates of the spans of the token differences and of the queries.

    The dual, the largest sum of multipliers for which the sum of the constraints has spectral norm at most one, is one
    matrix inequality in few variables, several times faster than the primal program; W is its multiplier.
    """
    left, right = _basis(differences), _basis(asking)
    a, b = differences @ left, asking @ right
    p, size = a.shape[1], a.shape[1] + b.shape[1]
    scale = np.linalg.norm(a, axis=1).max() * np.linalg.norm(b, axis=1).max()
    dilations = np.zeros((len(a), size, size))
    dilations[:, :p, p:] = a[:, :, None] * b[:, None, :] / scale
    dilations += dilations.transpose(0, 2, 1)
    multipliers = cp.Variable(len(a), nonneg=True)
    total = cp.reshape(dilations.reshape(len(a), -1).T @ multipliers, (size, size), order="C")
    bound = total + np.eye(size) >> 0
    solve(cp.Problem(cp.Maximize(cp.sum(multipliers)), [bound]), "attention max margin in the nuclear norm")
    return -left @ bound.dual_value[:p, p:] @ right.T, np.abs(multipliers.value)


def _basis(rows: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the span of the rows, as columns."""
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    return vectors[values > 1e-12 * values[0]].T


def _certified(
    differences: np.ndarray, asking: np.ndarray, W: np.ndarray, multipliers: np.ndarray, norm: str
) -> tuple[np.ndarray, ...]:
    """Return W scaled to be feasible, the multipliers scaled for it, its norm, and its relative duality gap."""
    worst = ((differences @ W) * asking).sum(-1).min()
    if worst <= 0:
        raise OracleError(f"attention max margin in the {norm} norm: the answer violates a margin")
    W = W / worst
    own, dual = ("fro", "fro") if norm == "frobenius" else ("nuc", 2)
    size = np.linalg.norm(W, own)
    length = np.linalg.norm(differences.T @ (multipliers[:, None] * asking), dual)
    gap = size * length / multipliers.sum() - 1 if multipliers.sum() > 0 else np.inf
    if not gap <= GAP_TOLERANCE[norm]:
        raise OracleError(f"attention max margin in the {norm} norm: relative duality gap {gap:.1e}")
    scaled = multipliers * (size / length if norm == "frobenius" else 1 / length)
    return W, scaled, np.array(size), np.array(max(gap, 0.0))
