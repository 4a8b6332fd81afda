"""Losses as functions of logits and labels, with gradients that stay exact when the loss underflows."""

from ibkit.losses.binary import binary_residual, linear_binary, log_binary_loss
from ibkit.losses.cross_entropy import cross_entropy, cross_entropy_residual, linear_cross_entropy, model_cross_entropy
from ibkit.losses.perceptron import linear_perceptron, perceptron_weights, smoothed_perceptron_loss
from ibkit.losses.soft_labels import next_token_cross_entropy, soft_label_excess, soft_label_residual
from ibkit.losses.unconstrained import unconstrained_cross_entropy

__all__ = [
    "binary_residual",
    "cross_entropy",
    "cross_entropy_residual",
    "linear_binary",
    "linear_cross_entropy",
    "linear_perceptron",
    "log_binary_loss",
    "model_cross_entropy",
    "next_token_cross_entropy",
    "perceptron_weights",
    "smoothed_perceptron_loss",
    "soft_label_excess",
    "soft_label_residual",
    "unconstrained_cross_entropy",
]
