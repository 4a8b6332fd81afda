"""`ibkit build` in a copy of this book: again with nothing changed, and with one chapter edited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import report

from ibkit.book.environment import worker_environment
from ibkit.book.tree import Tree

ROOT = Path(__file__).resolve().parents[1]


def build(root: Path) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "ibkit", "build", "--root", str(root)]
    done = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the book did not build:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begun


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        root = Path(scratch)
        for name in ("_config.yml", "_toc.yml", "references.bib", "requirements.lock"):
            shutil.copyfile(ROOT / name, root / name)
        for name in ("chapters", "_assets"):
            shutil.copytree(ROOT / name, root / name)
        if (ROOT / "_build" / "executed").is_dir():
            shutil.copytree(ROOT / "_build" / "executed", root / "_build" / "executed")
        tree = Tree(root)
        first = build(root)
        again = min(build(root) for _ in range(3))
        chapter = min(tree.chapters(), key=lambda c: json.loads(c.path.read_text())["metadata"]["ibkit"]["seconds"])
        nb = json.loads(chapter.path.read_text())
        nb["cells"][-1]["source"] = [*nb["cells"][-1]["source"], "\n\nOne more sentence."]
        chapter.path.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n")
        edited = build(root)
        run = json.loads((tree.executed / chapter.file).read_text())["metadata"]["ibkit"]["run"]
        print(f"{len(tree.chapters())} chapters; the first build took {first:.1f} s")
        kept = report("seconds of a build with nothing changed", again, 5)
        kept &= report(
            f"seconds beyond its own {run['seconds']:.1f} with {chapter.slug} edited", edited - run["seconds"], 15
        )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
