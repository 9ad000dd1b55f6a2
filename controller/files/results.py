"""Tables of earlier results, as people and other programs write them: CSV, Parquet or XLSX; every fault with its row and column.

What the programs write, as their documentation says:

- *BayBE*: `campaign.measurements`, a frame with a column for each parameter and target, and further ones of its own
  (https://emdgroup.github.io/baybe/stable/_autosummary/baybe.campaign.Campaign.html).
- *Ax*: `client.summarize()`, a row per arm: `trial_index`, `arm_name`, `trial_status`, …, a column for each metric (its mean)
  and each parameter (https://github.com/facebook/Ax/pull/3506). The frame of `fetch_data` has no settings.
- *Olympus*: a dataset is `data.csv` without a header, parameters first, and `config.json` beside it, which names `parameters` and
  `measurements` in their order (https://github.com/aspuru-guzik-group/olympus).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from controller.errors import ConflictError, MissingExtraError
from controller.files.faults import Faults, listed, one_line
from controller.files.tables import NO_ROWS, unequal
from instruments.bounded import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_TABLE,
    TableError,
    check_unpacked,
    from_json,
    iter_rows,
    read_small,
)

Form = Literal["table", "labwright", "baybe", "ax", "olympus"]
FORMS: Final = ("table", "labwright", "baybe", "ax", "olympus")
_MOST_UNPACKED: Final = 256 * 2**20
"""Largest content of a spreadsheet, which is a zip file [bytes]: a hundred for each cell."""
_LAST_ROW: Final = 1_048_576
"""Of any spreadsheet; a cell that claims to stand further down would be reached by counting empty rows."""
_CONFIG: Final = "config.json"


@dataclass(frozen=True)
class Table:
    """A table as it was found: cells are texts, numbers, truth values or None."""

    path: Path
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(repr=False)
    places: list[int] = field(repr=False)
    """Where each row stands in its file: the line of a CSV file, the row of the others, from 1."""
    counted_in: Literal["line", "row"]
    units: dict[str, str] = field(default_factory=dict)
    """Column -> unit, where the file says it beside the heading."""
    form: Form = "table"

    def cells(self, name: str) -> list[Any]:
        """Return the cells of a column."""
        place = self.header.index(name)
        return [row[place] for row in self.rows]


def read_table(path: Path, faults: Faults, *, form: Form | None = None, sheet: str | None = None) -> Table | None:
    """Read a table, or add what is wrong inside it to `faults` and return None.

    Args:
        path: CSV, or Parquet (`.parquet`, `.pq`) or XLSX by its ending.
        faults: Gathers what is wrong.
        form: Who wrote it; found out where nothing is said.
        sheet: Of a spreadsheet; `experiments`, or the first, where nothing is said.

    Raises:
        ConflictError: If the file as a whole cannot be read; the message names it.
        MissingExtraError: If its format needs a package that is not installed.
    """
    ending = path.suffix.lower()
    table: Table | None
    try:
        if not path.is_file():
            raise ConflictError(f"{path} is no file; name a CSV, Parquet or XLSX file")
        if ending in (".parquet", ".pq"):
            table = _parquet(path)
        elif ending in (".xlsx", ".xlsm"):
            table = _spreadsheet(path, sheet, faults)
        else:
            table = _csv(path, form, faults)
    except TableError as error:
        if error.line is not None:
            faults.add(path, error.line, (), str(error))
            return None
        raise ConflictError(f"{path} {error}") from None
    except OSError as error:
        raise ConflictError(f"{path} cannot be read ({one_line(str(error))}); check its name and permissions") from None
    if table is None:
        return None
    if not table.rows:
        faults.add(path, 1 if table.counted_in == "line" else None, (), NO_ROWS)
        return None
    if doubled := sorted({name for name in table.header if name and table.header.count(name) > 1}):
        faults.add(path, 1 if table.counted_in == "line" else None, (), f"has two columns {listed(doubled)}; rename or remove one")
        return None
    return replace(table, form=form or (table.form if table.form != "table" else _form(table.header)))


def _form(header: Sequence[str]) -> Form:
    """Tell who wrote a table by its columns."""
    names = set(header)
    if {"arm_name", "trial_index"} <= names:
        return "ax"
    if {"BatchNr", "FitNr"} & names:
        return "baybe"
    if {"number", "status", "proposed_at", "simulated"} <= names:
        return "labwright"
    return "table"


def _csv(path: Path, form: Form | None, faults: Faults) -> Table | None:
    numbered = list(iter_rows(path))
    lines, rows = [line for line, _ in numbered], [cells for _, cells in numbered]
    config = path.with_name(_CONFIG)
    if form == "olympus" or (form is None and config.is_file() and rows and any(_is_number(cell) for cell in rows[0])):
        names = _olympus(config)
        header, made = names, Table(path, names, [], [], "line", form="olympus")
    elif not rows:
        header, made = (), Table(path, (), [], [], "line")
    else:
        header, rows, lines = rows[0], rows[1:], lines[1:]
        made = Table(path, header, [], [], "line")
        if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
            mark = "semicolons" if ";" in header[0] else "tabs"
            faults.add(path, 1, (), f"separates its columns by {mark}; save it with commas")
            return None
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(header):
            faults.add(path, line, (), unequal(len(cells), len(header)))
            return None
    return replace(made, rows=[tuple(cell if cell != "" else None for cell in cells) for cells in rows], places=lines)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _olympus(config: Path) -> tuple[str, ...]:
    """Return the columns that a dataset of Olympus has: its parameters, then its measurements."""
    try:
        content = from_json(read_small(config))
        names = [str(entry["name"]) for kind in ("parameters", "measurements") for entry in content[kind]]
    except OSError:
        raise ConflictError(f"{config} is not there; a dataset of Olympus has no header, that file names its columns") from None
    except (ValueError, KeyError, TypeError) as error:
        why = one_line(str(error))[:100]
        raise ConflictError(f"{config} names no parameters and measurements ({why}), as a dataset of Olympus does") from None
    return tuple(names)


def _parquet(path: Path) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", "reading a Parquet file") from None
    try:
        with pq.ParquetFile(path) as file:
            _check_size(file.metadata.num_rows, file.metadata.num_columns)
            if sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups)) > _MOST_UNPACKED:
                raise TableError(f"holds more than {_MOST_UNPACKED >> 20} MiB; keep the columns and rows that are needed")
            texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        # Each text is kept once: the same long one in a million rows is next to nothing in the file.
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read()
    except pa.ArrowException as error:
        raise TableError(f"is no Parquet file that can be read ({one_line(str(error))[:200]})") from None
    header = tuple(table.schema.names)
    units = {
        f.name: f.metadata[b"unit"].decode("utf-8", "replace") for f in table.schema if f.metadata and b"unit" in f.metadata
    }
    rows = list(zip(*(_cells(column) for column in table.columns), strict=True))
    return Table(path, header, rows, list(range(1, len(rows) + 1)), "row", units)


def _cells(column: Any) -> list[Any]:
    """Return the cells of a column of Arrow, those of a dictionary shared and not copied."""
    cells: list[Any] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            known = [_plain(value) for value in chunk.dictionary.to_pylist()]
            cells += [None if i is None else known[i] for i in chunk.indices.to_pylist()]
        else:
            cells += map(_plain, chunk.to_pylist())
    return cells


def _spreadsheet(path: Path, sheet: str | None, faults: Faults) -> Table | None:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingExtraError("openpyxl", "data", "reading a spreadsheet") from None
    from xml.etree.ElementTree import ParseError

    if path.stat().st_size > MAX_TABLE:
        raise TableError(f"is larger than {MAX_TABLE >> 20} MiB; keep the columns and rows that are needed")
    try:
        with zipfile.ZipFile(path) as archive:
            try:
                check_unpacked(archive, _MOST_UNPACKED)
            except ValueError as error:
                raise TableError(f"{error}; keep the columns and rows that are needed") from None
        book = load_workbook(path, read_only=True)
        try:
            names = book.sheetnames
            wanted = sheet or ("experiments" if "experiments" in names else names[0])
            if wanted not in names:
                raise TableError(f"has no sheet {wanted!r}; it has {listed(names)}")
            return _cells_of(path, book[wanted], faults)
        finally:
            book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, ParseError, IndexError, AttributeError, TypeError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"is no spreadsheet that can be read ({one_line(str(error))[:200]}); save it as XLSX") from None


def _cells_of(path: Path, page: Any, faults: Faults) -> Table | None:
    """Read a sheet; what is computed there, or shows an error, is a fault: nobody can say what it was when it was measured."""
    header: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = []
    places: list[int] = []
    odd = False
    page.reset_dimensions()  # what the file says of its own size is believed by nobody: a million empty rows, or too few
    for number, row in enumerate(page.iter_rows(), start=1):
        if number > _LAST_ROW:
            raise TableError(f"has a row beyond {_LAST_ROW}, the last that a spreadsheet can have; save it anew")
        values = []
        for cell in row[: len(header) or MAX_COLUMNS]:
            if cell.data_type in ("f", "e"):
                what = "is a formula; put its value there" if cell.data_type == "f" else "shows an error"
                faults.add(path, None, (f"cell {cell.coordinate}",), what, str(cell.value))
                odd = True
            values.append(_plain(cell.value))
        if not header:
            while values and values[-1] is None:
                values.pop()
            header = tuple("" if v is None else str(v).strip() for v in values)
        elif any(value is not None for value in values):
            _check_size(len(rows) + 1, len(header))
            rows.append(tuple(values) + (None,) * (len(header) - len(values)))
            places.append(number)
    return None if odd else Table(path, header, rows, places, "row")


def _check_size(rows: int, columns: int) -> None:
    if columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
        raise TableError(f"holds more than {MAX_CELLS} cells; keep the columns and rows that are needed")


def _plain(value: Any) -> Any:
    """Return a cell as text, number, truth value or None."""
    if value is None or isinstance(value, (bool, int, float)):
        return None if isinstance(value, float) and value != value else value
    text = str(value).strip()
    return text or None


def left_aside(header: Iterable[str], used: Iterable[str]) -> list[str]:
    """Return the columns that say nothing to the campaign."""
    known = set(used)
    return [name for name in header if name not in known and name]
