"""Where a campaign stands, as one screen shows it: quick however long the campaign is, and without a model.

What the drivers do now is told by the controller at work, in a file that it renews (`engine/session.py`); the rest is in the store.
Times are lab time, which in a simulated lab may run faster than real time.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from controller.domain.by_hand import is_by_hand
from controller.store.reading import iso
from controller.verbs.results import best_among, cost_of
from controller.verbs.stores import Found, show_url
from controller.verbs.tasks import SHORT
from controller.verbs.tasks import waiting as waiting_tasks
from controller.verbs.trust import interval_90

PACE = 20
"""So many of the last ends tell the pace, and so many of the newest results how well the model predicts."""
_FEWEST_ENDS = 3
_GAP = 10.0
"""A gap so many times as long as is usual is a time in which nobody worked."""
_ENDED = ("completed", "failed", "abandoned", "unknown")


def overview(found: Found, *, newest: int = 5, alarms: int = 5) -> dict[str, Any]:
    """Return where a campaign stands, as JSON data, all of one moment.

    Args:
        found: The campaign.
        newest: How many of the newest proposals.
        alarms: How many of the newest alarms.

    Returns:
        `controller`: whether one is `at_work` on the campaign here, what it is `doing`, lab time (`now`) and how fast that runs
        (`speed`); `progress`: `finished` and `budget` (experiments), `pace_s` (from one end to the next, of the last ones [s of lab
        time]) and `ends_at`, where it leads, None where nothing can be said; `best`: the best, or the front, with `sem` and what
        was predicted of each (`expected`: the 90 % interval); `trust`: objective -> how many of the newest `results` lie
        `inside` their 90 % intervals; `running`: each attempt that is with an instrument, `since` when and `until` when it
        should end; `waiting`: queued experiments; `instruments`; `alarms`: how many (`count`), and the `newest`; `cost`, where
        anything is said of costs; `noted`: experiments that stood in for the model's, or are retracted; `newest`: the newest
        proposals and `why`; `people`: what waits for a person (`what`), and the command that settles it (`do`); `next`: what
        one may do now (`command`, `what`).
    """
    reader, row = found.reader, found.campaign
    with reader.snapshot():
        definition = reader.definition(found.id)
        results = _results(reader.result_rows(found.id))
        ends = reader.newest_ends(found.id, PACE + 1)
        under_way = reader.under_way_rows(found.id)
        proposed = reader.newest_experiment_rows(found.id, newest)
        n_alarms, newest_alarms = reader.newest_alarm_rows(found.id, alarms)
        failed = reader.newest_with_status(found.id, "failed", 1)
        asked = [r for r in reader.request_rows(pending=True) if r["campaign"] == found.id]
        noted = reader.noted_rows(found.id)
        priced = definition["problem"].get("cost") is not None
        cost = cost_of(reader.proposal_rows(found.id), reader.experiments(found.id)) if priced else None
        best = best_among(definition, results, reader)
        judged = [r for r in results if r["source"] == "model"][-PACE:]
        ids = [r["id"] for r in (*best, *judged)] + [r["id"] for r in proposed]
        proposals = reader.proposals_by_experiment(list(dict.fromkeys(ids)))
        numbers = {r["id"]: r["number"] for r in under_way}
        attempts = reader.attempts_of([r["id"] for r in under_way if r["status"] == "running"])
        usual = _usual(reader.attempts_of([r["id"] for r in results[-PACE:]]))
    controller = controller_of(found, definition)
    return {
        "campaign": found.name, "status": row["status"], "reason": row["reason"], "simulated": found.simulated,
        "definition": definition, "counts": row["counts"], "store": show_url(found.url),
        "controller": {k: v for k, v in controller.items() if k in ("at_work", "doing", "now", "speed")},
        "progress": _progress(row, ends, going=row["status"] == "running" and controller["at_work"]),
        "best": [_with_expected(r, proposals.get(r["id"], {})) for r in best],
        "trust": _trust(definition, judged, proposals),
        "running": controller["running"] if controller["at_work"] else _from_store(attempts, numbers, usual),
        "waiting": [r["number"] for r in under_way if r["status"] in ("queued", "proposed")],
        "instruments": _instruments(definition, controller),
        "alarms": {"count": n_alarms, "newest": [{**a, "at": iso(a["at"])} for a in newest_alarms]},
        "cost": cost, "noted": noted,
        "newest": [_proposed(r, proposals.get(r["id"], {})) for r in proposed],
        "people": _people(found, under_way, asked, failed, controller),
        "next": _next(found, controller, under_way, failed, results),
    }  # fmt: skip


def at_a_glance(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return of an overview what does not change while nothing happens: without the time."""
    controller = {name: told["controller"][name] for name in ("at_work", "doing")}
    names = ("progress", "trust", "running", "waiting", "newest", "people", "next")
    return {"controller": controller, **{name: told[name] for name in names}}


def controller_of(found: Found, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether a controller is at work on a campaign on this machine, and what it says.

    Returns:
        `at_work`, `doing`, `running`, `states` (of the lab's instruments), `speed`, and lab time as a number and as text: `now_s`,
        `now`.
    """
    from controller.verbs.laboratories import status_of

    lab = definition["lab"]
    status = status_of(found.url, lab["lab"])
    told = next((c for c in status.get("campaigns", ()) if c.get("campaign") == found.name), None)
    now = _lab_time(found, lab)
    running = [] if told is None else [_running(item) for item in told.get("running", ())]
    return {
        "at_work": told is not None, "doing": "" if told is None else str(told.get("doing", "")), "running": running,
        "states": status.get("instruments", []), "speed": float(lab.get("speed", 1.0)), "now_s": now, "now": iso(now),
    }  # fmt: skip


def trace(found: Found, definition: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Return the best value after each result: number of the experiment, and value; empty where there is no single best."""
    objectives = definition["problem"]["objectives"]
    goals = {n: o for n, o in objectives.items() if o["goal"] in ("maximize", "minimize", "match")}
    if len(goals) != 1 or len(objectives) != 1 or definition["problem"].get("fidelity"):
        return []
    ((name, objective),) = goals.items()
    target = objective.get("target")
    best: float | None = None
    found_so_far = []
    for row in found.reader.result_rows(found.id):
        value = float(row["value"])
        if row["objective"] == name and (best is None or _better(value, best, objective["goal"], target)):
            best = value
        if best is not None:
            found_so_far.append((int(row["number"]), best))
    return found_so_far


def _better(value: float, best: float, goal: str, target: float | None) -> bool:
    if target is not None:
        return abs(value - target) < abs(best - target)
    return value > best if goal == "maximize" else value < best


def _results(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each experiment with a result: id, number, source, objectives and sem by objective."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        key = row["experiment"]
        if key not in found:
            found[key] = {"id": key, "number": row["number"], "source": row["source"], "objectives": {}, "sem": {}}
        found[key]["objectives"][row["objective"]] = row["value"]
        if row["sem"] is not None:
            found[key]["sem"][row["objective"]] = row["sem"]
    return list(found.values())


def _with_expected(row: Mapping[str, Any], proposal: Mapping[str, Any]) -> dict[str, Any]:
    intervals = {n: interval_90(p) for n, p in proposal.get("predictions", {}).items()}
    shown = {k: v for k, v in row.items() if k not in ("id", "number", "source")}
    return {"experiment": row["number"], **shown, "expected": {n: list(i) for n, i in intervals.items() if i is not None}}


def _trust(
    definition: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], proposals: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    for name in definition["problem"]["objectives"]:
        pairs = [
            (r["objectives"][name], interval)
            for r in judged if name in r["objectives"]
            and (interval := interval_90(proposals.get(r["id"], {}).get("predictions", {}).get(name, {}))) is not None
        ]  # fmt: skip
        if pairs:
            counted[name] = {"results": len(pairs), "inside": sum(low <= value <= high for value, (low, high) in pairs)}
    return counted


def _progress(row: Mapping[str, Any], ends: Sequence[float], *, going: bool) -> dict[str, Any]:
    finished = sum(row["counts"][status] for status in _ENDED) - row["imported"]
    left = max(0, int(row["budget_experiments"]) - finished)
    pace = _pace(ends) if going and left else None
    # From the last end on, so that the forecast does not run away while an experiment is carried out.
    ends_at = None if pace is None else ends[-1] + left * pace
    budget = row["budget_experiments"]
    return {"finished": finished, "budget": budget, "pace_s": pace, "of_last": len(ends) - 1, "ends_at": iso(ends_at)}


def _pace(ends: Sequence[float]) -> float | None:
    """Return the usual time from one end to the next [s], times in which nobody worked left out; None for too few."""
    gaps = [later - earlier for earlier, later in pairwise(ends)]
    if len(gaps) < _FEWEST_ENDS - 1:
        return None
    usual = statistics.median([g for g in gaps if g > 0.0] or [0.0])
    kept = [g for g in gaps if g <= _GAP * usual]
    return statistics.fmean(kept) if kept and usual > 0.0 else None


def _running(item: Mapping[str, Any]) -> dict[str, Any]:
    since, takes = float(item["since"]), item.get("expected_s")
    until = since + float(takes) if takes else None
    return {
        **{k: item[k] for k in ("experiment", "step", "instrument", "status")}, "fraction": item.get("fraction"),
        "since": iso(since), "until": iso(until),
    }  # fmt: skip


def _from_store(
    attempts: Sequence[Mapping[str, Any]], numbers: Mapping[str, int], usual: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return what was with the instruments when the controller was last at work; when it should have ended, nobody has said."""
    return [
        {
            "experiment": numbers[a["experiment"]], "step": a["step"], "instrument": a["instrument"], "status": a["status"],
            "fraction": None, "since": iso(a["committed_at"]), "until": None, "usually_s": usual.get(a["step"]),
        }
        for a in attempts if a["status"] in ("committed", "accepted", "running", "unknown")
    ]  # fmt: skip


def _usual(attempts: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return step -> how long it took as a rule [s]."""
    took: dict[str, list[float]] = {}
    for a in attempts:
        if a["status"] == "succeeded" and a["ended_at"] is not None:
            took.setdefault(a["step"], []).append(a["ended_at"] - a["committed_at"])
    return {step: statistics.median(times) for step, times in took.items()}


def _instruments(definition: Mapping[str, Any], controller: Mapping[str, Any]) -> list[dict[str, Any]]:
    states = {i["instrument"]: i for i in controller["states"]}
    return [
        {
            "instrument": name, "state": states.get(name, {}).get("state", "not at work"),
            "held": states.get(name, {}).get("held", ""), "lab": definition["lab"]["lab"],
        }
        for name in definition["lab"]["instruments"]
    ]  # fmt: skip


def _proposed(row: Mapping[str, Any], proposal: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "experiment": row["number"], "status": row["status"], "source": row["source"],
        "parameters": proposal.get("point", {}), "why": why_in_short(proposal),
    }  # fmt: skip


def short(value: float) -> str:
    """Return a number to four digits, or more where they stand before the point."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def why_in_short(proposal: Mapping[str, Any]) -> str:
    """Return on one line why a point was proposed, from what was kept with it; `campaign why` thinks it through again."""
    note = str(proposal.get("note") or "")
    match proposal.get("source"):
        case "user":
            return "entered by a person"
        case "imported":
            return f"measured elsewhere, imported {note}"
        case "reference":
            return note or "measured again and again, to show drift"
        case "stand-in":
            return f"space-filling, in place of the model's: {note or 'it was not ready in time'}"
        case "space-filling":
            return note or "space-filling: one of the first, chosen without a model"
    parts = []
    for name, prediction in proposal.get("predictions", {}).items():
        interval = interval_90(prediction)
        between = "" if interval is None else f" ({short(interval[0])} to {short(interval[1])})"
        parts.append(f"{name} {short(prediction['mean'])}{between}")
    expected = f"expects {', '.join(parts)}" if parts else f"chosen for its {proposal.get('acquisition_name') or 'acquisition'}"
    flagged = [name for name, n in proposal.get("novelty", {}).items() if n["flagged"]]
    far = f"; far from all data ({', '.join(flagged)})" if flagged else ""
    return f"{expected}{far}{f'; {note}' if note else ''}"


def _people(
    found: Found, under_way: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]], controller: Mapping[str, Any],
) -> list[dict[str, str]]:  # fmt: skip
    name, row = found.name, found.campaign
    waits = [
        {"what": f"experiment {t['experiment']}, step {t['step']}{', late' * t['late']}: {_first_line(t['instructions'])}",
         "do": f"labwright task answer {t['task'][-SHORT:]}"}
        for t in waiting_tasks([(found.url, found.reader)], found.id)
    ]  # fmt: skip
    waits += [
        {"what": f"experiment {e['number']} is unknown: {e['reason'] or 'nobody can say what became of it'}",
         "do": f"labwright experiment resolve {name} {e['number']}"}
        for e in under_way if e["status"] == "unknown"
    ]  # fmt: skip
    if failed and row["status"] in ("running", "paused") and row["counts"]["failed"]:
        newest = failed[0]
        how_many = row["counts"]["failed"]
        more = f", the last of {how_many}" if how_many > 1 else ""
        waits.append({
            "what": f"experiment {newest['number']} failed{more}: {newest['reason'] or newest['fault_message']}",
            "do": f"labwright experiment show {name} {newest['number']}",
        })  # fmt: skip
    for instrument in controller["states"]:
        if instrument.get("held"):
            held = f"{instrument['instrument']} is held: {instrument['held']}"
            waits.append({"what": held, "do": "labwright instrument list"})
    if is_by_hand(row["status"], row["reason"]):
        open_ones = ", ".join(str(e["number"]) for e in under_way if e["status"] in ("queued", "running"))
        what = f"people carry it out by plans; open: {open_ones or 'none'}"
        waits.append({"what": what, "do": f"labwright campaign tell {name} PLAN"})
    elif row["status"] == "paused" and not asked:
        why = row["reason"] or "the campaign is paused"
        waits.append({"what": why if "paused" in why else f"paused: {why}", "do": f"labwright campaign resume {name}"})
    for request in asked:
        what = f"{request['verb']} was asked by {request['asked_by']} and no controller has answered"
        waits.append({"what": what, "do": "labwright daemon start"})
    return waits


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _next(
    found: Found, controller: Mapping[str, Any], under_way: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
) -> list[dict[str, str]]:  # fmt: skip
    name, status = found.name, found.campaign["status"]
    may: list[dict[str, str]] = []

    def say(command: str, what: str) -> None:
        may.append({"command": f"labwright {command}", "what": what})

    if is_by_hand(status, found.campaign["reason"]):
        say(f"campaign ask {name} -n 4 -o plan.xlsx", "the next experiments, as a plan to be filled in")
    elif status in ("running", "stopping", "paused") and not controller["at_work"]:
        say("daemon start", "go on where it was")
    elif status in ("running", "stopping"):
        say(f"campaign watch {name}", "live")
    if status == "paused" and controller["at_work"]:
        say(f"campaign resume {name}", "go on")
    if any(e["status"] == "unknown" for e in under_way):
        say(f"experiment resolve {name} NUMBER", "say what became of it")
    elif failed:
        say(f"experiment show {name} {failed[0]['number']}", "what went wrong")
    if any(r["source"] == "model" for r in results):
        say(f"campaign why {name}", "the newest choice, explained")
        say(f"campaign calibration {name}", "can the model be trusted")
    if status == "running":
        say(f"campaign stop {name}", "finish what runs, then end")
    elif status in ("completed", "failed", "cancelled"):
        say(f"campaign export {name}", "take the data away")
    return may


def _lab_time(found: Found, lab: Mapping[str, Any]) -> float:
    """Return what time it is in a lab [s since 1970-01-01 UTC]; a simulated one keeps a clock of its own beside the store."""
    import time

    from controller.settings import folder_of
    from instruments.bounded import read_small
    from instruments.clock import clock_from_text
    from instruments.errors import ClockError

    if not lab["simulated"] or lab.get("speed", 1.0) == 1.0:
        return time.time()
    try:
        return clock_from_text(read_small(folder_of(found.url) / "labs" / lab["lab"] / "clock").strip()).time()
    except (OSError, ValueError, ClockError):  # none yet, or no more
        return time.time()
