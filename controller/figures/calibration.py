"""Whether the model can be trusted: what it predicted before an experiment against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.errors import NothingYetError
from controller.figures.figure import AnyLayer, Axis, Cell, Colour, Figure, Interval, Line, Panel, Points, Symbol, Table
from controller.figures.given import Given, count_text, number_text, plain_unit, subtitle, value_text
from controller.figures.reach import NOTE, cut, reach
from controller.figures.thinning import MOST

VERDICTS = {
    "fine": "as often inside as the intervals promise, within what chance allows",
    "too narrow": "outside more often than chance allows: the model is too sure of itself",
    "too wide": "inside more often than chance allows: the model is too cautious",
    "too few": "too few results yet to say anything",
}


def calibration(given: Given, told: Mapping[str, Any]) -> Figure:
    """Return the figure `calibration`: a panel for each objective, measured to the right, predicted upwards.

    Args:
        given: The campaign.
        told: What `verbs.trust.calibration_told` returned.

    Raises:
        NothingYetError: If the model predicted nothing yet that was measured.
    """
    if not told["experiments"]:
        raise NothingYetError(f"calibration: {given.name} has no result yet that a model had predicted with an interval")
    drawn = told["experiments"][-MOST:]
    names = [name for name in given.objectives if any(name in row["objectives"] for row in drawn)]
    notes: list[str] = []
    if len(told["experiments"]) > len(drawn):
        notes.append(f"The newest {MOST} of {count_text(len(told['experiments']), 'result')} are drawn.")
    if any(_ends(drawn, name) is not None for name in names):
        notes.append(NOTE)
    return Figure(
        kind="calibration", title=f"Predicted before, measured after: {given.name}", simulated=given.simulated,
        subtitle=subtitle(given, count_text(len(told["experiments"]), "result"), "90 % intervals of what would be measured"),
        summary=_summary(told, names), notes=tuple(notes), table=_table(given, drawn, names),
        panels=tuple(_panel(given, name, drawn) for name in names),
    )  # fmt: skip


def _summary(told: Mapping[str, Any], names: Sequence[str]) -> str:
    parts = []
    for name in names:
        found = told["objectives"][name]
        share = f"{found['inside_90']} of {found['results']} results inside their 90 % interval"
        parts.append(f"{name}: {share}, {VERDICTS[found['verdict']]}")
    return f"{'; '.join(parts)}."


def _panel(given: Given, name: str, drawn: Sequence[Mapping[str, Any]]) -> Panel:
    rows = [(int(row["number"]), row["objectives"][name]) for row in drawn if name in row["objectives"]]
    layers: list[AnyLayer] = []
    found = [one["measured"] for _, one in rows]
    way = (min(found), max(found))
    layers.append(Line(series="as it should be", colour="ink", x=way, y=way, dashed=True))
    ends = _ends(drawn, name)
    looks: tuple[tuple[bool, str, Colour, Symbol], ...] = (
        (True, "inside its interval", "blue", "circle"), (False, "outside", "vermillion", "diamond"),
    )  # fmt: skip
    for inside, series, colour, symbol in looks:
        chosen = [(number, one) for number, one in rows if one["inside"]["90"] is inside]
        if not chosen:
            continue
        measured = tuple(one["measured"] for _, one in chosen)
        told = tuple(_tip(given, name, number, one) for number, one in chosen)
        bounds = [one["intervals"]["90"] for _, one in chosen]
        low, high = cut([b[0] for b in bounds], ends), cut([b[1] for b in bounds], ends)
        layers.append(Interval(series="", colour=colour, at=measured, low=low, high=high))
        expected = cut([one["expected"] for _, one in chosen], ends)
        layers.append(Points(series=series, colour=colour, symbol=symbol, x=measured, y=expected, tips=told))
    unit = plain_unit(given.objectives[name].unit)
    x, y = Axis(label=f"{name}, measured", unit=unit), Axis(label=f"{name}, predicted", unit=unit)
    return Panel(title=name, x=x, y=y, layers=tuple(layers))


def _ends(drawn: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float] | None:
    found = [row["objectives"][name] for row in drawn if name in row["objectives"]]
    return reach([one["measured"] for one in found], [end for one in found for end in one["intervals"]["90"]])


def _tip(given: Given, name: str, number: int, one: Mapping[str, Any]) -> str:
    low, high = one["intervals"]["90"]
    return (
        f"experiment {number}\nmeasured {value_text(name, one['measured'], given.objectives)}\n"
        f"expected {value_text(name, one['expected'], given.objectives)} ({number_text(low)} to {number_text(high)})"
    )


def _table(given: Given, drawn: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    columns = ["experiment"]
    for name in names:
        unit = plain_unit(given.objectives[name].unit)
        head = f"{name} measured [{unit}]" if unit else f"{name} measured"
        columns += [head, f"{name} predicted", f"{name} 90 % from", f"{name} 90 % to", f"{name} inside"]
    rows: list[tuple[Cell, ...]] = []
    for row in drawn:
        cells: list[Cell] = [int(row["number"])]
        for name in names:
            one = row["objectives"].get(name)
            if one is None:
                cells += [None] * 5
            else:
                cells += [one["measured"], one["expected"], *one["intervals"]["90"], "yes" if one["inside"]["90"] else "no"]
        rows.append(tuple(cells))
    return Table(columns=tuple(columns), rows=tuple(rows))
