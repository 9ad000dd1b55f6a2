"""What commands show of a store: plain SQL over DB-API, while a controller writes it or none runs.

Commands that only look must start at once: nothing here may import sqlalchemy, sqlmodel, alembic or pydantic. `Reader` returns
dicts and lists ready for JSON, times as ISO 8601 text in UTC; rows as they are stored come from `stored.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from controller.errors import UnknownNameError
from controller.settings import normalise_url
from controller.store.connecting import place
from controller.store.glances import Glances
from controller.store.snapshots import Row
from controller.store.stored import measured_value

STATUSES = ("proposed", "queued", "running", "completed", "failed", "abandoned", "cancelled", "unknown")
"""Every status of an experiment, in the order of its life (`domain.experiment.ExperimentStatus`, without importing it)."""


_IMPORTED = "imported"
_N_IMPORTED = "count(nullif(source='imported',false))"
"""Counts experiments that were measured elsewhere, in both dialects."""


def iso(at: float | None) -> str | None:
    """Return a time [s since 1970-01-01 UTC] as ISO 8601 text with milliseconds, or None for none."""
    return (
        None
        if at is None
        else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class Reader(Glances):
    """Reads one store; use `open_reader`. May be shared by threads; close it when done."""

    def campaigns(self) -> list[Row]:
        """Return all campaigns, oldest first, each with its counts; see `campaign`."""
        with self.snapshot():
            counted = self._counts_by_campaign()
            return [self._shown(row, counted.get(row["id"], {})) for row in self.campaign_rows()]

    def campaign(self, name_or_id: str) -> Row:
        """Return one campaign: its row (times as text), spent, imported, counts, n_events and definition.

        Raises:
            UnknownNameError: Naming campaigns with a similar name.
        """
        with self.snapshot():
            row = self.campaign_row(name_or_id)
            shown = self.counted(row)
            (count,) = self._dicts("event", "count(*)", "WHERE campaign = ?", row["id"])
            return {**shown, "n_events": count["count(*)"], "definition": self.definition(row["id"])}

    def counted(self, row: Row) -> Row:
        """Return a campaign's row as `campaigns` gives it, with its counts."""
        return self._shown(row, self._counts(row["id"]))

    @staticmethod
    def _shown(row: Row, counted: dict[str, int]) -> Row:
        counts = {status: counted.get(status, 0) for status in STATUSES}
        return {
            **row,
            "created_at": iso(row["created_at"]),
            "updated_at": iso(row["updated_at"]),
            "spent": sum(counts.values()) - counts["cancelled"] - counted.get(_IMPORTED, 0),
            "imported": counted.get(_IMPORTED, 0),
            "counts": counts,
        }

    def _counts_by_campaign(self) -> dict[str, dict[str, int]]:
        counted: dict[str, dict[str, int]] = {}
        columns = f"campaign status count(*) {_N_IMPORTED}"
        for row in self._dicts("experiment", columns, "GROUP BY campaign, status"):
            of_one = counted.setdefault(row["campaign"], {_IMPORTED: 0})
            of_one[row["status"]] = row["count(*)"]
            of_one[_IMPORTED] += row[_N_IMPORTED]
        return counted

    def _counts(self, campaign_id: str) -> dict[str, int]:
        columns = f"status count(*) {_N_IMPORTED}"
        rows = self._dicts("experiment", columns, "WHERE campaign = ? GROUP BY status", campaign_id)
        counted = {row["status"]: row["count(*)"] for row in rows}
        return {**counted, _IMPORTED: sum(row[_N_IMPORTED] for row in rows)}

    def imported(self, campaign: str) -> int:
        """Return how many experiments were measured elsewhere and imported: they cost no budget."""
        with self.snapshot():
            return self._counts(self._id(campaign))[_IMPORTED]

    def counts(self, campaign: str) -> dict[str, int]:
        """Return how many experiments stand in each status."""
        with self.snapshot():
            counted = self._counts(self._id(campaign))
        return {status: counted.get(status, 0) for status in STATUSES}

    def definition(self, campaign: str) -> Row:
        """Return the newest definition of a campaign as JSON."""
        with self.snapshot():
            return dict(json.loads(self.definition_rows(self._id(campaign))[-1]["body"]))

    def experiments(
        self, campaign: str, status: str | Sequence[str] | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[Row]:
        """Return the experiments of a campaign by number.

        Args:
            campaign: Name or id.
            status: Only those with this status, or one of these.
            after: With `limit`: only those with a larger number.
            limit: So many at most, those with the smallest numbers; all where nothing is said.

        Returns:
            id, number, status, parameters, objectives (name -> value), attempts (how many), proposed_at, started_at,
            completed_at, simulated, reason, source, retracted_at and retracted_reason (None unless retracted) of each; sem (name ->
            standard error), where any is known; context (variable -> value when it began), where any was told.
        """
        wanted = _wanted(status)
        with self.snapshot():
            key = self._id(campaign)
            if limit is None:
                rows, observations = self.experiment_rows(key), self.observation_rows(key)
            else:
                rows = self.experiment_page(key, wanted, after, limit)
                observations = self.observation_page(key, rows[0]["number"], rows[-1]["number"]) if rows else []
            told = self.context_rows(key)
        return self._experiments([row for row in rows if row["status"] in wanted], observations, told)

    def experiments_sorted(
        self, campaign: str, status: str | Sequence[str] | None = None, *, by: str | None = None, down: bool = False,
        offset: int = 0, limit: int = 200,
    ) -> list[Row]:  # fmt: skip
        """Return some experiments of a campaign as `experiments` does, in an order of one's own.

        Args:
            campaign: Name or id.
            status: Only those with this status, or one of these.
            by: An objective by whose value they are sorted, experiments without one last; None sorts by number.
            down: Whether the largest come first.
            offset: So many are passed over.
            limit: So many at most.
        """
        with self.snapshot():
            key = self._id(campaign)
            rows = self.experiment_rows_sorted(key, _wanted(status), by, down, offset, limit)
            observations, told = self.observation_rows_of([row["id"] for row in rows]), self.context_rows(key)
        return self._experiments(rows, observations, told)

    def _experiments(self, rows: Sequence[Row], observations: Sequence[Row], told: Sequence[Row]) -> list[Row]:
        observed: dict[str, dict[str, float]] = {}
        errors: dict[str, dict[str, float]] = {}
        for row in observations:
            observed.setdefault(row["experiment"], {})[row["objective"]] = row["value"]
            if row["sem"] is not None:
                errors.setdefault(row["experiment"], {})[row["objective"]] = row["sem"]
        found = [self._experiment(row, observed.get(row["id"], {})) for row in rows]
        for row in found:
            if row["id"] in errors:
                row["sem"] = errors[row["id"]]
        if told:
            for shown, row in zip(found, rows, strict=True):
                shown["context"] = _context_at(told, row["started_at"])
        return found

    @staticmethod
    def _experiment(row: Row, objectives: dict[str, float]) -> Row:
        return {
            "id": row["id"],
            "number": row["number"],
            "status": row["status"],
            "parameters": json.loads(row["point"]),
            "objectives": objectives,
            "attempts": row["n_attempts"],
            "proposed_at": iso(row["proposed_at"]),
            "started_at": iso(row["started_at"]),
            "completed_at": iso(row["ended_at"]),
            "simulated": row["simulated"],
            "reason": row["reason"],
            "source": row["source"],
            "retracted_at": iso(row["retracted_at"]),
            "retracted_reason": row["retracted_reason"],
        }

    def experiment(self, campaign: str, number_or_id: int | str) -> Row:
        """Return one experiment: as `experiments`, and besides fault, observations, proposal and attempts_list.

        Raises:
            UnknownNameError: Saying which numbers there are.
        """
        with self.snapshot():
            key = self._id(campaign)
            row = self.experiment_row(key, number_or_id)
            if row is None:
                newest = self.newest_experiment_rows(key, 1)
                there = f"it has 1 to {newest[0]['number']}" if newest else "it has none yet"
                raise UnknownNameError(f"campaign {campaign} has no experiment {number_or_id}; {there}")
            observations = self.observation_page(key, row["number"], row["number"])
            (proposal,) = self._dicts("proposal", "body", "WHERE experiment = ?", row["id"])
            attempts = self.attempts(key, experiment=row["id"])
            return self._whole(key, row, observations, proposal["body"], attempts, self.context_rows(key))

    def whole_experiments(self, campaign: str) -> Iterator[Row]:
        """Yield every experiment of a campaign by number, each as `experiment` returns it, all of one moment."""
        with self.snapshot():
            key = self._id(campaign)
            observed: dict[str, list[Row]] = {}
            for row in self.observation_rows(key):
                observed.setdefault(row["experiment"], []).append(row)
            tried: dict[str, list[Row]] = {}
            for attempt in self.attempts(key):
                tried.setdefault(attempt["experiment"], []).append(attempt)
            bodies = {row["experiment"]: row["body"] for row in self.proposal_rows(key)}
            told, rows = self.context_rows(key), self.experiment_rows(key)
        for row in rows:
            yield self._whole(key, row, observed.get(row["id"], ()), bodies[row["id"]], tried.get(row["id"], []), told)

    def _whole(
        self, campaign_id: str, row: Row, observed: Sequence[Row], proposal: str, attempts: list[Row], told: Sequence[Row]
    ) -> Row:
        observations = {o["objective"]: {"value": o["value"], "unit": o["unit"], "sem": o["sem"]} for o in observed}
        fault = None if row["fault_code"] is None else {"code": row["fault_code"], "message": row["fault_message"]}
        return {
            **self._experiment(row, {name: o["value"] for name, o in observations.items()}),
            **({"context": _context_at(told, row["started_at"])} if told else {}),
            "campaign": campaign_id,
            "fault": fault,
            "observations": observations,
            "proposal": json.loads(proposal),
            "attempts_list": attempts,
        }

    def attempts(self, campaign: str, *, experiment: str | None = None) -> list[Row]:
        """Return all attempts of a campaign, or of one experiment (its id), oldest first, each with its measurements."""
        with self.snapshot():
            key = self._id(campaign)
            measured: dict[str, list[Row]] = {}
            for row in self.measurement_rows(key, experiment):
                shown = {"name": row["name"], "value": measured_value(row), "unit": row["unit"], "sem": row["sem"]}
                measured.setdefault(row["attempt"], []).append({**shown, "at": iso(row["at"])})
            rows = self.attempt_rows(key, experiment)
        return [
            {
                **{k: row[k] for k in ("id", "experiment", "step", "ordinal", "instrument", "action")},
                "arguments": json.loads(row["arguments"]),
                "units": json.loads(row["units"]),
                "status": row["status"],
                "reason": row["reason"],
                "fault": None
                if row["fault_code"] is None
                else {"code": row["fault_code"], "message": row["fault_message"], "retryable": row["fault_retryable"]},
                **{k: iso(row[k]) for k in ("committed_at", "accepted_at", "started_at", "ended_at")},
                "measurements": measured.get(row["id"], []),
                "files": json.loads(row["files"] or "[]"),
            }
            for row in rows
        ]

    def events(self, campaign: str, *, after: int = 0, limit: int | None = None) -> list[Row]:
        """Return the log of a campaign: sequence, id, kind, at, body of each event.

        Args:
            campaign: Name or id.
            after: With `limit`: only those later in the log.
            limit: So many at most, the earliest of them; all where nothing is said.
        """
        with self.snapshot():
            key = self._id(campaign)
            rows = self.event_rows(key) if limit is None else self.event_page(key, after, limit)
        return [
            {
                "sequence": row["campaign_sequence"],
                "id": row["id"],
                "kind": row["kind"],
                "at": iso(row["at"]),
                "body": json.loads(row["body"]),
            }
            for row in rows
        ]

    def context(self, campaign: str) -> list[Row]:
        """Return what was last told of each context variable: name, value, at and by."""
        with self.snapshot():
            told = self.context_rows(self._id(campaign))
        each = ((name, value, entry) for entry in told for name, value in entry["values"].items())
        newest = {name: {"name": name, "value": v, "at": iso(e["at"]), "by": e["by"]} for name, v, e in each}
        return list(newest.values())

    def alarms(self, campaign: str | None = None) -> list[Row]:
        """Return the alarms of one campaign, or of all, oldest first."""
        with self.snapshot():
            rows = self.alarm_rows(None if campaign is None else self._id(campaign))
        return [{**row, "at": iso(row["at"])} for row in rows]

    def requests(self, pending: bool = False) -> list[Row]:
        """Return requests to the controller, oldest first, with their answers; those still open with `pending`."""
        return [_request(row) for row in self.request_rows(pending)]

    def request(self, request: str) -> Row:
        """Return one request with its answer.

        Raises:
            UnknownNameError: If there is none with this id.
        """
        row = self.request_row(request)
        if row is None:
            raise UnknownNameError(f"store {place(self.url)} holds no request {request!r}")
        return _request(row)


def _wanted(status: str | Sequence[str] | None) -> Sequence[str]:
    return STATUSES if status is None else (status,) if isinstance(status, str) else tuple(status)


def _request(row: Row) -> Row:
    return {
        **{k: row[k] for k in ("id", "verb", "campaign")},
        "argument": argument_of(row)[0],
        "by": row["asked_by"],
        "asked_at": iso(row["asked_at"]),
        "answered_at": iso(row["answered_at"]),
        "ok": None if row["ok"] is None else bool(row["ok"]),
        "answer": row["answer"],
    }


def _context_at(told: Sequence[Mapping[str, Any]], moment: float | None) -> Row:
    """Return the context at a moment of lab time; empty for what has not begun."""
    values: Row = {}
    for entry in told:
        if moment is not None and entry["at"] <= moment:
            values |= entry["values"]
    return values


def argument_of(row: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a request's argument, and why it cannot be read, if so: whoever can write to the store can write anything."""
    try:
        argument = json.loads(row["argument"])
        if not isinstance(argument, dict):
            raise TypeError(f"it is a {type(argument).__name__}")
    except (ValueError, TypeError, RecursionError) as error:
        return {}, f"its argument is no JSON object: {str(error)[:200]}; ask again with a labwright command"
    return argument, ""


def open_reader(url: str) -> Reader:
    """Return a reader of the store at `url`; one that does not exist yet reads as empty.

    Raises:
        StoreError: If `url` is no store's address.
    """
    return Reader(normalise_url(url))
