"""A sweep of 200 settings of a one-second chapter on two workers, and the table of 10,000 results."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import report

from ibkit.book.environment import worker_environment
from ibkit.book.sweep import plan_sweep, run_sweep
from ibkit.book.tree import find_chapter

SETTINGS, WORKERS, RESULTS, CLAIMS = 200, 2, 10_000, 7
PARAMETERS = "seed: int = 0  # random seed"
WORK = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end:\n    pass"
TABLE = """
import sys, time
from pathlib import Path
from ibkit.book.parameters import Parameter
from ibkit.book.store import LocalFolder
from ibkit.book.table import make_table, write_table
results, claims = int(sys.argv[1]), int(sys.argv[2])
numbers = {"values": [0.5] * 10, "median": 0.5, "low": 0.4, "high": 0.6, "satisfied": 1.0}
def result(i):
    made = [{"id": f"claim-{c}", "state": "held", "bound": ">= 0.1", "measured": {**numbers, "median": i / 7}}
            for c in range(claims)]
    records = [{"name": "loss", "values": [i / 3], "median": i / 3, "low": i / 3, "high": i / 3, "unit": None}]
    return {"chapter": "part/slug", "key": f"{i:064x}", "state": "held", "seconds": 1.0, "kernel_seconds": 1.2,
            "peak_mb": 200.0, "error": None, "parameters": {"seed": i, "rate": 0.5}, "claims": made, "records": records}
parameters = {"seed": Parameter("seed", "int", 0), "rate": Parameter("rate", "float", 0.5)}
begun = time.perf_counter()
table = make_table(map(result, range(results)), parameters)
write_table(table, LocalFolder(Path(sys.argv[3])))
print(time.perf_counter() - begun, table.num_rows)
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        command = [sys.executable, "-c", TABLE, str(RESULTS), str(CLAIMS), str(folder)]
        done = subprocess.run(command, env=worker_environment(), check=True, capture_output=True, text=True)
        seconds, rows = done.stdout.split()
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{RESULTS:,} results, {int(rows):,} rows")
        kept = report("  seconds to make and write it", float(seconds), 5)
        kept &= report("  MB at most in memory", peak, 500)
        cells = [
            {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
            for source, tags in ((PARAMETERS, ["parameters"]), (WORK, []))
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nb = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}
        (folder / "second.ipynb").write_text(json.dumps(nb))
        chapter = find_chapter(str(folder / "second.ipynb"), None)
        plan = plan_sweep(chapter, {"seed": list(range(SETTINGS))}, out=folder / "out")
        sweep = run_sweep(plan, workers=WORKERS)
        cells_busy = sum(result["seconds"] for result in sweep.results.values())
        whole = sweep.seconds * WORKERS
        print(f"{SETTINGS} settings of a second each on {WORKERS} workers took {sweep.seconds:.1f} s")
        kept &= report(
            "  whole time of the workers / time that they were at work on a run", whole / sweep.busy, 1 / 0.9
        )
        report("  whole time of the workers / time that kernels were in a cell", whole / cells_busy)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
