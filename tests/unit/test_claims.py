import json
import math

import pytest

from ibkit.claims import CLAIM_MIME, Bound, claim, claims_table

ARGS = {"source": "Theorem 1", "kind": "theorem"}


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ({"at_least": 0.98}, [0.98, 1.5], [0.979, -math.inf, math.nan]),
        ({"at_most": 0.1}, [0.1, -3.0], [0.11, math.inf, math.nan]),
        ({"between": (-0.7, -0.4)}, [-0.7, -0.5, -0.4], [-0.71, 0.0, math.nan]),
        ({"equals": 2.0, "rel": 0.03}, [1.95, 2.05], [1.93, 2.07, math.nan]),
        ({"equals": 0.0, "abs": 1e-6}, [1e-7, -1e-6], [2e-6, math.nan]),
        ({"equals": 1.0, "rel": 0.01, "abs": 0.5}, [1.4], [1.6]),
    ],
)
def test_bounds_hold_inside_and_fail_outside(rule, inside, outside):
    bound = Bound(**rule)
    assert all(bound.holds(v) for v in inside)
    assert not any(bound.holds(v) for v in outside)


def verdict(**arguments):
    return claim("c", "A statement", **(ARGS | {"at_least": 1.0} | arguments)).state


def test_every_run_must_hold_unless_a_share_says_otherwise():
    assert verdict(measured=[1.0, 2.0, 3.0]) == "held"
    assert verdict(measured=[1.0, 2.0, 0.5]) == "red"
    assert verdict(measured=[1.0, 2.0, 0.5], share=0.6) == "held"
    assert verdict(measured=[1.0, 0.4, 0.5], share=0.6) == "red"


def test_nan_fails_and_stays_visible():
    made = claim("c", "A statement", measured=[1.0, math.nan], at_least=0.0, **ARGS)
    assert made.state == "red"
    assert made.record()["measured"]["values"] == [1.0, None]
    assert made.record()["measured"]["median"] is None
    assert "NaN in 1 of 2 runs" in str(made)


def test_a_contrast_that_also_holds_turns_the_claim_red():
    assert verdict(measured=2.0, contrast=0.5) == "held"
    assert verdict(measured=2.0, contrast=1.5) == "red"
    assert verdict(measured=0.0, contrast=0.0) == "red"
    assert verdict(measured=2.0, contrast=[1.5, 0.2]) == "held"
    assert verdict(measured=2.0, contrast=[1.5, 0.2], share=0.5) == "red"
    assert verdict(measured=2.0, contrast=math.nan) == "held"


def test_open_claims_are_measured_and_never_green():
    assert verdict(measured=2.0, open_because="the run is too short") == "open"
    assert verdict(measured=0.0, open_because="the run is too short") == "open"


def test_the_record_survives_json_and_says_everything():
    made = claim(
        "ratio",
        "Longer <classifiers>",
        measured=[1.9, 2.0, 2.1],
        equals=2.0,
        rel=0.1,
        contrast=1.0,
        contrast_label="ETF",
        source="eq. 4",
        kind="closed form",
    )
    bundle = made.bundle()
    record = json.loads(json.dumps(bundle[CLAIM_MIME], allow_nan=False))
    assert record["schema"] == 1
    assert record["state"] == "held"
    assert record["bound"] == "2 ± 10 %"
    assert record["rule"] == {"equals": 2.0, "rel": 0.1}
    assert record["measured"] == {"values": [1.9, 2.0, 2.1], "median": 2.0, "low": 1.9, "high": 2.1, "satisfied": 1.0}
    assert record["contrast"]["label"] == "ETF"
    assert record["contrast"]["satisfied"] == 0.0
    assert "Longer &lt;classifiers&gt;" in bundle["text/html"]


def test_a_claim_made_again_replaces_itself_in_the_table():
    claim("twice", "First", measured=1.0, at_least=0.0, **ARGS)
    claim("twice", "Second", measured=1.0, at_least=0.0, **ARGS)
    table = claims_table()._repr_html_()
    assert table.count('id="claim-twice"') == 1
    assert "Second" in table
    assert "First" not in table


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"at_most": 2.0}, "exactly one of equals, at_least, at_most, between"),
        ({"at_least": None}, "exactly one of equals, at_least, at_most, between, got none"),
        ({"at_least": math.nan}, "at_least must be a number, got NaN"),
        ({"at_least": None, "equals": 1.0}, "equals needs rel= or abs="),
        ({"rel": 0.1}, "only equals takes them"),
        ({"at_least": None, "equals": 1.0, "rel": -0.1}, "rel and abs must not be negative"),
        ({"at_least": None, "between": (2.0, 1.0)}, r"between must be \(low, high\)"),
        ({"kind": "proof"}, "kind must be one of theorem, closed form, trend, ordering, got 'proof'"),
        ({"source": " "}, "source must not be empty"),
        ({"measured": []}, "measured must hold at least one value"),
        ({"share": 0.0}, r"share must lie in \(0, 1\]"),
        ({"open_because": ""}, "open_because must say why"),
        ({"contrast_label": "x"}, "contrast_label needs a contrast"),
    ],
)
def test_bad_claims_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        claim("c", "A statement", **(ARGS | {"measured": 1.0, "at_least": 0.5} | change))
