"""Sweeps: what is run, what is kept, what is written, and what is refused."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pyarrow.csv
import pyarrow.parquet
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ibkit.book.ledger import build_ledger
from ibkit.book.sweep import SweepError, SweepListener, SweepReport, plan_sweep, run_sweep
from ibkit.book.table import make_table
from ibkit.book.tree import Tree
from ibkit.book.verify import count_claims, keep_verification, plan_verification, read_verification

from .conftest import PARAMETERS, claim_code, make_book, notebook, write

EVIL = "'\"; open('pwned', 'w').close(); \"\\\n</script><script>alert(1)</script>"
RECORD = "from ibkit.records import record\nrecord('half', [rate / 2, rate], unit='s')"
CLAIM = """
from ibkit.claims import claim
claim("small", "It is <b>small</b>", measured=rate + seed / 10, at_most=0.75, source="here", kind="trend", contrast=2)
"""


class Heard(SweepListener):
    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.workers = 0

    def started(self, plan: Any, workers: int) -> None:
        self.workers = workers

    def finished(self, result: dict[str, Any]) -> None:
        self.results.append(result)

    def said(self, line: str) -> None:
        self.lines.append(line)


def listening() -> set[str]:
    """The addresses on which this process and its descendants listen."""
    found: set[str] = set()
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            sockets = process.net_connections("inet")
        except psutil.Error:
            continue
        found |= {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    broken = "if rate == 0.9 and seed == 1:\n    1 / 0"
    return make_book(tmp_path_factory.mktemp("sweep"), mixed=notebook(RECORD, broken, CLAIM))


@pytest.fixture(scope="module")
def swept(tree: Tree) -> tuple[SweepReport, set[str], Heard]:
    """A sweep on two local workers, and where anything listened meanwhile."""
    heard, addresses, over = Heard(), set(), threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            addresses.update(listening())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        plan = plan_sweep(tree.chapters()[0], {"seed": ["0", "1", "2"], "rate": ["0.1", "0.9"]}, tree=tree)
        report = run_sweep(plan, workers=2, listener=heard)
    finally:
        over.set()
        watcher.join()
    return report, addresses, heard


def by_setting(report: SweepReport) -> dict[tuple[int, float], dict[str, Any]]:
    return {(r["parameters"]["seed"], r["parameters"]["rate"]): r for r in report.results.values()}


def test_every_setting_has_its_result(swept: tuple[SweepReport, set[str], Heard]) -> None:
    report, _, heard = swept
    states = {setting: result["state"] for setting, result in by_setting(report).items()}
    held, red = {(seed, 0.1): "held" for seed in range(3)}, {(0, 0.9): "red", (2, 0.9): "red"}
    assert states == {**held, **red, (1, 0.9): "failed"}
    assert heard.workers == 2
    assert len(heard.results) == 6
    failed = by_setting(report)[1, 0.9]
    assert failed["error"].endswith("ZeroDivisionError: division by zero")
    assert [record["name"] for record in failed["records"]] == ["half"]
    provenance = by_setting(report)[0, 0.1]["run"]
    assert {"ibkit", "commit", "parameters", "profile", "key", "seconds", "peak_mb", "host", "versions"} <= set(
        provenance
    )
    assert {"system", "machine", "cores"} <= set(provenance["host"])


def test_nothing_listens_beyond_this_machine(swept: tuple[SweepReport, set[str], Heard]) -> None:
    assert swept[1] == {"127.0.0.1"}
    assert not psutil.Process().children(recursive=True)


def test_only_what_is_missing_damaged_or_broken_off_is_run(
    tree: Tree, swept: tuple[SweepReport, set[str], Heard]
) -> None:
    report = swept[0]
    folder = tree.build / "sweeps" / "mixed" / "runs"
    names = {key: folder / f"{key}.json" for key in report.plan.settings}
    assert all(path.is_file() and path.with_suffix(".ipynb").is_file() for path in names.values())
    failed, damaged, missing, *_ = sorted(names, key=lambda key: report.results[key]["state"])
    assert report.results[failed]["state"] == "failed"
    before = names[damaged].read_bytes()
    names[damaged].write_bytes(before.replace(b'"state": "held"', b'"state": "red"', 1))
    text = names[missing].read_text()
    names[missing].unlink()
    products = {"seed": ["2", "1", "0"], "rate": ["0.9", "0.1"]}
    again = plan_sweep(tree.chapters()[0], products, tree=tree)
    assert set(again.missing) == {failed, damaged, missing}
    run_sweep(again, workers=2, notebooks=False)
    mended, old = (json.loads(each)["content"] for each in (names[damaged].read_bytes(), before))
    for key in ("state", "claims", "records", "parameters"):
        assert mended[key] == old[key]
    assert json.loads(names[missing].read_text())["content"]["claims"] == json.loads(text)["content"]["claims"]
    assert plan_sweep(tree.chapters()[0], products, tree=tree).missing == [failed]
    assert set(plan_sweep(tree.chapters()[0], products, tree=tree, force=True).missing) == set(names)


def test_table_is_tidy_and_the_same_in_both_forms(swept: tuple[SweepReport, set[str], Heard], call, tree: Tree) -> None:
    report = swept[0]
    rows = make_table(report.results.values(), report.plan.parameters).to_pylist()
    assert len(rows) == 6 + 5  # a number each, and a claim each but where the run broke off before it
    claim = next(r for r in rows if r["kind"] == "claim" and (r["seed"], r["rate"]) == (2, 0.9))
    assert (claim["name"], claim["state"], claim["run"], claim["bound"], claim["contrast"]) == (
        "small",
        "red",
        "red",
        "≤ 0.75",
        2.0,
    )
    assert claim["value"] == pytest.approx(1.1)
    number = next(r for r in rows if r["kind"] == "record" and (r["seed"], r["rate"]) == (1, 0.9))
    assert (number["value"], number["low"], number["high"], number["count"], number["unit"]) == (
        0.675,
        0.45,
        0.9,
        2,
        "s",
    )
    assert number["error"].endswith("division by zero")
    code, out, err = call("sweep", "mixed", "-p", "seed", "0:3", "-p", "rate", "0.1", "--root", tree.root)
    assert (code, err) == (0, "")
    assert "3 were there before" in out
    folder = tree.build / "sweeps" / "mixed"
    stored = pyarrow.parquet.read_table(folder / "table.parquet").to_pylist()
    assert {row["key"] for row in stored} == {
        r["key"] for r in report.results.values() if r["parameters"]["rate"] == 0.1
    }
    text = pyarrow.csv.read_csv(folder / "table.csv").to_pylist()
    assert [(r["seed"], r["value"], r["state"]) for r in text] == [
        (r["seed"], r["value"], r["state"] or "") for r in stored
    ]
    page = (folder / "summary.html").read_text()
    assert page.count("data:image/png") == 2
    assert "<b>small</b>" not in page
    assert "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page


def test_dry_run_runs_and_writes_nothing(tmp_path: Path, call, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_book(tmp_path, one=notebook())
    monkeypatch.setattr("ibkit.book.sweep.local_cluster", lambda *_: pytest.fail("a cluster was started"))
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call("sweep", "one", "-p", "seed", "0:3", "-p", "label", "a,b", "--dry-run", "--root", tree.root)
    assert (code, err) == (0, "")
    assert "run   seed=2, label=b" in out
    assert out.splitlines()[-1] == "6 of 6 settings of part/one would be run"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "sed", "0:3"], "unknown parameter 'sed'; did you mean seed"),
        (["-p", "seed", "0:x"], "must be int"),
        (["-p", "seed", "1,,2"], "values separated by commas"),
        (["-p", "seed", "1", "-p", "seed", "2"], "given twice"),
        (["--settings", "nothing.csv"], "cannot be read"),
        (["--out", "/proc/nothing"], "cannot be written"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
        (["--scheduler", "nonsense://x"], "no Dask scheduler answers"),
        (["-j", "0"], "'-j'"),
    ],
)
def test_bad_input(tmp_path: Path, call, arguments: list[str], said: str) -> None:
    tree = make_book(tmp_path, one=notebook())
    code, out, err = call("sweep", "one", *arguments, "--root", tree.root)
    assert code == 2, err
    assert said in err
    assert (out, err.count("\n")) == ("", 1)
    assert not tree.build.exists()


def test_texts_that_look_like_code_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter is data wherever it goes: through the scheduler, into the notebook, the table and the address."""
    monkeypatch.chdir(tmp_path)
    alone = write(tmp_path / "alone.ipynb", notebook("print(repr(label))", claim_code("one")))
    from ibkit.book.tree import find_chapter

    chapter = find_chapter(str(alone), None)
    plan = plan_sweep(chapter, {"label": [EVIL, "{{7*7}}", "../../up"]}, out="memory://evil")
    report = run_sweep(plan, workers=1)
    assert report.count("held") == 3
    files = fsspec.filesystem("memory")
    for key, setting in plan.settings.items():
        text = files.cat_file(f"/evil/runs/{key}.ipynb").decode()
        printed = "".join(json.loads(text)["cells"][-2]["outputs"][0]["text"]).strip()
        assert printed == repr(setting["label"])
    assert len(files.find("evil")) == 6
    assert not list(tmp_path.rglob("pwned"))
    again = plan_sweep(chapter, {"label": [EVIL, "{{7*7}}", "../../up"]}, out="memory://evil")
    assert again.missing == []
    assert make_table(report.results.values(), plan.parameters)["label"].to_pylist()[0] == EVIL


class FullDisk(MemoryFileSystem):
    """A file system that has room for so many files."""

    protocol = "fulldisk"
    left = 5

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        if not path.endswith(".tmp") or ".probe" in path:
            return super().pipe_file(path, value, **options)
        type(self).left -= 1
        if type(self).left < 0:
            raise OSError(28, "No space left on device")
        return super().pipe_file(path, value, **options)


def test_full_disk_ends_the_sweep_and_keeps_what_is_there(tmp_path: Path) -> None:
    fsspec.register_implementation("fulldisk", FullDisk, clobber=True)
    tree = make_book(tmp_path, one=notebook("print(seed)"))
    begun = time.monotonic()
    plan = plan_sweep(tree.chapters()[0], {"seed": list(range(50))}, tree=tree, out="fulldisk://out")
    with pytest.raises(SweepError, match=r"cannot be written to fulldisk://out any more: .*No space left"):
        run_sweep(plan, workers=2)
    assert time.monotonic() - begun < 60
    names = plan.folder.names("runs")
    records = [name for name in names if name.endswith(".json")]
    assert len(records) == 2
    assert {f"{name[:-5]}.ipynb" for name in records} == names - set(records)  # each with its notebook, and no more
    FullDisk.left = 1000
    assert len(plan_sweep(tree.chapters()[0], {"seed": list(range(50))}, tree=tree, out="fulldisk://out").missing) == 48
    assert not psutil.Process().children(recursive=True)


def test_verification_is_taken_up_by_the_ledger(tmp_path: Path, call) -> None:
    repository = Path(__file__).resolve().parents[2]
    tree = make_book(tmp_path)
    (tmp_path / "references.bib").write_text((repository / "references.bib").read_text())
    later = CLAIM.replace("small", "later").replace("contrast=2", "open_because='slow'")
    nb = notebook(CLAIM.replace("0.75", "0.65"), later, parameters=PARAMETERS)
    write(tmp_path / "chapters" / "margins" / "spectral-descent.ipynb", nb)
    code, _, _ = call("run", "spectral-descent", "--root", tree.root)
    assert code == 0
    code, out, err = call("verify", "spectral-descent", "--seeds", "4", "-j", "2", "--root", tree.root)
    assert code == 1  # rate 0.5 and seed 2 make 0.7
    assert "small  held at 2 of 4; 95 % interval of the share: 0.0676 to 0.932" in out
    assert "later  open at all 4" in out
    assert "a claim holds at less than 1 of the seeds" in err
    entry = build_ledger(tmp_path).present[0]
    assert entry.verified == {"seeds": 4, "broken": 0, "confidence": 0.95}
    small, later = entry.claims
    assert (small.seeds["held"], small.seeds["red"]) == (2, 2)
    assert (later.seeds["open"], later.seeds["low"]) == (4, None)
    assert json.loads(build_ledger(tmp_path).to_json())["papers"]
    code, _, _ = call("verify", "spectral-descent", "--seeds", "0:2", "--at-least", "0.5", "--root", tree.root)
    assert code == 0  # all kept from before: and the larger count stays
    stored = read_verification(tree.build, "margins/spectral-descent")
    assert len(stored["seeds"]) == 4
    path = tree.build / "verified" / "margins" / "spectral-descent.json"
    path.write_text(path.read_text().replace('"held": 2', '"held": 4'))
    assert build_ledger(tmp_path).present[0].verified is None  # not what was counted here


def test_a_run_that_breaks_off_counts_against_its_claims(
    tree: Tree, swept: tuple[SweepReport, set[str], Heard]
) -> None:
    chapter = tree.chapters()[0]
    plan = plan_verification(chapter, [0, 1, 2], tree=tree)
    results = {
        key: next(
            {**r, "key": key}
            for (seed, rate), r in by_setting(swept[0]).items()
            if rate == (0.9 if setting["seed"] == 1 else 0.1) and seed == setting["seed"]
        )
        for key, setting in plan.settings.items()
    }
    verification = count_claims(plan, results, tree)
    (small,) = verification.claims
    assert (small.held, small.red, verification.broken) == (2, 1, 1)
    assert keep_verification(verification, tree.build).is_file()
