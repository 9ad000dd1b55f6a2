"""A campaign's data as tables: what every export, frame and notebook shows of it, with units.

One row per experiment, per measurement or per event. `csv_of` writes them as text, `parquet.py` and `spreadsheet.py` as such files,
`frames.py` as frames of pandas and polars.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from controller.files.formulas import harmless
from controller.verbs.simulating import is_simulated, said_of_data
from controller.verbs.stores import Found

FACTS = ("status", "reason", "source", "attempts", "proposed_at", "completed_at", "simulated", "retracted_at", "retracted_reason")
"""What is told of each experiment besides its setting and its results."""
SEM = ".sem"
"""Ending of the column with the standard errors of an objective; there is one only where any is known."""

Kind = Literal["text", "number", "integer", "truth", "time"]
_KINDS: Mapping[str, Kind] = {
    "attempts": "integer", "simulated": "truth", "proposed_at": "time", "completed_at": "time", "retracted_at": "time",
}  # fmt: skip
TABLES = ("experiments", "measurements", "events")
"""Names of the tables."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its name, what its cells are and in which unit. Times are ISO 8601 text in UTC."""

    name: str
    kind: Kind
    unit: str | None = None
    free: bool = False
    """Whether its text was written by people or devices, and not by the campaign file."""

    @property
    def title(self) -> str:
        """The name with the unit, `temperature [degC]`."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True)
class Sheet:
    """One table of one campaign."""

    name: str
    campaign: str
    simulated: bool
    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]] = field(repr=False)
    """A cell for each column; None where there is nothing."""

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column."""
        place = [c.name for c in self.columns].index(name)
        return [row[place] for row in self.rows]

    @property
    def units(self) -> dict[str, str]:
        """Column -> unit, for those that have one."""
        return {c.name: c.unit for c in self.columns if c.unit}


def experiments_sheet(campaign: str, definition: Row, experiments: Sequence[Row], *, simulated: bool) -> Sheet:
    """Return one row per experiment; the columns of settings and objectives bear their plain names.

    What the context was when an experiment began follows its settings. A parameter and an objective of one name, or one named as a
    fact, are told apart by the prefix `objective.`, `parameter.` or `context.`.

    Args:
        campaign: Its name.
        definition: Its definition as JSON data.
        experiments: As the reader gives them.
        simulated: Whether it is marked so.
    """
    problem = definition["problem"]
    parameters, objectives, context = problem["parameters"], problem["objectives"], problem.get("context", {})
    taken = {"campaign", "number", *FACTS}
    settings = [_setting(f"parameter.{n}" if n in taken else n, p) for n, p in parameters.items()]
    given = [_setting(f"context.{n}" if n in taken else n, p) for n, p in context.items()]
    results, told = [], []
    for name, objective in objectives.items():
        head = f"objective.{name}" if name in taken or name in parameters else name
        results.append(Column(head, "number", objective.get("unit")))
        told.append((name, "objectives"))
        if any(name in row.get("sem", ()) for row in experiments):
            results.append(Column(head + SEM, "number", objective.get("unit")))
            told.append((name, "sem"))
    facts = [Column(f, _KINDS.get(f, "text"), free=f in ("reason", "retracted_reason")) for f in FACTS]
    rows = [
        (
            campaign, row["number"], *(row["parameters"].get(p) for p in parameters),
            *(row.get("context", {}).get(c) for c in context), *(row.get(kind, {}).get(name) for name, kind in told),
            *(row[f] for f in FACTS),
        )
        for row in experiments
    ]  # fmt: skip
    columns = (Column("campaign", "text"), Column("number", "integer"), *settings, *given, *results, *facts)
    return Sheet("experiments", campaign, simulated, columns, rows)


def _setting(name: str, parameter: Row) -> Column:
    kind: Kind = {"categorical": "text", "integer": "integer"}.get(parameter.get("type", ""), "number")  # type: ignore[assignment]
    return Column(name, kind, parameter.get("unit"))


_MEASURED = (
    Column("campaign", "text"), Column("experiment", "integer"), Column("step", "text"), Column("ordinal", "integer"),
    Column("instrument", "text"), Column("action", "text"), Column("name", "text"), Column("value", "number"),
    Column("text", "text", free=True), Column("unit", "text"), Column("sem", "number"), Column("at", "time"),
    Column("simulated", "truth"),
)  # fmt: skip


def measurements_sheet(
    campaign: str, definition: Row, experiments: Iterable[Row], attempts: Iterable[Row], *, simulated: bool
) -> Sheet:
    """Return one row per measured value, each with its own unit; text and truth values stand in `text`.

    Args:
        campaign: Its name.
        definition: Its definition as JSON data; says which instruments are simulated.
        experiments: As the reader gives them.
        attempts: As the reader gives them.
        simulated: Whether the campaign is marked so.
    """
    numbers = {row["id"]: row["number"] for row in experiments}
    rows = [
        (
            campaign, numbers[a["experiment"]], a["step"], a["ordinal"], a["instrument"], a["action"], m["name"],
            *_number_and_text(m["value"]), m["unit"], m["sem"], m["at"], is_simulated(definition, a["instrument"]),
        )
        for a in attempts
        for m in a["measurements"]
    ]  # fmt: skip
    return Sheet("measurements", campaign, simulated, _MEASURED, sorted(rows, key=lambda row: row[1]))


def _number_and_text(value: object) -> tuple[float | None, str | None]:
    if isinstance(value, bool):
        return None, str(value).lower()
    return (None, value) if isinstance(value, str) else (float(str(value)), None)


_EVENTS = (
    Column("campaign", "text"), Column("sequence", "integer"), Column("at", "time"), Column("kind", "text"),
    Column("experiment", "text"), Column("attempt", "text"), Column("body", "text", free=True),
)  # fmt: skip


def events_sheet(campaign: str, events: Iterable[Row], *, simulated: bool) -> Sheet:
    """Return one row per event of the log, in its order; `body` is its content as JSON.

    Args:
        campaign: Its name.
        events: As the reader gives them.
        simulated: Whether it is marked so.
    """
    rows = [
        (
            campaign, e["sequence"], e["at"], e["kind"], e["body"].get("experiment"), e["body"].get("attempt"),
            json.dumps(e["body"], ensure_ascii=False),
        )
        for e in events
    ]  # fmt: skip
    return Sheet("events", campaign, simulated, _EVENTS, rows)


def csv_of(sheet: Sheet) -> str:
    """Return a table as CSV (RFC 4180, but for line ends)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in sheet.columns])
    free = [column.free for column in sheet.columns]
    for row in sheet.rows:
        writer.writerow([_cell(value, guarded) for value, guarded in zip(row, free, strict=True)])
    return out.getvalue()


def _cell(value: object, guarded: bool) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return harmless(value) if guarded and isinstance(value, str) else value


def about(found: Found) -> dict[str, Any]:
    """Return what a file says of itself: whose data it holds, and that they are simulated if they are."""
    row = found.campaign
    return {
        "campaign": found.name, "id": found.id,
        "data": said_of_data(found.reader.definition(found.id), simulated=found.simulated),
        "status": row["status"], "reason": row["reason"], "created": row["created_at"], "last event": row["updated_at"],
        "definition fingerprint": row["definition_fingerprint"], "seed": row["seed"],
        "written by": f"Labwright {version('labwright')}",
    }  # fmt: skip
