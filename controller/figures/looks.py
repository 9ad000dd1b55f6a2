"""How experiments are marked: each role has a name, a colour and a symbol, the same in every figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from controller.figures.figure import AnyLayer, Colour, Edge, Points, Symbol
from controller.figures.given import Given, Role, Shown, point_text, value_text

LOOKS: dict[Role, tuple[str, Colour, Symbol]] = {
    "space-filling": ("space-filling", "grey", "square"),
    "stand-in": ("stand-in for the model", "orange", "triangle"),
    "user": ("set by a person", "purple", "diamond"),
    "imported": ("measured elsewhere, imported", "grey", "diamond"),
    "model": ("proposed by the model", "blue", "circle"),
    "replicate": ("replicate", "sky", "ring"),
    "reference": ("reference experiment", "purple", "star"),
    "cheaper level": ("at a cheaper level", "grey", "ring"),
    "not acceptable": ("misses a bound", "vermillion", "diamond"),
    "retracted": ("retracted", "vermillion", "cross"),
    "failed": ("failed, abandoned or unknown", "vermillion", "cross"),
    "under way": ("under way", "orange", "ring"),
}  # fmt: skip
"""Role -> what it is called, and how it looks. What needs care comes last and is drawn on top."""

Place = Callable[[Shown], tuple[float, float] | None]


def points_by_role(given: Given, experiments: Iterable[Shown], place: Place) -> list[AnyLayer]:
    """Return one layer of points for each role that occurs.

    Args:
        given: The campaign.
        experiments: Those to be drawn.
        place: Where each lies; None where it has no place.
    """
    found: dict[Role, list[tuple[Shown, tuple[float, float]]]] = {}
    for experiment in experiments:
        if (where := place(experiment)) is not None:
            found.setdefault(experiment.role, []).append((experiment, where))
    layers: list[AnyLayer] = []
    for role, (series, colour, symbol) in LOOKS.items():
        if chosen := found.get(role):
            layers.append(
                Points(
                    series=series, colour=colour, symbol=symbol, x=tuple(where[0] for _, where in chosen),
                    y=tuple(where[1] for _, where in chosen), tips=tips(given, [e for e, _ in chosen]),
                )
            )  # fmt: skip
    return layers


def edge_of_failed(given: Given, experiments: Iterable[Shown], x: Callable[[Shown], float]) -> list[AnyLayer]:
    """Return marks at the lower edge for what ended without a result; none where there is nothing of that kind."""
    series, colour, _ = LOOKS["failed"]
    failed = [e for e in experiments if e.role == "failed"]
    if not failed:
        return []
    return [Edge(series=series, colour=colour, x=tuple(map(x, failed)), tips=tips(given, failed))]


def tips(given: Given, experiments: Sequence[Shown]) -> tuple[str, ...]:
    """Return what is told of each experiment when it is pointed at."""
    return tuple(_tip(given, e) for e in experiments)


def _tip(given: Given, experiment: Shown) -> str:
    name = LOOKS[experiment.role][0] if experiment.role != "failed" else experiment.status
    lines = [f"experiment {experiment.number} ({name})"]
    for objective, value in experiment.values.items():
        expected = experiment.expected.get(objective)
        was = f", expected {value_text(objective, expected.mean, given.objectives)}" if expected else ""
        lines.append(f"{objective}: {value_text(objective, value, given.objectives)}{was}")
    return "\n".join([*lines, point_text(experiment.point, given.parameters)])
