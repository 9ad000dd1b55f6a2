"""Several campaigns beside each other: how good each was after how many experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from controller.errors import ConflictError
from controller.figures.figure import AnyLayer, Axis, Cell, Colour, Figure, Line, Panel, Points, Rule, Symbol, Table
from controller.figures.given import Given, count_text, goal_text, number_text, plain_unit
from controller.figures.hypervolume import MOST_OBJECTIVES, growth

COLOURS: tuple[Colour, ...] = ("blue", "vermillion", "green", "purple", "orange", "sky", "ink", "grey")
SYMBOLS: tuple[Symbol, ...] = ("circle", "square", "triangle", "diamond", "star", "ring", "plus", "cross")
SHARE = 0.9
"""Of the way from where campaigns begin to the best of all."""


@dataclass(frozen=True)
class Entry:
    """One campaign of a comparison, as a row."""

    campaign: str
    status: str
    experiments: int
    """Spent, failed ones included."""
    results: int
    best: dict[str, float]
    """Objective -> value of the best result; empty for a front, or while there is none."""
    reached: float | None
    """The measure that is compared: the objective, the overall desirability, or the hypervolume [% of the largest]."""
    to_share: int | None
    """Experiments until nine tenths of the way were made; None if they never were."""
    cost: float | None
    coverage: Mapping[str, Any]
    """Objective -> what `learn.coverage.Coverage` holds."""
    simulated: bool


@dataclass(frozen=True)
class Comparison:
    """Campaigns of the same objectives."""

    measure: str
    """What is compared, with its unit."""
    threshold: float | None
    """The value that counts as nine tenths of the way; None without results."""
    way: str
    """What that means, in words."""
    entries: tuple[Entry, ...]
    figure: Figure


def compare(given: Sequence[Given], costs: Sequence[float | None], coverage: Sequence[Mapping[str, Any]]) -> Comparison:
    """Return campaigns beside each other.

    Args:
        given: The campaigns, at least two.
        costs: What the experiments of each cost; None where nothing is said of costs.
        coverage: Objective -> how well predictions covered what was measured, of each.

    Raises:
        ConflictError: If they are not two or more, their objectives differ, or nothing is to be best.
    """
    _check(given)
    first = given[0]
    curves = _curves(given)
    measure, unit = _measure(first)
    minimized = first.single and not first.desirability and next(iter(first.wanted.values())).goal != "maximize"
    # Curves rise: of what is minimized or matched, minus the value or the distance.
    sign = -1.0 if minimized else 1.0
    best = max((curve[-1][1] for curve in curves if curve), default=None)
    start, threshold = None, None
    if best is not None:
        start = _start(given) if first.single else 0.0
        threshold = start + SHARE * (best - start)
    entries = tuple(
        _entry(one, curve, threshold, sign, cost, told)
        for one, curve, cost, told in zip(given, curves, costs, coverage, strict=True)
    )
    shown = None if threshold is None else sign * threshold
    way = "Experiments until nine tenths of the largest hypervolume were reached [%]"
    if first.single and start is not None:
        begun = f"{number_text(sign * start)} (the median of the space-filling results)"
        way = f"Experiments until nine tenths of the way were made from {begun} to the best of all"
    return Comparison(
        measure=f"{measure} [{unit}]" if unit else measure, threshold=shown, way=way, entries=entries,
        figure=_figure(given, curves, sign, shown, Axis(label=measure, unit=unit), entries),
    )  # fmt: skip


def _check(given: Sequence[Given]) -> None:
    names = [one.name for one in given]
    if len(set(names)) < 2:
        raise ConflictError("compare: name at least two campaigns")
    first = given[0]
    for other in given[1:]:
        if other.objectives != first.objectives or other.desirability != first.desirability:
            raise ConflictError(
                f"compare: {first.name} has the objectives {_goals(first)}, and {other.name} has {_goals(other)}; only campaigns "
                "that want the same can be compared"
            )
    if first.explored:
        raise ConflictError(f"compare: {first.name} is to know, and no result is better than another")
    if not first.single and len(first.wanted) > MOST_OBJECTIVES:
        raise ConflictError(f"compare: fronts of more than {MOST_OBJECTIVES} objectives are not compared")


def _goals(given: Given) -> str:
    parts = []
    for name, o in given.objectives.items():
        bounds = [f"{word} {b:g}" for word, b in (("at least", o.at_least), ("at most", o.at_most)) if b is not None]
        unit = [o.unit] if o.unit else []
        parts.append(f"{name} ({', '.join([goal_text(o), *unit, *bounds])})")
    return ", ".join(parts) + (" with desirability" if given.desirability else "")


def _measure(given: Given) -> tuple[str, str | None]:
    if given.desirability:
        return "best overall desirability", None
    if not given.single:
        return "hypervolume", "% of the largest"
    name, objective = next(iter(given.wanted.items()))
    if objective.goal == "match":
        return f"distance of {name} from {objective.target:g}", plain_unit(objective.unit)
    return f"best {name}", plain_unit(objective.unit)


def _curves(given: Sequence[Given]) -> list[list[tuple[int, float]]]:
    """Return of each campaign how many experiments had been spent when its measure grew, and to what."""
    if given[0].single:
        return [_best_curve(one) for one in given]
    everything = [one.scores(e) for one in given for e in one.results if one.acceptable(e)]
    if not everything:
        return [[] for _ in given]
    # The same corner for all, or the numbers could not be compared.
    corner = tuple(min(column) for column in zip(*everything, strict=True))
    grown = []
    for one in given:
        good = [e for e in one.results if one.acceptable(e)]
        grown.append(list(zip(_spent(one, [e.number for e in good]), growth([one.scores(e) for e in good], corner), strict=True)))
    whole = max((curve[-1][1] for curve in grown if curve), default=0.0) or 1.0
    return [[(n, 100 * v / whole) for n, v in curve] for curve in grown]


def _spent(given: Given, numbers: Sequence[int]) -> list[int]:
    """Return how many experiments had been begun by the time that those of `numbers` ended: their numbers, never going back."""
    highest, found = 0, []
    order = {e.number: i + 1 for i, e in enumerate(given.experiments)}
    for number in numbers:
        highest = max(highest, order[number])
        found.append(highest)
    return found


def _best_curve(given: Given) -> list[tuple[int, float]]:
    good = [e for e in given.results if given.acceptable(e)]
    curve: list[tuple[int, float]] = []
    for spent, experiment in zip(_spent(given, [e.number for e in good]), good, strict=True):
        score = given.score(experiment)
        if not curve or score > curve[-1][1]:
            curve.append((spent, score))
    return curve


def _start(given: Sequence[Given]) -> float:
    """Return where campaigns begin: the median score of the space-filling results, or of the first of each."""
    good = [[e for e in one.results if one.acceptable(e)] for one in given]
    filling = [one.score(e) for one, results in zip(given, good, strict=True) for e in results if e.role == "space-filling"]
    return median(filling or [one.score(results[0]) for one, results in zip(given, good, strict=True) if results])


def _entry(
    given: Given, curve: Sequence[tuple[int, float]], threshold: float | None, sign: float, cost: float | None,
    coverage: Mapping[str, Any],
) -> Entry:  # fmt: skip
    best: dict[str, float] = {}
    good = [e for e in given.results if given.acceptable(e)]
    if good and given.single:
        chosen = max(good, key=given.score)
        best = {name: chosen.values[name] for name in given.wanted}
    to_share = next((spent for spent, value in curve if threshold is not None and value >= threshold), None)
    return Entry(
        campaign=given.name, status=given.status, experiments=len(given.experiments), results=len(given.results), best=best,
        reached=sign * curve[-1][1] if curve else None, to_share=to_share, cost=cost, coverage=coverage, simulated=given.simulated,
    )  # fmt: skip


def _figure(
    given: Sequence[Given], curves: Sequence[Sequence[tuple[int, float]]], sign: float, threshold: float | None, axis: Axis,
    entries: Sequence[Entry],
) -> Figure:  # fmt: skip
    layers: list[AnyLayer] = []
    rows: list[tuple[Cell, ...]] = []
    for i, (one, curve) in enumerate(zip(given, curves, strict=True)):
        if not curve:
            continue
        points = [*curve, (len(one.experiments), curve[-1][1])]
        rows += [(one.name, n, sign * v) for n, v in curve]
        layers.append(
            Line(
                series=one.name, colour=COLOURS[i % len(COLOURS)], dashed=i >= len(COLOURS), step="after",
                x=tuple(float(n) for n, _ in points), y=tuple(sign * v for _, v in points),
            )
        )  # fmt: skip
        layers.append(
            Points(
                series=one.name, colour=COLOURS[i % len(COLOURS)], symbol=SYMBOLS[i % len(SYMBOLS)],
                x=tuple(float(n) for n, _ in curve), y=tuple(sign * v for _, v in curve),
                tips=tuple(f"{one.name}\n{n} experiments: {number_text(sign * v)}" for n, v in curve),
            )
        )  # fmt: skip
    if threshold is not None:
        label = f"{100 * SHARE:.0f} % of the way: {number_text(float(f'{threshold:.4g}'))}"
        layers.append(Rule(series="", colour="ink", value=threshold, label=label))
    simulated = [one.name for one in given if one.simulated]
    marks = ["SIMULATED DATA" if len(simulated) == len(given) else f"SIMULATED DATA in {', '.join(simulated)}"] if simulated else []
    longest = max(len(one.experiments) for one in given)
    return Figure(
        kind="comparison", title=f"Comparison of {', '.join(one.name for one in given)}", simulated=bool(simulated),
        subtitle=" · ".join([*marks, f"{len(given)} campaigns"]), summary=_summary(entries, axis),
        panels=(
            Panel(
                title=axis.label, x=Axis(label="experiments", domain=(0.0, float(max(longest, 2)) + 1.0)), y=axis,
                layers=tuple(layers),
            ),
        ),
        table=Table(columns=("campaign", "experiments", axis.text), rows=tuple(rows)),
    )  # fmt: skip


def _summary(entries: Sequence[Entry], axis: Axis) -> str:
    parts = []
    for entry in entries:
        if entry.reached is None:
            parts.append(f"{entry.campaign} has no result yet that counts")
            continue
        unit = f" {axis.unit}" if axis.unit else ""
        so_far = f"{entry.campaign} reached {number_text(entry.reached)}{unit} with {count_text(entry.experiments, 'experiment')}"
        way = f"nine tenths of the way after {entry.to_share}" if entry.to_share else "never nine tenths of the way"
        parts.append(f"{so_far}, {way}")
    return f"{'; '.join(parts)}."
