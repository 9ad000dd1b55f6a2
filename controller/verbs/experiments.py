"""What one can ask of experiments: look at one, and settle what no machine can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.errors import ConflictError, UnknownNameError
from controller.verbs.happenings import happenings_of
from controller.verbs.overview import why_in_short
from controller.verbs.raw_files import files_of
from controller.verbs.requests import Answer, carry_out, steer
from controller.verbs.simulating import is_simulated
from controller.verbs.stores import Found, find_experiment
from controller.verbs.troubles import trouble_of
from controller.verbs.trust import interval_90

_DONE = {"retry": "tried again", "abandon": "given up"}


def show_experiment(found: Found, number: str) -> dict[str, Any]:
    """Return an experiment with its proposal, attempts and measurements; a retracted one with what rested on it.

    Besides `simulated` of each attempt (whether its instrument is), `why` (in short), `trouble` (what went wrong and what can be
    done, None where nothing did), `events` (all that happened, in order), `files` (raw files, with where they are), and `expected`
    (objective -> the 90 % interval that was predicted).

    Raises:
        UnknownNameError: If the campaign has none of that number or id.
    """
    with found.reader.snapshot():
        experiment = find_experiment(found, number)
        if experiment["retracted_at"]:
            experiment["rested_on"] = found.reader.rested_on(found.id, experiment["number"])
        definition = found.reader.definition(found.id)
        for attempt in experiment["attempts_list"]:
            attempt["simulated"] = is_simulated(definition, attempt["instrument"])
        told = {
            "why": why_in_short(experiment["proposal"]), "trouble": trouble_of(found, experiment),
            "files": files_of(found, experiment), "expected": _expected(experiment["proposal"] or {}),
        }  # fmt: skip
        return {**experiment, **told, "events": happenings_of(found, experiment)}


def _expected(proposal: Mapping[str, Any]) -> dict[str, list[float]]:
    intervals = {name: interval_90(p) for name, p in proposal.get("predictions", {}).items()}
    return {name: list(interval) for name, interval in intervals.items() if interval is not None}


def sorted_page(found: Found, status: str | None, sort: str, offset: int, limit: int) -> list[dict[str, Any]]:
    """Return some experiments in an order of one's own, as `Reader.experiments_sorted` does.

    Args:
        found: The campaign.
        status: Only those with this status.
        sort: `number` or an objective; with a `-` before it the largest come first.
        offset: So many are passed over.
        limit: So many at most.

    Raises:
        UnknownNameError: If there is no such objective.
    """
    down, name = sort.startswith("-"), sort.removeprefix("-")
    objectives = list(found.reader.definition(found.id)["problem"]["objectives"])
    if name != "number" and name not in objectives:
        raise UnknownNameError(f"sort: {name!r} is no objective of {found.name}; expected number, {', '.join(objectives)}")
    by = None if name == "number" else name
    return found.reader.experiments_sorted(found.id, status, by=by, down=down, offset=offset, limit=limit)


def experiment_told(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `show_experiment` gave as JSON data: of what rested on it the numbers are enough."""
    rested = experiment.get("rested_on")
    return {**experiment} if rested is None else {**experiment, "rested_on": [e["number"] for e in rested]}


def steer_experiment(found: Found, verb: str, number: str, *, by: str, timeout_s: float) -> Answer:
    """Have a failed experiment retried or abandoned.

    Args:
        found: Its campaign.
        verb: `retry` or `abandon`.
        number: Number or id of the experiment.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Raises:
        UnknownNameError: If there is no such experiment.
        ConflictError: If it has not failed.
    """
    experiment = find_experiment(found, number)
    if experiment["status"] != "failed":
        raise ConflictError(
            f"experiment {experiment['number']} of {found.name} is {experiment['status']}; only a failed one can be "
            f"{'retried' if verb == 'retry' else 'abandoned'}"
        )
    argument = {"experiment": int(experiment["number"]), "reason": f"{_DONE[verb]} by {by}"}
    return steer(found, verb, argument, by=by, timeout_s=timeout_s)


def resolve(
    found: Found, number: str, *, status: str, values: Mapping[str, float], reason: str, by: str, timeout_s: float
) -> Answer:
    """Have it booked what became of an unknown experiment.

    Args:
        found: Its campaign.
        number: Number or id of the experiment.
        status: `completed`, `failed` or `abandoned`.
        values: Objective -> result [its unit]; one for each where it is completed, else none.
        reason: How it is known; `resolved by …` where nothing is said.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Raises:
        UnknownNameError: If there is no such experiment.
        ConflictError: If it is not unknown, or values are missing or too many.
    """
    from controller.engine.resolving import resolve_events

    argument: dict[str, Any] = {
        "status": status, "values": dict(values), "reason": reason or f"resolved by {by}",
        "experiment": int(find_experiment(found, number)["number"]),
    }  # fmt: skip
    return carry_out(
        found, "resolve", argument, here=lambda state, definition, at: resolve_events(state, definition, argument, at),
        text=f"experiment {argument['experiment']} is {status}", by=by, timeout_s=timeout_s,
    )  # fmt: skip
