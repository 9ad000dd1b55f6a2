"""Tables as Parquet files: typed columns, with their units, and whose data they are, in the file's own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from controller.errors import MissingExtraError
from controller.verbs.sheets import Sheet

KEY = b"labwright"
"""Under this key the file says, as JSON, of which campaign it is and whether the data are simulated."""


def write_parquet(sheet: Sheet, path: Path | BinaryIO, about: Mapping[str, Any]) -> None:
    """Write a table.

    Args:
        sheet: The table. Units stand in the metadata of the fields, as `unit`.
        path: The file, by its name or open for writing.
        about: What else the file says of itself under `labwright`.

    Raises:
        MissingExtraError: If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", "a Parquet file") from None
    types = {
        "text": pa.string(), "number": pa.float64(), "integer": pa.int64(), "truth": pa.bool_(),
        "time": pa.timestamp("ms", tz="UTC"),
    }  # fmt: skip
    fields, columns = [], []
    for place, column in enumerate(sheet.columns):
        cells = [row[place] for row in sheet.rows]
        if column.kind == "time":
            made = pa.array([None if cell is None else _moment(cell) for cell in cells], types["time"])
        elif column.kind in ("number", "integer"):
            cast = float if column.kind == "number" else int
            made = pa.array([None if cell is None else cast(cell) for cell in cells], types[column.kind])
        else:
            made = pa.array(cells, types[column.kind])
        columns.append(made)
        fields.append(pa.field(column.name, types[column.kind], metadata={"unit": column.unit} if column.unit else None))
    told = {"campaign": sheet.campaign, "simulated": sheet.simulated, "table": sheet.name, **about}
    schema = pa.schema(fields, metadata={KEY: json.dumps(told, ensure_ascii=False, default=str)})
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path, compression="zstd")


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)
