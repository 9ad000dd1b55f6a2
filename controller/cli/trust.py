"""Shows whether a campaign's models can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.cli.render import Column, console, mark, print_facts, table, text_of

_MEANING = {
    "too narrow": "results lie outside the intervals more often than chance allows: the model is too sure of itself",
    "too wide": "results lie inside the intervals more often than chance allows: the model is too cautious",
    "fine": "as often inside the intervals as they promise, within what chance allows",
    "too few": "not enough results yet to say anything",
}
_SHOWN = 20


def print_calibration(told: dict[str, Any]) -> None:
    """Print what `verbs.trust.calibration_told` returned."""
    columns = [
        Column("objective"), Column("results"), Column("80", "inside 80 %"), Column("90", "inside 90 %"),
        Column("position"), Column("verdict"), Column("newest", "newest results"),
    ]  # fmt: skip
    rows = []
    for name, found in told["objectives"].items():
        newest = told["newest"][name]
        rows.append({
            "objective": name, "results": found["results"], "80": _share(found, "80"), "90": _share(found, "90"),
            "position": None if found["position"] is None else f"{found['position']:.2f}", "verdict": found["verdict"],
            "newest": "" if newest["results"] == found["results"] else f"{newest['verdict']} ({_share(newest, '90')} inside 90 %)",
        })  # fmt: skip
    out = console()
    title = f"Predicted before, measured after: {told['campaign']} ({mark(told['simulated'])} data)"
    out.print(table(rows, columns, title=title))
    verdicts = dict.fromkeys(found["verdict"] for found in told["objectives"].values())
    print_facts({verdict: _MEANING[verdict] for verdict in verdicts})
    print_facts({"position": "mean place of the results within what was predicted: 0 below all of it, 1 above, 0.5 where neither"})
    if told["distrusted_at"]:
        print_facts({"distrusted": told["distrusted_at"], "then": f"failures.distrust: {told['policy']}"})
    outside = [
        {
            "number": row["number"], "objective": name, "measured": one["measured"], "expected": one["expected"],
            "interval": " to ".join(text_of(float(v)) for v in one["intervals"]["90"]),
        }
        for row in told["experiments"] for name, one in row["objectives"].items() if not one["inside"]["90"]
    ]  # fmt: skip
    if outside:
        shown = [Column("number", "experiment"), Column("objective"), Column("measured"), Column("expected"),
                 Column("interval", "90 % interval")]  # fmt: skip
        more = f", the newest {_SHOWN}" if len(outside) > _SHOWN else ""
        out.print(table(outside[-_SHOWN:], shown, title=f"\nOutside their 90 % interval{more}"))


def trust_text(told: dict[str, Any]) -> str:
    """Return on one line how the predictions of each objective (`verbs.trust.coverage_told`) fared; empty for nothing to say."""
    parts = [
        f"{name} {found['verdict']} ({_share(found, '90')} inside their 90 % intervals)"
        for name, found in told.items() if found["verdict"] != "too few"
    ]  # fmt: skip
    return "; ".join(parts)


def interval_text(prediction: Mapping[str, Any]) -> str:
    """Return where a new measurement was expected in nine of ten cases; empty where an earlier version kept no such interval."""
    from controller.verbs.trust import interval_90

    found = interval_90(prediction)
    return "" if found is None else f"{text_of(found[0])} to {text_of(found[1])}"


def _share(found: dict[str, Any], level: str) -> str:
    return f"{found[f'inside_{level}']} of {found['results']}" if found["results"] else ""


def print_replay(told: dict[str, Any]) -> None:
    """Print what `verbs.replaying.replay_told` returned."""
    out = console()
    different = [p for p in told["proposals"] if p["same"] is False]
    if different:
        columns = [Column("number", "experiment"), Column("source"), Column("difference", "what differs first")]
        out.print(table(different, columns, title=f"Come out otherwise: {told['campaign']}"))
    skipped = [p for p in told["proposals"] if p["same"] is None]
    if skipped:
        numbers = ", ".join(str(p["number"]) for p in skipped[:_SHOWN]) + (" …" if len(skipped) > _SHOWN else "")
        print(f"Not derived: experiment {numbers}: {skipped[0]['difference']}")
    if told["changed"]:
        rows = [{"what": name, "then": then, "now": now} for name, (then, now) in told["changed"].items()]
        title = "Computed by something else: numbers may differ in their last digits, and what follows from them"
        out.print(table(rows, [Column("what"), Column("then"), Column("now")], title=title))
    if not told["compared"]:
        print(f"{told['campaign']} ({mark(told['simulated'])} data): no proposal could be derived again")
    else:
        same = told["compared"] - told["different"]
        head = f"{told['campaign']} ({mark(told['simulated'])} data)"
        print(f"{head}: {same} of {told['compared']} proposals come out the same, bit for bit")


_MEASURES = {
    "objective": "best {objective}", "distance": "distance of {objective} from its target", "desirability": "overall desirability",
    "hypervolume": "hypervolume of the front, in parts of that of now",
}  # fmt: skip


def print_forecast(told: dict[str, Any]) -> None:
    """Print what `verbs.foreseeing.forecast` returned."""
    what = _MEASURES[told["measure"]].format(objective=told["objective"])
    unit = f" [{told['unit']}]" if told["unit"] else ""
    asked = any(row["improved_by"] is not None for row in told["outlook"])
    rows = [
        {
            "experiments": row["experiments"], "median": row["median"],
            "interval": "" if row["low"] is None else f"{text_of(row['low'])} to {text_of(row['high'])}",
            "improved": f"{100 * row['improved']:.0f} %",
            "by": f"{100 * row['improved_by']:.0f} %" if row["improved_by"] is not None else None, "gain": row["gain"],
        }
        for row in told["outlook"] if _is_shown(row["experiments"], len(told["outlook"]))
    ]  # fmt: skip
    columns = [
        Column("experiments", "after experiments"), Column("median", f"{what}{unit}"), Column("interval", "in 4 of 5 cases"),
        Column("improved", "better than now"), *([Column("by", "by the amount asked for")] if asked else []),
        Column("gain", "the last one brings"),
    ]  # fmt: skip
    now = "nothing acceptable yet" if told["now"] is None else text_of(told["now"])
    out = console()
    out.print(table(rows, columns, title=f"Forecast of {told['campaign']} ({mark(told['simulated'])} data): now {now}"))
    print_facts({
        "rests on": f"{told['learned_from']} results, {told['paths']} functions drawn from the models",
        "under way": f"{told['under_way']}, counted as the first" if told["under_way"] else None,
        "stop": _stop_text(told),
    })  # fmt: skip


def _is_shown(step: int, n: int) -> bool:
    return step in (1, 2, 3, 5, n) or step % (5 if n <= 40 else 10) == 0


def _stop_text(told: dict[str, Any]) -> str | None:
    if told["worth"] is None:
        return None
    if told["stop_after"] is None:
        return f"not within these {told['experiments']} experiments: the last is still expected to bring {told['worth']:g}"
    if told["stop_after"] == 0:
        return f"now: no further experiment is expected to bring {told['worth']:g}"
    return f"after {told['stop_after']} more: none of those to come is expected to bring {told['worth']:g}"
