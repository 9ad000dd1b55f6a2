"""Small files, JSON and tables that anybody may have written: read in bounded time and memory, or refused by a `ValueError`."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

MAX_SMALL = 256 * 1024
"""Largest file of a few lines (where the controller is, a key, a note) [bytes]."""
MAX_TABLE = 64 * 2**20
"""Largest table [bytes]."""
MAX_COLUMNS = 10_000
MAX_CELLS = 2_000_000
"""Most cells of a table; an empty line counts as one."""
_MAX_LINE = 2**20
_SMALL_PART = 16 * 2**20
_MOST_PACKED = 200
"""A larger file in a zip file is packed so many times smaller at most: Deflate packs zeros 1032 times, tables and logs 5 to 50."""
MAX_PROCESS_ID = 2**31 - 1


class TableError(ValueError):
    """A table that cannot be read, from `line` (from 1) on; None where it is not about a line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(message)


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


def check_unpacked(archive: zipfile.ZipFile, most: int) -> None:
    """Refuse a zip file of which a few bytes become very many; a file in it never unpacks to more than the archive says.

    Args:
        archive: The zip file.
        most: The most that all its files may hold together [bytes].

    Raises:
        ValueError: If they hold more, or one of them unpacks to more than any table or text that was not made to be costly.
    """
    if sum(entry.file_size for entry in archive.infolist()) > most:
        raise ValueError(f"holds more than {most >> 20} MiB")
    for entry in archive.infolist():
        if entry.file_size > _SMALL_PART and entry.file_size > _MOST_PACKED * entry.compress_size:
            raise ValueError(f"holds {entry.filename[:80]!r}, which unpacks to {entry.file_size >> 20} MiB from next to nothing")


def read_rows(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    """Return the rows of a CSV file as a list; see `iter_rows`."""
    return list(iter_rows(path))


def iter_rows(path: Path, *, most_bytes: int = MAX_TABLE, most_cells: int = MAX_CELLS) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the rows of a CSV file of UTF-8 text that say anything, one after the other.

    Args:
        path: The file.
        most_bytes: Largest file.
        most_cells: Most cells.

    Yields:
        The line in which each row ends (from 1), and its cells without the spaces around them.

    Raises:
        OSError: If it cannot be read.
        TableError: If it is no CSV, no UTF-8, or larger than a table may be.
    """
    if not path.is_file() and path.exists():
        raise TableError("is no ordinary file")
    if path.stat().st_size > most_bytes:
        raise TableError(f"is larger than {most_bytes >> 20} MiB; keep the columns and rows that are needed")
    n_cells, line = 0, 1
    with path.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets put a byte-order mark first
        reader = csv.reader(_lines(stream), strict=True)
        try:
            for row in reader:
                line = reader.line_num + 1
                n_cells += len(row) or 1
                if len(row) > MAX_COLUMNS or n_cells > most_cells:
                    most = f"{MAX_COLUMNS} columns" if len(row) > MAX_COLUMNS else f"{most_cells} cells"
                    raise TableError(f"holds more than {most} here; keep the columns and rows that are needed", reader.line_num)
                cells = tuple(cell.strip() for cell in row)
                if any(cells):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise TableError(f"is not CSV ({error}); check the quotes in this line", max(line, reader.line_num)) from None
        except UnicodeDecodeError as error:
            wrong = f"byte {error.object[error.start]:#04x}"
            raise TableError(f"{wrong} is not UTF-8 text; save the file as UTF-8", line) from None


def _lines(stream: TextIO) -> Iterator[str]:
    number = 0
    while line := stream.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE:
            raise TableError(f"is a line of more than {_MAX_LINE} characters; check line ends and quotes", number)
        if "\0" in line:
            raise TableError("holds a zero byte; save the file as UTF-8 text", number)
        yield line
