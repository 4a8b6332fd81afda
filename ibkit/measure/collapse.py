"""Neural collapse in numbers: class means, scatter around them, angles between classes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import labels_in_range, require
from ibkit.measure.alignment import gram_distance


def class_means(
    features: Float[Tensor, "*runs samples features"], labels: Int[Tensor, " samples"], classes: int
) -> Float[Tensor, "*runs classes features"]:
    r"""Return the mean embedding of each class, :math:`\mu_c=\frac1{n_c}\sum_{y_i=c}h_i`.

    Args:
        features: embeddings :math:`h_i`.
        labels: shared by the runs.
        classes: k.

    Raises:
        ValueError: labels out of range, not one a sample, or a class without samples.

    Example:
        >>> class_means(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1]), 2)
        tensor([[2.],
                [5.]])
    """
    require(
        labels.shape == features.shape[-2:-1],
        f"labels must hold one a sample ({features.shape[-2]}), got shape {tuple(labels.shape)}",
    )
    labels_in_range("labels", labels, classes)
    sizes = torch.bincount(labels, minlength=classes)
    empty = torch.nonzero(sizes == 0).flatten().tolist()
    require(not empty, f"labels must hold every class, got none of class {empty[0] if empty else ''}")
    one_hot = torch.nn.functional.one_hot(labels, classes).to(features.dtype)
    return (one_hot / sizes).mT @ features


def within_class_variability(
    features: Float[Tensor, "*runs samples features"], labels: Int[Tensor, " samples"], classes: int
) -> Float[Tensor, "*runs"]:
    r"""Return the scatter inside the classes in units of the scatter of the class means; zero when features collapse.

    .. math:: \frac{\frac1n\sum_i\|h_i-\mu_{y_i}\|^2}{\frac1k\sum_c\|\mu_c-\bar\mu\|^2},
       \qquad\bar\mu=\frac1k\sum_c\mu_c .

    The trace form of the first neural-collapse measure (Papyan, Han and Donoho 2020, NC1).

    Args:
        features: embeddings :math:`h_i`.
        labels: shared by the runs.
        classes: k.

    Raises:
        ValueError: as `class_means`, or if all class means coincide.

    Example:
        >>> features = torch.tensor([[0.0], [2.0], [5.0], [5.0]])
        >>> within_class_variability(features, torch.tensor([0, 0, 1, 1]), 2)
        tensor(0.1250)
    """
    means = class_means(features, labels, classes)
    within = ((features - means[..., labels, :]) ** 2).sum(-1).mean(-1)
    between = ((means - means.mean(-2, keepdim=True)) ** 2).sum(-1).mean(-1)
    require(bool((between > 0).all()), "features must have class means that differ")
    return within / between


def self_duality(
    classifier: Float[Tensor, "*runs classes features"], means: Float[Tensor, "*runs classes features"]
) -> Float[Tensor, "*runs"]:
    r"""Return the mean cosine of a class's classifier and its mean feature, :math:`\frac1k\sum_c\cos(w_c,\mu_c)`.

    One at self-duality, the third neural-collapse property (Papyan, Han and Donoho 2020, NC3). Cosines are taken class
    by class, so that lengths may depend on the class, as they do under imbalance. A class whose vectors are zero
    counts as zero.

    Args:
        classifier: rows :math:`w_c`.
        means: class means :math:`\mu_c` of the features that the classifier sees.

    Raises:
        ValueError: if the two differ in shape.

    Example:
        >>> self_duality(torch.eye(2), torch.tensor([[5.0, 0.0], [0.0, 0.1]]))
        tensor(1.)
    """
    require(
        classifier.shape[-2:] == means.shape[-2:],
        f"classifier and means must have one shape, got {tuple(classifier.shape)} and {tuple(means.shape)}",
    )
    size = torch.linalg.vector_norm(classifier, dim=-1) * torch.linalg.vector_norm(means, dim=-1)
    inner = (classifier * means).sum(-1)
    return torch.where(size > 0, inner / torch.where(size > 0, size, 1.0), 0.0).mean(-1)


def nearest_mean_disagreement(
    features: Float[Tensor, "*runs samples features"],
    labels: Int[Tensor, " samples"],
    logits: Float[Tensor, "*runs samples classes"],
) -> Float[Tensor, "*runs"]:
    """Return the share of samples that the classifier puts into another class than the nearest class mean does.

    Zero at the fourth neural-collapse property (Papyan, Han and Donoho 2020, NC4).

    Args:
        features: embeddings; the class means are theirs.
        labels: shared by the runs.
        logits: what the classifier says of the same samples.

    Raises:
        ValueError: as `class_means`, or logits that are not one row a sample.

    Example:
        >>> features = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
        >>> logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> nearest_mean_disagreement(features, torch.tensor([0, 0, 1, 1]), logits)
        tensor(0.2500)
    """
    require(
        logits.shape[-2] == features.shape[-2],
        f"logits must hold one row a sample ({features.shape[-2]}), got {logits.shape[-2]}",
    )
    means = class_means(features, labels, logits.shape[-1])
    squares = (means**2).sum(-1).unsqueeze(-2) - 2 * features @ means.mT
    return (logits.argmax(-1) != squares.argmin(-1)).to(features.dtype).mean(-1)


class NeuralCollapse(NamedTuple):
    """The four properties of neural collapse in numbers, one a run.

    Args:
        variability: NC1, scatter inside the classes relative to that of the class means; zero at collapse.
        means: NC2, distance of the class means' Gram matrix to its target, blind to scale.
        classifier: NC2 of the classifier, to its own target.
        duality: NC3, mean cosine of classifiers and class means; one at collapse.
        disagreement: NC4, share of samples on which the classifier and the nearest class mean differ.
    """

    variability: Tensor
    means: Tensor
    classifier: Tensor
    duality: Tensor
    disagreement: Tensor


def neural_collapse(
    features: Float[Tensor, "*runs samples features"],
    labels: Int[Tensor, " samples"],
    classifier: Float[Tensor, "*runs classes features"],
    means_target: Float[Tensor, "*target_runs classes classes"],
    classifier_target: Float[Tensor, "*target_runs classes classes"] | None = None,
    centred: bool = False,
) -> NeuralCollapse:
    """Return the four properties of neural collapse of features and the linear classifier on them.

    Args:
        features: what the classifier sees.
        labels: shared by the runs.
        classifier: without bias.
        means_target: Gram matrix that the class means should have up to scale: the identity for an orthogonal frame,
            the simplex for centred features, or that of an oracle.
        classifier_target: likewise for the classifier; by default the same.
        centred: whether to take the mean of the class means and of the classifiers away first, which a softmax does not
            see.

    Raises:
        ValueError: as `class_means`, or shapes that do not fit.

    Example:
        >>> features, labels = torch.eye(2).repeat_interleave(3, 0), torch.tensor([0, 0, 0, 1, 1, 1])
        >>> found = neural_collapse(features, labels, 4 * torch.eye(2), torch.eye(2))
        >>> [float(value) for value in found]
        [0.0, 0.0, 0.0, 1.0, 0.0]
    """
    means, W = class_means(features, labels, classifier.shape[-2]), classifier
    if centred:
        means, W = means - means.mean(-2, keepdim=True), W - W.mean(-2, keepdim=True)
    return NeuralCollapse(
        within_class_variability(features, labels, classifier.shape[-2]),
        gram_distance(means @ means.mT, means_target),
        gram_distance(W @ W.mT, means_target if classifier_target is None else classifier_target),
        self_duality(W, means),
        nearest_mean_disagreement(features, labels, features @ classifier.mT),
    )


def cosines(G: Float[Tensor, "*runs k k"]) -> Float[Tensor, "*runs k k"]:
    r"""Return the cosines :math:`G_{ij}/\sqrt{G_{ii}G_{jj}}` of the vectors with Gram matrix G; zero for zero vectors.

    Args:
        G: a Gram matrix a run.

    Raises:
        ValueError: if G is not square.

    Example:
        >>> cosines(torch.tensor([[4.0, -2.0], [-2.0, 4.0]]))
        tensor([[ 1.0000, -0.5000],
                [-0.5000,  1.0000]])
    """
    require(G.shape[-1] == G.shape[-2], f"G must be square, got {tuple(G.shape)}")
    size = G.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    product = size.unsqueeze(-1) * size.unsqueeze(-2)
    return torch.where(product > 0, G / torch.where(product > 0, product, 1.0), 0.0)


class TwoGroups(NamedTuple):
    """How two groups of vectors lie: averages over the members of a group, one number a run.

    Args:
        squared_norm_ratio: mean squared norm of the first group over that of the second.
        within_first: mean cosine of two vectors of the first group; NaN for a single vector.
        across: mean cosine of a vector of the first group and one of the second.
        within_second: mean cosine of two vectors of the second group; NaN for a single vector.
    """

    squared_norm_ratio: Tensor
    within_first: Tensor
    across: Tensor
    within_second: Tensor


def two_group_geometry(G: Float[Tensor, "*runs k k"], first: int) -> TwoGroups:
    """Return norms and angles of two groups of vectors, from their Gram matrix: majorities and minorities, say.

    Args:
        G: Gram matrix, members of the first group first.
        first: how many vectors the first group has, from 1 to k - 1.

    Raises:
        ValueError: if G is not square or `first` leaves a group empty.

    Example:
        >>> float(two_group_geometry(torch.diag(torch.tensor([8.0, 8.0, 2.0])), 2).squared_norm_ratio)
        4.0
    """
    angles = cosines(G)
    k = G.shape[-1]
    require(1 <= first < k, f"first must lie in 1..{k - 1}, got {first}")
    sizes = G.diagonal(dim1=-2, dim2=-1)

    def within(block: Tensor) -> Tensor:
        members = block.shape[-1]
        off_diagonal = block.sum((-2, -1)) - block.diagonal(dim1=-2, dim2=-1).sum(-1)
        return off_diagonal / (members * (members - 1)) if members > 1 else torch.full_like(off_diagonal, torch.nan)

    return TwoGroups(
        sizes[..., :first].mean(-1) / sizes[..., first:].mean(-1),
        within(angles[..., :first, :first]),
        angles[..., :first, first:].mean((-2, -1)),
        within(angles[..., first:, first:]),
    )
