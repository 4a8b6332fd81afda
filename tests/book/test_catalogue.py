"""The catalogue against what is known of the 181 papers."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ibkit.book.catalogue import PARTS, CatalogueError, load_catalogue

REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = {"margins": 5, "collapse": 8, "next-token": 7, "attention": 6, "imbalance": 10, "optimizers": 14}
SIZES |= {"landscape": 17, "convergence": 10, "generalization": 14, "bilevel": 7, "online": 4, "statistics": 13}
SIZES |= {"robustness": 6, "fine-tuning": 10, "continual": 6, "in-context": 9, "reasoning-rl": 18, "alignment": 6}
SIZES |= {"beyond-backprop": 11}


@pytest.fixture(scope="module")
def catalogue() -> dict:
    return load_catalogue(REPOSITORY)


def test_every_paper_is_there_once_in_its_part(catalogue: dict) -> None:
    assert Counter(paper.part for paper in catalogue.values()) == SIZES
    assert list(SIZES) == list(PARTS)
    assert sum(SIZES.values()) == 181


def test_file_is_sorted_and_without_doubles() -> None:
    keys = re.findall(r"^@\w+\{([^,]+),", (REPOSITORY / "references.bib").read_text(encoding="utf-8"), re.M)
    assert keys == sorted(set(keys))


def test_records_are_clean(catalogue: dict) -> None:
    for paper in catalogue.values():
        assert paper.authors, paper.slug
        text = " ".join([paper.title, *paper.authors, paper.venue or ""])
        assert not re.search(r"[{}\\$·]|et al|  ", text), text
        assert 2013 <= paper.year <= 2026
        assert all(" " in author for author in paper.authors), paper.authors
        assert len(paper.families) == len(paper.authors)


def test_links_look_like_links(catalogue: dict) -> None:
    for paper in catalogue.values():
        assert paper.arxiv is None or re.fullmatch(r"\d{4}\.\d{4,5}", paper.arxiv), paper.slug
        assert paper.code is None or re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", paper.code), paper.slug
    ids = [paper.arxiv for paper in catalogue.values() if paper.arxiv]
    assert len(ids) == len(set(ids))


def test_arxiv_ids_are_not_younger_than_the_year(catalogue: dict) -> None:
    for paper in catalogue.values():
        if paper.arxiv:
            assert 2000 + int(paper.arxiv[:2]) <= paper.year, paper.slug


def test_one_record_in_full(catalogue: dict) -> None:
    paper = catalogue["spectral-descent"]
    assert paper.title == "Implicit Bias of Spectral Descent and Muon on Multiclass Separable Data"
    assert paper.authors == ("Chen Fan", "Mark Schmidt", "Christos Thrampoulidis")
    assert (paper.part, paper.year, paper.arxiv, paper.others) == ("margins", 2025, "2502.04664", False)
    assert paper.citation == "Fan et al., 2025"


def test_an_unfinished_author_list_says_so(catalogue: dict) -> None:
    assert catalogue["soap"].others
    assert catalogue["soap"].authors[0] == "Nikhil Vyas"


@pytest.mark.parametrize(
    ("bib", "message"),
    [
        ("@misc{a, title={T}, year={2020}, keywords={margins}}\n" * 2, "a"),
        ("@misc{a, title={T}, keywords={margins}}", "'a' has no year"),
        ("@misc{a, title={T}, year={2020}}", "'a' has no keywords"),
        ("@misc{a, title={T}, year={soon}, keywords={margins}}", "'a' has year 'soon'"),
        (
            "@misc{a, title={T}, year={2020}, keywords={cooking}}",
            "'a' names the part 'cooking', expected one of margins",
        ),
        ("@misc{a, title={T", "references.bib"),
    ],
)
def test_a_broken_entry_is_named_in_one_line(tmp_path: Path, bib: str, message: str) -> None:
    (tmp_path / "references.bib").write_text(bib, encoding="utf-8")
    with pytest.raises(CatalogueError, match=message) as caught:
        load_catalogue(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"references\.bib: expected in"):
        load_catalogue(tmp_path)
