"""Draws where a campaign stands on one screen: 80 columns by 24 lines, more where there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from controller.cli.render import STYLES, clean, duration, text_of
from controller.cli.results import best_title, cost_text, goals_text, retracted_text, stand_ins_text
from controller.domain.by_hand import is_by_hand
from controller.verbs.overview import short
from controller.verbs.readable import settled
from controller.verbs.simulating import twins_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

BAR = 24
"""Columns of the bar."""
_NEWS_S = 5.0
"""What is late by less may have ended meanwhile [real s]."""
_AT_WORK = ("running", "stopping", "paused")


@dataclass
class Section:
    """Lines under one word; `fewest` of them stand even where there is little room, more where there is more."""

    label: str
    lines: list[Text]
    fewest: int = 1
    shown: int = field(default=0, init=False)


def draw(told: Mapping[str, Any], *, height: int = 24, whole: bool = False) -> RenderableType:
    """Return the picture of what `verbs.overview.overview` told, in at most `height` lines where that can be.

    Args:
        told: What there is to show.
        height: Lines.
        whole: Leave nothing out, whatever the height and the width: for a pipe.
    """
    from rich.table import Table
    from rich.text import Text

    sections = [s for s in sections_of(told) if s.lines]
    for section in sections:
        section.shown = min(section.fewest, len(section.lines))
    free = height - 2 - sum(s.shown for s in sections)
    while free > 0 and (hungry := [s for s in sections if s.shown < len(s.lines)]):
        for section in hungry[:free]:
            section.shown += 1
        free -= len(hungry)
    if whole:
        labelled = ((s.label if i == 0 else "", line) for s in sections for i, line in enumerate(s.lines))
        return Text("\n").join(Text.assemble((f"{label:<8}", "bold"), line) for label, line in labelled)
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    grid.add_column(no_wrap=True, width=7)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    for section in sections:
        lines = section.lines[: section.shown]
        more = len(section.lines) - len(lines)
        for i, line in enumerate(lines):
            left_out = f"+{more}" if more and i == len(lines) - 1 else ""
            grid.add_row(Text(section.label if i == 0 else "", style="bold"), line, Text(left_out, style="dim"))
    return grid


def sections_of(told: Mapping[str, Any]) -> list[Section]:
    """Return what the screen says, from top to bottom."""
    return [
        Section("", [heading(told)]),
        Section("", progress_lines(told), fewest=2),
        Section("wanted", [_text(goals_text(told["definition"]))]),
        Section("best", best_lines(told), fewest=2),
        Section("model", trust_lines(told)),
        Section("now", running_lines(told), fewest=2),
        Section("people", people_lines(told), fewest=2),
        Section("alarms", alarm_lines(told)),
        Section("noted", noted_lines(told)),
        Section("points", newest_lines(told), fewest=2),
        Section("next", next_lines(told), fewest=3),
        Section("store", [_text(told["store"], "dim")]),
    ]


def heading(told: Mapping[str, Any]) -> Text:
    """Return name, status, lab, and whether the data are simulated."""
    from rich.text import Text

    status = told["status"]
    line = Text.assemble((clean(told["campaign"]), "bold"), "  ", (status, STYLES.get(status, "")))
    if told["simulated"]:
        twins = ", ".join(twins_of(told["definition"]))
        line.append(f"  SIMULATED DATA{clean(f' ({twins})') if twins else ''}", STYLES["SIMULATED"])
    speed = told["controller"]["speed"]
    clock = f", time ×{speed:g}" if speed != 1.0 else ""
    return line.append(f"  in lab {clean(told['definition']['lab']['lab'])}{clock}", "dim")


def progress_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return the bar, and how things go on."""
    from rich.text import Text

    progress, counts = told["progress"], told["counts"]
    share = min(1.0, progress["finished"] / max(1, progress["budget"]))
    full = round(BAR * share)
    line = Text.assemble(("━" * full, "green"), ("─" * (BAR - full), "dim"), f"  {progress['finished']} of {progress['budget']}")
    line.append(" experiments")
    troubled = [f"{counts[s]} {s}" for s in ("failed", "abandoned", "unknown") if counts.get(s)]
    line.append(f", {', '.join(troubled)}" if troubled else "", "red")
    return [line, _going_on(told)]


def _going_on(told: Mapping[str, Any]) -> Text:
    controller, status = told["controller"], told["status"]
    if status not in _AT_WORK:
        return _text(told["reason"] or status)
    if is_by_hand(status, told["reason"]):
        return _text("people carry it out, by plans")
    if not controller["at_work"]:
        return _text("no controller is at work on it here: nothing goes on", "yellow")
    doing = clean(controller["doing"])
    ends_at = told["progress"]["ends_at"]
    if ends_at is None:
        return _text(doing)
    left = seconds_between(controller["now"], ends_at)
    speed = controller["speed"]
    if left < 0:
        return _text(f"{doing}; the pace of the last {told['progress']['of_last']} would have ended it {duration(-left)} ago")
    when = f"{_clock(ends_at, controller['now'])} UTC, in {duration(left)}"
    real = f" ({duration(left / speed)} here)" if speed != 1.0 else ""
    return _text(f"{doing}; budget used up {when}{real}, at the pace of the last {told['progress']['of_last']}")


def best_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return the best with its uncertainty and its setting, or some of the front."""
    best, definition = told["best"], told["definition"]
    if not best:
        explored = all(o["goal"] in ("explore", "level") for o in definition["problem"]["objectives"].values())
        if told["progress"]["finished"]:
            return [] if explored else [_text("no result yet that counts")]
        return [_text("nothing measured yet")]
    if len(best) == 1:
        return [_measured(best[0], definition), _text(_setting(best[0]["parameters"], definition))]
    heading = _text(best_title(definition, len(best)))
    return [heading, *(_measured(row, definition) for row in _spread(best))]


def _measured(row: Mapping[str, Any], definition: Mapping[str, Any]) -> Text:
    from rich.text import Text

    parts = []
    for name, value in row["objectives"].items():
        unit = definition["problem"]["objectives"].get(name, {}).get("unit")
        sem = row["sem"].get(name)
        expected = row["expected"].get(name)
        before = f" (predicted {short(expected[0])} to {short(expected[1])})" if expected and len(row["objectives"]) == 1 else ""
        parts.append(
            f"{name} {_short(value)}{f' ± {sem:.2g}' if sem is not None else ''}{f' {unit}' if unit else ''}{before}"
        )
    line = Text.assemble(f"experiment {row['experiment']}: ", (clean(", ".join(parts)), "bold"))
    if row.get("feasible") is not None:
        line.append(*(("  acceptable", "green") if row["feasible"] else ("  not acceptable", "red")))
    return line


def _setting(parameters: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    known = definition["problem"]["parameters"]
    units = {n: p.get("unit") for n, p in known.items()}
    setting = settled(parameters, known)
    return ", ".join(f"{n} {_short(v)}{f' {units[n]}' if units.get(n) else ''}" for n, v in setting.items())


def _spread(rows: Sequence[Mapping[str, Any]], most: int = 12) -> list[Mapping[str, Any]]:
    """Return rows of a front so that any number of the first ones is spread over it, both ends first."""
    order, gaps = [0, len(rows) - 1], [(0, len(rows) - 1)]
    while gaps and len(order) < most:
        low, high = gaps.pop(0)
        if high - low > 1:
            middle = (low + high) // 2
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return [rows[i] for i in order]


def trust_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return on one line how the newest predictions fared."""
    parts = [
        f"{name}: {found['inside']} of the last {found['results']} results inside their 90 % intervals"
        for name, found in told["trust"].items()
    ]
    return [_text("; ".join(parts))] if parts else []


def running_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return what is with the instruments, and until when."""
    from rich.text import Text

    now, at_work = told["controller"]["now"], told["controller"]["at_work"]
    lines = []
    for item in told["running"]:
        line = Text.assemble(f"experiment {item['experiment']}: {clean(item['step'])} on {clean(item['instrument'])}")
        if item["status"] != "running":
            line.append(f", {item['status']}", STYLES.get(item["status"], ""))
        if not at_work:
            line.append(f", last heard of {_clock(item['since'], now)} UTC", "dim")
        elif item["until"] is not None:
            left = seconds_between(now, item["until"])
            late = f"{duration(left)} left, until" if left >= 0 else f"{duration(-left)} late, since"
            # A controller tells every few seconds what has ended.
            due = -_NEWS_S * told["controller"]["speed"] < left < 0
            line.append(", due now" if due else f", {late} {_clock(item['until'], now)} UTC")
        else:
            line.append(f", for {duration(seconds_between(item['since'], now))}")
        lines.append(line)
    if told["waiting"]:
        numbers = ", ".join(map(str, told["waiting"][:8])) + (" …" if len(told["waiting"]) > 8 else "")
        lines.append(_text(f"queued: experiment {numbers}"))
    if not lines and told["status"] in _AT_WORK:
        lines.append(_text("nothing is with an instrument", "dim"))
    return lines


def people_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return what waits for a person, and what settles it."""
    from rich.text import Text

    lines = []
    for item in told["people"]:
        lines.append(_text(item["what"], "yellow"))
        lines.append(Text.assemble("  ", clean(item["do"])))
    return lines


def alarm_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return the newest alarms."""
    now = told["controller"]["now"]
    lines = [_text(f"{_clock(a['at'], now)} UTC  {a['message']}", "yellow") for a in told["alarms"]["newest"]]
    if lines and (more := told["alarms"]["count"] - len(lines)) > 0:
        lines.append(_text(f"and {more} before", "dim"))
    return lines


def noted_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return what was spent, what stood in for the model's points, and which results are retracted."""
    cost = cost_text(told["definition"], told["cost"])
    said = (f"cost: {cost}" if cost else "", retracted_text(told["noted"]), stand_ins_text(told["noted"]))
    return [_text(text) for text in said if text]


def newest_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return the newest proposals and why, one line each."""
    definition = told["definition"]
    return [
        _text(f"{p['experiment']} {p['status']}: {p['why']}, at {_setting(p['parameters'], definition)}") for p in told["newest"]
    ]


def next_lines(told: Mapping[str, Any]) -> list[Text]:
    """Return what one may do next."""
    from rich.text import Text

    wide = max((len(item["command"]) for item in told["next"]), default=0)
    return [Text.assemble(item["command"].ljust(wide), ("  " + item["what"], "dim")) for item in told["next"]]


def more_facts(view: Any) -> dict[str, Any]:
    """Return what stands below the screen with `--details`: of `verbs.campaigns.View`."""
    from controller.cli.trust import trust_text

    row = view.found.campaign
    return {
        "experiments": {k: v for k, v in row["counts"].items() if v} or "none yet", "intervals": trust_text(view.calibration),
        "noted": view.noted, "seed": row["seed"], "created": row["created_at"],
        "last event": row["updated_at"], "id": view.found.id,
    }  # fmt: skip


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds from one ISO 8601 time to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _clock(at: str, now: str) -> str:
    """Return a time as a clock shows it, with the date where it is another day than now."""
    return at[11:19] if at[:10] == now[:10] else f"{at[:10]} {at[11:16]}"


def _short(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else text_of(value)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(clean(text).replace("\n", " "), style=style)
