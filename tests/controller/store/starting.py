"""Starts the programs of `processes.py`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def started(program: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a process of its own; it is killed at the end of the block, at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", "tests.controller.store.processes", program, url], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that the program said; pytest's time-out bounds the wait."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        assert process.stderr is not None
        raise AssertionError(f"the program ended without a word: {process.stderr.read()}")
    return line
