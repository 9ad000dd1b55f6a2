"""Derives the rows for reading from events, one event at a time.

This shares nothing with `domain/state.py`, which folds the same events in memory: `audit.py` compares the two.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from controller.domain.base import Value
from controller.domain.campaign import Definition
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignCreated,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentReinstated,
    ExperimentRetracted,
    ExperimentStatusChanged,
    Fault,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.errors import ConflictError
from controller.store.records import plain
from controller.store.tables import (
    AlarmRow,
    AttemptRow,
    CampaignRow,
    DefinitionRow,
    ExperimentRow,
    MeasurementRow,
    ObservationRow,
    ProposalRow,
    Row,
)

_EXPERIMENT_RESTS = (
    ExperimentStatus.COMPLETED,
    ExperimentStatus.FAILED,
    ExperimentStatus.ABANDONED,
    ExperimentStatus.CANCELLED,
    ExperimentStatus.UNKNOWN,
)
_ATTEMPT_RESTS = (AttemptStatus.SUCCEEDED, AttemptStatus.FAULTED, AttemptStatus.CANCELLED, AttemptStatus.UNKNOWN)


def compact(content: object) -> str:
    """Return `content` as JSON for a column."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def insert_campaign(connection: Connection, event: CampaignCreated, definition: Definition) -> None:
    """Enter a campaign and the first version of its definition.

    Raises:
        ConflictError: If the name is taken, or event and definition tell different things.
    """
    told = (event.name, event.definition_fingerprint, event.seed, event.simulated)
    defined = (definition.name, definition.fingerprint, definition.seed, definition.simulated)
    if told != defined:
        raise ConflictError(
            f"campaign {event.name}: the event says (name, fingerprint, seed, simulated) = {told}, its definition says {defined}"
        )
    taken = connection.execute(sa.select(col(CampaignRow.id)).where(col(CampaignRow.name) == event.name)).scalar()
    if taken is not None:
        raise ConflictError(
            f"the store holds a campaign named {event.name} already (id {taken}); resume it or choose another name"
        )
    _insert(
        connection,
        CampaignRow,
        id=event.campaign,
        name=event.name,
        status="draft",
        reason="",
        simulated=event.simulated,
        seed=event.seed,
        definition_fingerprint=event.definition_fingerprint,
        created_at=event.at,
        updated_at=event.at,
        budget_experiments=definition.budget.experiments,
    )
    _insert_definition(connection, event.campaign, 1, definition)


def amend_definition(connection: Connection, campaign: str, definition: Definition) -> None:
    """Enter the next version of a campaign's definition.

    Raises:
        ConflictError: If it would change what is searched or how.
    """
    found = connection.execute(
        sa.select(col(CampaignRow.name), col(CampaignRow.definition_fingerprint)).where(col(CampaignRow.id) == campaign)
    ).one_or_none()
    if found is None:
        raise ConflictError(f"the store holds no campaign {campaign}")
    if tuple(found) != (definition.name, definition.fingerprint):
        raise ConflictError(
            f"campaign {found[0]}: only budget, batch, description and failure policy can be amended; the new definition "
            f"({definition.name}, fingerprint {definition.fingerprint[:16]}) differs in the search itself ({found[1][:16]}): "
            "start it as another campaign"
        )
    newest = connection.execute(
        sa.select(sa.func.max(col(DefinitionRow.version))).where(col(DefinitionRow.campaign) == campaign)
    ).scalar_one()
    _insert_definition(connection, campaign, newest + 1, definition)
    _update(connection, CampaignRow, campaign, budget_experiments=definition.budget.experiments)


def _insert_definition(connection: Connection, campaign: str, version: int, definition: Definition) -> None:
    _insert(
        connection,
        DefinitionRow,
        campaign=campaign,
        version=version,
        fingerprint=definition.fingerprint,
        body=definition.model_dump_json(),
    )


def project(connection: Connection, event: Event, event_id: str) -> None:
    """Bring the rows up to date with one event of a campaign that is in the store.

    Raises:
        ConflictError: If it tells of a campaign, experiment or attempt that the store does not hold.
    """
    changes = (
        {"status": event.status.value, "reason": plain(event.reason)}
        if isinstance(event, CampaignStatusChanged)
        else {}
    )
    _update(connection, CampaignRow, event.campaign, updated_at=event.at, **changes)
    if isinstance(event, ExperimentProposed):
        _insert_experiment(connection, event)
    elif isinstance(event, ExperimentStatusChanged):
        _move_experiment(connection, event)
    elif isinstance(event, ExperimentRetracted):
        retraction = {"retracted_at": event.at, "retracted_reason": plain(event.reason)}
        _update(connection, ExperimentRow, event.experiment, **retraction)
    elif isinstance(event, ExperimentReinstated):
        _update(connection, ExperimentRow, event.experiment, retracted_at=None, retracted_reason=None)
    elif isinstance(event, AttemptCommitted):
        _insert_attempt(connection, event)
    elif isinstance(event, AttemptStatusChanged):
        _move_attempt(connection, event)
    elif isinstance(event, AlarmRaised):
        _insert(
            connection,
            AlarmRow,
            event=event_id,
            campaign=event.campaign,
            code=event.code,
            message=plain(event.message),
            experiment=event.experiment,
            attempt=event.attempt,
            at=event.at,
        )


def _insert_experiment(connection: Connection, event: ExperimentProposed) -> None:
    simulated = connection.execute(_IS_SIMULATED, {"key": event.campaign}).scalar_one()
    _insert(
        connection,
        ExperimentRow,
        id=event.experiment,
        campaign=event.campaign,
        number=event.number,
        status="proposed",
        reason="",
        point=compact(event.proposal.point),
        source=event.proposal.source,
        proposed_at=event.at,
        simulated=simulated,
        n_attempts=0,
    )
    _insert(connection, ProposalRow, experiment=event.experiment, body=event.proposal.model_dump_json())


def _move_experiment(connection: Connection, event: ExperimentStatusChanged) -> None:
    changes: dict[str, Any] = {
        "status": event.status.value,
        "reason": plain(event.reason),
        "fault_code": None if event.fault is None else plain(event.fault.code),
        "fault_message": None if event.fault is None else plain(event.fault.message),
        "ended_at": event.at if event.status in _EXPERIMENT_RESTS else None,
    }
    _update(connection, ExperimentRow, event.experiment, **changes)
    if event.status is ExperimentStatus.RUNNING:
        connection.execute(_START_EXPERIMENT, {"key": event.experiment, "now": event.at})
    connection.execute(_DROP_OBSERVATIONS, {"key": event.experiment})
    if event.observations:
        connection.execute(
            _insert_into(ObservationRow),
            [
                {
                    "experiment": event.experiment,
                    "objective": objective,
                    "value": observed.value,
                    "unit": observed.unit,
                    "sem": observed.sem,
                    "at": event.at,
                }
                for objective, observed in event.observations.items()
            ],
        )


def _insert_attempt(connection: Connection, event: AttemptCommitted) -> None:
    _changed_one(connection.execute(_COUNT_ATTEMPT, {"key": event.experiment}), ExperimentRow, event.experiment)
    _insert(
        connection,
        AttemptRow,
        id=event.attempt,
        campaign=event.campaign,
        experiment=event.experiment,
        step=event.step,
        ordinal=event.ordinal,
        instrument=event.instrument,
        action=event.action,
        arguments=compact(event.arguments),
        units=compact(event.units),
        status="committed",
        reason="",
        committed_at=event.at,
    )


def _move_attempt(connection: Connection, event: AttemptStatusChanged) -> None:
    fault: Fault | None = event.fault
    changes: dict[str, Any] = {
        "status": event.status.value,
        "reason": plain(event.reason),
        "fault_code": None if fault is None else plain(fault.code),
        "fault_message": None if fault is None else plain(fault.message),
        "fault_retryable": None if fault is None else fault.retryable,
        "ended_at": event.at if event.status in _ATTEMPT_RESTS else None,
    }
    if event.status is AttemptStatus.ACCEPTED:
        changes["accepted_at"] = event.at
    _update(connection, AttemptRow, event.attempt, **changes)
    if event.status is AttemptStatus.RUNNING:
        connection.execute(_START_ATTEMPT, {"key": event.attempt, "now": event.at})
    connection.execute(_DROP_MEASUREMENTS, {"key": event.attempt})
    if event.measurements:
        connection.execute(
            _insert_into(MeasurementRow),
            [
                {
                    "attempt": event.attempt,
                    "position": position,
                    "name": plain(measured.name),
                    **_value_columns(measured.value),
                    "unit": measured.unit,
                    "sem": measured.sem,
                    "at": event.at,
                }
                for position, measured in enumerate(event.measurements, start=1)
            ],
        )


def _value_columns(value: Value) -> dict[str, float | str | None]:
    if isinstance(value, bool):
        return {"value_number": float(value), "value_text": str(value).lower()}
    if isinstance(value, str):
        return {"value_number": None, "value_text": plain(value)}
    return {"value_number": float(value), "value_text": None}


# Statements are built once: building one costs SQLAlchemy more than carrying it out costs SQLite.

_KEY: sa.BindParameter[str] = sa.bindparam("key")
_NOW: sa.BindParameter[float] = sa.bindparam("now")
_IS_SIMULATED = sa.select(col(CampaignRow.simulated)).where(col(CampaignRow.id) == _KEY)
_COUNT_ATTEMPT = (
    sa.update(ExperimentRow).where(col(ExperimentRow.id) == _KEY).values(n_attempts=col(ExperimentRow.n_attempts) + 1)
)
_START_EXPERIMENT = (
    sa.update(ExperimentRow)
    .where(col(ExperimentRow.id) == _KEY, col(ExperimentRow.started_at).is_(None))
    .values(started_at=_NOW)
)
_START_ATTEMPT = (
    sa.update(AttemptRow)
    .where(col(AttemptRow.id) == _KEY, col(AttemptRow.started_at).is_(None))
    .values(started_at=_NOW)
)
_DROP_OBSERVATIONS = sa.delete(ObservationRow).where(col(ObservationRow.experiment) == _KEY)
_DROP_MEASUREMENTS = sa.delete(MeasurementRow).where(col(MeasurementRow.attempt) == _KEY)


@cache
def _insert_into(table: type[Row]) -> sa.Insert:
    return sa.insert(table)


@cache
def _update_of(table: type[CampaignRow | ExperimentRow | AttemptRow], columns: tuple[str, ...]) -> sa.Update:
    return sa.update(table).where(col(table.id) == _KEY).values({name: sa.bindparam(f"new_{name}") for name in columns})


def _insert(connection: Connection, table: type[Row], **row: Any) -> None:
    connection.execute(_insert_into(table), row)


def _update(
    connection: Connection, table: type[CampaignRow | ExperimentRow | AttemptRow], key: str, **changes: Any
) -> None:
    values = {f"new_{name}": value for name, value in changes.items()}
    _changed_one(connection.execute(_update_of(table, tuple(changes)), {"key": key, **values}), table, key)


def _changed_one(result: sa.CursorResult[Any], table: type[Row], key: str) -> None:
    if result.rowcount != 1:
        raise ConflictError(f"the store holds no {table.__tablename__} {key}")
