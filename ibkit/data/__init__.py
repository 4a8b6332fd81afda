"""What models are trained on: generators with known ground truth, and real sets, shipped or downloaded once."""

from ibkit.data.attention_examples import AttentionExamples, attention_examples
from ibkit.data.attribute_tokens import AttributeTokens, attribute_tokens, tree_support
from ibkit.data.batches import BatchInteraction, batch_interaction, bind_batches, random_batches
from ibkit.data.binary_sets import separated_slabs, xor_clusters
from ibkit.data.bundled import digit_pair, digits
from ibkit.data.context_table import ContextTable, context_table
from ibkit.data.dealing import deal_to_agents
from ibkit.data.downloads import fetch
from ibkit.data.graphs import GRAPH_KINDS, CommunicationGraph, communication_graph, metropolis, mixing_rate
from ibkit.data.halfspaces import separated_halfspaces
from ibkit.data.imbalance import draw_by_class, group_sizes, step_counts
from ibkit.data.mention_world import MentionWorld, mention_world
from ibkit.data.next_token import NextTokenData, shared_support_tokens, sparse_next_tokens, toy_next_tokens
from ibkit.data.ngrams import ngram_tables
from ibkit.data.outvoted import outvoted_point
from ibkit.data.pictures import cifar10, mnist
from ibkit.data.planted_attributes import planted_attributes, word_attributes
from ibkit.data.recall import Recall, associative_recall
from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes
from ibkit.data.sphere_tokens import SphereTokens, sphere_tokens
from ibkit.data.states import gaussian_states, random_rotations
from ibkit.data.text import Vocabulary, novel, random_windows, text8, vocabulary_of, words
from ibkit.data.token_contexts import TokenContexts, all_contexts, prefix_contexts, random_contexts
from ibkit.data.token_mixtures import (
    ContextualMixture,
    TokenMixture,
    contextual_mixture,
    tokenized_mixture,
)

__all__ = [
    "GRAPH_KINDS",
    "AttentionExamples",
    "AttributeTokens",
    "BatchInteraction",
    "CommunicationGraph",
    "ContextTable",
    "ContextualMixture",
    "MentionWorld",
    "NextTokenData",
    "Recall",
    "SphereTokens",
    "TokenContexts",
    "TokenMixture",
    "Vocabulary",
    "all_contexts",
    "associative_recall",
    "attention_examples",
    "attribute_tokens",
    "batch_interaction",
    "bind_batches",
    "cifar10",
    "clustered_classes",
    "communication_graph",
    "context_table",
    "contextual_mixture",
    "deal_to_agents",
    "digit_pair",
    "digits",
    "draw_by_class",
    "fetch",
    "gaussian_states",
    "group_sizes",
    "mention_world",
    "metropolis",
    "mixing_rate",
    "mnist",
    "ngram_tables",
    "novel",
    "outvoted_point",
    "planted_attributes",
    "prefix_contexts",
    "random_batches",
    "random_contexts",
    "random_rotations",
    "random_windows",
    "run_generators",
    "separated_halfspaces",
    "separated_slabs",
    "shared_support_tokens",
    "sparse_next_tokens",
    "sphere_tokens",
    "step_counts",
    "text8",
    "tokenized_mixture",
    "toy_next_tokens",
    "tree_support",
    "vocabulary_of",
    "word_attributes",
    "words",
    "xor_clusters",
]
