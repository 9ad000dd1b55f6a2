"""What a campaign's data look like outside: typed, with units, said to be simulated, and whole or not there."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import openpyxl
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from controller.domain.campaign import CampaignStatus
from controller.errors import ConflictError, UnknownNameError
from controller.store.opening import Store
from controller.verbs.export import FORMATS, as_csv, as_json, export, format_of, sheet_of
from controller.verbs.frames import frame
from controller.verbs.sheets import Column, Sheet, csv_of
from controller.verbs.spreadsheet import write_spreadsheet
from controller.verbs.stores import Found, find
from tests.controller.store.samples import Script


def test_csv_holds_results_with_their_errors_and_facts(found: Found) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == 5
    first = rows[0]
    assert (first["temperature"], first["base"], first["yield"], first["yield.sem"]) == ("20.1", "KOAc", "61.25", "0.5")
    assert (first["status"], first["simulated"], rows[2]["yield"]) == ("completed", "true", "")


def test_measurements_and_events_are_tables_too(found: Found) -> None:
    measured = list(csv.DictReader(io.StringIO(as_csv(found, "measurements"))))
    assert {row["experiment"] for row in measured} == {"1"}
    area = next(row for row in measured if row["name"] == "area")
    assert (area["value"], area["unit"], area["sem"], area["instrument"]) == ("61.25", "percent", "0.5", "hplc")
    assert {"true", "false"} & {row["text"] for row in measured}, "truth values stand in `text`"
    events = list(csv.DictReader(io.StringIO(as_csv(found, "events"))))
    assert [int(row["sequence"]) for row in events] == list(range(1, len(events) + 1))
    assert json.loads(events[0]["body"])["kind"] == "campaign.created"


def test_json_holds_each_experiment_as_it_is_shown_by_itself(found: Found) -> None:
    shown = json.loads(as_json(found))["experiments"]
    assert shown == [found.reader.experiment(found.id, number) for number in range(1, 6)]


def test_parquet_is_typed_and_knows_units_and_that_the_data_are_simulated(found: Found, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    export(found, "parquet", target)
    table = pq.read_table(target)
    assert str(table.schema.field("temperature").type) == "double"
    assert str(table.schema.field("proposed_at").type) == "timestamp[ms, tz=UTC]"
    assert table.schema.field("temperature").metadata == {b"unit": b"degC"}
    told = json.loads(table.schema.metadata[b"labwright"])
    assert (told["campaign"], told["simulated"], told["data"][:9]) == ("sample", True, "SIMULATED")
    assert table.column("yield").to_pylist()[:3] == [61.25, None, None]


def test_spreadsheet_has_four_sheets_with_units_in_the_headings(found: Found, tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    export(found, "xlsx", target)
    book = openpyxl.load_workbook(target)
    assert book.sheetnames == ["read me", "experiments", "measurements", "definition"]
    assert any("SIMULATED" in str(cell.value) for row in book["read me"].iter_rows() for cell in row)
    heads = [cell.value for cell in book["experiments"][1]]
    assert {"temperature [degC]", "yield [percent]"} <= set(heads)
    assert book["experiments"].cell(2, heads.index("yield [percent]") + 1).value == 61.25
    keys = [row[0].value for row in book["definition"].iter_rows(min_row=2)]
    assert "problem.parameters.temperature.unit" in keys


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "=HYPERLINK(\"http://x\")", "\t=1"])
def test_text_never_becomes_a_formula(text: str, tmp_path: Path) -> None:
    sheet = Sheet("experiments", "x", True, (Column(text, "text"), Column("note", "text", free=True)), [(text, text)])
    target = tmp_path / "out.xlsx"
    write_spreadsheet(target, {text: text}, [sheet], {text: text})
    for page in openpyxl.load_workbook(target):
        for row in page.iter_rows():
            assert all(cell.data_type == "s" for cell in row)
            assert all(cell.quotePrefix for cell in row if cell.value == text)
    (_, row) = csv.reader(io.StringIO(csv_of(sheet)))
    assert row == [text, "'" + text], "a setting is as the campaign file has it; what devices say is marked"


def test_control_characters_and_very_long_text_fit_into_a_spreadsheet(tmp_path: Path) -> None:
    sheet = Sheet("experiments", "x", False, (Column("note", "text"),), [("a\x00b\x1b[31m",), ("x" * 40_000,)])
    write_spreadsheet(tmp_path / "out.xlsx", {}, [sheet], {})
    values = [row[0].value for row in openpyxl.load_workbook(tmp_path / "out.xlsx")["experiments"].iter_rows(min_row=2)]
    assert "\x1b" not in values[0]
    assert len(values[1]) == 32_767


def test_frames_of_both_libraries_hold_the_same_with_units(found: Found) -> None:
    sheet = sheet_of(found)
    made, other = frame(sheet), frame(sheet, "polars")
    assert made.attrs["units"]["temperature"] == "degC"
    assert made.attrs["simulated"] is True
    assert str(made["proposed_at"].dtype) == "datetime64[ms, UTC]"
    assert other.schema["proposed_at"] == pl.Datetime("ms", "UTC")
    assert made["yield"].tolist()[0] == other["yield"].to_list()[0] == 61.25
    assert pd.isna(made["yield"].iloc[2])
    assert other["yield"].to_list()[2] is None
    assert made["attempts"].tolist() == other["attempts"].to_list()
    assert "temperature [degC]" in frame(sheet, units="names").columns
    assert "temperature [degC]" in frame(sheet, "polars", units="names").columns


def test_frames_of_a_campaign_without_experiments_have_their_columns(script: Script, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with Store.open(url) as store:
        store.commit_now(script.created(), definition=script.definition)
    with find([url], "sample") as found:
        for table in ("experiments", "measurements"):
            sheet = sheet_of(found, table)
            assert list(frame(sheet).columns) == list(frame(sheet, "polars").columns) == [c.name for c in sheet.columns]
            assert len(frame(sheet)) == 0


def test_unknown_library_units_table_and_format_are_refused(found: Found, tmp_path: Path) -> None:
    sheet = sheet_of(found)
    with pytest.raises(ValueError, match="library: expected 'pandas' or 'polars', got 'dask'"):
        frame(sheet, "dask")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="units: expected"):
        frame(sheet, units="columns")  # type: ignore[call-overload]
    with pytest.raises(ConflictError, match="no table 'alarms'"):
        sheet_of(found, "alarms")
    with pytest.raises(ConflictError, match="no format 'ods'; expected one of csv"):
        export(found, "ods", tmp_path / "x")
    with pytest.raises(ConflictError, match="xlsx holds every table"):
        export(found, "xlsx", tmp_path / "x", "events")


@pytest.mark.parametrize("format", list(FORMATS))
def test_every_format_leaves_nothing_half_written(found: Found, tmp_path: Path, format: str) -> None:
    with pytest.raises(UnknownNameError, match="existing folder"):
        export(found, format, tmp_path / "no" / "out")
    (tmp_path / "there").mkdir()
    with pytest.raises(UnknownNameError, match="cannot be written"):
        export(found, format, tmp_path / "there")  # a folder of that name
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    export(found, format, tmp_path / "out")
    assert (tmp_path / "out").stat().st_size > 100


def test_format_follows_from_the_name_of_the_file() -> None:
    assert [format_of(Path(name)) for name in ("a.CSV", "a.parquet", "a.xlsx", "a.zip", "a.txt")] == [
        "csv", "parquet", "xlsx", "crate", None,
    ]  # fmt: skip


def test_devices_message_is_guarded_in_csv(script: Script, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    with Store.open(url) as store:
        store.commit_now(script.created(), definition=script.definition)
        key, events = script.proposed()
        store.commit_now(events)
        store.commit_now([script.status(key, status) for status in ("running",)])
        store.commit_now([script.status(key, "failed", "=cmd|'/C calc'!A0")])
        store.commit_now([script.campaign_status(CampaignStatus.PAUSED, "looked at")])
    with find([url], "sample") as found:
        assert next(csv.DictReader(io.StringIO(as_csv(found))))["reason"] == "'=cmd|'/C calc'!A0"
