"""Proves a store: folds the log again and compares every row with what the log says.

The rows were written by `projection.py`, event by event and in SQL; the fold is `domain/state.py`, in memory. The two share
no code, so where they agree both are right, or somebody changed log and rows alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from controller.domain.campaign import Definition
from controller.domain.event import AlarmRaised, Measurement, event_adapter
from controller.domain.experiment import OPEN_ATTEMPTS, AttemptStatus, ExperimentStatus
from controller.domain.pool import Source
from controller.domain.proposal import Proposal
from controller.domain.state import Attempt, CampaignState, Experiment
from controller.errors import IllegalTransitionError, PoolError
from controller.store.journals import Comparison
from controller.store.journals import compare as compare_journals
from controller.store.pools import kept_columns
from controller.store.raw_files import differences as raw_file_differences
from controller.store.reading import Reader
from controller.store.records import plain
from controller.store.stored import measured_value
from controller.store.verifying import Verification
from controller.store.verifying import verify as walk_chain

if TYPE_CHECKING:
    from controller.store.opening import Store

Row = Mapping[str, Any]


@dataclass(frozen=True)
class AuditReport:
    """What an audit found."""

    balanced: bool
    """Whether log and rows agree and the books balance."""
    counts: dict[str, int]
    """Experiments per status, as the log tells it."""
    differences: list[str]
    """One line each; empty when balanced."""
    verification: Verification | None = None
    """What the hash chain says, where it was walked; what it found is among the differences."""
    journals: Comparison | None = None
    """What the drivers' journals say, where they were compared; what differs is among the differences."""


@dataclass(frozen=True)
class _Stored:
    """Everything the store holds of one campaign, read at one moment."""

    campaign: Row
    definitions: Sequence[Row]
    experiments: Sequence[Row]
    proposals: Sequence[Row]
    observations: Sequence[Row]
    attempts: Sequence[Row]
    measurements: Sequence[Row]
    alarms: Sequence[Row]
    pools: Source
    """Opens lists of candidates that a definition refers to."""


@dataclass
class _Told:
    """What the log tells."""

    state: CampaignState = field(default_factory=CampaignState)
    alarms: Counter[tuple[object, ...]] = field(default_factory=Counter)
    newest: float | None = None
    """Time of the newest row, whatever it says."""
    differences: list[str] = field(default_factory=list)
    """What is wrong with the log itself."""


def audit(
    source: Store | Reader,
    campaign: str,
    *,
    verify: bool = False,
    head: str | None = None,
    labs: Path | None = None,
    files: Path | None = None,
) -> AuditReport:
    """Compare the rows of a campaign (name or id) with its log.

    Args:
        source: The store.
        campaign: Name or id.
        verify: Walk the hash chain of the log too.
        head: A head that was written down earlier (implies `verify`): the log must still contain it.
        labs: The folder of the store's labs: compare the journals of the instruments too.
        files: The folder of the store's raw files: look whether they are there too, with `verify` whether they are undamaged.

    Raises:
        UnknownNameError: If the store holds no such campaign.
        ConflictError: If `head` is no hash.
        StoreError: If it cannot be read.
    """
    reader = source if isinstance(source, Reader) else source.reader
    with reader.snapshot():
        stored = _read(reader, campaign)
        verification = walk_chain(reader, campaign, head) if verify or head is not None else None
        told = _fold(reader, stored.campaign["id"])
    state, differences = told.state, [*(verification.differences if verification else ()), *told.differences]
    for check in (
        _definition,
        _experiments,
        _proposals,
        _observations,
        _attempts,
        _measurements,
        _books,
    ):
        differences.extend(check(stored, state))
    differences.extend(_campaign(stored, told))
    differences.extend(_alarms(stored, told))
    journals = compare_journals(reader, stored.campaign["id"], labs) if labs is not None else None
    differences.extend(journals.differences if journals else ())
    if files is not None:
        whose = ((_name(attempt, state), file) for attempt in state.attempts.values() for file in attempt.files)
        differences.extend(raw_file_differences(whose, files, read=verify))
    return AuditReport(not differences, state.counts(), differences, verification, journals)


def _read(reader: Reader, campaign: str) -> _Stored:
    row = reader.campaign_row(campaign)
    key = row["id"]
    return _Stored(
        campaign=row,
        definitions=reader.definition_rows(key),
        experiments=reader.experiment_rows(key),
        proposals=reader.proposal_rows(key),
        observations=reader.observation_rows(key),
        attempts=reader.attempt_rows(key),
        measurements=reader.measurement_rows(key),
        alarms=reader.alarm_rows(key),
        pools=lru_cache(maxsize=1)(partial(kept_columns, reader)),
    )


def _fold(reader: Reader, campaign: str) -> _Told:
    """Fold the log, page by page; what cannot be read or cannot follow is left out and told."""
    told, expected = _Told(), 0
    for row in chain.from_iterable(reader.event_pages(campaign)):
        expected += 1
        where, told.newest = f"event {row['campaign_sequence']}", row["at"]
        if row["campaign_sequence"] != expected:
            told.differences.append(f"the log has a gap: {where} stands where event {expected} should")
        try:
            event = event_adapter.validate_json(row["body"])
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            told.differences.append(f"{where} ({row['kind']}) cannot be read: {place}: {first['msg']}")
            continue
        if event.campaign != campaign:
            told.differences.append(f"{where} ({row['kind']}) tells of campaign {event.campaign}")
        told.differences += _compare(where, row, {"kind": event.kind, "at": event.at})
        if isinstance(event, AlarmRaised):
            told.alarms[event.at, event.code, plain(event.message), event.experiment, event.attempt] += 1
        try:
            told.state.apply(event)
        except IllegalTransitionError as error:
            told.differences.append(f"{where} ({event.kind}) cannot follow what came before: {error}")
    return told


def _compare(what: str, row: Row, expected: Mapping[str, object]) -> list[str]:
    """Return a line for each column of `row` that is not as expected."""
    return [
        f"{what}: {column} is {row[column]!r}, the log says {value!r}"
        for column, value in expected.items()
        if row[column] != value
    ]


def _parsed(text: str) -> object:
    """Return the content of a column that holds JSON; what is none as it stands there: it differs from all that the log tells."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return text


def _paired(what: str, rows: Mapping[str, Row], expected: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for each row that is missing or that no event tells of."""
    for key in expected:
        if key not in rows:
            yield f"{what} {key}: the log tells of it, its row is missing"
    for key in rows:
        if key not in expected:
            yield f"{what} {key}: there is a row, the log does not tell of it"


def _campaign(stored: _Stored, told: _Told) -> Iterable[str]:
    state = told.state
    expected = {
        "id": state.id,
        "name": state.name,
        "status": state.status.value,
        "reason": plain(state.reason),
        "simulated": state.simulated,
        "seed": state.seed,
        "definition_fingerprint": state.definition_fingerprint,
        "created_at": state.created_at,
        "updated_at": state.created_at if told.newest is None else told.newest,
    }
    return _compare(f"campaign {state.name}", stored.campaign, expected)


def _definition(stored: _Stored, state: CampaignState) -> Iterator[str]:
    if [row["version"] for row in stored.definitions] != list(
        range(1, len(stored.definitions) + 1)
    ) or not stored.definitions:
        yield f"definition: versions {[row['version'] for row in stored.definitions]} do not count up from 1"
        return
    budgets = []
    for row in stored.definitions:
        where = f"definition version {row['version']}"
        yield from _compare(where, row, {"fingerprint": state.definition_fingerprint})
        try:
            definition = Definition.model_validate_json(row["body"], context={"pools": stored.pools})
        except ValidationError as error:
            yield f"{where} cannot be read: {error.errors()[0]['msg']}"
            continue
        try:
            pool = definition.problem.pool
            if pool is not None and not pool.inline:
                _ = pool.columns  # read, and compared with its hash
        except PoolError as error:
            yield f"{where}: {error}"
            continue
        told = {"fingerprint": definition.fingerprint, "seed": definition.seed, "simulated": definition.simulated}
        for name, value in (
            ("fingerprint", state.definition_fingerprint),
            ("seed", state.seed),
            ("simulated", state.simulated),
        ):
            if told[name] != value:
                yield f"{where}: its content has {name} {told[name]!r}, the log says {value!r}"
        budgets.append(definition.budget.experiments)
    budget = stored.campaign["budget_experiments"]
    if budgets and budget != budgets[-1]:
        yield f"campaign {state.name}: budget_experiments is {budget}, its definition says {budgets[-1]}"


def _experiments(stored: _Stored, state: CampaignState) -> Iterator[str]:
    rows = {row["id"]: row for row in stored.experiments}
    yield from _paired("experiment", rows, state.experiments)
    for key, experiment in state.experiments.items():
        if key in rows:
            row = {**rows[key], "point": _parsed(rows[key]["point"])}
            yield from _compare(f"experiment {experiment.number}", row, _experiment_columns(experiment, state))


def _experiment_columns(experiment: Experiment, state: CampaignState) -> dict[str, object]:
    fault = experiment.fault
    return {
        "campaign": state.id,
        "number": experiment.number,
        "status": experiment.status.value,
        "reason": plain(experiment.reason),
        "fault_code": None if fault is None else plain(fault.code),
        "fault_message": None if fault is None else plain(fault.message),
        "point": dict(experiment.point),
        "source": experiment.proposal.source,
        "proposed_at": experiment.proposed_at,
        "started_at": experiment.started_at,
        "ended_at": experiment.ended_at,
        "simulated": state.simulated,
        "n_attempts": len(experiment.attempts),
        "retracted_at": experiment.retracted_at,
        "retracted_reason": None if experiment.retracted_reason is None else plain(experiment.retracted_reason),
    }


def _proposals(stored: _Stored, state: CampaignState) -> Iterator[str]:
    rows = {row["experiment"]: row for row in stored.proposals}
    yield from _paired("proposal of experiment", rows, state.experiments)
    for key, experiment in state.experiments.items():
        if key in rows:
            try:
                same = Proposal.model_validate_json(rows[key]["body"]) == experiment.proposal
            except ValidationError:
                same = False
            if not same:
                yield f"experiment {experiment.number}: its proposal differs from the one in the log"


def _observations(stored: _Stored, state: CampaignState) -> Iterator[str]:
    rows = {f"{row['experiment']} {row['objective']}": row for row in stored.observations}
    expected = {
        f"{key} {objective}": (experiment, objective)
        for key, experiment in state.experiments.items()
        for objective in experiment.observations
    }
    yield from _paired("observation", rows, expected)
    for key, (experiment, objective) in expected.items():
        if key in rows:
            seen = experiment.observations[objective]
            columns = {"value": seen.value, "unit": seen.unit, "sem": seen.sem, "at": experiment.ended_at}
            yield from _compare(f"experiment {experiment.number}, observed {objective}", rows[key], columns)


def _attempts(stored: _Stored, state: CampaignState) -> Iterator[str]:
    rows = {row["id"]: row for row in stored.attempts}
    yield from _paired("attempt", rows, state.attempts)
    for key, attempt in state.attempts.items():
        if key in rows:
            row = {
                **rows[key],
                "arguments": _parsed(rows[key]["arguments"]),
                "units": _parsed(rows[key]["units"]),
                "files": _parsed(rows[key]["files"] or "[]"),
            }
            yield from _compare(_name(attempt, state), row, _attempt_columns(attempt, state))


def _name(attempt: Attempt, state: CampaignState) -> str:
    number = state.experiments[attempt.experiment].number
    return f"experiment {number}, step {attempt.step}, attempt {attempt.ordinal}"


def _attempt_columns(attempt: Attempt, state: CampaignState) -> dict[str, object]:
    fault = attempt.fault
    return {
        "campaign": state.id,
        "experiment": attempt.experiment,
        "step": attempt.step,
        "ordinal": attempt.ordinal,
        "instrument": attempt.instrument,
        "action": attempt.action,
        "arguments": attempt.arguments,
        "units": attempt.units,
        "status": attempt.status.value,
        "fault_code": None if fault is None else plain(fault.code),
        "fault_message": None if fault is None else plain(fault.message),
        "fault_retryable": None if fault is None else fault.retryable,
        "committed_at": attempt.committed_at,
        "ended_at": attempt.ended_at,
        "files": [file.model_dump() for file in attempt.files],
    }


def _measurements(stored: _Stored, state: CampaignState) -> Iterator[str]:
    rows = {f"{row['position']} of attempt {row['attempt']}": row for row in stored.measurements}
    expected: dict[str, tuple[Attempt, Measurement]] = {
        f"{position} of attempt {key}": (attempt, measured)
        for key, attempt in state.attempts.items()
        for position, measured in enumerate(attempt.measurements, start=1)
    }
    yield from _paired("measurement", rows, expected)
    for key, (attempt, measured) in expected.items():
        if key not in rows:
            continue
        row = {**rows[key], "value": measured_value(rows[key])}
        told = measured.value
        value = plain(told) if isinstance(told, str) else told if isinstance(told, bool) else float(told)
        columns = {"name": plain(measured.name), "unit": measured.unit, "sem": measured.sem, "at": attempt.ended_at}
        yield from _compare(f"{_name(attempt, state)}, measured {measured.name}", row, columns)
        if (type(row["value"]), row["value"]) != (type(value), value):
            yield f"{_name(attempt, state)}, measured {measured.name}: value is {row['value']!r}, the log says {value!r}"


def _alarms(stored: _Stored, told: _Told) -> Iterator[str]:
    rows: Counter[tuple[object, ...]] = Counter(
        (r["at"], r["code"], r["message"], r["experiment"], r["attempt"]) for r in stored.alarms
    )
    for alarm in told.alarms - rows:
        yield f"alarm {alarm[1]} at {alarm[0]}: the log tells of it, its row is missing or differs"
    for alarm in rows - told.alarms:
        yield f"alarm {alarm[1]} at {alarm[0]}: there is a row, the log does not tell of it"


def _books(stored: _Stored, state: CampaignState) -> Iterator[str]:
    """Yield what does not balance, in the rows or in what the log tells."""
    counted = dict(Counter(row["status"] for row in stored.experiments))
    told = {status: n for status, n in state.counts().items() if n}
    if told != counted:
        yield f"counts: the rows have {counted}, the log has {told}"
    if sum(told.values()) != len(stored.proposals):
        yield f"counts: {sum(told.values())} experiments of {len(stored.proposals)} proposals"
    numbers = [row["number"] for row in stored.experiments]
    if numbers != list(range(1, len(numbers) + 1)):
        missing = sorted(set(range(1, len(numbers) + 1)) - set(numbers))
        yield f"experiment numbers have gaps: {missing} are missing"
    statuses = {row["id"]: row["status"] for row in stored.attempts}
    for row in stored.measurements:
        status = statuses.get(row["attempt"], "missing")
        if status != AttemptStatus.SUCCEEDED.value:
            yield f"measurement {row['name']}: its attempt {row['attempt']} is {status}, not succeeded"
    steps = _steps(stored)
    for experiment in state.experiments.values():
        yield from _experiment_books(experiment, state, steps)


def _experiment_books(experiment: Experiment, state: CampaignState, steps: frozenset[str]) -> Iterator[str]:
    attempts = state.attempts_of(experiment.id)
    succeeded = Counter(a.step for a in attempts if a.status is AttemptStatus.SUCCEEDED)
    for step, times in succeeded.items():
        if times > 1:
            yield f"experiment {experiment.number}, step {step}: succeeded {times} times"
    is_open = any(a.status in OPEN_ATTEMPTS for a in attempts)
    if (
        experiment.status is ExperimentStatus.RUNNING
        and attempts
        and not is_open
        and steps
        and steps <= succeeded.keys()
    ):
        yield f"experiment {experiment.number} is running, but every step has succeeded and none is open"
    if experiment.status is ExperimentStatus.COMPLETED and is_open:
        yield f"experiment {experiment.number} is completed, but one of its attempts is still open"


def _steps(stored: _Stored) -> frozenset[str]:
    """Return the steps of the protocol; none where the definition cannot be read, which is reported elsewhere."""
    try:
        protocol = Definition.model_validate_json(stored.definitions[-1]["body"]).lab.protocol
    except (ValidationError, IndexError):
        return frozenset()
    return frozenset(step.step for step in protocol)
