"""What an executed notebook must satisfy before it may be published.

Builders of books exit with 0 over notebooks full of errors, so the gate is here: no error output, nothing on stderr,
every code cell run, every claim well formed, named once, and not red.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ibkit.book.notebook import Notebook, where

CLAIM_MIME = "application/vnd.ibkit.claim+json"
RECORD_MIME = "application/vnd.ibkit.record+json"
#: The profile whose tiny sizes only show that every cell runs: a red claim is no problem of such a run.
DRY = "dry"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass
class Verdict:
    """What was found in an executed notebook.

    Args:
        claims: the claims, in their order, as their cells emitted them.
        problems: one line each; empty when the notebook may be published.
        records: the recorded numbers, in their order.
        whole: whether every cell ran without an error; red claims and noise on stderr leave a run whole.
    """

    claims: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = True

    def count(self, state: str) -> int:
        """Return how many claims are in a state: `held`, `open` or `red`."""
        return sum(claim["state"] == state for claim in self.claims)


def judge(nb: Notebook, decide: bool = True) -> Verdict:
    """Judge an executed notebook.

    Args:
        nb: the notebook, whole or broken off.
        decide: whether red claims and noise on stderr are problems; not so after a dry run, whose tiny sizes only show
            that every cell runs.

    Returns:
        Its claims and what is wrong with it. When a cell failed, that alone is said, since what follows did not run.
    """
    verdict = Verdict()
    unfinished: list[str] = []
    for index, cell in enumerate(nb["cells"]):
        if cell["cell_type"] != "code":
            continue
        outputs = cell.get("outputs", [])
        errors = [output for output in outputs if output["output_type"] == "error"]
        noise = "".join(_text(output["text"]) for output in outputs if output.get("name") == "stderr")
        if errors:
            return Verdict(verdict.claims, [f"{where(nb, index)}: {error_line(errors[0])}"], verdict.records, False)
        if cell["source"].strip() and cell.get("execution_count") is None:
            unfinished.append(f"{where(nb, index)}: was not executed")
        if noise.strip() and decide:
            verdict.problems.append(f"{where(nb, index)}: wrote to stderr: {_last_line(noise)}")
        for output in outputs:
            if CLAIM_MIME in output.get("data", {}):
                _take_claim(verdict, output["data"][CLAIM_MIME], where(nb, index), decide)
            if RECORD_MIME in output.get("data", {}):
                _take_record(verdict, output["data"][RECORD_MIME], where(nb, index))
    verdict.problems += unfinished[:1]
    verdict.whole = not unfinished
    return verdict


def error_line(output: dict[str, Any]) -> str:
    """Return the last line of an error, such as `ZeroDivisionError: division by zero`."""
    value = _last_line(output.get("evalue", ""))
    return f"{output.get('ename', 'error')}: {value}" if value else output.get("ename", "error")


def _take_claim(verdict: Verdict, claim: Any, place: str, decide: bool) -> None:
    if not isinstance(claim, dict) or not claim.get("id") or claim.get("state") not in {"held", "open", "red"}:
        verdict.problems.append(f"{place}: emitted a claim without an id and a state of held, open or red")
        return
    if claim in verdict.claims:
        return  # shown a second time, as the value of its cell
    if any(other["id"] == claim["id"] for other in verdict.claims):
        verdict.problems.append(f"{place}: the claim {claim['id']!r} is made twice")
        return
    verdict.claims.append(claim)
    if claim["state"] == "red" and decide:
        verdict.problems.append(f"{place}: the claim {claim['id']!r} is red: {_measured(claim)}")


def _take_record(verdict: Verdict, record: Any, place: str) -> None:
    if not isinstance(record, dict) or not record.get("name") or not isinstance(record.get("values"), list):
        verdict.problems.append(f"{place}: emitted a record without a name and values")
    elif any(other["name"] == record["name"] for other in verdict.records):
        verdict.problems.append(f"{place}: the number {record['name']!r} is recorded twice")
    else:
        verdict.records.append(record)


def _measured(claim: dict[str, Any]) -> str:
    """Say what was measured against what was claimed."""
    said = f"measured {_numbers(claim.get('measured'))}, claimed {claim.get('bound', '?')}"
    contrast = claim.get("contrast")
    if isinstance(contrast, dict):
        said += f"; contrast {contrast.get('label') or 'without the method'} {_numbers(contrast)}"
    return said


def _numbers(measured: Any) -> str:
    if not isinstance(measured, dict):
        return "?"
    low, median, high = (_number(measured.get(key)) for key in ("low", "median", "high"))
    return median if low == high else f"{median} [{low}, {high}]"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "nan"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    return line if len(line) <= 200 else line[:197] + "..."


def _text(value: str | list[str]) -> str:
    return "".join(value) if isinstance(value, list) else value
