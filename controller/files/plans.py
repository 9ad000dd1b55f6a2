"""Reads a plan back: what people filled in, row by row, against what was asked; every fault with its cell."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.domain.base import Value
from controller.domain.campaign import Definition
from controller.domain.event import Observation
from controller.domain.experiment import ExperimentStatus
from controller.domain.state import CampaignState, Experiment
from controller.errors import ConflictError
from controller.files.by_hand import form_of
from controller.files.faults import Faults, nearest
from controller.files.results import Table, read_table

NUMBER, FAILED, NOTES = "experiment", "failed", "notes"
RESULTS = Path("results")
"""Stands for the file where there is none: `results:2` is the second of those that were told."""
_HEADING = re.compile(r"(?P<name>.+?)\s*\[(?P<unit>[^\]]*)\]", re.DOTALL)
_NO = frozenset({"no", "false", "0", "-"})
_DONE = (ExperimentStatus.COMPLETED, ExperimentStatus.FAILED)


@dataclass(frozen=True)
class Told:
    """What one row says of one experiment."""

    experiment: int
    values: dict[str, float] | None
    """Objective -> value [its unit]; None says that it failed."""
    sem: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    """Why it failed."""
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Filled:
    """What a plan says."""

    new: list[Told]
    unchanged: list[int]
    """Experiments of which it says what is known already."""
    empty: list[int]
    """Experiments of which it says nothing yet."""


def heading(name: str, unit: str | None) -> str:
    """Return the heading of a column."""
    return f"{name} [{unit}]" if unit else name


def read_plan(path: Path, definition: Definition, state: CampaignState) -> Filled:
    """Read a plan that people have filled in.

    Args:
        path: CSV or XLSX, as `campaign ask` wrote it; columns may have been added or moved, and those of settings removed.
        definition: The campaign's.
        state: Where it stands.

    Raises:
        FileFaultsError: If a cell says what cannot be; lists all of them, and nothing is taken.
        ConflictError: If the file cannot be read, or is no plan.
        MissingExtraError: If openpyxl is needed and not installed.
    """
    faults = Faults()
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise ConflictError(f"{path} is no plan that can be read; give a .csv or .xlsx file, as labwright campaign ask writes it")
    table = read_table(path, faults, form="table")
    faults.raise_if_any()
    assert table is not None  # noqa: S101 - without a fault there is one
    plan = _Plan(table, definition, state, faults)
    filled = plan.read()
    faults.raise_if_any()
    return filled


def read_results(results: Sequence[Mapping[str, Any]], definition: Definition, state: CampaignState) -> Filled:
    """Read results that people tell without a file; they are checked as a plan is.

    Args:
        results: Of each `experiment` (its number) `values` (name -> a number, a text such as `3.2 ± 0.1`, or `{"value", "unit",
            "sem"}`; of each objective, and of what the lab asks for besides), or `failed` (why); and `notes`.
        definition: The campaign's.
        state: Where it stands.

    Raises:
        FileFaultsError: If something cannot be; lists all of it, and nothing is taken.
    """
    form, faults = form_of(definition), Faults()
    ours = {NUMBER, FAILED, NOTES, *definition.problem.parameters}
    besides = dict.fromkeys(name for row in results for name in row.get("values") or {} if name in form and name not in ours)
    names = [*definition.problem.objectives, *(name for name in besides if name not in definition.problem.objectives)]
    for at, row in enumerate(results, start=1):
        for name in row.get("values") or {}:
            if name not in names:
                message = f"is not asked for; {nearest(name, list(form))}"
                faults.add(RESULTS, at, (f"column {name}",), message, name)
    faults.raise_if_any()
    rows = [
        (row[NUMBER], *((row.get("values") or {}).get(name) for name in names), row.get(FAILED) or None, row.get(NOTES) or None)
        for row in results
    ]  # fmt: skip
    table = Table(RESULTS, (NUMBER, *names, FAILED, NOTES), rows, list(range(1, len(rows) + 1)), "line")
    filled = _Plan(table, definition, state, faults).read()
    faults.raise_if_any()
    return filled


class _Plan:
    def __init__(self, table: Table, definition: Definition, state: CampaignState, faults: Faults) -> None:
        self._table, self._problem, self._faults = table, definition.problem, faults
        self._form = form_of(definition)
        self._by_number = {e.number: e for e in state.experiments.values()}
        self._n, self._name = state.n_experiments, state.name

    def read(self) -> Filled:
        columns = self._columns()
        filled = Filled([], [], [])
        seen: dict[int, int] = {}
        for at, row in zip(self._table.places, self._table.rows, strict=True):
            cells = {name: row[i] for name, i in columns.items()}
            experiment = self._experiment(at, columns, cells.get(NUMBER))
            if experiment is None:
                continue
            if experiment.number in seen:
                self._fault(at, columns[NUMBER], f"is in row {seen[experiment.number]} already; keep one of the two", cells[NUMBER])
                continue
            seen[experiment.number] = at
            self._unchanged_setting(at, columns, cells, experiment)
            self._take(at, columns, cells, experiment, filled)
        return filled

    def _columns(self) -> dict[str, int]:
        """Return where each column stands; those that are not ours are notes."""
        found: dict[str, int] = {}
        units = {name: p.unit for name, p in self._problem.parameters.items() if hasattr(p, "unit")}
        units |= {name: f.unit for name, f in self._form.items()}
        for i, text in enumerate(self._table.header):
            match = _HEADING.fullmatch(text)
            name = match["name"] if match and match["name"] in units else text
            if match and name in units and not _same_unit(match["unit"], units[name]):
                remedy = f"write the values in {units[name] or 'no unit'}, and the heading so"
                self._fault(None, i, f"is in {match['unit']}; {remedy}", text)
            if name:
                found.setdefault(name, i)
        wanted = [NUMBER, *self._problem.objectives]
        if missing := [name for name in wanted if name not in found]:
            near = nearest(missing[0], list(found))
            what = f"{self._table.path} has no column {missing[0]!r}: {near}"
            raise ConflictError(f"{what}; a plan is what labwright campaign ask has written")
        return found

    def _experiment(self, at: int, columns: Mapping[str, int], said: Any) -> Experiment | None:
        number = _whole(said)
        if number is None:
            self._fault(at, columns[NUMBER], "is no number of an experiment; leave this column as it was written", said)
        elif number not in self._by_number:
            self._fault(at, columns[NUMBER], f"was never asked for; the campaign has experiments 1 to {self._n}", said)
        else:
            return self._by_number[number]
        return None

    def _unchanged_setting(
        self, at: int, columns: Mapping[str, int], cells: Mapping[str, Any], experiment: Experiment
    ) -> None:
        for name in self._problem.parameters:
            if name in columns and not _same(cells[name], wanted := experiment.point.get(name)):
                what = f"was changed: experiment {experiment.number} has {_shown(wanted)}"
                remedy = "put it back; what was done otherwise comes in by labwright campaign import"
                self._fault(at, columns[name], f"{what}; {remedy}", cells[name])

    def _take(
        self, at: int, columns: Mapping[str, int], cells: Mapping[str, Any], experiment: Experiment, filled: Filled
    ) -> None:
        from instruments.tasks.form import read_form

        objectives = self._problem.objectives
        failed = "" if str(cells.get(FAILED) or "").strip().lower() in _NO else str(cells.get(FAILED) or "").strip()
        given = {name: cells[name] for name in objectives if cells[name] is not None}
        notes = self._notes(at, columns, cells, wanted=bool(given or failed))
        if failed:
            if given:
                name = next(iter(given))
                what = f"stands beside {FAILED}: an experiment that failed has no result; keep one of the two"
                self._fault(at, columns[name], what, given[name])
                return
            reason = "it failed" if failed.lower() in ("yes", "true", "1", "x") else failed
            self._note(Told(experiment.number, None, reason=reason, notes=notes), at, columns[FAILED], experiment, filled)
            return
        if not given:
            filled.empty.append(experiment.number)
            return
        taken, wrong = read_form({name: self._form[name] for name in objectives}, {name: cells[name] for name in objectives})
        for line in wrong:
            name, _, why = line.partition(": ")
            value = cells[name]
            why = _without(value, why) + ("" if value is not None else "; or leave the whole row empty")
            self._fault(at, columns[name], why, value)
        if not wrong:
            values = {name: float(v.value) for name, v in taken.items()}
            sem = {name: v.sem for name, v in taken.items() if v.sem is not None}
            first = columns[next(iter(objectives))]
            self._note(Told(experiment.number, values, sem, notes=notes), at, first, experiment, filled)

    def _note(self, told: Told, at: int, column: int, experiment: Experiment, filled: Filled) -> None:
        """Take what is new; what is known already is left; what contradicts it is a fault."""
        status = experiment.status
        if status in (ExperimentStatus.QUEUED, ExperimentStatus.RUNNING) and not experiment.attempts:
            filled.new.append(told)
        elif status in _DONE and _says_the_same(told, experiment):
            filled.unchanged.append(told.experiment)
        elif status is ExperimentStatus.COMPLETED:
            known = ", ".join(f"{name} {_shown(o.value)}" for name, o in experiment.observations.items())
            remedy = f"to correct it: labwright campaign retract {self._name} {told.experiment} --reason WHY"
            self._fault(at, column, f"experiment {told.experiment} has {known} already; {remedy}", self._value(at, column))
        else:
            where = "is with an instrument" if experiment.attempts and status not in _DONE else f"is {status.value} already"
            why = f": {experiment.reason}" if experiment.reason else ""
            self._fault(at, column, f"experiment {told.experiment} {where}{why}; leave the row empty", self._value(at, column))

    def _notes(self, at: int, columns: Mapping[str, int], cells: Mapping[str, Any], *, wanted: bool) -> dict[str, str]:
        """Return what stands in the other columns; what the lab asks for beside the objectives is checked."""
        from instruments.tasks.form import read_form

        ours = {NUMBER, FAILED, *self._problem.parameters, *self._problem.objectives}
        notes = {name: str(cells[name]).strip() for name in columns if name not in ours and cells[name] is not None}
        asked = {name: self._form[name] for name in notes if name in self._form}
        _, wrong = read_form(asked, {name: cells[name] for name in asked}) if wanted else ({}, [])
        for line in wrong:
            name, _, why = line.partition(": ")
            self._fault(at, columns[name], _without(cells[name], why), cells[name])
        return {name: text[:500] for name, text in notes.items()}

    def _value(self, at: int, column: int) -> Any:
        return self._table.rows[self._table.places.index(at)][column]

    def _fault(self, at: int | None, column: int, message: str, value: Any) -> None:
        """Add a fault with its place: the cell of a spreadsheet, or line and column of a CSV file."""
        name = self._table.header[column]
        if self._table.counted_in == "line":
            self._faults.add(self._table.path, at or 1, (f"column {name}",), message, value)
        else:
            self._faults.add(self._table.path, None, (f"cell {_letters(column)}{at or 1}",), message, value)


def _says_the_same(told: Told, experiment: Experiment) -> bool:
    if told.values is None:
        return experiment.status is ExperimentStatus.FAILED
    known: Mapping[str, Observation] = experiment.observations
    return experiment.status is ExperimentStatus.COMPLETED and all(
        name in known and math.isclose(value, known[name].value, rel_tol=1e-9) for name, value in told.values.items()
    )


def _without(value: Any, why: str) -> str:
    """Return what is wrong with a cell without its value, which stands before it anyway."""
    return why.removeprefix(f"{str(value).strip()!r} ")


def _same(said: Any, wanted: Value | None) -> bool:
    """Say whether a cell still holds the setting that was written there."""
    if said is None or wanted is None:
        return said is None and wanted is None
    if isinstance(wanted, str):
        text = str(said).strip()
        # Spreadsheets make a number of the text "1".
        return wanted.strip() in (text, text.removeprefix("'")) or (_number(said) is not None and _number(said) == _number(wanted))
    number = _number(said)
    return number is not None and math.isclose(number, float(wanted), rel_tol=1e-6, abs_tol=1e-12)


def _number(said: Any) -> float | None:
    try:
        number = float(said)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole(said: Any) -> int | None:
    number = None if isinstance(said, bool) else _number(said)
    return int(number) if number is not None and number.is_integer() else None


def _same_unit(said: str, wanted: str | None) -> bool:
    from instruments.errors import UnitError
    from instruments.units import same_unit

    try:
        return same_unit(said.strip(), wanted or "")
    except UnitError:
        return False


def _letters(column: int) -> str:
    """Return the letters of a spreadsheet's column, from 0 on."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _shown(value: Value | None) -> str:
    return "nothing" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)

