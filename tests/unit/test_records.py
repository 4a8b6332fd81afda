"""Recorded numbers: what is stored, what is shown, what is refused."""

import json

import pytest
import torch

from ibkit.records import RECORD_MIME, record


def test_values_are_flattened_and_summarised():
    stored = record("margin", torch.tensor([[3.0, 1.0], [2.0, 8.0]]), unit="bit").bundle()[RECORD_MIME]
    assert stored == {
        "schema": 1, "name": "margin", "unit": "bit", "values": [3.0, 1.0, 2.0, 8.0], "median": 2.5, "low": 1.0,
        "high": 8.0,
    }  # fmt: skip


def test_what_is_no_number_is_null_and_leaves_no_summary():
    stored = record("loss", [1.0, float("nan"), float("inf")]).bundle()[RECORD_MIME]
    assert json.loads(json.dumps(stored, allow_nan=False))["values"] == [1.0, None, None]
    assert stored["median"] is stored["low"] is stored["high"] is None


@pytest.mark.parametrize(("name", "value"), [("", 1.0), (" ", 1.0), ("empty", [])])
def test_nothing_is_refused(name, value):
    with pytest.raises(ValueError, match="must"):
        record(name, value)
