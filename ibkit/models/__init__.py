"""Models as functions of their parameters, with leading run dimensions."""

from ibkit.models.two_layer import two_layer_logits, two_layer_start

__all__ = ["two_layer_logits", "two_layer_start"]
