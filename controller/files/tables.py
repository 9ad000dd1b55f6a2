"""CSV files that campaigns point to: a header, rows of text, and the line of each row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from controller.errors import FileFaultsError
from controller.files.faults import Faults, listed, one_line
from controller.files.reading import check_file_kind
from instruments.bounded import TableError, read_rows

NO_ROWS: Final = "holds no rows; a header and at least one row are needed"


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
        check_file_kind(path)
    except FileFaultsError as error:
        raise ValueError(error.faults[0].partition(": ")[2]) from None
    try:
        numbered = read_rows(path)
    except TableError as error:
        if error.line is None:
            raise
        faults.add(path, error.line, (), str(error))
        return None
    except OSError as error:
        raise ValueError(f"cannot be read ({one_line(str(error))}); check its name and permissions") from None
    rows, lines = [row for _, row in numbered], [line for line, _ in numbered]
    if len(rows) < 2:
        faults.add(path, 1, (), NO_ROWS)
        return None
    header, n_before = rows[0], len(faults)
    check_header(path, header, lines[0], faults)
    for cells, line in zip(rows[1:], lines[1:], strict=True) if len(faults) == n_before else ():
        if len(cells) != len(header):
            faults.add(path, line, (), unequal(len(cells), len(header)))
            break
    if len(faults) > n_before:
        return None
    return Table(path, header, tuple(rows[1:]), tuple(lines[1:]))


def check_header(path: Path, header: Sequence[str], line: int | None, faults: Faults) -> None:
    """Add what is wrong with the names of the columns."""
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        mark = "semicolons" if ";" in header[0] else "tabs"
        faults.add(path, line, (), f"separates its columns by {mark}; save it with commas")
        return
    for name in sorted(name for name, n in Counter(header).items() if n > 1):
        faults.add(path, line, (), f"has two columns {name or 'without a name'!r}; rename or remove one")


def unequal(n_cells: int, n_columns: int) -> str:
    """Say what is wrong with a row of another length than the header."""
    return f"has {n_cells} cells where the header has {n_columns}; put cells that hold commas between quotes"


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

    path: Path
    column: str
    unit: Literal["line", "row"] = "line"
    """What cells are counted by; rows of files without lines are counted from 1."""

    def __post_init__(self) -> None:
        self._found: dict[str, tuple[object, list[int]]] = {}

    def add(self, place: int, cell: object, message: str) -> None:
        """Note one cell, in the line, or row, `place`."""
        self._found.setdefault(message, (cell, []))[1].append(place)

    def tell(self, faults: Faults) -> bool:
        """Add one fault per kind of message to `faults`; say whether there was any."""
        for message, (cell, (first, *others)) in self._found.items():
            more = f"also in {self.unit}{'s' if len(others) > 1 else ''} {listed(others, 5)}" if others else ""
            if self.unit == "row":
                more = f"in row {first}" + (f", {more}" if more else "")
            line = first if self.unit == "line" else None
            faults.add(self.path, line, (self.column,), message + (f" ({more})" if more else ""), cell)
        return bool(self._found)
