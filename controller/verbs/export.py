"""What `labwright campaign export` writes: tables (CSV, Parquet, spreadsheet), all that is known (JSON), an evidence bundle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import ConflictError
from controller.verbs.sheets import Sheet, about, csv_of, events_sheet, experiments_sheet, measurements_sheet
from controller.verbs.stores import Found, show_url
from controller.verbs.wholefiles import whole_file


def sheet_of(found: Found, table: str = "experiments") -> Sheet:
    """Return one of the tables of a campaign, all of it of one moment.

    Args:
        found: The campaign.
        table: `experiments`, `measurements` or `events`.

    Raises:
        ConflictError: If there is no such table.
    """
    reader, simulated = found.reader, found.simulated
    with reader.snapshot():
        if table == "experiments":
            return experiments_sheet(
                found.name, reader.definition(found.id), reader.experiments(found.id), simulated=simulated
            )
        if table == "measurements":
            experiments, attempts = reader.experiments(found.id), reader.attempts(found.id)
            return measurements_sheet(found.name, reader.definition(found.id), experiments, attempts, simulated=simulated)
        if table == "events":
            return events_sheet(found.name, reader.events(found.id), simulated=simulated)
    raise ConflictError(f"there is no table {table!r}; expected experiments, measurements or events")


def as_csv(found: Found, table: str = "experiments") -> str:
    """Return a table of a campaign; that of the experiments can be read back as the table of a `table` lab, or imported."""
    return csv_of(sheet_of(found, table))


def as_json(found: Found) -> str:
    """Return the campaign, its definition, every experiment with proposal, attempts and measurements, and the alarms."""
    reader = found.reader
    experiments = list(reader.whole_experiments(found.id))
    content: dict[str, Any] = {
        "campaign": found.campaign, "simulated": found.simulated, "store": show_url(found.url),
        "definition": reader.definition(found.id), "counts": reader.counts(found.id),
        "experiments": experiments, "alarms": reader.alarms(found.id),
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


@dataclass(frozen=True)
class Format:
    """A form in which a campaign can be taken away."""

    write: Callable[[Found, Path, str], None]
    """Writes campaign and table into a file."""
    ending: str
    media_type: str
    text: bool = False
    """Whether it can be shown on a screen."""
    tables: bool = False
    """Whether it holds one table, which can be chosen."""


def _write_csv(found: Found, path: Path, table: str) -> None:
    path.write_text(as_csv(found, table), encoding="utf-8", newline="")


def _write_json(found: Found, path: Path, table: str) -> None:
    path.write_text(as_json(found), encoding="utf-8", newline="")


def _write_parquet(found: Found, path: Path, table: str) -> None:
    from controller.verbs.parquet import write_parquet

    write_parquet(sheet_of(found, table), path, about(found))


def _write_spreadsheet(found: Found, path: Path, table: str) -> None:
    from controller.verbs.spreadsheet import write_spreadsheet

    with found.reader.snapshot():
        sheets = [sheet_of(found, "experiments"), sheet_of(found, "measurements")]
        write_spreadsheet(path, about(found), sheets, found.reader.definition(found.id))


def _write_crate(found: Found, path: Path, table: str) -> None:
    from controller.verbs.bundle.writing import write_bundle

    write_bundle(found, path)


FORMATS: Mapping[str, Format] = {
    "csv": Format(_write_csv, ".csv", "text/csv", text=True, tables=True),
    "json": Format(_write_json, ".json", "application/json", text=True),
    "parquet": Format(_write_parquet, ".parquet", "application/vnd.apache.parquet", tables=True),
    "xlsx": Format(_write_spreadsheet, ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "crate": Format(_write_crate, ".zip", "application/zip"),
}
"""Name -> form."""


def export(found: Found, format: str, path: Path, table: str = "experiments") -> None:
    """Write a campaign into a file, which is there whole or not at all.

    Args:
        found: The campaign.
        format: One of `FORMATS`.
        path: The file.
        table: Which table, for `csv` and `parquet`; the others hold all.

    Raises:
        UnknownNameError: If the file's folder does not exist, or it cannot be written.
        ConflictError: If there is no such format or table, or the format has no tables to choose from.
        MissingExtraError: If the format needs a package that is not installed.
    """
    form = check_format(format, table)
    with whole_file(path) as draft:
        form.write(found, draft, table)


def check_format(format: str, table: str = "experiments") -> Format:
    """Return a form by its name; raises `ConflictError` where there is none, or it does not hold `table` alone."""
    form = FORMATS.get(format)
    if form is None:
        raise ConflictError(f"there is no format {format!r}; expected one of {', '.join(FORMATS)}")
    if table != "experiments" and not form.tables:
        raise ConflictError(f"{format} holds every table; --table is for csv and parquet")
    return form


def format_of(path: Path) -> str | None:
    """Return the format that a file's name says; None where it says none."""
    return next((name for name, form in FORMATS.items() if path.suffix.lower() == form.ending), None)
