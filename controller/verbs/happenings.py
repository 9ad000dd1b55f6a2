"""What has happened, in words: the newest events of a campaign, or all of one experiment, in the order of the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from controller.store.reading import iso
from controller.verbs.stores import Found


def newest_happenings(found: Found, n: int) -> list[dict[str, Any]]:
    """Return the last `n` events of a campaign, oldest first: `sequence`, `at`, `kind`, `experiment` (its number) and `text`."""
    with found.reader.snapshot():
        rows = found.reader.newest_event_rows(found.id, n)
        return _told(found, rows)


def happenings_page(found: Found, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Return the events of a campaign after a position in its log, `limit` of them at most, as `newest_happenings` does."""
    with found.reader.snapshot():
        return _told(found, found.reader.event_page(found.id, after, limit))


def happenings_of(found: Found, experiment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one experiment (as the reader gives it), oldest first, as `newest_happenings` does."""
    with found.reader.snapshot():
        return _told(found, found.reader.event_rows_of(found.id, str(experiment["id"])))


def _told(found: Found, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    bodies = [json.loads(row["body"]) for row in rows]
    numbers = found.reader.numbers_of(list(dict.fromkeys(b["experiment"] for b in bodies if b.get("experiment"))))
    attempts = found.reader.steps_of(list(dict.fromkeys(b["attempt"] for b in bodies if b.get("attempt"))))
    return [
        {
            "sequence": row["campaign_sequence"], "at": iso(row["at"]), "kind": row["kind"],
            "experiment": numbers.get(body.get("experiment", "")),
            "text": event_text(row["kind"], body, numbers.get(body.get("experiment", "")), attempts.get(body.get("attempt", ""))),
        }
        for row, body in zip(rows, bodies, strict=True)
    ]  # fmt: skip


def event_text(kind: str, body: Mapping[str, Any], number: int | None, attempt: Mapping[str, Any] | None) -> str:
    """Return what an event says, on one line.

    Args:
        kind: Of the event.
        body: Of the event.
        number: Of the experiment that it is about, if any.
        attempt: `step`, `ordinal` and `instrument` of the attempt that it is about, if any.
    """
    reason = f": {body['reason']}" if body.get("reason") else ""
    match kind:
        case "campaign.created":
            return f"campaign {body['name']} was entered, seed {body['seed']}"
        case "campaign.status_changed":
            return f"campaign is {body['status']}{reason}"
        case "campaign.abort_requested":
            return "the campaign is to be aborted"
        case "campaign.context_told":
            values = ", ".join(f"{name} = {value}" for name, value in body["values"].items())
            by = f", told by {body['by']}" if body.get("by") else ""
            return f"context: {values}{by}"
        case "campaign.amended":
            return "definition changed: " + ", ".join(f"{what} {old} to {new}" for what, (old, new) in body["changes"].items())
        case "campaign.worked":
            return f"worked for {body['seconds']:.0f} s"
        case "controller.attached":
            return f"a controller took it up (version {body['version']})"
        case "controller.detached":
            return f"the controller left{reason}"
        case "experiment.proposed":
            return f"experiment {number} proposed ({body['proposal']['source']})"
        case "experiment.status_changed":
            return f"experiment {number} {body['status']}{_results(body)}{reason or _fault(body)}"
        case "experiment.retracted" | "experiment.reinstated":
            return f"experiment {number} {kind.partition('.')[2]}{reason}"
        case "attempt.committed":
            again = f", attempt {body['ordinal']}" if body["ordinal"] > 1 else ""
            return f"experiment {number}: {body['step']} sent to {body['instrument']}{again}"
        case "attempt.status_changed":
            where = f"{attempt['step']} on {attempt['instrument']}" if attempt else "a step"
            return f"experiment {number}: {where} {body['status']}{_measured(body)}{reason or _fault(body)}"
        case "alarm.raised":
            return f"ALARM {body['message']}"
    return kind


def _results(body: Mapping[str, Any]) -> str:
    found = [f"{name} {o['value']:.6g}" for name, o in (body.get("observations") or {}).items()]
    return f" ({', '.join(found)})" if found else ""


def _measured(body: Mapping[str, Any]) -> str:
    values = [f"{m['name']} {m['value']:.6g}" if isinstance(m["value"], float) else f"{m['name']} {m['value']}"
              for m in body.get("measurements") or ()]  # fmt: skip
    return f" ({', '.join(values[:6])}{', …' if len(values) > 6 else ''})" if values else ""


def _fault(body: Mapping[str, Any]) -> str:
    fault = body.get("fault")
    return f": {fault['message']} ({fault['code']})" if fault else ""
