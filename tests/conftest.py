"""Shared by the tests: float64 data, and a switch that turns the shape checker off."""

import os

import jaxtyping
import pytest
import torch

# Tests write nothing into the user's own folder, where the key would lie otherwise.
os.environ.setdefault("IBKIT_SEAL_KEY", "of the tests")


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def unchecked():
    """Without the shape checker: what a user sees, whose install has no type checker."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
