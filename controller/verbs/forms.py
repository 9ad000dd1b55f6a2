"""The forms in which a campaign's data are taken away, by name; what writes them is in `export.py`."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What an export looks like."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"
    CRATE = "crate"


class Table(StrEnum):
    """Which table is exported."""

    EXPERIMENTS = "experiments"
    MEASUREMENTS = "measurements"
    EVENTS = "events"
