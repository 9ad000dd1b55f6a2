"""Small files and JSON that anybody may have written or torn: read in bounded memory, and wrong in one way only, `ValueError`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_SMALL = 256 * 1024
"""Largest file of a few lines (where the controller is, a key, a note) [bytes]."""
MAX_PROCESS_ID = 2**31 - 1


def read_small(path: Path, most: int = MAX_SMALL) -> str:
    """Return what a small file of UTF-8 text says.

    Args:
        path: The file.
        most: The most it may hold [bytes]; no more is ever read.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it holds more, or is no UTF-8.
    """
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most} bytes")
    return content.decode()


def from_json(text: str | bytes) -> Any:
    """Return what JSON says; `json.loads`, but what is nested too deeply for it is a `ValueError` as every other fault."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def process_id(value: object) -> int:
    """Return the number of a process that a note names.

    Numbers that mean several processes, or none, to `kill(2)` are refused: -1, written by accident, would end all of them.

    Raises:
        ValueError: If it is no number of one process.
    """
    number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else 0
    if not 1 <= number <= MAX_PROCESS_ID:
        raise ValueError(f"{str(value)[:40]!r} is no number of a process")
    return number
