"""Models as functions of their parameters, with leading run dimensions."""

from ibkit.models.adaptive_ngram import AdaptiveNgram
from ibkit.models.decoding import context_aware_decoding, keep_top, nucleus, targeted_boost
from ibkit.models.deep_linear import deep_linear_map, deep_linear_spectral_start, deep_linear_start
from ibkit.models.gpt import GPT
from ibkit.models.linear import linear_margins
from ibkit.models.linear_attention import (
    KERNELS,
    cosine_features,
    elu_features,
    focused_features,
    kernel_weights,
    linear_attention,
    norm_aware_keys,
    norm_aware_power,
    norm_aware_queries,
    relu_features,
    split_features,
)
from ibkit.models.mlp import mlp_embeddings, mlp_start
from ibkit.models.multi_head_attention import (
    multi_head_attention,
    multi_head_jacobian,
    multi_head_output,
    multi_head_signed_features,
    multi_head_signed_start,
    multi_head_start,
)
from ibkit.models.one_layer_decoder import OneLayerDecoder, sinusoids
from ibkit.models.prompt_attention import (
    POOLINGS,
    pooled_output,
    pooled_tokens,
    pooling_start,
    prompt_pool,
    prompt_weights,
)
from ibkit.models.query_attention import QueryAttention
from ibkit.models.smooth_two_layer import leaky_softplus, smooth_two_layer_output, smooth_two_layer_start
from ibkit.models.two_layer import two_layer_logits, two_layer_start
from ibkit.models.unconstrained import unconstrained_embeddings, unconstrained_logits, unconstrained_start
from ibkit.models.unit_embeddings import unit_embedding_start, unit_embeddings

__all__ = [
    "GPT",
    "KERNELS",
    "POOLINGS",
    "AdaptiveNgram",
    "OneLayerDecoder",
    "QueryAttention",
    "context_aware_decoding",
    "cosine_features",
    "deep_linear_map",
    "deep_linear_spectral_start",
    "deep_linear_start",
    "elu_features",
    "focused_features",
    "keep_top",
    "kernel_weights",
    "leaky_softplus",
    "linear_attention",
    "linear_margins",
    "mlp_embeddings",
    "mlp_start",
    "multi_head_attention",
    "multi_head_jacobian",
    "multi_head_output",
    "multi_head_signed_features",
    "multi_head_signed_start",
    "multi_head_start",
    "norm_aware_keys",
    "norm_aware_power",
    "norm_aware_queries",
    "nucleus",
    "pooled_output",
    "pooled_tokens",
    "pooling_start",
    "prompt_pool",
    "prompt_weights",
    "relu_features",
    "sinusoids",
    "smooth_two_layer_output",
    "smooth_two_layer_start",
    "split_features",
    "targeted_boost",
    "two_layer_logits",
    "two_layer_start",
    "unconstrained_embeddings",
    "unconstrained_logits",
    "unconstrained_start",
    "unit_embedding_start",
    "unit_embeddings",
]
