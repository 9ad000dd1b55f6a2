"""What is expected along each parameter through one setting, the others held, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.errors import NothingYetError
from controller.figures.bounds import bounds
from controller.figures.figure import AnyLayer, Axis, Band, Cell, Figure, Interval, Line, Panel, Points, Table
from controller.figures.given import Given, count_text, number_text, plain_unit, point_text, subtitle

MOST_PANELS = 24


def slices(given: Given, told: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the figure `slices`: a panel for each parameter and objective.

    Args:
        given: The campaign.
        told: What `verbs.reasons.slice_through` returns, for each parameter.

    Raises:
        NothingYetError: If there is no slice.
    """
    names = list(told[0]["values"][0]["expected"]) if told and told[0]["values"] else []
    if not names:
        raise NothingYetError(f"slices: {given.name} has no result yet that a model could learn from")
    pairs = [(one, name) for name in names for one in told]
    shown = pairs[:MOST_PANELS]
    notes = []
    if len(pairs) > len(shown):
        notes.append(f"{MOST_PANELS} of {len(pairs)} panels are drawn; name a parameter to see the others.")
    for one in told:
        if one["moved"]:
            notes.append(f"Along {one['parameter']}, {', '.join(one['moved'])} give way, to keep the equalities.")
    number, through = told[0]["experiment"], told[0]["through"]
    return Figure(
        kind="slices", title=f"What {given.name} expects along each parameter", simulated=given.simulated,
        subtitle=subtitle(given, f"through experiment {number}: {point_text(through, given.parameters)}"),
        summary=_summary(told, names, number), notes=tuple(notes), panels=tuple(_panel(given, one, name) for one, name in shown),
        table=_table(told, names),
    )  # fmt: skip


def _panel(given: Given, one: Mapping[str, Any], name: str) -> Panel:
    parameter = one["parameter"]
    spec = given.parameters.get(parameter, {})
    expected = [row["expected"][name] for row in one["values"]]
    mean, low, high = (tuple(e[key] for e in expected) for key in ("mean", "low", "high"))
    here = one["through"].get(parameter)
    layers: list[AnyLayer] = []
    told = tuple(
        f"{parameter} {number_text(row['value'])}\n{name} {number_text(e['mean'])} "
        f"({number_text(e['low'])} to {number_text(e['high'])})" + ("" if row["allowed"] else "\nmay not be proposed")
        for row, e in zip(one["values"], expected, strict=True)
    )
    if spec.get("type") == "categorical":
        at = tuple(str(row["value"]) for row in one["values"])
        axis = Axis(label=parameter, scale="band", categories=at)
        layers.append(Interval(series="80 % of new measurements", colour="sky", at=at, low=low, high=high))
        layers.append(Points(series="expected", colour="blue", x=at, y=mean, tips=told))
        at_here: Cell = str(here) if here is not None else None
    else:
        x = tuple(float(row["value"]) for row in one["values"])
        axis = Axis(label=parameter, unit=plain_unit(one["unit"]), scale="log" if spec.get("scale") == "log" else "linear")
        layers.append(Band(series="80 % of new measurements", colour="sky", x=x, low=low, high=high))
        layers.append(Line(series="expected", colour="blue", x=x, y=mean, tips=told))
        forbidden = [i for i, row in enumerate(one["values"]) if not row["allowed"]]
        if forbidden and len(forbidden) < len(x):
            layers.append(
                Points(
                    series="may not be proposed", colour="vermillion", symbol="cross", x=tuple(x[i] for i in forbidden),
                    y=tuple(mean[i] for i in forbidden), tips=tuple(told[i] for i in forbidden),
                )
            )  # fmt: skip
        at_here = float(here) if isinstance(here, (int, float)) else None
    measured = next((e.values.get(name) for e in given.experiments if e.number == one["experiment"]), None)
    if at_here is not None and measured is not None:
        series = f"measured, experiment {one['experiment']}"
        layers.append(Points(series=series, colour="green", symbol="diamond", x=(at_here,), y=(measured,)))
    objective = given.objectives[name]
    layers += bounds(objective)
    side = Axis(label=name, unit=plain_unit(objective.unit))
    return Panel(title=f"{name} along {parameter}", x=axis, y=side, layers=tuple(layers))


def _summary(told: Sequence[Mapping[str, Any]], names: Sequence[str], number: int) -> str:
    parts = []
    for name in names:
        reach = {}
        for one in told:
            means = [row["expected"][name]["mean"] for row in one["values"]]
            reach[one["parameter"]] = max(means) - min(means)
        widest = max(reach, key=lambda p: reach[p])
        parts.append(f"{name} is expected to change most along {widest}, by {number_text(reach[widest])}")
    return f"Through experiment {number}, {count_text(len(told), 'parameter')}: {'; '.join(parts)}."


def _table(told: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in told:
        for row in one["values"]:
            value: Cell = float(row["value"]) if isinstance(row["value"], (int, float)) else str(row["value"])
            expected = [row["expected"][name] for name in names]
            cells = [e[key] for e in expected for key in ("mean", "low", "high")]
            rows.append((one["parameter"], value, *cells, "yes" if row["allowed"] else "no"))
    heads = [head for name in names for head in (f"{name} expected", f"{name} 80 % from", f"{name} 80 % to")]
    return Table(columns=("parameter", "value", *heads, "may be proposed"), rows=tuple(rows))
