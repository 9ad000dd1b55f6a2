"""Derives the rows for reading from events.

This shares nothing with `domain/state.py`, which folds the same events in memory: `audit.py` compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
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
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.errors import ConflictError
from controller.store.records import plain
from controller.store.sql import delete, insert, update
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
    row = {
        "id": event.campaign,
        "name": event.name,
        "status": "draft",
        "reason": "",
        "simulated": event.simulated,
        "seed": event.seed,
        "definition_fingerprint": event.definition_fingerprint,
        "created_at": event.at,
        "updated_at": event.at,
        "budget_experiments": definition.budget.experiments,
    }
    insert(connection, CampaignRow, [row])
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
    update(connection, CampaignRow, {campaign: {"budget_experiments": definition.budget.experiments}})


def _insert_definition(connection: Connection, campaign: str, version: int, definition: Definition) -> None:
    row = {
        "campaign": campaign,
        "version": version,
        "fingerprint": definition.fingerprint,
        "body": definition.model_dump_json(),
    }
    insert(connection, DefinitionRow, [row])


def project(connection: Connection, events: Iterable[tuple[Event, str]]) -> None:
    """Bring the rows up to date with events of one campaign that is in the store.

    What several events do to one row is written once.

    Args:
        connection: In a transaction.
        events: In their order, each with its id.

    Raises:
        ConflictError: If one tells of a campaign, experiment or attempt that the store does not hold.
    """
    changes = _Changes()
    for event, event_id in events:
        changes.take(event, event_id)
    changes.write(connection)


class _Changes:
    """What events do to the rows."""

    def __init__(self) -> None:
        self._new: dict[type[Row], list[dict[str, Any]]] = {table: [] for table in _PARENTS_FIRST}
        self._changed: dict[type[Row], dict[str, dict[str, Any]]] = {table: {} for table in _PARENTS_FIRST}
        self._observed: dict[str, list[dict[str, Any]]] = {}
        """Experiment -> its observations from now on."""
        self._measured: dict[str, list[dict[str, Any]]] = {}
        """Attempt -> its measurements from now on."""

    def take(self, event: Event, event_id: str) -> None:
        self._change(CampaignRow, event.campaign, updated_at=event.at)
        if isinstance(event, AttemptStatusChanged):
            self._move_attempt(event)
        elif isinstance(event, AttemptCommitted):
            self._enter_attempt(event)
        elif isinstance(event, ExperimentStatusChanged):
            self._move_experiment(event)
        elif isinstance(event, ExperimentProposed):
            self._enter_experiment(event)
        elif isinstance(event, CampaignStatusChanged):
            self._change(CampaignRow, event.campaign, status=event.status.value, reason=plain(event.reason))
        elif isinstance(event, ExperimentRetracted):
            self._change(ExperimentRow, event.experiment, retracted_at=event.at, retracted_reason=plain(event.reason))
        elif isinstance(event, ExperimentReinstated):
            self._change(ExperimentRow, event.experiment, retracted_at=None, retracted_reason=None)
        elif isinstance(event, AlarmRaised):
            self._enter_alarm(event, event_id)

    def _change(self, table: type[Row], key: str, **values: Any) -> None:
        self._changed[table].setdefault(key, {}).update(values)

    def _start(self, table: type[Row], key: str, at: float) -> None:
        """Note when something started, unless it did so before."""
        self._changed[table].setdefault(key, {}).setdefault("started_at", at)

    def _enter_experiment(self, event: ExperimentProposed) -> None:
        self._new[ExperimentRow].append(
            {
                "id": event.experiment,
                "campaign": event.campaign,
                "number": event.number,
                "status": "proposed",
                "reason": "",
                "point": compact(event.proposal.point),
                "source": event.proposal.source,
                "proposed_at": event.at,
                "n_attempts": 0,
            }
        )
        self._new[ProposalRow].append({"experiment": event.experiment, "body": event.proposal.model_dump_json()})

    def _move_experiment(self, event: ExperimentStatusChanged) -> None:
        self._change(ExperimentRow, event.experiment, **_standing(event, _EXPERIMENT_RESTS))
        if event.status is ExperimentStatus.RUNNING:
            self._start(ExperimentRow, event.experiment, event.at)
        self._observed[event.experiment] = [
            {
                "experiment": event.experiment,
                "objective": objective,
                "value": observed.value,
                "unit": observed.unit,
                "sem": observed.sem,
                "at": event.at,
            }
            for objective, observed in event.observations.items()
        ]

    def _enter_attempt(self, event: AttemptCommitted) -> None:
        experiment = self._changed[ExperimentRow].setdefault(event.experiment, {})
        experiment["n_attempts"] = experiment.get("n_attempts", 0) + 1
        self._new[AttemptRow].append(
            {
                "id": event.attempt,
                "campaign": event.campaign,
                "experiment": event.experiment,
                "step": event.step,
                "ordinal": event.ordinal,
                "instrument": event.instrument,
                "action": event.action,
                "arguments": compact(event.arguments),
                "units": compact(event.units),
                "status": "committed",
                "reason": "",
                "committed_at": event.at,
            }
        )

    def _move_attempt(self, event: AttemptStatusChanged) -> None:
        self._change(AttemptRow, event.attempt, **_standing(event, _ATTEMPT_RESTS))
        self._change(AttemptRow, event.attempt, fault_retryable=None if event.fault is None else event.fault.retryable)
        if event.files:
            self._change(AttemptRow, event.attempt, files=compact([file.model_dump() for file in event.files]))
        if event.status is AttemptStatus.ACCEPTED:
            self._change(AttemptRow, event.attempt, accepted_at=event.at)
        elif event.status is AttemptStatus.RUNNING:
            self._start(AttemptRow, event.attempt, event.at)
        self._measured[event.attempt] = [
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
        ]

    def _enter_alarm(self, event: AlarmRaised, event_id: str) -> None:
        self._new[AlarmRow].append(
            {
                "event": event_id,
                "campaign": event.campaign,
                "code": event.code,
                "message": plain(event.message),
                "experiment": event.experiment,
                "attempt": event.attempt,
                "at": event.at,
            }
        )

    def write(self, connection: Connection) -> None:
        if self._new[ExperimentRow]:
            campaign = self._new[ExperimentRow][0]["campaign"]
            simulated = connection.execute(_IS_SIMULATED, {"key": campaign}).scalar_one()
            for row in self._new[ExperimentRow]:
                row["simulated"] = simulated
        for table in _PARENTS_FIRST:
            insert(connection, table, self._new[table])
            update(connection, table, self._changed[table])
        delete(connection, ObservationRow, "experiment", self._observed)
        insert(connection, ObservationRow, list(chain.from_iterable(self._observed.values())))
        delete(connection, MeasurementRow, "attempt", self._measured)
        insert(connection, MeasurementRow, list(chain.from_iterable(self._measured.values())))


def _standing(
    event: ExperimentStatusChanged | AttemptStatusChanged, rests: tuple[ExperimentStatus | AttemptStatus, ...]
) -> dict[str, Any]:
    """Return the columns that every change of a status sets."""
    fault = event.fault
    return {
        "status": event.status.value,
        "reason": plain(event.reason),
        "fault_code": None if fault is None else plain(fault.code),
        "fault_message": None if fault is None else plain(fault.message),
        "ended_at": event.at if event.status in rests else None,
    }


def _value_columns(value: Value) -> dict[str, float | str | None]:
    if isinstance(value, bool):
        return {"value_number": float(value), "value_text": str(value).lower()}
    if isinstance(value, str):
        return {"value_number": None, "value_text": plain(value)}
    return {"value_number": float(value), "value_text": None}


_PARENTS_FIRST: tuple[type[Row], ...] = (CampaignRow, ExperimentRow, ProposalRow, AttemptRow, AlarmRow)
_KEY: sa.BindParameter[str] = sa.bindparam("key")
_IS_SIMULATED = sa.select(col(CampaignRow.simulated)).where(col(CampaignRow.id) == _KEY)
