"""Models as functions of their parameters, with leading run dimensions."""

from ibkit.models.gpt import GPT
from ibkit.models.mlp import mlp_embeddings, mlp_start
from ibkit.models.two_layer import two_layer_logits, two_layer_start
from ibkit.models.unconstrained import unconstrained_embeddings, unconstrained_logits, unconstrained_start
from ibkit.models.unit_embeddings import unit_embedding_start, unit_embeddings

__all__ = [
    "GPT",
    "mlp_embeddings",
    "mlp_start",
    "two_layer_logits",
    "two_layer_start",
    "unconstrained_embeddings",
    "unconstrained_logits",
    "unconstrained_start",
    "unit_embedding_start",
    "unit_embeddings",
]
