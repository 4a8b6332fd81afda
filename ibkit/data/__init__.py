"""What models are trained on: generators with known ground truth, and real sets, shipped or downloaded once."""

from ibkit.data.attribute_tokens import AttributeTokens, attribute_tokens, tree_support
from ibkit.data.batches import BatchInteraction, batch_interaction, bind_batches, random_batches
from ibkit.data.binary_sets import separated_slabs, xor_clusters
from ibkit.data.bundled import digit_pair, digits
from ibkit.data.context_table import ContextTable, context_table
from ibkit.data.dealing import deal_to_agents
from ibkit.data.downloads import fetch
from ibkit.data.graphs import (
    GRAPH_KINDS,
    CommunicationGraph,
    communication_graph,
    metropolis,
    mixing_rate,
)
from ibkit.data.halfspaces import separated_halfspaces
from ibkit.data.imbalance import draw_by_class, group_sizes, step_counts
from ibkit.data.next_token import NextTokenData, shared_support_tokens, sparse_next_tokens, toy_next_tokens
from ibkit.data.outvoted import outvoted_point
from ibkit.data.pictures import cifar10, mnist
from ibkit.data.seeding import run_generators
from ibkit.data.separable import clustered_classes
from ibkit.data.text import Vocabulary, novel, random_windows, text8, vocabulary_of, words

__all__ = [
    "GRAPH_KINDS",
    "AttributeTokens",
    "BatchInteraction",
    "CommunicationGraph",
    "ContextTable",
    "NextTokenData",
    "Vocabulary",
    "attribute_tokens",
    "batch_interaction",
    "bind_batches",
    "cifar10",
    "clustered_classes",
    "communication_graph",
    "context_table",
    "deal_to_agents",
    "digit_pair",
    "digits",
    "draw_by_class",
    "fetch",
    "group_sizes",
    "metropolis",
    "mixing_rate",
    "mnist",
    "novel",
    "outvoted_point",
    "random_batches",
    "random_windows",
    "run_generators",
    "separated_halfspaces",
    "separated_slabs",
    "shared_support_tokens",
    "sparse_next_tokens",
    "step_counts",
    "text8",
    "toy_next_tokens",
    "tree_support",
    "vocabulary_of",
    "words",
    "xor_clusters",
]
