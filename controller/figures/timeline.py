"""Which instrument did what when, by the beginning and the end of each attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.errors import ConflictError
from controller.figures.figure import AnyLayer, Axis, Cell, Colour, Figure, Panel, Spans, Table
from controller.figures.given import Given, count_text, subtitle

LOOKS: dict[str, tuple[str, Colour]] = {
    "succeeded": ("succeeded", "blue"), "cancelled": ("cancelled", "grey"), "sent": ("sent, not begun", "sky"),
    "running": ("running", "orange"), "faulted": ("faulted", "vermillion"), "unknown": ("unknown", "purple"),
}  # fmt: skip
FINEST = 1 / 1500
"""Attempts that lie closer than this share of the whole time are drawn as one, where there are very many."""
MANY = 1500
MOST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as far as the picture tells of it; times are lab time [s since 1970-01-01 UTC]."""

    instrument: str
    experiment: int
    step: str
    status: str
    """One of `LOOKS`."""
    start: float
    end: float
    """Of one that goes on, now."""


def timeline(given: Given, attempts: Sequence[Attempt]) -> Figure:
    """Return the figure `timeline`: a lane for each instrument.

    Args:
        given: The campaign.
        attempts: In the order in which they began.

    Raises:
        ConflictError: If nothing was sent to an instrument yet.
    """
    if not attempts:
        raise ConflictError(f"timeline: {given.name} has sent nothing to an instrument yet")
    lanes = sorted({a.instrument for a in attempts})
    first, last = min(a.start for a in attempts), max(a.end for a in attempts)
    whole = max(last - first, 1e-3)
    merge = whole * FINEST if len(attempts) > MANY else 0.0
    layers: list[AnyLayer] = []
    for status, (series, colour) in LOOKS.items():
        chosen = [a for a in attempts if a.status == status]
        if not chosen:
            continue
        stretches = [s for lane in lanes for s in _stretches([a for a in chosen if a.instrument == lane], merge)]
        layers.append(
            Spans(
                series=series, colour=colour, lane=tuple(s[0].instrument for s in stretches),
                start=tuple(s[0].start for s in stretches), end=tuple(max(a.end for a in s) for s in stretches),
                tips=tuple(map(_tip, stretches)),
            )
        )  # fmt: skip
    notes = [f"Attempts less than {_duration(merge)} apart are drawn as one."] if merge else []
    if len(attempts) > MOST_ROWS:
        notes.append(f"The table holds the newest {MOST_ROWS} of {count_text(len(attempts), 'attempt')}.")
    return Figure(
        kind="timeline", title=f"What the instruments did for {given.name}", simulated=given.simulated,
        subtitle=subtitle(given, count_text(len(attempts), "attempt"), f"{_duration(whole)} of lab time"),
        summary=_summary(attempts, lanes, whole), notes=tuple(notes), table=_table(attempts[-MOST_ROWS:]),
        panels=(
            Panel(
                x=Axis(label="lab time (UTC)", scale="time", domain=(first, first + whole)),
                y=Axis(label="instrument", scale="band", categories=tuple(lanes)), layers=tuple(layers),
            ),
        ),
    )  # fmt: skip


def _stretches(attempts: Sequence[Attempt], merge: float) -> list[list[Attempt]]:
    """Return attempts of one lane, together where they lie closer than `merge` [s]."""
    found: list[list[Attempt]] = []
    end = 0.0
    for attempt in sorted(attempts, key=lambda a: a.start):
        if found and merge and attempt.start - end < merge:
            found[-1].append(attempt)
            end = max(end, attempt.end)
        else:
            found.append([attempt])
            end = attempt.end
    return found


def _tip(stretch: Sequence[Attempt]) -> str:
    first, last = stretch[0], max(stretch, key=lambda a: a.end)
    lasted = _duration(last.end - first.start)
    if len(stretch) == 1:
        return f"experiment {first.experiment}, {first.step}: {first.status}\n{first.instrument}, {_clock(first.start)}, {lasted}"
    which = f"{count_text(len(stretch), 'attempt')} of experiments {first.experiment} to {last.experiment}"
    return f"{which}\n{_clock(first.start)}, {lasted}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _duration(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"


def _summary(attempts: Sequence[Attempt], lanes: Sequence[str], whole: float) -> str:
    busy = []
    for lane in lanes:
        share = sum(a.end - a.start for a in attempts if a.instrument == lane and a.status != "sent") / whole
        busy.append(f"{lane} {100 * share:.0f} %")  # an instrument that does several things at once can exceed 100 %
    wrong = sum(a.status in ("faulted", "unknown") for a in attempts)
    text = f"; {count_text(wrong, 'attempt')} faulted or unknown" if wrong else "; no attempt failed"
    return f"Share of the time that each instrument was at work: {', '.join(busy)}{text}."


def _table(attempts: Sequence[Attempt]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (a.instrument, a.experiment, a.step, a.status, _clock(a.start), _clock(a.end), a.end - a.start) for a in attempts
    ]
    return Table(columns=("instrument", "experiment", "step", "status", "began", "ended", "lasted [s]"), rows=tuple(rows))
