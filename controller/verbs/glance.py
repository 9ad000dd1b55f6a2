"""Where a campaign stands, for who looks on for long: an overview that changes only when something happens."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from controller.domain.judged import judge
from controller.domain.proposal import Proposal
from controller.verbs.overview import overview
from controller.verbs.stores import Found


def glance(found: Found) -> dict[str, Any]:
    """Return an overview (see `verbs.overview`) with what a page needs beside it.

    Returns:
        Besides: the campaign's row with its `id`; `n_events`; `verdicts`: objective -> what `learn.coverage.Coverage` says of the
        newest predictions. In place of lab time now stands in `clock` how it follows from real time: `speed` times that, and
        `offset` [s].
    """
    with found.reader.snapshot():
        told = overview(found, newest=6, alarms=3)
        verdicts = _verdicts(found, list(told["definition"]["problem"]["objectives"]))
        (end,) = (row["end"] for row in found.reader.log_ends(found.id))
    controller = told["controller"]
    speed, now = controller["speed"], datetime.fromisoformat(controller.pop("now")).timestamp()
    clock = {"speed": speed, "offset": round(now - speed * time.time())}
    return {**found.campaign, **told, "n_events": end, "verdicts": verdicts, "clock": clock}


def _verdicts(found: Found, objectives: list[str]) -> dict[str, dict[str, Any]]:
    from controller.domain.event import Observation
    from controller.learn.coverage import NEWEST, coverage

    values: dict[str, dict[str, float]] = {}
    for row in found.reader.newest_judged(found.id, NEWEST):
        values.setdefault(row["experiment"], {})[row["objective"]] = row["value"]
    proposals = found.reader.proposals_by_experiment(list(values))
    judged = [
        judge(
            Proposal(point={}, source="model", predictions=proposals.get(key, {}).get("predictions", {})),
            {name: Observation(value=value) for name, value in values[key].items()},
        )
        for key in values
    ]  # fmt: skip
    told = {name: coverage([row[name] for row in judged if row and name in row]) for name in objectives}
    return {name: found.model_dump(mode="json") for name, found in told.items()}
