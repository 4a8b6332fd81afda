"""Update rules as chains of small pure pieces, on many runs at once."""

from ibkit.optim.chain import Rule, apply_update, chain
from ibkit.optim.decentralized import (
    decentralized_gradient_descent,
    mix_agents,
    track_gradients,
    tracked_gradient_descent,
)
from ibkit.optim.lbfgs import Minimum, minimize_lbfgs
from ibkit.optim.mirror import inverse_mirror_map, mirror, mirror_descent, mirror_map
from ibkit.optim.pieces import (
    adam_ratio,
    clip_norm,
    momentum,
    newton_schulz,
    normalize,
    normalize_rows,
    steepest,
    weight_decay,
)
from ibkit.optim.polyak import log_polyak_length, polyak
from ibkit.optim.rules import (
    adam,
    gradient_descent,
    muon,
    muon_newton_schulz,
    normalized_gradient_descent,
    sign_descent,
    spectral_descent,
    steepest_descent,
)
from ibkit.optim.steps import cosine_decay, power_decay, step_size
from ibkit.optim.torch_adapter import as_torch

__all__ = [
    "Minimum",
    "Rule",
    "adam",
    "adam_ratio",
    "apply_update",
    "as_torch",
    "chain",
    "clip_norm",
    "cosine_decay",
    "decentralized_gradient_descent",
    "gradient_descent",
    "inverse_mirror_map",
    "log_polyak_length",
    "minimize_lbfgs",
    "mirror",
    "mirror_descent",
    "mirror_map",
    "mix_agents",
    "momentum",
    "muon",
    "muon_newton_schulz",
    "newton_schulz",
    "normalize",
    "normalize_rows",
    "normalized_gradient_descent",
    "polyak",
    "power_decay",
    "sign_descent",
    "spectral_descent",
    "steepest",
    "steepest_descent",
    "step_size",
    "track_gradients",
    "tracked_gradient_descent",
    "weight_decay",
]
