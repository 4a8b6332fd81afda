"""Shared by the tests: float64 data, and a switch that turns the shape checker off."""

import jaxtyping
import pytest
import torch


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def unchecked():
    """Without the shape checker: what a user sees, whose install has no type checker."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
