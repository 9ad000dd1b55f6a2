"""How a campaign has come along: what was measured, what had been predicted, and the best so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.domain.objective import Objective
from controller.figures.bounds import bounds
from controller.figures.figure import AnyLayer, Axis, Cell, Figure, Interval, Line, Panel, Points, Table
from controller.figures.given import Given, Shown, count_text, goal_text, number_text, plain_unit, subtitle, value_text
from controller.figures.hypervolume import MOST_OBJECTIVES, growth
from controller.figures.looks import LOOKS, edge_of_failed, points_by_role, tips
from controller.figures.reach import NOTE, cut, reach
from controller.figures.thinning import thinned_note

EXPERIMENTS = "experiment"


def progress(given: Given) -> Figure:
    """Return the figure `progress`: a panel for each objective, and one for what they reach together."""
    panels = [_panel(given, name, objective) for name, objective in given.objectives.items()]
    if given.desirability:
        panels.insert(0, _together(given, "overall desirability", given.score))
    elif 1 < len(given.wanted) <= MOST_OBJECTIVES and not given.explored:
        panels.append(_volume(given))
    results = given.results
    far = any(_ends(given, name) is not None for name in given.objectives)
    notes = (*thinned_note(given), *((NOTE,) if far else ()))
    return Figure(
        kind="progress", title=f"Progress of {given.name}", simulated=given.simulated,
        subtitle=subtitle(given, _counts(given), *((given.status,) if given.status else ())),
        summary=_summary(given, results), panels=tuple(panels), notes=notes, table=_table(given),
    )  # fmt: skip


def _counts(given: Given) -> str:
    return count_text(len(given.experiments), "experiment") + (f" of {given.budget}" if given.budget else "")


def _panel(given: Given, name: str, objective: Objective) -> Panel:
    shown = [e for e in given.shown if e.role != "failed"]
    expected = [e for e in shown if name in e.expected]
    layers: list[AnyLayer] = []
    if expected:
        ends = _ends(given, name)
        layers.append(
            Interval(
                series="80 % interval predicted before", colour="sky", at=tuple(float(e.number) for e in expected),
                low=cut([e.expected[name].low for e in expected], ends), high=cut([e.expected[name].high for e in expected], ends),
            )
        )  # fmt: skip
    waiting = [e for e in expected if name not in e.values]
    if waiting:
        series, colour, symbol = LOOKS["under way"]
        layers.append(
            Points(
                series=f"{series}, as expected", colour=colour, symbol=symbol, x=tuple(float(e.number) for e in waiting),
                y=cut([e.expected[name].mean for e in waiting], ends), tips=tips(given, waiting),
            )
        )  # fmt: skip
    layers += points_by_role(given, shown, lambda e: (float(e.number), e.values[name]) if name in e.values else None)
    if objective.goal != "constrain" and not objective.explored:
        layers += _best_line(given, lambda e: e.values[name], objective.score)
    layers += bounds(objective)
    layers += edge_of_failed(given, given.shown, lambda e: float(e.number))
    return Panel(
        title=f"{name} ({goal_text(objective)})", x=_numbers(given),
        y=Axis(label=name, unit=plain_unit(objective.unit)), layers=tuple(layers),
    )  # fmt: skip


def _ends(given: Given, name: str) -> tuple[float, float] | None:
    shown = [end for e in given.shown if name in e.expected for end in (e.expected[name].low, e.expected[name].high)]
    return reach([e.values[name] for e in given.shown if name in e.values], shown)


def _numbers(given: Given) -> Axis:
    last = given.experiments[-1].number if given.experiments else 1
    return Axis(label=EXPERIMENTS, domain=(0.0, float(max(last, 2)) + 1.0))


def _best_line(given: Given, value: Callable[[Shown], float], score: Callable[[float], float]) -> list[Line]:
    """Return the best acceptable value after each result, by the experiment that gave it."""
    xs: list[Cell] = []
    ys: list[float | None] = []
    best: float | None = None
    last = 0
    for experiment in given.results:
        # Experiments may end in another order than they were numbered; the line never goes back.
        last = max(last, experiment.number)
        if not given.acceptable(experiment):
            continue
        if best is None or score(value(experiment)) > score(best):
            best = value(experiment)
            xs.append(float(last))
            ys.append(best)
    if best is not None:
        xs.append(float(max(e.number for e in given.experiments)))
        ys.append(best)
    return [Line(series="best so far", colour="green", x=tuple(xs), y=tuple(ys), step="after")] if xs else []


def _together(given: Given, title: str, score: Callable[[Shown], float]) -> Panel:
    layers = points_by_role(
        given, [e for e in given.shown if e.counts],
        lambda e: (float(e.number), score(e)) if given.desirability.keys() <= e.values.keys() else None,
    )  # fmt: skip
    layers += _best_line(given, score, lambda s: s)
    return Panel(
        title=title, x=_numbers(given), y=Axis(label=title, domain=(0.0, 1.05)), layers=tuple(layers),
    )  # fmt: skip


def _volume(given: Given) -> Panel:
    results = [e for e in given.results if given.acceptable(e)]
    scores = [given.scores(e) for e in results]
    layers: list[AnyLayer] = []
    if scores:
        corner = tuple(min(column) for column in zip(*scores, strict=True))
        grown = growth(scores, corner)
        whole = grown[-1] or 1.0
        steps, last = [], 0
        for i, experiment in enumerate(results):
            last = max(last, experiment.number)
            if i in (0, len(results) - 1) or grown[i] != grown[i - 1]:
                steps.append((float(last), 100 * grown[i] / whole))
        xs, ys = zip(*steps, strict=True)
        layers = [Line(series="hypervolume", colour="purple", x=xs, y=ys, step="after")]
    return Panel(
        title="What the front dominates", x=_numbers(given), layers=tuple(layers),
        y=Axis(label="hypervolume", unit="% of now", domain=(0.0, 105.0)),
    )  # fmt: skip


def _summary(given: Given, results: Sequence[Shown]) -> str:
    if not results:
        return f"{given.name} has no result yet that counts."
    n = count_text(len(results), "result")
    if given.explored:
        return f"{given.name} has {n}; its goal is to know, so none is the best."
    good = [e for e in results if given.acceptable(e)]
    if not good:
        return f"{given.name} has {n}, and none of them keeps every bound yet."
    if not given.single:
        return f"{given.name} has {n} in {len(given.wanted)} objectives; the front is in the figure of that name."
    best = max(good, key=given.score)
    told = ", ".join(f"{name} {value_text(name, best.values[name], given.objectives)}" for name in given.wanted)
    of_it = f" (overall desirability {number_text(given.score(best))})" if given.desirability else ""
    since = sum(e.number > best.number for e in results)
    after = f"; {count_text(since, 'later result')} brought nothing better" if since else ""
    return f"After {n} the best is experiment {best.number} with {told}{of_it}{after}."


def _table(given: Given) -> Table:
    names = list(given.objectives)
    columns = [EXPERIMENTS, "what it is", "status"]
    for name in names:
        unit = plain_unit(given.objectives[name].unit)
        columns += [f"{name} [{unit}]" if unit else name, f"{name} expected", f"{name} 80 % from", f"{name} 80 % to"]
    rows: list[tuple[Cell, ...]] = []
    for e in given.shown:
        row: list[Cell] = [e.number, LOOKS[e.role][0], e.status]
        for name in names:
            told = e.expected.get(name)
            row += [e.values.get(name), *((told.mean, told.low, told.high) if told else (None, None, None))]
        rows.append(tuple(row))
    return Table(columns=tuple(columns), rows=tuple(rows))
