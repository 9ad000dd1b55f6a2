"""Which parameters matter for what: total effects with what the data leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.errors import NothingYetError
from controller.figures.figure import Axis, Bars, Cell, Figure, Interval, Panel, Table
from controller.figures.given import Given, subtitle


def sensitivity(given: Given, told: Mapping[str, Any]) -> Figure:
    """Return the figure `sensitivity`: a panel for each objective, a bar for each parameter.

    Args:
        given: The campaign.
        told: What `verbs.reasons.sensitivity` returned.

    Raises:
        NothingYetError: If no objective has a value yet.
    """
    if not told["objectives"]:
        raise NothingYetError(f"sensitivity: {given.name} has no result yet that a model could learn from")
    return Figure(
        kind="sensitivity", title=f"What matters in {given.name}", simulated=given.simulated,
        subtitle=subtitle(given, f"total effects from {told['how']}"), summary=_summary(told),
        notes=(
            "Total effect (Sobol'): the share of the variance of what the model expects that stays when all but this parameter are "
            "known; with interactions they add up to more than one.",
        ),
        panels=tuple(_panel(name, found) for name, found in told["objectives"].items()), table=_table(told),
    )  # fmt: skip


def _panel(name: str, found: Mapping[str, Any]) -> Panel:
    effects = found["effects"]
    at = tuple(str(e["parameter"]) for e in effects)
    quality = "" if found["r2"] is None else f", left-out R² {found['r2']:.2f}"
    told = tuple(
        f"{e['parameter']}: {e['total']:.3f} (80 %: {e['low']:.2f} to {e['high']:.2f})" + _trend(e["trend"]) for e in effects
    )
    return Panel(
        title=f"{name} (from {found['observations']} observations{quality})",
        x=Axis(label="total effect", domain=(0.0, max(1.0, 1.05 * max(e["high"] for e in effects)))),
        y=Axis(label="parameter", scale="band", categories=at),
        layers=(
            Bars(series="total effect", colour="blue", at=at, value=tuple(e["total"] for e in effects), tips=told),
            Interval(
                series="80 % interval over what the data allow", colour="ink", at=at, along="x", tips=told,
                low=tuple(e["low"] for e in effects), high=tuple(e["high"] for e in effects),
            ),
        ),
    )  # fmt: skip


def _trend(trend: float | None) -> str:
    if trend is None or abs(trend) < 0.1:
        return ""
    return f"\nit {'rises' if trend > 0 else 'falls'} with it ({trend:+.2f})"


def _summary(told: Mapping[str, Any]) -> str:
    parts = []
    for name, found in told["objectives"].items():
        most, *others = found["effects"]
        text = f"for {name} most matters {most['parameter']} (total effect {most['total']:.2f})"
        parts.append(text + (f", then {others[0]['parameter']} ({others[0]['total']:.2f})" if others else ""))
    joined = "; ".join(parts)
    return f"{joined[0].upper()}{joined[1:]}."


def _table(told: Mapping[str, Any]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, e["parameter"], e["total"], e["low"], e["high"], e["first"], e["trend"])
        for name, found in told["objectives"].items()
        for e in found["effects"]
    ]
    return Table(columns=("objective", "parameter", "total effect", "80 % from", "80 % to", "alone", "trend"), rows=tuple(rows))
