"""The rows of a store as they are stored, times as numbers and JSON as text: what audits and comparisons work on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.errors import UnknownNameError
from controller.store.connecting import place
from controller.store.snapshots import Row, SnapshotReader

_PAGE = 2000
_IDS = 500
_CAMPAIGN = "id name status reason simulated seed definition_fingerprint created_at updated_at budget_experiments"
_EXPERIMENT = (
    "id campaign number status reason fault_code fault_message point source proposed_at started_at ended_at "
    "simulated n_attempts retracted_at retracted_reason"
)
_ATTEMPT = (
    "id campaign experiment step ordinal instrument action arguments units status reason fault_code fault_message "
    "fault_retryable committed_at accepted_at started_at ended_at files"
)
_REQUEST = "id verb campaign argument asked_by asked_at answered_at ok answer"
RARE = "kind IN ('campaign.context_told', 'experiment.retracted', 'experiment.reinstated')"
"""Which events there is an index of; said by a query in these very words, SQLite uses it: else it would read the whole log."""


class StoredRows(SnapshotReader):
    """Reads rows as they are stored; those of one campaign by its id."""

    def campaign_rows(self) -> list[Row]:
        """Return the rows of all campaigns as they are stored (times as numbers), oldest first."""
        rows = self._dicts("campaign", _CAMPAIGN, "ORDER BY created_at, id")
        return [{**row, "simulated": bool(row["simulated"])} for row in rows]

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

    def log_ends(self, campaign_id: str | None = None) -> list[Row]:
        """Return id, name, status and position of the newest event (`end`) of one campaign, or of every one, oldest first."""
        end = "(SELECT max(campaign_sequence) FROM event WHERE event.campaign = campaign.id)"
        which, given = ("", ()) if campaign_id is None else ("WHERE id = ?", (campaign_id,))
        with self.snapshot() as exists:
            sql = f"SELECT id, name, status, {end} FROM campaign {which} ORDER BY created_at, id"
            rows = self._rows(sql, *given) if exists else []
        return [{"id": key, "name": name, "status": status, "end": last or 0} for key, name, status, last in rows]

    def requests_end(self) -> list[Any]:
        """Return how many requests there are, how many answers, and when the newest of both came: what changes with any."""
        with self.snapshot() as exists:
            sql = "SELECT count(*), count(answered_at), max(asked_at), max(answered_at) FROM request"
            return list(self._rows(sql)[0]) if exists else []

    def _id(self, name_or_id: str) -> str:
        return str(self.campaign_row(name_or_id)["id"])

    def definition_rows(self, campaign_id: str) -> list[Row]:
        """Return every version of a campaign's definition as it is stored, oldest first."""
        return self._dicts(
            "definition", "campaign version fingerprint body", "WHERE campaign = ? ORDER BY version", campaign_id
        )

    def definition_versions(self) -> dict[str, tuple[int, str]]:
        """Return campaign id -> version and fingerprint of its newest definition, of every campaign that has one."""
        newest = "WHERE version = (SELECT max(n.version) FROM definition n WHERE n.campaign = definition.campaign)"
        rows = self._dicts("definition", "campaign version fingerprint", newest)
        return {row["campaign"]: (int(row["version"]), row["fingerprint"]) for row in rows}

    def definition_body(self, campaign_id: str, version: int) -> str:
        """Return one version of a campaign's definition as it is stored."""
        (row,) = self._dicts("definition", "body", "WHERE campaign = ? AND version = ?", campaign_id, version)
        return str(row["body"])

    def experiment_rows(self, campaign_id: str) -> list[Row]:
        """Return the rows of all experiments of a campaign as they are stored, by number."""
        return self._experiment_rows("WHERE campaign = ? ORDER BY number", campaign_id)

    def experiment_rows_sorted(
        self, campaign_id: str, statuses: Sequence[str], by: str | None, down: bool, offset: int, limit: int
    ) -> list[Row]:
        """Return some rows of experiments that stand in `statuses`, in another order than by ascending number.

        Args:
            campaign_id: Of the campaign.
            statuses: Those wanted.
            by: An objective by whose value they are sorted, experiments without one last; None sorts by number.
            down: Whether the largest come first.
            offset: So many are passed over.
            limit: So many at most.
        """
        marks, order = ", ".join("?" * len(statuses)), "DESC" if down else "ASC"
        where = f"WHERE campaign = ? AND status IN ({marks})"
        value = "(SELECT value FROM observation WHERE observation.experiment = experiment.id AND objective = ?)"
        how = f"number {order}" if by is None else f"{value} IS NULL, {value} {order}, number {order}"
        given = () if by is None else (by, by)
        return self._experiment_rows(f"{where} ORDER BY {how} LIMIT ? OFFSET ?", campaign_id, *statuses, *given, limit, offset)

    def experiment_page(self, campaign_id: str, statuses: Sequence[str], after: int, limit: int) -> list[Row]:
        """Return at most `limit` rows of experiments that stand in `statuses`, those with numbers next after `after`."""
        marks = ", ".join("?" * len(statuses))
        where = f"WHERE campaign = ? AND status IN ({marks}) AND number > ? ORDER BY number LIMIT ?"
        return self._experiment_rows(where, campaign_id, *statuses, after, limit)

    def _experiment_rows(self, where: str, *values: object) -> list[Row]:
        rows = self._dicts("experiment", _EXPERIMENT, where, *values)
        return [{**row, "simulated": bool(row["simulated"])} for row in rows]

    def experiment_row(self, campaign_id: str, number_or_id: int | str) -> Row | None:
        """Return the row of one experiment of a campaign as it is stored, by its number or id; None where there is none."""
        text = str(number_or_id)
        if text.isdecimal():
            number = int(text)
            rows = self._experiment_rows("WHERE campaign = ? AND number = ?", campaign_id, number) if number < 2**31 else []
        else:
            rows = self._experiment_rows("WHERE campaign = ? AND id = ?", campaign_id, text)
        return rows[0] if rows else None

    def experiment_id(self, campaign_id: str, number: int) -> str | None:
        """Return the id of an experiment, None where there is none of that number."""
        rows = self._dicts("experiment", "id", "WHERE campaign = ? AND number = ?", campaign_id, number)
        return str(rows[0]["id"]) if rows else None

    def rested_on(self, campaign_id: str, number: int) -> list[Row]:
        """Return number and status of the experiments that the model proposed when it knew the result of another.

        Those are the ones it proposed after that one ended, but not while its result was retracted. One or the other may have
        been computed just before the result came in.
        """
        rows = self._dicts(
            "experiment", "number status proposed_at",
            "WHERE campaign = ? AND source = 'model'"
            " AND proposed_at >= (SELECT ended_at FROM experiment WHERE campaign = ? AND number = ?) ORDER BY number",
            campaign_id, campaign_id, number,
        )  # fmt: skip
        changes = self._retractions(campaign_id, number)
        rested = []
        for row in rows:
            before = [kind for at, kind in changes if at <= row["proposed_at"]]
            if not before or before[-1] == "experiment.reinstated":
                rested.append({"number": row["number"], "status": row["status"]})
        return rested

    def _retractions(self, campaign_id: str, number: int) -> list[tuple[float, str]]:
        """Return when a result was retracted and reinstated, and which, in order; the row tells of the last time alone."""
        rows = self._dicts(
            "event", "kind at body",
            f"WHERE campaign = ? AND {RARE} AND kind <> 'campaign.context_told' ORDER BY campaign_sequence", campaign_id,
        )  # fmt: skip
        return [(row["at"], row["kind"]) for row in rows if json.loads(row["body"])["number"] == number]

    def context_rows(self, campaign_id: str) -> list[Row]:
        """Return what was told of the context, oldest first: at, values (variable -> value) and by of each time."""
        where = f"WHERE campaign = ? AND {RARE} AND kind = 'campaign.context_told' ORDER BY campaign_sequence"
        bodies = (json.loads(row["body"]) for row in self._dicts("event", "body", where, campaign_id))
        return [{"at": body["at"], "values": body["values"], "by": body.get("by", "")} for body in bodies]

    def observation_rows(self, campaign_id: str) -> list[Row]:
        """Return all observations of a campaign as they are stored."""
        return self._observation_rows("campaign = ?", campaign_id)

    def observation_page(self, campaign_id: str, first: int, last: int) -> list[Row]:
        """Return the observations of experiments with numbers from `first` to `last` as they are stored."""
        return self._observation_rows("campaign = ? AND number BETWEEN ? AND ?", campaign_id, first, last)

    def observation_rows_of(self, experiments: Sequence[str]) -> list[Row]:
        """Return the observations of experiments (ids, some hundred at most) as they are stored."""
        return self._observation_rows(f"id IN ({', '.join('?' * len(experiments))})", *experiments) if experiments else []

    def _observation_rows(self, which: str, *values: object) -> list[Row]:
        where = f"WHERE experiment IN (SELECT id FROM experiment WHERE {which}) ORDER BY experiment, objective"
        return self._dicts("observation", "experiment objective value unit sem at", where, *values)

    def proposal_rows(self, campaign_id: str) -> list[Row]:
        """Return all proposals of a campaign as they are stored."""
        where = "WHERE experiment IN (SELECT id FROM experiment WHERE campaign = ?) ORDER BY experiment"
        return self._dicts("proposal", "experiment body", where, campaign_id)

    def proposals_of(self, experiments: Sequence[str]) -> Iterator[Row]:
        """Return the proposals of some experiments (ids) as they are stored, in no order."""
        for i in range(0, len(experiments), _IDS):
            some = experiments[i : i + _IDS]
            yield from self._dicts("proposal", "experiment body", f"WHERE experiment IN ({', '.join('?' * len(some))})", *some)

    def prediction_rows(self, experiments: Sequence[str]) -> Iterator[Row]:
        """Return `predictions` of the proposals of some experiments (ids), JSON or None, in no order; the rest stays unparsed."""
        body = "json_extract(body,'$.predictions')" if self._file is not None else "body::json->>'predictions'"
        for i in range(0, len(experiments), _IDS):
            some = experiments[i : i + _IDS]
            where = f"WHERE experiment IN ({', '.join('?' * len(some))})"
            for row in self._dicts("proposal", f"experiment {body}", where, *some):
                yield {"experiment": row["experiment"], "predictions": row[body]}

    def attempt_rows(self, campaign_id: str, experiment: str | None = None) -> list[Row]:
        """Return all attempts of a campaign, or of one of its experiments (id), as they are stored, oldest first."""
        which, key = ("campaign", campaign_id) if experiment is None else ("experiment", experiment)
        rows = self._dicts("attempt", _ATTEMPT, f"WHERE {which} = ? ORDER BY committed_at, id", key)
        return [
            {**row, "fault_retryable": None if row["fault_retryable"] is None else bool(row["fault_retryable"])}
            for row in rows
        ]

    def extremes(self) -> list[tuple[str, str, float, float]]:
        """Return campaign id, objective, lowest and highest result of completed experiments that nobody has retracted."""
        rows = self._dicts(
            "observation o JOIN experiment e ON e.id = o.experiment", "e.campaign o.objective min(o.value) max(o.value)",
            "WHERE e.status = 'completed' AND e.retracted_at IS NULL GROUP BY e.campaign, o.objective ORDER BY 1, 2",
        )  # fmt: skip
        return [tuple(row.values()) for row in rows]

    def newest_proposals(self) -> list[tuple[str, str]]:
        """Return campaign id and body of the newest proposal of a model, of each campaign that has one."""
        rows = self._dicts(
            "campaign c JOIN proposal p", "c.id p.body",
            "ON p.experiment = (SELECT id FROM experiment m WHERE m.campaign = c.id AND m.source = 'model'"
            " ORDER BY number DESC LIMIT 1)",
        )  # fmt: skip
        return [(row["c.id"], row["p.body"]) for row in rows]

    def alarm_counts(self) -> list[tuple[str, str, int]]:
        """Return campaign id, code and number of its alarms."""
        rows = self._dicts("alarm", "campaign code count(*)", "GROUP BY campaign, code ORDER BY campaign, code")
        return [(row["campaign"], row["code"], int(row["count(*)"])) for row in rows]

    def attempt_totals(self) -> list[tuple[str, str, str, int, float]]:
        """Return campaign id, instrument, status, number and duration [lab s] of attempts that have ended."""
        took = "sum(ended_at-coalesce(started_at,accepted_at,committed_at))"
        rows = self._dicts(
            "attempt", f"campaign instrument status count(*) {took}",
            "WHERE ended_at IS NOT NULL GROUP BY campaign, instrument, status ORDER BY campaign, instrument, status",
        )  # fmt: skip
        return [(r["campaign"], r["instrument"], r["status"], int(r["count(*)"]), max(0.0, float(r[took]))) for r in rows]

    def busy_rows(self, campaign_id: str, begin: float, end: float) -> list[Row]:
        """Return for how long each instrument worked for a campaign between two moments of lab time: `instrument, busy_s`."""
        last = "CASE WHEN COALESCE(ended_at, ?) < ? THEN COALESCE(ended_at, ?) ELSE ? END"
        first = "CASE WHEN started_at > ? THEN started_at ELSE ? END"
        sql = (
            f"SELECT instrument, SUM({last} - {first}) FROM attempt WHERE campaign = ? AND started_at < ?"
            " AND COALESCE(ended_at, ?) > ? GROUP BY instrument"
        )  # fmt: skip
        with self.snapshot() as exists:
            rows = self._rows(sql, end, end, end, end, begin, begin, campaign_id, end, end, begin) if exists else []
        return [{"instrument": instrument, "busy_s": float(busy)} for instrument, busy in rows]

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

    def places_of(self, attempts: Sequence[str]) -> dict[str, Row]:
        """Return of attempts (ids) that are known: step, status, campaign (id), experiment (id) and its number."""
        found: dict[str, Row] = {}
        with self.snapshot():
            for i in range(0, len(attempts), _IDS):
                some = attempts[i : i + _IDS]
                marks = ", ".join("?" * len(some))
                rows = self._dicts("attempt", "id step status campaign experiment", f"WHERE id IN ({marks})", *some)
                own = f"WHERE id IN (SELECT experiment FROM attempt WHERE id IN ({marks}))"
                numbers = {row["id"]: row["number"] for row in self._dicts("experiment", "id number", own, *some)}
                found |= {row["id"]: {**row, "number": numbers[row["experiment"]]} for row in rows}
        return found

    def measurement_rows(self, campaign_id: str, experiment: str | None = None) -> list[Row]:
        """Return all measurements of a campaign, or of one of its experiments (id), as they are stored."""
        which, key = ("campaign", campaign_id) if experiment is None else ("experiment", experiment)
        return self._dicts(
            "measurement",
            "attempt position name value_number value_text unit sem at",
            f"WHERE attempt IN (SELECT id FROM attempt WHERE {which} = ?) ORDER BY attempt, position",
            key,
        )

    def event_rows(self, campaign_id: str) -> list[Row]:
        """Return the log of a campaign as it is stored."""
        return [row for page in self.event_pages(campaign_id) for row in page]

    def event_pages(self, campaign_id: str) -> Iterator[list[Row]]:
        """Return the log of a campaign as it is stored, some thousand events at a time: a log can be longer than memory."""
        last = 0
        with self.snapshot():
            while page := self.event_page(campaign_id, last, _PAGE):
                yield page
                last = page[-1]["campaign_sequence"]

    def event_page(self, campaign_id: str, after: int, limit: int, kinds: Sequence[str] = ()) -> list[Row]:
        """Return at most `limit` events of a campaign's log as they are stored, those next after the position `after`.

        Args:
            campaign_id: Of the campaign.
            after: Position in its log.
            limit: So many at most.
            kinds: Only events of these kinds; all where none is named.
        """
        only = f"AND kind IN ({', '.join('?' * len(kinds))}) " if kinds else ""
        return self._dicts(
            "event",
            "campaign_sequence id kind at body chain",
            f"WHERE campaign = ? AND campaign_sequence > ? {only}ORDER BY campaign_sequence LIMIT ?",
            campaign_id, after, *kinds, limit,
        )  # fmt: skip

    def last_positions(self) -> dict[str, int]:
        """Return the position of the newest event in the log of each campaign, by its id."""
        rows = self._dicts("event", "campaign max(campaign_sequence)", "GROUP BY campaign")
        return {row["campaign"]: int(row["max(campaign_sequence)"]) for row in rows}

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

    def pool_rows(self) -> list[Row]:
        """Return the large lists of candidates, without their content: `sha256, rows, columns, size, parts`."""
        return self._dicts("pool", "sha256 rows columns size parts", "ORDER BY sha256")

    def pool_part(self, sha256: str, position: int) -> bytes | None:
        """Return some of the content of a list of candidates as it is stored, None where it is not there."""
        rows = self._dicts("pool_part", "body", "WHERE sha256 = ? AND position = ?", sha256, position)
        return bytes(rows[0]["body"]) if rows else None

    def request_rows(self, pending: bool = False) -> list[Row]:
        """Return requests to the controller as they are stored, oldest first."""
        where = "WHERE answered_at IS NULL" if pending else ""
        return self._dicts("request", _REQUEST, f"{where} ORDER BY asked_at, id")

    def request_row(self, request: str) -> Row | None:
        """Return one request as it is stored, None where there is none with this id."""
        return next(iter(self._dicts("request", _REQUEST, "WHERE id = ?", request)), None)

    def access_key_rows(self) -> list[Row]:
        """Return the list of keys as it is stored, oldest first; times are real, `instruments` is JSON."""
        columns = "id kind name public_key instruments role created_at created_by revoked_at"
        return self._dicts("access_key", columns, "ORDER BY created_at, id")

    def access_token_rows(self) -> list[Row]:
        """Return the list of tokens as it is stored, oldest first; times are real, of each token there is only the hash."""
        columns = "id name role digest created_at created_by expires_at revoked_at"
        return self._dicts("access_token", columns, "ORDER BY created_at, id")


def measured_value(row: Mapping[str, Any]) -> bool | float | str:
    """Return the value of a measurement's row: a number, a text or a truth value."""
    number, text = row["value_number"], row["value_text"]
    if number is None:
        return str(text)
    if not isinstance(number, int | float):
        return str(number)  # SQLite keeps what somebody wrote there in place of a number
    return float(number) if text is None else bool(number)
