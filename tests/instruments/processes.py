"""Real driver processes for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def driver_process(
    folder: Path,
    controller: str,
    *,
    driver: str = "tests.instruments.devices:Bench",
    instrument: str = "bench",
    options: Mapping[str, object] | None = None,
    extra: tuple[str, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a driver in a process of its own; it is killed at the end of the block if it still lives."""
    command = [
        sys.executable, "-m", "instruments", "serve",
        "--driver", driver, "--instrument", instrument, "--controller", controller,
        "--journal", str(folder / f"{instrument}.db"), "--options", json.dumps(options or {}), *extra,
    ]  # fmt: skip
    with (folder / f"{instrument}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(10)
