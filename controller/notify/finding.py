"""What of a campaign's log is worth telling: events and what is remembered go in, notices and what to remember come out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from controller.domain.desirability import Desirability
from controller.domain.fidelity import FIDELITY
from controller.domain.notification import SHARES, Notice, Topic
from controller.domain.objective import Front, Objective, standing, wanted

if TYPE_CHECKING:
    from controller.store.reading import Reader

KINDS = (
    "alarm.raised", "campaign.created", "campaign.amended", "campaign.status_changed", "experiment.status_changed",
    "experiment.retracted", "experiment.reinstated",
)  # fmt: skip
"""Kinds of events that anything is told of, or that change what is remembered."""
TOPIC_OF_ALARM = {
    "attempt_unknown": Topic.UNKNOWN, "stalled": Topic.STALL, "too_many_failures": Topic.FAILURES, "distrust": Topic.DISTRUST,
    "held": Topic.HELD, "context_missing": Topic.PERSON,
}  # fmt: skip
"""Code of an alarm -> what it is about; any other is `alarm`."""
IMPORTED = "imported"
"""Source of experiments that were measured elsewhere: nobody waits for news of them, and they cost no budget."""
BY_PERSON = "paused by "
"""So begins the reason of a pause that somebody asked for (`verbs.campaigns.steer_campaign`)."""
_ENDED = ("completed", "failed", "abandoned", "unknown")
_MOST_VALUES = 6


class Memory(BaseModel):
    """What is remembered of a campaign between one look at its log and the next, and across restarts."""

    model_config = ConfigDict(extra="ignore")

    cursor: int = 0
    """Position of the last event that was looked at."""
    unknown: list[str] = []
    """Ids of experiments that it was told of that nobody can say what became of them."""
    best: list[tuple[int, dict[str, float]]] = []
    """Number and values of the best, or of the front, so far."""
    share: int = 0
    """The last share of the budget that was told [%]."""


class Finder:
    """Looks at one campaign.

    Args:
        reader: Of its store.
        row: The campaign's row.
        memory: What is remembered of it; changed by `look`.
    """

    def __init__(self, reader: Reader, row: Mapping[str, Any], memory: Memory) -> None:
        self._reader, self.memory = reader, memory
        self._id, self.name, self.simulated = str(row["id"]), str(row["name"]), bool(row["simulated"])
        self._definition: dict[str, Any] = {}

    def look(self, limit: int = 500) -> tuple[list[Notice], bool]:
        """Return what is new, at most `limit` events of it, and whether there is more; all of one moment.

        Raises:
            StoreError: If the store cannot be read; nothing is remembered then.
        """
        before = self.memory
        self.memory = before.model_copy(deep=True)
        try:
            with self._reader.snapshot():
                rows = self._reader.event_page(self._id, before.cursor, limit, KINDS)
                found = [notice for row in rows for notice in self._take(row)]
                if rows:
                    self.memory.cursor = int(rows[-1]["campaign_sequence"])
                    found += self._progress(float(rows[-1]["at"]))
        except BaseException:
            self.memory = before
            raise
        return found, len(rows) == limit

    def _notice(self, row: Mapping[str, Any], topic: Topic, text: str, experiment: int | None = None) -> Notice:
        return Notice(
            str(row["id"]), topic, self.name, " ".join(text.split()), float(row["at"]), self.simulated, experiment
        )

    def _take(self, row: Mapping[str, Any]) -> Iterable[Notice]:
        kind, body = row["kind"], json.loads(row["body"])
        if kind == "alarm.raised":
            return self._alarm(row, body)
        if kind == "campaign.status_changed":
            return self._campaign(row, body)
        if kind == "experiment.status_changed":
            return self._experiment(row, body)
        if kind in ("experiment.retracted", "experiment.reinstated"):
            self._recall()
        else:
            self._definition = {}  # another one holds now
        return ()

    def _alarm(self, row: Mapping[str, Any], body: Mapping[str, Any]) -> Iterable[Notice]:
        topic = TOPIC_OF_ALARM.get(body["code"], Topic.ALARM)
        if topic is Topic.UNKNOWN and body.get("experiment"):
            self.memory.unknown.append(body["experiment"])
        number = self._number(body["experiment"]) if body.get("experiment") else None
        yield self._notice(row, topic, body["message"], number)

    def _campaign(self, row: Mapping[str, Any], body: Mapping[str, Any]) -> Iterable[Notice]:
        status, reason = body["status"], body.get("reason") or ""
        if status == "paused" and not reason.startswith(BY_PERSON):
            yield self._notice(row, Topic.PAUSED, f"the campaign paused by itself: {reason}")
        elif status in ("completed", "failed"):
            best = self._best_text()
            yield self._notice(row, Topic.FINISHED, f"the campaign is {status}: {reason}{best and f'; {best}'}")

    def _experiment(self, row: Mapping[str, Any], body: Mapping[str, Any]) -> Iterable[Notice]:
        status, key, memory = body["status"], body["experiment"], self.memory
        if status == "unknown":
            if key in memory.unknown:
                return  # the alarm said so
            memory.unknown.append(key)
            number = self._number(key)
            text = f"experiment {number} is unknown: {body.get('reason') or 'nobody can say what became of it'}; look at the "
            yield self._notice(row, Topic.UNKNOWN, f"{text}instruments, then labwright experiment resolve", number)
            return
        if key in memory.unknown and status != "running":
            memory.unknown.remove(key)
        if status == "failed":
            found = self._reader.experiment_row(self._id, key)
            if found is None or found["source"] == IMPORTED:
                return
            number = int(found["number"])
            yield self._notice(row, Topic.FAILURE, f"experiment {number} failed: {body.get('reason') or 'no reason given'}", number)
        elif status == "completed":
            yield from self._completed(row, body)

    def _number(self, key: str) -> int | None:
        row = self._reader.experiment_row(self._id, key)
        return None if row is None else int(row["number"])

    # --- milestones -------------------------------------------------------------------------------------------------

    def _completed(self, row: Mapping[str, Any], body: Mapping[str, Any]) -> Iterable[Notice]:
        values = {name: float(o["value"]) for name, o in body.get("observations", {}).items()}
        found = self._reader.experiment_row(self._id, body["experiment"])
        if found is None or not self._counts(values, json.loads(found["point"])):
            return
        number, before = int(found["number"]), self.memory.best
        self.memory.best, feasible = self._front([*before, (number, values)])
        if before and feasible and found["source"] != IMPORTED and number in dict(self.memory.best):
            what = self._values_text(values)
            if len(self._wanted()) > 1:
                text = f"experiment {number} joins the front, now of {len(self.memory.best)}: {what}"
            else:
                earlier = f"before it {before[0][0]} with {self._values_text(before[0][1])}"
                text = f"experiment {number} is the best so far: {what}; {earlier}"
            setting = ", ".join(f"{k} {_short(v)}" for k, v in list(json.loads(found["point"]).items())[:_MOST_VALUES])
            yield self._notice(row, Topic.BEST, f"{text}; at {setting}", number)

    def _progress(self, at: float) -> Iterable[Notice]:
        counts, budget = self._reader.counts(self._id), int(self._known()["budget"]["experiments"])
        ended = sum(counts[status] for status in _ENDED) - self._reader.imported(self._id)
        passed = max((share for share in SHARES if 100 * ended >= share * budget), default=0)
        if passed < self.memory.share:  # the budget was raised
            self.memory.share = passed
        if passed > self.memory.share:
            self.memory.share, best = passed, self._best_text()
            text = f"{ended} of {budget} experiments have ended ({passed} %)"
            key = f"progress:{self._id}:{passed}:{budget}"
            yield Notice(key, Topic.PROGRESS, self.name, text + (best and f"; {best}"), at, self.simulated)

    def _recall(self) -> None:
        """Find the best again among all results that stand, for one was taken out or back in."""
        done = self._reader.experiments(self._id, "completed")
        standing_ = [e for e in done if e["retracted_at"] is None and self._counts(e["objectives"], e["parameters"])]
        self.memory.best, _ = self._front([(int(e["number"]), dict(e["objectives"])) for e in standing_])

    def recall(self) -> None:
        """Take up a campaign whose past is not told: remember its best, and how far it is."""
        with self._reader.snapshot():
            self._recall()
            for _ in self._progress(0.0):
                pass

    def lab(self) -> dict[str, Any]:
        """Return the campaign's lab as its definition tells it."""
        return dict(self._known()["lab"])

    def _front(self, results: Iterable[tuple[int, dict[str, float]]]) -> tuple[list[tuple[int, dict[str, float]]], bool]:
        objectives, problem = self._objectives(), self._known()["problem"]
        wishes = {n: Desirability.model_validate(w) for n, w in problem.get("desirability", {}).items()}
        front: Front[tuple[int, dict[str, float]]] = Front()
        for number, values in results:
            front.add(standing(objectives, values, wishes), (number, values))
        return list(front), front.feasible

    def _counts(self, values: Mapping[str, float], point: Mapping[str, Any]) -> bool:
        """Say whether a result can be the best: all is measured, at the fidelity that counts, and something is wanted."""
        objectives, levels = self._objectives(), self._known()["problem"].get("fidelity")
        complete = objectives.keys() <= values.keys() and not any(o.explored for o in objectives.values())
        return complete and (levels is None or point.get(FIDELITY) == levels["target"])

    def _known(self) -> dict[str, Any]:
        if not self._definition:
            self._definition = self._reader.definition(self._id)
        return self._definition

    def _objectives(self) -> dict[str, Objective]:
        return {name: Objective.model_validate(o) for name, o in self._known()["problem"]["objectives"].items()}

    def _wanted(self) -> list[str]:
        problem = self._known()["problem"]
        return ["overall"] if problem.get("desirability") else list(wanted(self._objectives()))

    def _best_text(self) -> str:
        best = self.memory.best
        if not best:
            return ""
        if len(best) > 1:
            return f"{len(best)} on the front"
        return f"best {self._values_text(best[0][1])} (experiment {best[0][0]})"

    def _values_text(self, values: Mapping[str, float]) -> str:
        units = {name: o.unit for name, o in self._objectives().items()}
        return ", ".join(f"{n} {v:.4g}{f' {units[n]}' if units.get(n) else ''}" for n, v in list(values.items())[:_MOST_VALUES])


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:60]
