"""What a store holds, in numbers that a monitor follows: a few statements over all of its campaigns, none of which reads a log."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.verbs.briefly import briefs

if TYPE_CHECKING:
    from controller.store.reading import Reader


@dataclass(frozen=True)
class Meter:
    """The numbers of one store."""

    best: list[tuple[str, bool, str, float]]
    """Campaign, whether its data are simulated, objective and its best result by itself; of those to maximize or minimize."""
    proposal_s: list[tuple[str, bool, float]]
    """Campaign, whether simulated, and what its newest proposal of a model took [real s]."""
    alarms: list[tuple[str, bool, str, int]]
    """Campaign, whether simulated, code, and how many."""
    busy_s: dict[tuple[str, str], float]
    """(Lab, instrument) -> what its ended attempts took [lab s]."""
    attempts: Counter[tuple[str, str, str]]
    """(Lab, instrument, status) -> ended attempts."""


def meter(reader: Reader) -> Meter:
    """Return the numbers of a store, all of one moment.

    Raises:
        StoreError: If it cannot be read.
    """
    best: list[tuple[str, bool, str, float]] = []
    busy: dict[tuple[str, str], float] = {}
    attempts: Counter[tuple[str, str, str]] = Counter()
    with reader.snapshot():
        rows = {str(row["id"]): (str(row["name"]), bool(row["simulated"])) for row in reader.campaign_rows()}
        known = briefs(reader)
        for key, objective, least, most in reader.extremes():
            goal = known[key].goals.get(objective)
            if goal in ("maximize", "minimize"):
                best.append((*rows[key], objective, most if goal == "maximize" else least))
        seconds = [(*rows[key], float(json.loads(body).get("seconds") or 0.0)) for key, body in reader.newest_proposals()]
        alarms = [(*rows[key], code, n) for key, code, n in reader.alarm_counts()]
        for key, instrument, status, n, took in reader.attempt_totals():
            lab = known[key].lab
            busy[lab, instrument] = busy.get((lab, instrument), 0.0) + took
            attempts[lab, instrument, status] += n
    return Meter(best, seconds, alarms, busy, attempts)
