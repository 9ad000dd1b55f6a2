"""Tables as frames of pandas or polars, for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from controller.errors import MissingExtraError
from controller.verbs.sheets import Column, Sheet

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Library = Literal["pandas", "polars"]
Units = Literal["attrs", "names"]


@overload
def frame(sheet: Sheet, library: Literal["pandas"] = "pandas", *, units: Units = "attrs") -> pd.DataFrame: ...
@overload
def frame(sheet: Sheet, library: Literal["polars"], *, units: Units = "attrs") -> pl.DataFrame: ...
@overload
def frame(sheet: Sheet, library: Library, *, units: Units = "attrs") -> pd.DataFrame | pl.DataFrame: ...
def frame(sheet: Sheet, library: Library = "pandas", *, units: Units = "attrs") -> pd.DataFrame | pl.DataFrame:
    """Return a table as a frame; numbers are numbers, times are times in UTC, and what is missing is missing.

    Args:
        sheet: The table.
        library: `pandas` or `polars`.
        units: `attrs` keeps plain column names; a frame of pandas then holds `attrs["units"]` (column -> unit), and likewise
            `campaign` and `simulated`. `names` writes `temperature [degC]`, for frames that leave the notebook.

    Raises:
        MissingExtraError: If the library is not installed.
        ValueError: If there is no such library, or no such way to tell units.
    """
    if units not in ("attrs", "names"):
        raise ValueError(f"units: expected 'attrs' or 'names', got {units!r}")
    makers: dict[str, Callable[[Sheet, list[str]], Any]] = {"pandas": _pandas, "polars": _polars}
    if library not in makers:
        raise ValueError(f"library: expected 'pandas' or 'polars', got {library!r}")
    made = makers[library](sheet, [c.title if units == "names" else c.name for c in sheet.columns])
    return made


def _pandas(sheet: Sheet, names: list[str]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("pandas", "data", "a frame of pandas") from None
    types = {"text": "str", "number": "float64", "integer": "Int64", "truth": "boolean"}
    columns: dict[str, Any] = {}
    for place, (name, column) in enumerate(zip(names, sheet.columns, strict=True)):
        cells = _cells(sheet, place, column)
        if column.kind == "time":
            columns[name] = pd.to_datetime(pd.Series(cells, dtype="object"), utc=True, format="ISO8601").dt.as_unit("ms")
        else:
            columns[name] = pd.Series(cells, dtype=types[column.kind])
    made = pd.DataFrame(columns, columns=names)
    made.attrs = {"campaign": sheet.campaign, "simulated": sheet.simulated, "units": sheet.units}
    return made


def _polars(sheet: Sheet, names: list[str]) -> pl.DataFrame:
    try:
        import polars as pl
    except ImportError:
        raise MissingExtraError("polars", "polars", "a frame of polars") from None
    types: dict[str, Any] = {"text": pl.String, "number": pl.Float64, "integer": pl.Int64, "truth": pl.Boolean, "time": pl.String}
    series = []
    for place, (name, column) in enumerate(zip(names, sheet.columns, strict=True)):
        cells = pl.Series(name, _cells(sheet, place, column), dtype=types[column.kind])
        series.append(cells.str.to_datetime("%+", time_unit="ms", time_zone="UTC") if column.kind == "time" else cells)
    return pl.DataFrame(series)


def _cells(sheet: Sheet, place: int, column: Column) -> Sequence[Any]:
    """Return the cells of a column, numbers as what the column says they are."""
    cells = [row[place] for row in sheet.rows]
    if column.kind == "number":
        return [None if cell is None else float(cell) for cell in cells]
    if column.kind == "integer":
        return [None if cell is None else int(cell) for cell in cells]
    return cells
