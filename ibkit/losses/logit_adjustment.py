r"""Cross-entropy with adjusted logits: temperatures, offsets and weights that depend on the class.

The losses that are used for imbalanced classes are cross-entropy of *adjusted* logits,

.. math:: \ell(z,y)=\omega_y\log\Bigl(1+\sum_{c\ne y}e^{s_c-s_y}\Bigr),\qquad s_c=\delta_y\,\kappa_c\,z_c+\iota_c ,

with four vectors of one number a class. Weighted cross-entropy has :math:`\omega`; logit adjustment (Menon et al. 2021)
the additive :math:`\iota`; class-dependent temperatures (Ye et al. 2020) have :math:`\kappa`, label-dependent ones
:math:`\delta`; the vector-scaling loss (Kini et al. 2021) has :math:`\omega`, :math:`\iota` and :math:`\kappa`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibkit.checks import finite, labels_in_range, require
from ibkit.losses.cross_entropy import cross_entropy, cross_entropy_residual
from ibkit.scaled import Scaled


@dataclass(frozen=True)
class LogitAdjustment:
    r"""How a loss adjusts logits: :math:`s_c=\delta_y\kappa_cz_c+\iota_c`, weighed by :math:`\omega_y`.

    Each is one number a class, shape ``(*runs, classes)``, or None for no adjustment. A temperature *multiplies*
    logits: the larger it is, the smaller the margin that the loss asks of them.

    Args:
        label_temperature: :math:`\delta`, chosen by the sample's label.
        class_temperature: :math:`\kappa`, chosen by the logit's class.
        offset: :math:`\iota`.
        weight: :math:`\omega`.

    Raises:
        ValueError: temperatures or weights that are not positive, offsets that are not finite, or numbers of classes
            that differ.

    Example:
        >>> tempered = LogitAdjustment(label_temperature=torch.tensor([1.0, 0.5]))
        >>> tempered.logits(torch.tensor([[4.0, 2.0], [4.0, 2.0]]), torch.tensor([0, 1]))
        tensor([[4., 2.],
                [2., 1.]])
    """

    label_temperature: Tensor | None = None
    class_temperature: Tensor | None = None
    offset: Tensor | None = None
    weight: Tensor | None = None

    def __post_init__(self) -> None:
        for name, values in self._given().items():
            finite(name, values)
            require(values.ndim >= 1, f"{name} must hold one number a class, got a single number")
            low = float(values.min())
            require(name == "offset" or low > 0, f"{name} must be positive, got {round(low, 6)}")
        sizes = {name: values.shape[-1] for name, values in self._given().items()}
        require(len(set(sizes.values())) <= 1, f"adjustments must be for one number of classes, got {sizes}")

    def _given(self) -> dict[str, Tensor]:
        return {name: values for name, values in vars(self).items() if values is not None}

    def _of_labels(self, name: str, labels: Tensor, classes: int) -> Tensor | None:
        values = self._of_classes(name, classes)
        try:
            return None if values is None else values[..., labels]
        except IndexError:
            labels_in_range("labels", labels, classes)
            raise

    def _of_classes(self, name: str, classes: int) -> Tensor | None:
        values = getattr(self, name)
        if values is not None and values.shape[-1] != classes:
            raise ValueError(f"{name} must hold one number a class ({classes}), got {values.shape[-1]}")
        return values

    def scale(self, labels: Int[Tensor, " samples"], classes: int) -> Float[Tensor, "*runs rows columns"] | None:
        r"""Return the factors :math:`\delta_{y_i}\kappa_c` of the logits, or None if there are none.

        They broadcast against the logits: one row where only the class counts, one column where only the label does.

        Args:
            labels: y, shared by the runs.
            classes: k.

        Raises:
            ValueError: labels out of range, or an adjustment for another number of classes.

        Example:
            >>> LogitAdjustment(class_temperature=torch.tensor([1.0, 0.5])).scale(torch.tensor([0, 0, 1]), 2)
            tensor([[1.0000, 0.5000]])
        """
        by_label = self._of_labels("label_temperature", labels, classes)
        by_class = self._of_classes("class_temperature", classes)
        by_label = None if by_label is None else by_label.unsqueeze(-1)
        by_class = None if by_class is None else by_class.unsqueeze(-2)
        if by_label is None or by_class is None:
            return by_class if by_label is None else by_label
        return by_label * by_class

    def weights(self, labels: Int[Tensor, " samples"], classes: int) -> Float[Tensor, "*runs samples"] | None:
        r"""Return the samples' weights :math:`\omega_{y_i}`, or None if there are none.

        Args:
            labels: y, shared by the runs.
            classes: k.

        Raises:
            ValueError: labels out of range, or an adjustment for another number of classes.

        Example:
            >>> LogitAdjustment(weight=torch.tensor([1.0, 9.0])).weights(torch.tensor([1, 0]), 2)
            tensor([9., 1.])
        """
        return self._of_labels("weight", labels, classes)

    def logits(
        self, logits: Float[Tensor, "*runs samples classes"], labels: Int[Tensor, " samples"]
    ) -> Float[Tensor, "*runs samples classes"]:
        r"""Return the adjusted logits :math:`s_{ic}=\delta_{y_i}\kappa_cz_{ic}+\iota_c`; differentiable.

        Args:
            logits: z.
            labels: y, shared by the runs.

        Raises:
            ValueError: labels out of range, or an adjustment for another number of classes.

        Example:
            >>> prior = LogitAdjustment(offset=torch.tensor([0.0, -2.0]))
            >>> prior.logits(torch.zeros(1, 2), torch.tensor([0]))
            tensor([[ 0., -2.]])
        """
        scale, offset = self.scale(labels, logits.shape[-1]), self._of_classes("offset", logits.shape[-1])
        adjusted = logits if scale is None else scale * logits
        return adjusted if offset is None else adjusted + offset.unsqueeze(-2)


def adjusted_cross_entropy(
    logits: Float[Tensor, "*runs samples classes"], labels: Int[Tensor, " samples"], adjustment: LogitAdjustment
) -> Float[Tensor, "*runs"]:
    r"""Return the mean over the samples of :math:`\omega_{y_i}\log(1+\sum_{c\ne y_i}e^{s_{ic}-s_{iy_i}})`.

    Args:
        logits: z, before the adjustment.
        labels: y, shared by the runs.
        adjustment: temperatures, offsets and weights.

    Raises:
        ValueError: as `cross_entropy`, or an adjustment for another number of classes.

    Example:
        >>> doubled = LogitAdjustment(weight=torch.tensor([2.0, 2.0]))
        >>> adjusted_cross_entropy(torch.zeros(3, 2), torch.tensor([0, 0, 1]), doubled)
        tensor(1.3863)
    """
    weights = adjustment.weights(labels, logits.shape[-1])
    return cross_entropy(
        adjustment.logits(logits, labels), labels, None if weights is None else weights / labels.shape[-1]
    )


def adjusted_residual(
    logits: Float[Tensor, "*runs samples classes"], labels: Int[Tensor, " samples"], adjustment: LogitAdjustment
) -> Scaled:
    r"""Return the derivative of each sample's adjusted cross-entropy in its *own* logits, in scaled form.

    By the chain rule :math:`\omega_{y_i}\delta_{y_i}\kappa_c\,(S(s_i)-e_{y_i})_c`. The softmax of the adjusted logits
    is kept exact as in `cross_entropy_residual`; temperatures and weights are of order one and multiply the value.

    Args:
        logits: z, before the adjustment.
        labels: y, shared by the runs.
        adjustment: temperatures, offsets and weights.

    Returns:
        Value of the shape of the logits; ``log_scale`` of shape ``(*runs)``.

    Raises:
        ValueError: as `cross_entropy_residual`, or an adjustment for another number of classes.

    Example:
        >>> halved = LogitAdjustment(label_temperature=torch.tensor([0.5, 1.0]))
        >>> r = adjusted_residual(torch.tensor([[900.0, 0.0]]), torch.tensor([0]), halved)
        >>> r.value, float(r.log_scale)
        (tensor([[-0.5000,  0.5000]]), -450.0)
    """
    residual = cross_entropy_residual(adjustment.logits(logits, labels), labels)
    scale, weights = adjustment.scale(labels, logits.shape[-1]), adjustment.weights(labels, logits.shape[-1])
    value = residual.value if scale is None else scale * residual.value
    return Scaled(value if weights is None else weights.unsqueeze(-1) * value, residual.log_scale)


def power_temperatures(
    counts: Float[Tensor, "*runs classes"], exponent: float | Float[Tensor, "*exponent_runs"]
) -> Float[Tensor, "*broadcast classes"]:
    r"""Return temperatures that follow the class sizes, :math:`(n_c/n_{\max})^\gamma`: one for the largest class.

    Args:
        counts: :math:`n_c`, positive.
        exponent: :math:`\gamma`; if positive, small classes get small temperatures and are asked larger margins.
            A tensor gives one row of temperatures each; it broadcasts against the leading dimensions of the counts.

    Raises:
        ValueError: counts that are not positive.

    Example:
        >>> power_temperatures(torch.tensor([16.0, 1.0]), 0.25)
        tensor([1.0000, 0.5000])
    """
    finite("counts", counts)
    require(bool((counts > 0).all()), f"counts must be positive, got {float(counts.min())}")
    exponent = torch.as_tensor(exponent, dtype=counts.dtype, device=counts.device).unsqueeze(-1)
    return (counts / counts.amax(-1, keepdim=True)) ** exponent
