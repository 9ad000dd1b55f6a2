"""Which instrument did what when, by the beginning and the end of each attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from controller.errors import NothingYetError
from controller.figures.figure import AnyLayer, Axis, Cell, Colour, Figure, Panel, Spans, Table
from controller.figures.given import Given, count_text, subtitle
from controller.figures.thinning import spread

LOOKS: dict[str, tuple[str, Colour]] = {
    "succeeded": ("succeeded", "blue"), "cancelled": ("cancelled", "grey"), "sent": ("sent, not begun", "sky"),
    "running": ("running", "orange"), "faulted": ("faulted", "vermillion"), "unknown": ("unknown", "purple"),
}  # fmt: skip
STRETCHES = 300
"""Into so many stretches the time is divided where there are very many attempts: one by one they would run into each other."""
SHARES: tuple[tuple[float, str, Colour], ...] = (
    (2 / 3, "at work more than 67 % of the time", "blue"), (1 / 3, "at work 33 to 67 %", "sky"),
    (0.0, "at work less than 33 %", "grey"),
)  # fmt: skip
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
        NothingYetError: If nothing was sent to an instrument yet.
    """
    if not attempts:
        raise NothingYetError(f"timeline: {given.name} has sent nothing to an instrument yet")
    lanes = sorted({a.instrument for a in attempts})
    first, last = min(a.start for a in attempts), max(a.end for a in attempts)
    whole = max(last - first, 1e-3)
    notes: list[str] = []
    if len(attempts) <= MANY:
        layers = _each(attempts)
    else:
        rare = [a for a in attempts if a.status not in ("succeeded", "cancelled")]
        layers = [*_shares(attempts, lanes, first, whole), *_each(spread(rare, MANY))]
        size = _duration(whole / STRETCHES)
        notes.append(f"There are very many attempts: what is drawn is the share of each {size} that an instrument was at work.")
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


def _each(attempts: Sequence[Attempt]) -> list[AnyLayer]:
    """Return every attempt by its beginning and its end, a layer for each status."""
    layers: list[AnyLayer] = []
    for status, (series, colour) in LOOKS.items():
        if chosen := [a for a in attempts if a.status == status]:
            layers.append(
                Spans(
                    series=series, colour=colour, lane=tuple(a.instrument for a in chosen), start=tuple(a.start for a in chosen),
                    end=tuple(a.end for a in chosen), tips=tuple(map(_tip, chosen)),
                )
            )  # fmt: skip
    return layers


def _shares(attempts: Sequence[Attempt], lanes: Sequence[str], first: float, whole: float) -> list[AnyLayer]:
    """Return how much of each stretch of time each instrument was at work, a layer for each class of `SHARES`."""
    size = whole / STRETCHES
    busy = {lane: [0.0] * STRETCHES for lane in lanes}
    for attempt in attempts:
        if attempt.status == "sent":
            continue
        begin, end = ((t - first) / size for t in (attempt.start, attempt.end))
        for k in range(int(begin), min(int(end) + 1, STRETCHES)):
            busy[attempt.instrument][k] += max(0.0, min(end, k + 1.0) - max(begin, float(k)))
    layers: list[AnyLayer] = []
    upper = float("inf")
    for lower, series, colour in SHARES:
        runs = [(lane, *run) for lane in lanes for run in _runs([lower < share <= upper for share in busy[lane]])]
        upper = lower
        if runs:
            told = (f"{lane}: {series}\n{_clock(first + i * size)}, {_duration((j - i) * size)}" for lane, i, j in runs)
            layers.append(
                Spans(
                    series=series, colour=colour, lane=tuple(lane for lane, _, _ in runs), tips=tuple(told),
                    start=tuple(first + i * size for _, i, _ in runs), end=tuple(first + j * size for _, _, j in runs),
                )
            )  # fmt: skip
    return layers


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Return where true values stand together: from, and to before."""
    edges = [i for i, (a, b) in enumerate(pairwise([False, *flags, False])) if a != b]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _tip(attempt: Attempt) -> str:
    lasted = _duration(attempt.end - attempt.start)
    place = f"{attempt.instrument}, {_clock(attempt.start)}, {lasted}"
    return f"experiment {attempt.experiment}, {attempt.step}: {attempt.status}\n{place}"


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
