"""From a table of earlier results to what a campaign can take in: columns by name, units checked, every fault told at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.domain.base import Point, Value
from controller.domain.parameter import CategoricalParameter, IntegerParameter, Parameter
from controller.domain.space import Problem
from controller.files.candidates import allowed_text
from controller.files.faults import Faults, listed, nearest
from controller.files.results import Table, left_aside
from controller.files.tables import CellFaults
from instruments.errors import UnitError
from instruments.units import convert, convert_spread, same_dimension, same_unit

_WITH_UNIT: Final = re.compile(r"^(?P<name>.*?)\s*[\[(](?P<unit>[^\[\]()]*)[\])]$")
_SEM: Final = ("{}.sem", "{}_sem")
_FAILED: Final = ("failed", "abandoned")
_DONE: Final = {"labwright": ("status", ("completed",), _FAILED), "ax": ("trial_status", ("completed",), _FAILED)}
"""Form -> the column that says how each row ended, the words for a result, and those for a failure; other rows hold neither."""


@dataclass(frozen=True)
class Entry:
    """One experiment of a file."""

    row: int
    """Where it stands: a line of a CSV file, a row of the others."""
    point: Point
    values: dict[str, float] | None
    """Objective -> value [its unit]; None: it failed there."""
    sem: dict[str, float]
    reason: str = ""

    def told(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"row": self.row, "point": self.point, "values": self.values, "sem": self.sem, "reason": self.reason}


@dataclass
class Mapped:
    """What a file holds for a campaign."""

    entries: list[Entry] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    """Parameter, objective or standard error -> heading of its column."""
    aside: list[str] = field(default_factory=list)
    """Headings of columns that say nothing to the campaign."""
    converted: dict[str, str] = field(default_factory=dict)
    """Name -> what was converted, `K to degC`."""
    unsaid: list[str] = field(default_factory=list)
    """Names with a unit whose column says none: the campaign's is taken."""
    without_result: list[int] = field(default_factory=list)
    """Rows that hold no result."""
    outside: list[int] = field(default_factory=list)
    """Rows left out because the campaign does not allow their setting."""


@dataclass(frozen=True)
class _Source:
    """The column of one parameter or objective."""

    heading: str
    cells: list[Any]
    convert: tuple[str, str] | None = None
    """From which unit to which."""


def map_table(
    table: Table, problem: Problem, faults: Faults, *, named: Mapping[str, str] | None = None, converting: bool = False,
    leaving_out: bool = False,
) -> Mapped:  # fmt: skip
    """Return what a table holds for a campaign, or add what is wrong with it to `faults`.

    Args:
        table: The table.
        problem: Of the campaign.
        faults: Gathers what is wrong.
        named: Parameter or objective -> heading of its column, where that has another name.
        converting: Convert units that differ from the campaign's; otherwise they are faults.
        leaving_out: Leave rows out whose setting the campaign does not allow; otherwise they are faults.
    """
    mapped, named = Mapped(), dict(named or {})
    n_before = len(faults)
    place = 1 if table.counted_in == "line" else None
    known = {**problem.parameters, **problem.objectives}
    for name in named.keys() - known.keys():
        faults.add(table.path, place, (), f"--column names {name!r}, which is no parameter or objective; {nearest(name, known)}")
    if table.form == "ax" and {"metric_name", "mean"} <= set(table.header):
        faults.add(
            table.path, place, (),
            "holds what Ax measured without the settings; write what client.summarize() returns to a file and name that",
        )  # fmt: skip
        return mapped
    headings = _headings(table.header)

    def sources(kind: str, units: Mapping[str, str | None]) -> dict[str, _Source]:
        found = {n: _find(table, n, kind, unit, headings, named, converting, mapped, faults) for n, unit in units.items()}
        return {n: source for n, source in found.items() if source is not None}

    columns_p = sources("parameter", {n: p.unit for n, p in problem.parameters.items()})
    columns_o = sources("objective", {n: o.unit for n, o in problem.objectives.items()})
    if len(faults) > n_before:
        return mapped
    sems = {n: _sem(table, n, source, mapped) for n, source in columns_o.items()}
    kept = _ended(table, mapped)
    for i in [i for i, failed in kept.items() if not failed and all(s.cells[i] is None for s in columns_o.values())]:
        mapped.without_result.append(table.places[i])
        del kept[i]
    points, outside = _points(table, problem, columns_p, list(kept), faults, leaving_out)
    values = {n: _numbers(table, n, s, [i for i in kept if not kept[i]], faults, needed=True) for n, s in columns_o.items()}
    errors = {n: _numbers(table, f"{n}.sem", s, list(kept), faults, needed=False) for n, s in sems.items() if s is not None}
    mapped.outside = [table.places[i] for i in outside]
    used = {*mapped.columns.values(), *((_DONE[table.form][0],) if table.form in _DONE else ())}
    mapped.aside = left_aside(table.header, used)
    if len(faults) > n_before:
        return mapped
    reasons = table.cells("reason") if table.form == "labwright" and "reason" in table.header else None
    mapped.entries = [
        Entry(
            row=table.places[i],
            point=points[i],
            values=None if failed else {n: values[n][i] for n in columns_o},
            sem={} if failed else {n: column[i] for n, column in errors.items() if i in column},
            reason=str(reasons[i] or "") if reasons is not None and failed else "",
        )
        for i, failed in kept.items()
        if i in points
    ]
    if not mapped.entries:
        faults.add(table.path, place, (), f"holds no results for {listed(columns_o)}; {len(table.rows)} rows were looked at")
    return mapped


def _headings(header: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Return what the columns may be called: their heading, and without the unit in it -> heading and unit."""
    names: dict[str, tuple[str, str | None]] = {}
    for heading in header:
        if (found := _WITH_UNIT.match(heading)) is not None and found["name"]:
            names.setdefault(found["name"], (heading, found["unit"].strip()))
    return {**names, **{heading: (heading, None) for heading in header}}


def _find(
    table: Table, name: str, kind: str, unit: str | None, headings: Mapping[str, tuple[str, str | None]], named: Mapping[str, str],
    converting: bool, mapped: Mapped, faults: Faults,
) -> _Source | None:  # fmt: skip
    """Return the column of a parameter or an objective, its unit checked, or add a fault."""
    place = 1 if table.counted_in == "line" else None
    wanted = [named[name]] if name in named else [f"{kind}.{name}", name]
    found = next((headings[w] for w in wanted if w in headings), None)
    if found is None:
        hint = f"{nearest(wanted[-1], headings)} Say which with --column {name}=HEADING"
        faults.add(table.path, place, (), f"has no column {wanted[-1]!r} for the {kind}; {hint}")
        return None
    heading, said = found
    said = table.units.get(heading, said)
    mapped.columns[name] = heading
    if not unit and not said:
        return _Source(heading, table.cells(heading))
    if said is None:
        mapped.unsaid.append(name)
        return _Source(heading, table.cells(heading))
    theirs, ours = said, unit or ""
    try:
        if same_unit(theirs, ours):
            return _Source(heading, table.cells(heading))
        alike = same_dimension(theirs, ours)
    except UnitError as error:
        faults.add(table.path, place, (heading,), str(error), said)
        return None
    if alike and converting:
        mapped.converted[name] = f"{theirs or 'a bare number'} to {ours or 'a bare number'}"
        return _Source(heading, table.cells(heading), (theirs, ours))
    remedy = "convert the column, or say --convert" if alike else "they measure different things; name another column with --column"
    both = f"is in {theirs or 'bare numbers'}, the campaign has {ours or 'bare numbers'}"
    faults.add(table.path, place, (heading,), f"{both}; {remedy}")
    return None


def _sem(table: Table, name: str, source: _Source, mapped: Mapped) -> _Source | None:
    """Return the column of standard errors of an objective, None where there is none."""
    bare = source.heading.removesuffix("]").removesuffix(")")
    plain = re.split(r"\s*[\[(]", bare)[0]
    headings = _headings(table.header)
    for form in _SEM:
        for base in (source.heading, plain, name):
            if (found := headings.get(form.format(base))) is not None:
                mapped.columns[f"{name}.sem"] = found[0]
                return _Source(found[0], table.cells(found[0]), source.convert)
    return None


def _ended(table: Table, mapped: Mapped) -> dict[int, bool]:
    """Return the rows that hold an end, each with whether it failed."""
    if table.form not in _DONE or _DONE[table.form][0] not in table.header:
        return dict.fromkeys(range(len(table.rows)), False)
    column, done, failed = _DONE[table.form]
    retracted = table.cells("retracted_at") if "retracted_at" in table.header and table.form == "labwright" else None
    kept = {}
    for i, cell in enumerate(table.cells(column)):
        word = str(cell or "").strip().casefold().rpartition(".")[2]  # Ax writes TrialStatus.COMPLETED in places
        if (word in done or word in failed) and (retracted is None or retracted[i] is None):
            kept[i] = word in failed
        else:
            mapped.without_result.append(table.places[i])
    return kept


def simulated_rows(table: Table) -> bool:
    """Say whether a table holds data that no real instrument gave, as Labwright marks them in every row."""
    return "simulated" in table.header and any(str(cell).casefold() == "true" for cell in table.cells("simulated"))


def _points(
    table: Table, problem: Problem, sources: Mapping[str, _Source], rows: Sequence[int], faults: Faults, leaving_out: bool
) -> tuple[dict[int, Point], list[int]]:
    """Return the setting of each row, and the rows left out."""
    points: dict[int, Point] = {i: {} for i in rows}
    n_before = len(faults)
    outside: dict[int, None] = {}
    for name, source in sources.items():
        parameter = problem.parameters[name]
        wrong = CellFaults(table.path, source.heading, table.counted_in)
        for i in rows:
            cell = source.cells[i]
            if cell is None and parameter.active_when is not None:
                continue
            value = _setting(cell, parameter, source)
            if value is None:
                wrong.add(table.places[i], cell, "is empty; every setting is needed" if cell is None else "must be a number")
            elif parameter.allows(value):
                points[i][name] = value
            elif leaving_out:
                outside[i] = None
            else:
                wrong.add(table.places[i], cell, f"is beyond {allowed_text(parameter)}; correct it, or say --leave-out")
        wrong.tell(faults)
    whole = CellFaults(table.path, "setting", table.counted_in)
    for i in rows:
        if i not in outside and len(faults) == n_before and not problem.allows(points[i]):
            if leaving_out:
                outside[i] = None
            else:
                whole.add(table.places[i], points[i], "meets not every constraint of the campaign; correct it, or say --leave-out")
    whole.tell(faults)
    return {i: point for i, point in points.items() if i not in outside}, list(outside)


def _setting(cell: Any, parameter: Parameter, source: _Source) -> Value | None:
    if cell is None:
        return None
    if isinstance(parameter, CategoricalParameter):
        text = str(cell)
        whole = isinstance(cell, float) and cell.is_integer()
        return str(int(cell)) if whole and not parameter.allows(text) else text
    number = _number(cell)
    if number is None:
        return None
    if source.convert is not None:
        number = convert(number, *source.convert)
    return int(number) if isinstance(parameter, IntegerParameter) and number.is_integer() else number


def _numbers(
    table: Table, name: str, source: _Source, rows: Sequence[int], faults: Faults, *, needed: bool
) -> dict[int, float]:
    """Return a column of results or standard errors by row, or add faults."""
    wrong = CellFaults(table.path, source.heading, table.counted_in)
    found: dict[int, float] = {}
    for i in rows:
        cell = source.cells[i]
        if cell is None:
            if needed:
                wrong.add(table.places[i], None, "is empty beside results of other objectives; fill it in, or empty them all")
            continue
        number = _number(cell)
        if number is None:
            wrong.add(table.places[i], cell, "must be a number")
        elif not needed and number < 0:
            wrong.add(table.places[i], cell, "is a standard error, and must not be negative")
        elif source.convert is None:
            found[i] = number
        else:
            found[i] = (convert if needed else convert_spread)(number, *source.convert)
    wrong.tell(faults)
    return found


def _number(cell: Any) -> float | None:
    """Return a cell as a finite number, None where it is none."""
    if isinstance(cell, bool):
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and not (isinstance(cell, str) and "_" in cell) else None

