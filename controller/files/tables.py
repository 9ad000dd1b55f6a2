"""CSV files that campaigns point to: a header, rows of text, and the line of each row."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import FileFaultsError
from controller.files.faults import Faults, listed
from controller.files.reading import read_text

MAX_BYTES: Final = 256 * 2**20
"""Largest table [bytes]."""


@dataclass(frozen=True)
class Table:
    """A CSV file as text: every row has as many cells as the header."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    """The line (from 1) in which each row ends."""

    def column(self, name: str) -> tuple[str, ...]:
        """Return the cells of one column, without the spaces around them."""
        place = self.header.index(name)
        return tuple(row[place] for row in self.rows)


def read_table(path: Path, faults: Faults) -> Table | None:
    """Read a CSV file with a header, or add what is wrong inside it to `faults` and return None.

    Raises:
        ValueError: If the file as a whole cannot be read; the text is for the place that names the file.
    """
    try:
        text = read_text(path, MAX_BYTES)
    except FileFaultsError as error:
        raise ValueError(error.faults[0].partition(": ")[2]) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
                lines.append(reader.line_num)
    except csv.Error as error:
        faults.add(path, reader.line_num, (), f"is not CSV ({error}); check the quotes in this line")
        return None
    if len(rows) < 2:
        faults.add(path, 1, (), "holds no rows; a header and at least one row are needed")
        return None
    header, n_before = rows[0], len(faults)
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        mark = "semicolons" if ";" in header[0] else "tabs"
        faults.add(path, lines[0], (), f"separates its columns by {mark}; save it with commas")
        return None
    for name in sorted({name for name in header if header.count(name) > 1}):
        faults.add(path, lines[0], (), f"has two columns {name or 'without a name'!r}; rename or remove one")
    for cells, line in zip(rows[1:], lines[1:], strict=True):
        if len(cells) != len(header):
            expected = f"where the header has {len(header)}"
            faults.add(path, line, (), f"has {len(cells)} cells {expected}; put cells that hold commas between quotes")
            break
    if len(faults) > n_before:
        return None
    return Table(path, header, tuple(rows[1:]), tuple(lines[1:]))


def number(cell: str) -> float | None:
    """Return a cell as a finite number, None where it is none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


@dataclass
class CellFaults:
    """Gathers what is wrong with cells of one column, and says it once: the first line, and how many more."""

    table: Table
    column: str

    def __post_init__(self) -> None:
        self._found: dict[str, list[tuple[int, str]]] = {}

    def add(self, row: int, cell: str, message: str) -> None:
        """Note one cell."""
        self._found.setdefault(message, []).append((self.table.lines[row], cell))

    def tell(self, faults: Faults) -> bool:
        """Add one fault per kind of message to `faults`; say whether there was any."""
        for message, cells in self._found.items():
            line, cell = cells[0]
            others = [at for at, _ in cells[1:]]
            more = f" (also in line{'s' if len(others) > 1 else ''} {listed(others, 5)})" if others else ""
            faults.add(self.table.path, line, (self.column,), message + more, cell)
        return bool(self._found)
