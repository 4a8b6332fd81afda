"""Losses as functions of logits and labels, with gradients that stay exact when the loss underflows."""

from ibkit.losses.binary import binary_residual, linear_binary, log_binary_loss, model_binary
from ibkit.losses.contrastive import (
    contrastive_lower_bound,
    supervised_contrastive,
    supervised_contrastive_gram,
)
from ibkit.losses.cross_entropy import cross_entropy, cross_entropy_residual, linear_cross_entropy, model_cross_entropy
from ibkit.losses.deep_linear import deep_linear_chain, deep_linear_cross_entropy, deep_linear_objective
from ibkit.losses.language import language_cross_entropy, language_gradient
from ibkit.losses.log_bilinear import log_bilinear
from ibkit.losses.logit_adjustment import (
    LogitAdjustment,
    adjusted_cross_entropy,
    adjusted_residual,
    power_temperatures,
)
from ibkit.losses.perceptron import linear_perceptron, perceptron_weights, smoothed_perceptron_loss
from ibkit.losses.prototypes import prototype_contrastive, prototype_contrastive_limit
from ibkit.losses.soft_labels import next_token_cross_entropy, soft_label_excess, soft_label_residual
from ibkit.losses.token_attention import (
    attention_logits,
    attention_loss,
    attention_margins,
    attention_residual,
    attention_scores,
    least_attention_margin,
    log_attention_excess,
    log_mass_off,
    token_attention,
    token_differences,
)
from ibkit.losses.unconstrained import unconstrained_cross_entropy, unconstrained_next_token

__all__ = [
    "LogitAdjustment",
    "adjusted_cross_entropy",
    "adjusted_residual",
    "attention_logits",
    "attention_loss",
    "attention_margins",
    "attention_residual",
    "attention_scores",
    "binary_residual",
    "contrastive_lower_bound",
    "cross_entropy",
    "cross_entropy_residual",
    "deep_linear_chain",
    "deep_linear_cross_entropy",
    "deep_linear_objective",
    "language_cross_entropy",
    "language_gradient",
    "least_attention_margin",
    "linear_binary",
    "linear_cross_entropy",
    "linear_perceptron",
    "log_attention_excess",
    "log_bilinear",
    "log_binary_loss",
    "log_mass_off",
    "model_binary",
    "model_cross_entropy",
    "next_token_cross_entropy",
    "perceptron_weights",
    "power_temperatures",
    "prototype_contrastive",
    "prototype_contrastive_limit",
    "smoothed_perceptron_loss",
    "soft_label_excess",
    "soft_label_residual",
    "supervised_contrastive",
    "supervised_contrastive_gram",
    "token_attention",
    "token_differences",
    "unconstrained_cross_entropy",
    "unconstrained_next_token",
]
