"""A worker process: `python -m ibkit.book.worker` runs notebooks that come as JSON lines, one after the other.

It answers with JSON lines. It ends, with its kernel, when its input ends: so it outlives its parent in no case,
however the parent died.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any


def main() -> None:
    """Serve until the input ends."""
    # The answers keep the real stdout; whatever else prints goes to the log.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    kernel: list[int] = []
    lock = threading.Lock()

    def answer(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    def on_event(event: str, value: int) -> None:
        if event == "kernel":
            kernel[:] = [value]
        answer({"event": event, "value": value})

    def leave(*_: object) -> None:
        if kernel:
            kill_group(kernel[0])
        for child in psutil.Process().children(recursive=True):  # a kernel that was just being started
            with suppress(psutil.Error):
                child.kill()
        os._exit(0)

    jobs: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line)
        leave()

    # jsonschema, which checks notebooks, imports this when it is installed: 0.6 s of building a grammar for the format
    # `iri`, which no notebook has. None makes the import fail, as if it were not installed.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import psutil

    from ibkit.book.execute import execute
    from ibkit.book.processes import kill_group

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
    threading.Thread(target=listen, daemon=True).start()
    while True:
        job = json.loads(jobs.get())
        outcome = execute(on_event=on_event, **job)
        kernel.clear()
        answer({"event": "done", "outcome": asdict(outcome)})


if __name__ == "__main__":
    main()
