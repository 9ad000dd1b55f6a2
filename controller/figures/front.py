"""What several objectives reached together: the Pareto front, two objectives at a time."""

from __future__ import annotations

from itertools import combinations

from controller.domain.objective import Objective, best_of
from controller.errors import ConflictError
from controller.figures.bounds import bounds
from controller.figures.figure import AnyLayer, Axis, Cell, Figure, Line, Panel, Points, Table
from controller.figures.given import Given, Shown, count_text, goal_text, plain_unit, subtitle
from controller.figures.looks import LOOKS, points_by_role, tips
from controller.figures.thinning import thinned_note

WIDE = 5.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""
NUMBERED = 25
"""Of a longer front the experiments are not numbered in the picture."""
MOST_PANELS = 6


def front(given: Given) -> Figure:
    """Return the figure `front`: a panel for each pair of objectives.

    Raises:
        ConflictError: If there are not two objectives, or they are to be known, not to be best.
    """
    goals = given.wanted
    if len(goals) < 2 or given.explored:
        raise ConflictError(
            f"front: {given.name} has {'nothing that is best' if given.explored else 'one objective'}; a front needs two that are "
            "to be maximized, minimized or matched"
        )
    results = given.results
    held = [results[i] for i in best_of(given.objectives, [e.values for e in results])] if results else []
    pairs = list(combinations(goals.items(), 2))[:MOST_PANELS]
    panels = tuple(_panel(given, x, y, held) for x, y in pairs)
    feasible = bool(held) and given.acceptable(held[0])
    return Figure(
        kind="front", title=f"Front of {given.name}", simulated=given.simulated,
        subtitle=subtitle(given, count_text(len(results), "result"), f"{len(held)} on the front"),
        summary=_summary(given, held, len(results), feasible), panels=panels,
        notes=thinned_note(given) + _more(goals, len(pairs)), table=_table(given, held),
    )  # fmt: skip


def _more(goals: dict[str, Objective], shown: int) -> tuple[str, ...]:
    total = len(goals) * (len(goals) - 1) // 2
    return (f"{shown} of the {total} pairs of objectives are drawn.",) if total > shown else ()


def _panel(given: Given, x: tuple[str, Objective], y: tuple[str, Objective], held: list[Shown]) -> Panel:
    (x_name, x_goal), (y_name, y_goal) = x, y
    on_front = {e.number for e in held}

    def place(e: Shown) -> tuple[float, float] | None:
        return (e.values[x_name], e.values[y_name]) if {x_name, y_name} <= e.values.keys() else None

    layers: list[AnyLayer] = points_by_role(given, [e for e in given.shown if e.number not in on_front], place)
    ordered = sorted(held, key=lambda e: e.values[x_name])
    xs, ys = tuple(e.values[x_name] for e in ordered), tuple(e.values[y_name] for e in ordered)
    if len(given.wanted) == 2 and x_goal.goal != "match" and y_goal.goal != "match" and len(held) > 1:
        # Between two points of the front nothing is known to be reachable but the worse of each: a staircase.
        step = "before" if x_goal.goal == "maximize" else "after"
        layers.append(Line(series="", colour="green", x=xs, y=ys, step=step))
    numbered = tuple(str(e.number) for e in ordered) if len(ordered) <= NUMBERED else ()
    layers.append(
        Points(series="Pareto front", colour="green", symbol="diamond", x=xs, y=ys, tips=tips(given, ordered), labels=numbered)
    )
    layers += [*bounds(x_goal, "x"), *bounds(y_goal)]
    every = [p for p in map(place, given.shown) if p is not None]
    return Panel(
        title=f"{y_name} against {x_name}", layers=tuple(layers),
        x=_axis(x_name, x_goal, [p[0] for p in every]), y=_axis(y_name, y_goal, [p[1] for p in every]),
    )  # fmt: skip


def _axis(name: str, objective: Objective, values: list[float]) -> Axis:
    """Use a logarithmic axis where the worst values would squeeze the best into a corner."""
    wide = bool(values) and min(values) > 0 and max(values) / min(values) >= WIDE and objective.goal == "minimize"
    label = f"{name} ({goal_text(objective)})"
    return Axis(label=label, unit=plain_unit(objective.unit), scale="log" if wide else "linear")


def _summary(given: Given, held: list[Shown], n: int, feasible: bool) -> str:
    if not held:
        return f"{given.name} has no result yet that counts."
    numbers = ", ".join(str(e.number) for e in sorted(held, key=lambda e: e.number)[:NUMBERED])
    more = ", …" if len(held) > NUMBERED else ""
    if not feasible:
        return f"None of {count_text(n, 'result')} keeps every bound; experiments {numbers}{more} come closest."
    one = len(held) == 1
    on_it = f"{len(held)} {'is' if one else 'are'} on the front, since no other is as good in every objective: "
    on_it += f"experiment{'' if one else 's'} {numbers}{more}"
    return f"Of {count_text(n, 'result')} {on_it}."


def _table(given: Given, held: list[Shown]) -> Table:
    names = list(given.objectives)
    units = [plain_unit(given.objectives[name].unit) for name in names]
    heads = [f"{name} [{unit}]" if unit else name for name, unit in zip(names, units, strict=True)]
    on_front = {e.number for e in held}
    shown = [e for e in given.shown if e.values]
    rows: list[tuple[Cell, ...]] = [
        (
            e.number, "on the front" if e.number in on_front else LOOKS[e.role][0],
            *(e.values.get(name) for name in names),
        )
        for e in sorted(shown, key=lambda e: (e.number not in on_front, e.number))
    ]  # fmt: skip
    return Table(columns=("experiment", "what it is", *heads), rows=tuple(rows))
