"""What a screen shows of a campaign, in queries that stay quick however long it is: the newest of each, and the results alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from controller.store.snapshots import Row
from controller.store.stored import StoredRows

UNDER_WAY = ("running", "queued", "proposed", "unknown")
_IDS = 500


class Glances(StoredRows):
    """Reads a little of a campaign, by its id; rows are as they are stored, times as numbers."""

    def result_rows(self, campaign_id: str) -> list[Row]:
        """Return the results that stand, by number: experiment (id), number, source, ended_at, objective, value and sem of each."""
        names = ("experiment", "number", "source", "ended_at", "objective", "value", "sem")
        sql = (
            "SELECT e.id, e.number, e.source, e.ended_at, o.objective, o.value, o.sem "
            "FROM experiment e JOIN observation o ON o.experiment = e.id "
            "WHERE e.campaign = ? AND e.status = 'completed' AND e.retracted_at IS NULL ORDER BY e.number"
        )
        with self.snapshot() as exists:
            return [dict(zip(names, row, strict=True)) for row in self._rows(sql, campaign_id)] if exists else []

    def newest_judged(self, campaign_id: str, n: int) -> list[Row]:
        """Return the results of the last `n` completed experiments that a model proposed: experiment (id), objective and value."""
        newest = (
            "(SELECT id FROM experiment WHERE campaign = ? AND source = 'model' AND status = 'completed' AND retracted_at IS NULL"
            " ORDER BY number DESC LIMIT ?)"
        )
        return self._dicts("observation", "experiment objective value", f"WHERE experiment IN {newest}", campaign_id, n)

    def newest_experiment_rows(self, campaign_id: str, n: int) -> list[Row]:
        """Return the `n` experiments with the largest numbers, newest first."""
        return self._experiment_rows("WHERE campaign = ? ORDER BY number DESC LIMIT ?", campaign_id, n)

    def newest_of_model(self, campaign_id: str) -> str | None:
        """Return the id of the experiment with the largest number that a model proposed, None where there is none."""
        rows = self._dicts("experiment", "id", "WHERE campaign = ? AND source = 'model' ORDER BY number DESC LIMIT 1", campaign_id)
        return str(rows[0]["id"]) if rows else None

    def newest_ends(self, campaign_id: str, n: int) -> list[float]:
        """Return when the last `n` experiments ended, of those that were carried out, oldest first."""
        where = "WHERE campaign = ? AND ended_at IS NOT NULL AND status <> 'cancelled' ORDER BY number DESC LIMIT ?"
        return sorted(float(row["ended_at"]) for row in self._dicts("experiment", "ended_at", where, campaign_id, n))

    def under_way_rows(self, campaign_id: str) -> list[Row]:
        """Return the experiments that are proposed, queued, running or unknown, by number."""
        marks = ", ".join("?" * len(UNDER_WAY))
        return self._experiment_rows(f"WHERE campaign = ? AND status IN ({marks}) ORDER BY number", campaign_id, *UNDER_WAY)

    def newest_with_status(self, campaign_id: str, status: str, n: int) -> list[Row]:
        """Return the `n` experiments with the largest numbers that stand in `status`, newest first."""
        where = "WHERE campaign = ? AND status = ? ORDER BY number DESC LIMIT ?"
        return self._experiment_rows(where, campaign_id, status, n)

    def noted_rows(self, campaign_id: str) -> list[Row]:
        """Return number, source and retracted_at of the experiments that stood in for the model's, or whose result is retracted."""
        where = "WHERE campaign = ? AND (source = 'stand-in' OR retracted_at IS NOT NULL) ORDER BY number"
        return self._dicts("experiment", "number source retracted_at", where, campaign_id)

    def points_of(self, experiments: Sequence[str]) -> dict[str, Row]:
        """Return experiment (id) -> its setting."""
        rows = (row for some in _portions(experiments) for row in self._among("experiment", "id point", "id", some))
        return {row["id"]: json.loads(row["point"]) for row in rows}

    def proposals_by_experiment(self, experiments: Sequence[str]) -> dict[str, Row]:
        """Return experiment (id) -> its proposal."""
        return {row["experiment"]: json.loads(row["body"]) for row in self.proposals_of(experiments)}

    def attempts_of(self, experiments: Sequence[str]) -> list[Row]:
        """Return the attempts of some experiments (ids), oldest first, without arguments."""
        columns = "id experiment step ordinal instrument action status reason committed_at started_at ended_at"
        rows = [row for some in _portions(experiments) for row in self._among("attempt", columns, "experiment", some)]
        return sorted(rows, key=lambda row: float(row["committed_at"]))

    def newest_alarm_rows(self, campaign_id: str, n: int) -> tuple[int, list[Row]]:
        """Return how many alarms there are, and the newest `n`, newest first."""
        (counted,) = self._dicts("alarm", "count(*)", "WHERE campaign = ?", campaign_id) or [{"count(*)": 0}]
        where = "WHERE campaign = ? ORDER BY at DESC, event DESC LIMIT ?"
        rows = self._dicts("alarm", "event code message experiment at", where, campaign_id, n)
        return int(counted["count(*)"]), rows

    def newest_event_rows(self, campaign_id: str, n: int) -> list[Row]:
        """Return the last `n` events of a campaign's log, oldest first."""
        where = "WHERE campaign = ? ORDER BY campaign_sequence DESC LIMIT ?"
        return self._dicts("event", "campaign_sequence kind at body", where, campaign_id, n)[::-1]

    def event_rows_of(self, campaign_id: str, experiment: str) -> list[Row]:
        """Return the events of one experiment (id), oldest first."""
        (row,) = self._dicts("experiment", "proposed_at ended_at retracted_at", "WHERE id = ?", experiment)
        last = None if row["ended_at"] is None else max(row["ended_at"], row["retracted_at"] or row["ended_at"])
        # Between those times first: to look into the text of every event of a long log would take long.
        where = "WHERE campaign = ? AND at >= ? AND at <= ? AND body LIKE ? ORDER BY campaign_sequence"
        values = (campaign_id, row["proposed_at"], 1e12 if last is None else last, f"%{experiment}%")
        return self._dicts("event", "campaign_sequence kind at body", where, *values)

    def numbers_of(self, experiments: Sequence[str]) -> dict[str, int]:
        """Return experiment (id) -> its number."""
        rows = (row for some in _portions(experiments) for row in self._among("experiment", "id number", "id", some))
        return {row["id"]: int(row["number"]) for row in rows}

    def steps_of(self, attempts: Sequence[str]) -> dict[str, Row]:
        """Return attempt (id) -> its step, ordinal and instrument."""
        columns = "id step ordinal instrument"
        rows = (row for some in _portions(attempts) for row in self._among("attempt", columns, "id", some))
        return {row["id"]: row for row in rows}

    def _among(self, table: str, columns: str, key: str, values: Sequence[str]) -> list[Row]:
        return self._dicts(table, columns, f"WHERE {key} IN ({', '.join('?' * len(values))})", *values)


def _portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for i in range(0, len(values), _IDS):
        yield values[i : i + _IDS]
