"""Spreadsheets and Parquet files made to be costly are refused or read cheaply; what a file says of its size is not believed."""

from __future__ import annotations

import resource
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from controller.errors import ConflictError
from controller.files.faults import Faults
from controller.files.results import Table, read_table

SHEET = "xl/worksheets/sheet1.xml"


def changed(path: Path, old: bytes, new: bytes, *, part: str = SHEET, sized: bytes | None = None) -> Path:
    """Write a small spreadsheet whose XML says something else somewhere, and of its size what `sized` says."""
    book = Workbook()
    book.active.append(["experiment", "volume"])
    book.active.append([1, 2.5])
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    assert old in files[part]
    files[part] = files[part].replace(old, new)
    if sized is not None:
        files[SHEET] = files[SHEET].replace(b'<dimension ref="A1:B2"', b'<dimension ref="' + sized + b'"')
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def read(path: Path) -> Table | None:
    return read_table(path, Faults(), form="table")


@pytest.mark.parametrize("sized", [b"A1:XFD1048576", b"A1", b"A1:B2000000001"])
def test_size_that_a_file_claims_is_not_believed(tmp_path: Path, sized: bytes) -> None:
    table = read(changed(tmp_path / "plan.xlsx", b"", b"", sized=sized))
    assert table is not None
    assert (table.header, table.rows, table.places) == (("experiment", "volume"), [(1, 2.5)], [2])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sized", [None, b"A1:B2000000001"])
def test_row_two_thousand_million_is_not_counted_to(tmp_path: Path, sized: bytes | None) -> None:
    far = b'<row r="2000000000"><c r="A2000000000"><v>3</v></c></row></sheetData>'
    with pytest.raises(ConflictError, match="has a row beyond 1048576, the last that a spreadsheet can have"):
        read(changed(tmp_path / "plan.xlsx", b"</sheetData>", far, sized=sized))


def test_what_unpacks_from_next_to_nothing_is_not_unpacked(tmp_path: Path) -> None:
    bomb = changed(tmp_path / "plan.xlsx", b"</sheetData>", b" " * (17 * 2**20) + b"</sheetData>")
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ConflictError, match="unpacks to 17 MiB from next to nothing; keep the columns and rows"):
        read(bomb)


def test_long_text_in_many_rows_of_a_parquet_file_is_held_once(tmp_path: Path) -> None:
    n, note = 20_000, "x" * 100_000  # two gigabytes, were each a text of its own
    notes = pa.DictionaryArray.from_arrays(pa.array([0] * (n - 1) + [None], pa.int32()), pa.array([note + " "]))
    table = pa.table({"experiment": pa.array(range(n)), "note": notes, "volume": pa.array([2.5] * n)})
    pq.write_table(table, tmp_path / "plan.parquet", compression="zstd", store_schema=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read(tmp_path / "plan.parquet")
    assert found is not None
    assert (found.rows[7], found.rows[-1]) == ((7, note, 2.5), (n - 1, None, 2.5))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # [KiB]
