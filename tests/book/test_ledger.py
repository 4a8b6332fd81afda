"""Claims read back from notebooks, and the ledger that they make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ibkit.book.errors import InputError
from ibkit.book.ledger import build_ledger, read_claims
from ibkit.book.pages.ledger import ledger_page
from ibkit.book.toc import TocError, read_toc, toc_text, write_toc
from ibkit.book.verdict import CLAIM_MIME

REPOSITORY = Path(__file__).resolve().parents[2]


def claim(identifier: str = "diag", **changes: Any) -> dict[str, Any]:
    measured = {"values": [0.98, None], "median": None, "low": 0.98, "high": None, "satisfied": 0.5}
    record = {
        "schema": 1,
        "id": identifier,
        "statement": "a < b",
        "kind": "theorem",
        "source": "Theorem 2",
        "state": "held",
    }
    record.update(
        bound="≥ 0.98", rule={"at_least": 0.98}, share=1.0, measured=measured, contrast=None, open_because=None
    )
    return {**record, **changes}


def notebook(*claims: Any, **run: Any) -> dict[str, Any]:
    outputs = [{"output_type": "display_data", "data": {CLAIM_MIME: record}, "metadata": {}} for record in claims]
    cells = [
        {"cell_type": "markdown", "source": ["# T\n", "text"], "metadata": {}},
        {"cell_type": "code", "source": "claim()", "metadata": {}, "execution_count": 1, "outputs": outputs},
    ]
    return {"cells": cells, "metadata": {"ibkit": {"sentence": "S.", "concepts": ["c"], "run": run}}, "nbformat": 4}


def store(folder: Path, content: Any, chapter: str = "margins/spectral-descent") -> Path:
    path = folder / f"{chapter}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_claims_come_back_as_stored(tmp_path: Path) -> None:
    first, second = read_claims(store(tmp_path, notebook(claim(), claim("rate", state="open", open_because="short"))))
    assert (first.id, first.state, first.bound, first.measured["values"]) == ("diag", "held", "≥ 0.98", [0.98, None])
    assert (second.id, second.state, second.open_because) == ("rate", "open", "short")


def test_a_claim_made_twice_counts_as_it_was_last(tmp_path: Path) -> None:
    claims = read_claims(store(tmp_path, notebook(claim(), claim(state="red"))))
    assert [record.state for record in claims] == ["red"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "not a notebook"),
        ("[]", "not a notebook"),
        (notebook({"id": "x"}), "cell 2: expected a claim record"),
        (notebook("text"), "cell 2: expected a claim record"),
        (notebook(claim(state="green")), "'diag' has the state 'green'"),
    ],
)
def test_what_is_no_claim_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_claims(store(tmp_path, content))


def test_ledger_holds_all_papers_and_counts_claims(tmp_path: Path) -> None:
    store(tmp_path, notebook(claim(), claim("b", state="open"), claim("c", state="red"), seconds=3.5, profile="quick"))
    ledger = build_ledger(REPOSITORY, tmp_path)
    assert len(ledger.entries) == 181
    assert [entry.slug for entry in ledger.present] == ["spectral-descent"]
    assert ledger.counts == {"held": 1, "open": 1, "red": 1}
    entry = ledger.present[0]
    assert (entry.seconds, entry.profile, entry.sentence, entry.concepts) == (3.5, "quick", "S.", ("c",))
    assert ledger.part("margins")[0] == entry


def test_within_a_part_chapters_come_in_the_order_in_which_they_are_read(tmp_path: Path) -> None:
    by_year = [entry.slug for entry in build_ledger(REPOSITORY, tmp_path).part("margins")]
    reading = [f"margins/{slug}" for slug in (by_year[2], by_year[0])]
    read = [entry.slug for entry in build_ledger(REPOSITORY, tmp_path, reading).part("margins")]
    assert read == [by_year[2], by_year[0], by_year[1], *by_year[3:]]


def test_ledger_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    store(tmp_path, notebook(claim(), versions={"torch": "2", "numpy": "1"}))
    first, second = build_ledger(REPOSITORY, tmp_path), build_ledger(REPOSITORY, tmp_path)
    assert first.to_json() == second.to_json()
    assert list(first.present[0].versions) == ["numpy", "torch"]
    assert json.loads(first.to_json())["summary"] == {"papers": 181, "present": 1, "held": 1, "open": 0, "red": 0}


def test_ledger_page_escapes_and_marks_mathematics(tmp_path: Path) -> None:
    store(tmp_path, notebook(claim(statement="$x < y$ <b>")))
    page = ledger_page(build_ledger(REPOSITORY, tmp_path))
    assert "\\(x &lt; y\\)" in page
    assert "&lt;b&gt;" in page
    assert "not a number [0.98, not a number], 2 runs" in page
    assert page.count("<li id=") == 181


def test_toc_round_trip(tmp_path: Path) -> None:
    chapters = ["margins/mirror-descent", "margins/spectral-descent", "collapse/imbalance-seli"]
    (tmp_path / "_toc.yml").write_text(toc_text(chapters), encoding="utf-8")
    assert read_toc(tmp_path) == chapters


def test_toc_takes_in_new_chapters_by_year_and_drops_lost_ones(tmp_path: Path) -> None:
    from ibkit.book.catalogue import load_catalogue

    catalogue = load_catalogue(REPOSITORY)
    (tmp_path / "_toc.yml").write_text(toc_text(["margins/spectral-descent", "online/latent-mdps"]), encoding="utf-8")
    for chapter in ("margins/spectral-descent", "margins/mirror-descent", "margins/large-steps-perceptron"):
        store(tmp_path / "chapters", "{}", chapter)
    assert write_toc(tmp_path, catalogue)
    assert read_toc(tmp_path) == [
        "margins/mirror-descent",
        "margins/large-steps-perceptron",
        "margins/spectral-descent",
    ]
    assert not write_toc(tmp_path, catalogue)


@pytest.mark.parametrize("text", ["", "parts: 3", "parts: [{chapters: [{sections: [{}]}]}]", "{"])
def test_a_broken_toc_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "_toc.yml").write_text(text, encoding="utf-8")
    with pytest.raises(TocError, match=r"_toc\.yml: expected"):
        read_toc(tmp_path)


def test_a_chapter_standing_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_text(toc_text(["margins/mirror-descent"] * 2), encoding="utf-8")
    with pytest.raises(TocError, match="margins/mirror-descent stands twice"):
        read_toc(tmp_path)
