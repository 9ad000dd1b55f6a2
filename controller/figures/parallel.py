"""Every experiment as a line across all parameters and objectives: which settings go with which results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controller.domain.objective import best_of
from controller.errors import NothingYetError
from controller.figures.figure import Axis, Cell, Figure, Panel, Parallel, Scale, Table
from controller.figures.given import Given, Shown, count_text, goal_text, number_text, plain_unit, subtitle
from controller.figures.looks import LOOKS, tips
from controller.figures.thinning import spread

MOST_LINES = 600
MOST_SCALES = 20
MOST_CHOICES = 12
"""Of more choices not every name is written."""

Placer = Callable[[Shown], float | None]


def parallel(given: Given) -> Figure:
    """Return the figure `parallel`.

    Raises:
        NothingYetError: If there is no experiment yet.
    """
    experiments = [e for e in given.shown if e.role != "under way"]
    if not experiments:
        raise NothingYetError(f"parallel: {given.name} has no experiment yet that has ended")
    held = _best(given)
    kept = [e for e in experiments if e.number in held]
    drawn = sorted([*kept, *spread([e for e in experiments if e.number not in held], MOST_LINES - len(kept))], key=_number)
    columns = [*(_parameter(n, s, experiments) for n, s in given.parameters.items())][: MOST_SCALES - len(given.objectives)]
    columns += [_objective(given, name, experiments) for name in given.objectives]
    shades = _shades(given, drawn)
    layer = Parallel(
        series="", scales=tuple(scale for scale, _ in columns), shade=tuple(shades),
        rows=tuple(tuple(place(e) for _, place in columns) for e in drawn),
        best=tuple(i for i, e in enumerate(drawn) if e.number in held), tips=tips(given, drawn),
    )  # fmt: skip
    left_out = len(given.parameters) + len(given.objectives) - len(columns)
    more = f"The {count_text(left_out, 'parameter')} named last are left out: more scales cannot be told apart."
    notes = (more,) if left_out else ()
    ended = sum(e.role != "under way" for e in given.experiments)
    some = f"{len(drawn)} of {count_text(ended, 'experiment')} are drawn: the best, and an even choice of the others."
    fewer = (some,) if len(drawn) < ended else ()
    return Figure(
        kind="parallel", title=f"Settings and results of {given.name}", simulated=given.simulated,
        subtitle=subtitle(given, count_text(ended, "experiment"), _how(given)),
        summary=_summary(given, held), notes=(*fewer, *notes), table=_table(given, drawn),
        panels=(Panel(x=Axis(label=""), y=Axis(label=""), layers=(layer,)),),
    )  # fmt: skip


def _number(experiment: Shown) -> int:
    return experiment.number


def _best(given: Given) -> set[int]:
    results = given.results
    if not results or given.explored:
        return set()
    return {results[i].number for i in best_of(given.objectives, [e.values for e in results], given.desirability)}


def _how(given: Given) -> str:
    if given.explored:
        return "no result is better than another"
    if given.desirability:
        return "the darker the line, the more desirable"
    return f"shade: {next(iter(given.wanted))}; the best in vermillion; dotted: no result that counts"


def _shades(given: Given, drawn: Sequence[Shown]) -> list[float | None]:
    """Return how good each is, by rank: a few bad results would squeeze all others into one shade."""
    goals = given.wanted

    def score(e: Shown) -> float | None:
        if not e.counts or not given.objectives.keys() <= e.values.keys() or not given.acceptable(e):
            return None
        if given.explored or given.single:
            return given.score(e)
        name, objective = next(iter(goals.items()))
        return objective.score(e.values[name])

    scores = [score(e) for e in drawn]
    ordered = sorted({s for s in scores if s is not None})
    rank = {s: i / max(1, len(ordered) - 1) for i, s in enumerate(ordered)}
    return [None if s is None else rank[s] for s in scores]


def _parameter(name: str, spec: Mapping[str, Any], experiments: Sequence[Shown]) -> tuple[Scale, Placer]:
    label, unit = name, plain_unit(spec.get("unit"))
    if spec.get("type") == "categorical":
        choices = [str(c) for c in spec["choices"]]
        if len(choices) > MOST_CHOICES:  # of a long list those that occur
            there = {str(e.point[name]) for e in experiments if name in e.point}
            choices = [c for c in choices if c in there]
        place = {c: (i + 0.5) / len(choices) for i, c in enumerate(choices)}
        written = spread(choices, MOST_CHOICES)
        scale = Scale(label=label, unit=unit, ticks=tuple((place[c], c) for c in written))
        return scale, lambda e: place.get(str(e.point[name])) if name in e.point else None
    low, high = spec["bounds"] if "bounds" in spec else (min(spec["values"]), max(spec["values"]))
    log = spec.get("scale") == "log"
    scale, where = _numeric(label, unit, float(low), float(high), log=log)
    return scale, lambda e: where(float(e.point[name])) if name in e.point else None


def _objective(given: Given, name: str, experiments: Sequence[Shown]) -> tuple[Scale, Placer]:
    values = [e.values[name] for e in experiments if name in e.values] or [0.0, 1.0]
    objective = given.objectives[name]
    label = f"{name} ({goal_text(objective)})"
    scale, where = _numeric(label, plain_unit(objective.unit), min(values), max(values), log=False)
    return scale, lambda e: where(e.values[name]) if name in e.values else None


def _numeric(
    label: str, unit: str | None, low: float, high: float, *, log: bool
) -> tuple[Scale, Callable[[float], float]]:
    to = math.log if log else float
    a, b = to(low), to(high)
    span = (b - a) or 1.0

    def place(value: float) -> float:
        return (to(value) - a) / span

    ends = (low, high) if high > low else (low,)
    middle = (round_to(math.sqrt(low * high) if log else 0.5 * (low + high), (high - low) / 20),) if high > low else ()
    inside = [m for m in middle if low < m < high]
    return Scale(label=label, unit=unit, ticks=tuple((place(v), number_text(float(v))) for v in (*ends, *inside))), place


def round_to(value: float, step: float) -> float:
    """Return `value` to as many digits as a step of that size needs."""
    digits = max(0, -math.floor(math.log10(step))) if step > 0 else 6
    return round(value, digits)


def _summary(given: Given, held: set[int]) -> str:
    if given.explored:
        return f"{given.name} is to know; no result is better than another."
    if not held:
        return f"{given.name} has no result yet that counts."
    best = [e for e in given.experiments if e.number in held]
    if len(best) == 1:
        point = "; ".join(f"{n} {number_text(v)}" for n, v in best[0].point.items())
        return f"The best is experiment {best[0].number} with {point}."
    ranges = []
    for name, spec in given.parameters.items():
        values = [e.point[name] for e in best if name in e.point]
        if not values:
            continue
        if spec.get("type") == "categorical":
            ranges.append(f"{name} {', '.join(dict.fromkeys(map(str, values)))}")
        else:
            ranges.append(f"{name} {number_text(float(min(values)))} to {number_text(float(max(values)))}")
    return f"The {len(best)} on the front have {'; '.join(ranges)}."


def _table(given: Given, drawn: Sequence[Shown]) -> Table:
    names = [*given.parameters, *given.objectives]
    rows: list[tuple[Cell, ...]] = []
    for e in drawn:
        cells = [_cell(e.point.get(name)) for name in given.parameters] + [e.values.get(name) for name in given.objectives]
        rows.append((e.number, LOOKS[e.role][0], *cells))
    return Table(columns=("experiment", "what it is", *names), rows=tuple(rows))


def _cell(value: object) -> Cell:
    if value is None:
        return None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
