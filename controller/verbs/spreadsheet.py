"""Tables as one spreadsheet (XLSX): what to know, experiments, measurements and the definition, each on a sheet.

Nothing that is written can become a formula: text that begins as one is stored as text, and marked so that it stays text when the
cell is edited.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.errors import ConflictError, MissingExtraError
from controller.files.formulas import FORMULA
from controller.verbs.sheets import Sheet

_MOST_ROWS = 1_048_576
"""Of a sheet, by the file format."""
_LONGEST = 32_767
"""Text in a cell, by the file format [characters]."""


def write_spreadsheet(path: Path, about: Mapping[str, Any], sheets: Sequence[Sheet], definition: Mapping[str, Any]) -> None:
    """Write a spreadsheet.

    Args:
        path: The file.
        about: What to know: name -> text, on the first sheet.
        sheets: Tables, each on a sheet of its own; units stand in the headings.
        definition: Of the campaign, key by key on the last sheet.

    Raises:
        MissingExtraError: If openpyxl is not installed.
        ConflictError: If a table has more rows than a sheet can hold.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise MissingExtraError("openpyxl", "data", "a spreadsheet") from None
    for sheet in sheets:
        if len(sheet.rows) >= _MOST_ROWS:
            many = f"{sheet.name}: {len(sheet.rows)} rows, and a spreadsheet holds {_MOST_ROWS - 1}"
            raise ConflictError(f"{many}; export --format parquet")
    book = Workbook(write_only=True)
    _fill(book.create_sheet("read me"), [["what", "is"], *([name, value] for name, value in about.items())], (28, 90))
    for sheet in sheets:
        rows: Iterable[Sequence[Any]] = ([c.title for c in sheet.columns], *sheet.rows)
        page = book.create_sheet(sheet.name)
        if sheet.simulated:
            page.sheet_properties.tabColor = "D55E00"
        _fill(page, rows, tuple(max(12, len(c.title) + 2) for c in sheet.columns))
    _fill(book.create_sheet("definition"), [["key", "value"], *_flat(definition)], (60, 60))
    book.save(path)


def _fill(page: Any, rows: Iterable[Sequence[Any]], widths: Sequence[int]) -> None:
    """Write rows into a sheet that is only written; the first is its heading, which stays in sight."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    page.freeze_panes = "A2"
    for place, width in enumerate(widths, start=1):
        page.column_dimensions[get_column_letter(place)].width = min(width, 90)
    bold = Font(bold=True)
    for i, row in enumerate(rows):
        cells = []
        for value in row:
            cell = WriteOnlyCell(page, value=_plain(value))
            if isinstance(value, str):
                cell.data_type = "s"  # never "f", whatever it begins with
                cell.quotePrefix = value.startswith(FORMULA)
            if i == 0:
                cell.font = bold
            cells.append(cell)
        page.append(cells)


def _plain(value: Any) -> Any:
    """Return a value as a cell can hold it: text without control characters, and not too long."""
    if not isinstance(value, str):
        return value
    text = "".join(c if c >= " " or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _flat(content: Any, key: str = "") -> Iterable[tuple[str, Any]]:
    """Yield the leaves of nested JSON data, each with the way to it; a list of plain values is one leaf."""
    if isinstance(content, Mapping) and content:
        for name, value in content.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name))
    elif isinstance(content, list) and any(isinstance(value, (Mapping, list)) for value in content):
        for i, value in enumerate(content):
            yield from _flat(value, f"{key}[{i}]")
    else:
        yield key, content if isinstance(content, (str, int, float, bool)) else json.dumps(content, ensure_ascii=False)
