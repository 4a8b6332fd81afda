"""Where tensors live."""

from __future__ import annotations

import torch

from ibkit.checks import one_of, require


def resolve_device(device: str = "auto") -> torch.device:
    """Return the device that a chapter's ``device`` parameter stands for; ``auto`` is the GPU where there is one.

    Raises:
        ValueError: an unknown name, or ``cuda`` on a machine without a GPU.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    one_of("device", device, ("auto", "cpu", "cuda"))
    available = torch.cuda.is_available()
    require(device != "cuda" or available, "device must be auto or cpu here, got 'cuda': torch sees no GPU")
    return torch.device("cuda" if available and device != "cpu" else "cpu")
