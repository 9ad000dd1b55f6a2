"""Reads a store with plain SQL over DB-API, while a controller writes it or none runs.

Commands that only look must start at once: nothing here may import sqlalchemy, sqlmodel, alembic or pydantic. Every method
returns dicts and lists ready for JSON; times are lab time as ISO 8601 text in UTC.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.errors import StoreError, UnknownNameError
from controller.settings import normalise_url, sqlite_file
from controller.store.connecting import connect_postgresql, connect_sqlite_readonly, describe, place
from controller.store.version import SCHEMA_VERSION, VERSION_TABLE, check_version

STATUSES = ("proposed", "queued", "running", "completed", "failed", "abandoned", "cancelled", "unknown")
"""Every status of an experiment, in the order of its life (`domain.experiment.ExperimentStatus`, without importing it)."""

Row = dict[str, Any]


def iso(at: float | None) -> str | None:
    """Return a time [s since 1970-01-01 UTC] as ISO 8601 text with milliseconds, or None for none."""
    return (
        None
        if at is None
        else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class Reader:
    """Reads one store; use `open_reader`. May be shared by threads; close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._file: Path | None = sqlite_file(url)
        self._connection: Any = None
        self._depth = 0
        self._guard = threading.RLock()

    def __repr__(self) -> str:
        return f"Reader({place(self.url)})"

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; a later call opens another one."""
        with self._guard:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[bool]:
        """Let everything that is read inside the block be of one moment; yields whether there is a store at all.

        Raises:
            StoreError: If the store cannot be read, is damaged or has another schema.
        """
        with self._guard:
            if self._depth:
                yield self._connection is not None
                return
            try:
                exists = self._begin()
                self._depth = 1
                yield exists
                if exists:
                    self._connection.execute("COMMIT")
            except BaseException as error:
                self._drop()
                if self._is_database_error(error):
                    raise StoreError(f"store {place(self.url)} cannot be read: {describe(error)}") from error
                raise
            finally:
                self._depth = 0

    def _begin(self) -> bool:
        if self._connection is not None:
            try:
                self._start()
                return True
            except Exception as error:  # of either driver; a server may have been restarted since
                if not self._is_database_error(error):
                    raise
                self._drop()
        if self._file is not None and not self._file.exists():
            return False
        self._connection = connect_postgresql(self.url) if self._file is None else connect_sqlite_readonly(self._file)
        self._start()
        if self._holds_store():
            return True
        self._drop()
        return False

    def _start(self) -> None:
        self._connection.execute(
            "BEGIN" if self._file is not None else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _holds_store(self) -> bool:
        """Check the schema; False for a database without any table, as it is before a first controller."""
        if self._file is not None:
            names = [r[0] for r in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        else:
            names = [r[0] for r in self._rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]
        if VERSION_TABLE not in names:
            if names:
                raise StoreError(f"store {place(self.url)} holds other tables and no Labwright store; name another one")
            return False
        versions = self._rows(f"SELECT version_num FROM {VERSION_TABLE}")
        if check_version(versions[0][0] if versions else None, place(self.url)):
            raise StoreError(
                f"store {place(self.url)} has an older schema than {SCHEMA_VERSION}: run labwright db upgrade"
            )
        return True

    def _is_database_error(self, error: BaseException) -> bool:
        if self._file is not None:
            return isinstance(error, (sqlite3.Error, OSError))
        try:
            import psycopg
        except ImportError:
            return False
        return isinstance(error, psycopg.Error)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self._file is None:
            sql = sql.replace("?", "%s")
        return list(self._connection.execute(sql, values).fetchall())

    def _dicts(self, table: str, columns: str, rest: str = "", *values: object) -> list[Row]:
        """Return rows of `table` as dicts by column name; `columns` is separated by blanks."""
        names = columns.split()
        with self.snapshot() as exists:
            if not exists:
                return []
            sql = f"SELECT {', '.join(names)} FROM {table} {rest}"
            return [dict(zip(names, row, strict=True)) for row in self._rows(sql, *values)]

    # Campaigns

    def campaign_rows(self) -> list[Row]:
        """Return the rows of all campaigns as they are stored (times as numbers), oldest first."""
        rows = self._dicts("campaign", _CAMPAIGN, "ORDER BY created_at, id")
        return [{**row, "simulated": bool(row["simulated"])} for row in rows]

    def campaigns(self) -> list[Row]:
        """Return all campaigns, oldest first, each with its counts; see `campaign`."""
        with self.snapshot():
            counted = self._counts_by_campaign()
            return [self._shown(row, counted.get(row["id"], {})) for row in self.campaign_rows()]

    def campaign(self, name_or_id: str) -> Row:
        """Return one campaign: its row (times as text), spent, counts, n_events and definition.

        Raises:
            UnknownNameError: Naming campaigns with a similar name.
        """
        with self.snapshot():
            row = self.campaign_row(name_or_id)
            shown = self._shown(row, self._counts_by_campaign().get(row["id"], {}))
            (count,) = self._dicts("event", "count(*)", "WHERE campaign = ?", row["id"])
            return {**shown, "n_events": count["count(*)"], "definition": self.definition(row["id"])}

    def campaign_row(self, name_or_id: str) -> Row:
        """Return the row of one campaign as it is stored.

        Raises:
            UnknownNameError: Naming campaigns with a similar name.
        """
        rows = self.campaign_rows()
        for row in rows:
            if name_or_id in (row["name"], row["id"]):
                return row
        close = difflib.get_close_matches(name_or_id, [row["name"] for row in rows], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else "labwright campaign list shows all there are"
        raise UnknownNameError(f"store {place(self.url)} holds no campaign {name_or_id!r}; {hint}")

    @staticmethod
    def _shown(row: Row, counted: dict[str, int]) -> Row:
        counts = {status: counted.get(status, 0) for status in STATUSES}
        return {
            **row,
            "created_at": iso(row["created_at"]),
            "updated_at": iso(row["updated_at"]),
            "spent": sum(counts.values()) - counts["cancelled"],
            "counts": counts,
        }

    def _counts_by_campaign(self) -> dict[str, dict[str, int]]:
        counted: dict[str, dict[str, int]] = {}
        for row in self._dicts("experiment", "campaign status count(*)", "GROUP BY campaign, status"):
            counted.setdefault(row["campaign"], {})[row["status"]] = row["count(*)"]
        return counted

    def counts(self, campaign: str) -> dict[str, int]:
        """Return how many experiments stand in each status."""
        with self.snapshot():
            counted = self._counts_by_campaign().get(self._id(campaign), {})
        return {status: counted.get(status, 0) for status in STATUSES}

    def definition(self, campaign: str) -> Row:
        """Return the newest definition of a campaign as JSON."""
        with self.snapshot():
            return dict(json.loads(self.definition_rows(self._id(campaign))[-1]["body"]))

    def definition_rows(self, campaign_id: str) -> list[Row]:
        """Return every version of a campaign's definition as it is stored, oldest first."""
        return self._dicts(
            "definition", "campaign version fingerprint body", "WHERE campaign = ? ORDER BY version", campaign_id
        )

    def _id(self, name_or_id: str) -> str:
        return str(self.campaign_row(name_or_id)["id"])

    # Experiments

    def experiments(self, campaign: str, status: str | Sequence[str] | None = None) -> list[Row]:
        """Return the experiments of a campaign by number.

        Args:
            campaign: Name or id.
            status: Only those with this status, or one of these.

        Returns:
            id, number, status, parameters, objectives (name -> value), attempts (how many), proposed_at, started_at,
            completed_at, simulated, reason, source, retracted_at and retracted_reason (None unless retracted) of each.
        """
        with self.snapshot():
            key = self._id(campaign)
            observed: dict[str, dict[str, float]] = {}
            for row in self.observation_rows(key):
                observed.setdefault(row["experiment"], {})[row["objective"]] = row["value"]
            rows = self.experiment_rows(key)
        wanted = STATUSES if status is None else (status,) if isinstance(status, str) else tuple(status)
        return [self._experiment(row, observed.get(row["id"], {})) for row in rows if row["status"] in wanted]

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
            rows = self.experiment_rows(key)
            row = next((r for r in rows if str(number_or_id) in (str(r["number"]), r["id"])), None)
            if row is None:
                there = f"it has 1 to {len(rows)}" if rows else "it has none yet"
                raise UnknownNameError(f"campaign {campaign} has no experiment {number_or_id}; {there}")
            observations = {
                o["objective"]: {"value": o["value"], "unit": o["unit"], "sem": o["sem"]}
                for o in self.observation_rows(key)
                if o["experiment"] == row["id"]
            }
            (proposal,) = self._dicts("proposal", "body", "WHERE experiment = ?", row["id"])
            attempts = [a for a in self.attempts(key) if a["experiment"] == row["id"]]
        fault = None if row["fault_code"] is None else {"code": row["fault_code"], "message": row["fault_message"]}
        return {
            **self._experiment(row, {name: o["value"] for name, o in observations.items()}),
            "campaign": key,
            "fault": fault,
            "observations": observations,
            "proposal": json.loads(proposal["body"]),
            "attempts_list": attempts,
        }

    def experiment_rows(self, campaign_id: str) -> list[Row]:
        """Return the rows of all experiments of a campaign as they are stored, by number."""
        rows = self._dicts("experiment", _EXPERIMENT, "WHERE campaign = ? ORDER BY number", campaign_id)
        return [{**row, "simulated": bool(row["simulated"])} for row in rows]

    def experiment_id(self, campaign_id: str, number: int) -> str | None:
        """Return the id of an experiment, None where there is none of that number."""
        rows = self._dicts("experiment", "id", "WHERE campaign = ? AND number = ?", campaign_id, number)
        return str(rows[0]["id"]) if rows else None

    def rested_on(self, campaign_id: str, number: int) -> list[Row]:
        """Return number and status of the experiments that the model proposed when it knew the result of another.

        Those are the ones it proposed after that one ended and, where its result is retracted, before that. One or the other
        may have been computed just before the result came in.
        """
        return self._dicts(
            "experiment", "number status",
            "WHERE campaign = ? AND source = 'model'"
            " AND proposed_at >= (SELECT ended_at FROM experiment WHERE campaign = ? AND number = ?)"
            " AND NOT proposed_at >= COALESCE((SELECT retracted_at FROM experiment WHERE campaign = ? AND number = ?), 1e300)"
            " ORDER BY number",
            campaign_id, campaign_id, number, campaign_id, number,
        )  # fmt: skip

    def observation_rows(self, campaign_id: str) -> list[Row]:
        """Return all observations of a campaign as they are stored."""
        return self._dicts(
            "observation",
            "experiment objective value unit sem at",
            "WHERE experiment IN (SELECT id FROM experiment WHERE campaign = ?) ORDER BY experiment, objective",
            campaign_id,
        )

    def proposal_rows(self, campaign_id: str) -> list[Row]:
        """Return all proposals of a campaign as they are stored."""
        where = "WHERE experiment IN (SELECT id FROM experiment WHERE campaign = ?) ORDER BY experiment"
        return self._dicts("proposal", "experiment body", where, campaign_id)

    # Attempts

    def attempts(self, campaign: str) -> list[Row]:
        """Return all attempts of a campaign, oldest first, each with its measurements."""
        with self.snapshot():
            key = self._id(campaign)
            measured: dict[str, list[Row]] = {}
            for row in self.measurement_rows(key):
                shown = {"name": row["name"], "value": measured_value(row), "unit": row["unit"], "sem": row["sem"]}
                measured.setdefault(row["attempt"], []).append({**shown, "at": iso(row["at"])})
            rows = self.attempt_rows(key)
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
            }
            for row in rows
        ]

    def instrument_of_ended(self, campaign_id: str, attempt: str) -> str | None:
        """Return the instrument of an attempt of a campaign that has ended for good, else None."""
        rows = self._dicts(
            "attempt", "instrument", "WHERE id = ? AND campaign = ? AND status IN ('succeeded', 'faulted', 'cancelled')",
            attempt, campaign_id,
        )  # fmt: skip
        return rows[0]["instrument"] if rows else None

    def known_attempts(self, attempts: Sequence[str]) -> set[str]:
        """Return those of `attempts` (ids) that any campaign of the store holds."""
        known: set[str] = set()
        for i in range(0, len(attempts), _IDS):
            some = attempts[i : i + _IDS]
            rows = self._dicts("attempt", "id", f"WHERE id IN ({', '.join('?' * len(some))})", *some)
            known.update(row["id"] for row in rows)
        return known

    def attempt_rows(self, campaign_id: str) -> list[Row]:
        """Return all attempts of a campaign as they are stored, oldest first."""
        rows = self._dicts("attempt", _ATTEMPT, "WHERE campaign = ? ORDER BY committed_at, id", campaign_id)
        return [
            {**row, "fault_retryable": None if row["fault_retryable"] is None else bool(row["fault_retryable"])}
            for row in rows
        ]

    def measurement_rows(self, campaign_id: str) -> list[Row]:
        """Return all measurements of a campaign as they are stored."""
        return self._dicts(
            "measurement",
            "attempt position name value_number value_text unit sem at",
            "WHERE attempt IN (SELECT id FROM attempt WHERE campaign = ?) ORDER BY attempt, position",
            campaign_id,
        )

    # Keys and tokens

    def access_key_rows(self) -> list[Row]:
        """Return the list of keys as it is stored, oldest first; times are real, `instruments` is JSON."""
        columns = "id kind name public_key instruments role created_at created_by revoked_at"
        return self._dicts("access_key", columns, "ORDER BY created_at, id")

    def access_token_rows(self) -> list[Row]:
        """Return the list of tokens as it is stored, oldest first; times are real, of each token there is only the hash."""
        columns = "id name role digest created_at created_by expires_at revoked_at"
        return self._dicts("access_token", columns, "ORDER BY created_at, id")

    # Log, alarms, requests

    def event_rows(self, campaign_id: str) -> list[Row]:
        """Return the log of a campaign as it is stored."""
        return [row for page in self.event_pages(campaign_id) for row in page]

    def event_pages(self, campaign_id: str) -> Iterator[list[Row]]:
        """Return the log of a campaign as it is stored, some thousand events at a time: a log can be longer than memory."""
        last = 0
        with self.snapshot():
            while page := self._dicts(
                "event",
                "campaign_sequence id kind at body chain",
                "WHERE campaign = ? AND campaign_sequence > ? ORDER BY campaign_sequence LIMIT ?",
                campaign_id, last, _PAGE,
            ):  # fmt: skip
                yield page
                last = page[-1]["campaign_sequence"]

    def events(self, campaign: str) -> list[Row]:
        """Return the log of a campaign: sequence, id, kind, at, body of each event."""
        with self.snapshot():
            rows = self.event_rows(self._id(campaign))
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

    def alarms(self, campaign: str | None = None) -> list[Row]:
        """Return the alarms of one campaign, or of all, oldest first."""
        with self.snapshot():
            rows = self.alarm_rows(None if campaign is None else self._id(campaign))
        return [{**row, "at": iso(row["at"])} for row in rows]

    def alarm_rows(self, campaign_id: str | None = None) -> list[Row]:
        """Return the alarms of one campaign, or of all, as they are stored."""
        columns = "event campaign code message experiment attempt at"
        if campaign_id is None:
            return self._dicts("alarm", columns, "ORDER BY at, event")
        return self._dicts("alarm", columns, "WHERE campaign = ? ORDER BY at, event", campaign_id)

    def instrument_rows(self) -> list[Row]:
        """Return the instruments that were ever enabled or disabled: `lab, name, enabled, reason, changed_by, changed_at`."""
        columns = "lab name enabled reason changed_by changed_at"
        rows = self._dicts("instrument", columns, "ORDER BY lab, name")
        return [{**row, "enabled": bool(row["enabled"])} for row in rows]

    def request_rows(self, pending: bool = False) -> list[Row]:
        """Return requests to the controller as they are stored, oldest first."""
        where = "WHERE answered_at IS NULL" if pending else ""
        return self._dicts("request", _REQUEST, f"{where} ORDER BY asked_at, id")

    def requests(self, pending: bool = False) -> list[Row]:
        """Return requests to the controller, oldest first, with their answers; those still open with `pending`."""
        return [_request(row) for row in self.request_rows(pending)]

    def request(self, request: str) -> Row:
        """Return one request with its answer.

        Raises:
            UnknownNameError: If there is none with this id.
        """
        rows = self._dicts("request", _REQUEST, "WHERE id = ?", request)
        if not rows:
            raise UnknownNameError(f"store {place(self.url)} holds no request {request!r}")
        return _request(rows[0])


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


def argument_of(row: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a request's argument, and why it cannot be read, if so: whoever can write to the store can write anything."""
    try:
        argument = json.loads(row["argument"])
        if not isinstance(argument, dict):
            raise TypeError(f"it is a {type(argument).__name__}")
    except (ValueError, TypeError, RecursionError) as error:
        return {}, f"its argument is no JSON object: {str(error)[:200]}; ask again with a labwright command"
    return argument, ""


def measured_value(row: Mapping[str, Any]) -> bool | float | str:
    """Return the value of a measurement's row: a number, a text or a truth value."""
    number, text = row["value_number"], row["value_text"]
    if number is None:
        return str(text)
    return float(number) if text is None else bool(number)


def open_reader(url: str) -> Reader:
    """Return a reader of the store at `url`; one that does not exist yet reads as empty.

    Raises:
        StoreError: If `url` is no store's address.
    """
    return Reader(normalise_url(url))


_PAGE = 2000
_IDS = 500
_CAMPAIGN = "id name status reason simulated seed definition_fingerprint created_at updated_at budget_experiments"
_EXPERIMENT = (
    "id campaign number status reason fault_code fault_message point source proposed_at started_at ended_at "
    "simulated n_attempts retracted_at retracted_reason"
)
_ATTEMPT = (
    "id campaign experiment step ordinal instrument action arguments units status reason fault_code fault_message "
    "fault_retryable committed_at accepted_at started_at ended_at"
)
_REQUEST = "id verb campaign argument asked_by asked_at answered_at ok answer"
