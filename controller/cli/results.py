"""What a campaign has reached, as tables and lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.cli.render import Column
from controller.verbs.readable import settled

if TYPE_CHECKING:
    from rich.table import Table

PADDING = 3
"""Characters between two columns of a table."""
NARROW = 45
"""Characters that the columns beside the settings take, as a rule."""
_BOUNDS = {"at_least": ">=", "at_most": "<="}


def flat(row: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its parameters and objectives as cells of their own (`p:` and `o:` keep equal names apart)."""
    setting = settled(row["parameters"], definition["problem"]["parameters"])
    return {
        **row, "parameters": setting,
        **{f"p:{name}": value for name, value in setting.items()},
        **{f"o:{name}": value for name, value in row["objectives"].items()},
    }


def setting_columns(definition: Mapping[str, Any], *, width: int) -> list[Column]:
    """Return one column per parameter, with its unit, or a single one for the whole setting where those do not fit.

    Args:
        definition: The campaign's definition as JSON data.
        width: Characters that the columns may take.
    """
    columns = _columns("p", definition["problem"]["parameters"])
    if sum(max(len(c.heading), 8) + PADDING for c in columns) <= width:
        return columns
    return [Column("parameters", "setting")]


def objective_columns(definition: Mapping[str, Any]) -> list[Column]:
    """Return one column per objective, with its unit."""
    return _columns("o", definition["problem"]["objectives"])


def best_table(
    best: Sequence[Mapping[str, Any]], definition: Mapping[str, Any], *, title: str, width: int, compact: bool = False
) -> Table:
    """Return a rich table of the best experiments.

    Args:
        best: As `best_rows` gives them.
        definition: The campaign's definition as JSON data.
        title: Stands above.
        width: Characters it may take.
        compact: Leave the settings out where they have no column each.
    """
    from controller.cli.render import table

    settings = setting_columns(definition, width=width - NARROW)
    if compact and len(settings) != len(definition["problem"]["parameters"]):
        settings = []
    columns = [Column("experiment"), *objective_columns(definition), Column("acceptable"), *settings]
    rows = [{**flat(row, definition), "acceptable": _yes_or_no(row.get("feasible"))} for row in best]
    return table(rows, columns, title=title)


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def best_title(definition: Mapping[str, Any], n: int) -> str:
    """Return what the table of the best is called."""
    if not traded(definition):
        return "Best so far"
    return f"Pareto front: {n} experiment{'s' if n != 1 else ''} that no other surpasses in every objective"


def traded(definition: Mapping[str, Any]) -> bool:
    """Say whether several objectives are traded against each other, so that the best are a Pareto front."""
    problem = definition["problem"]
    goals = [o for o in problem["objectives"].values() if o["goal"] != "constrain"]
    return len(goals) > 1 and not problem.get("desirability")


def cost_text(definition: Mapping[str, Any], cost: float | None) -> str:
    """Return what was spent, of how much where that is limited; empty where nothing is said of costs."""
    if cost is None:
        return ""
    limit, unit = definition["budget"].get("cost"), definition["problem"]["cost"].get("unit")
    return f"{cost:.6g}{f' of {limit:g}' if limit is not None else ''}{f' {unit}' if unit else ''}"


def goals_text(definition: Mapping[str, Any]) -> str:
    """Return what is wanted, on one line."""
    parts = []
    for name, objective in definition["problem"]["objectives"].items():
        target = f" {objective['target']:g}" if objective.get("target") is not None else ""
        unit = f" [{objective['unit']}]" if objective.get("unit") else ""
        bounds = [f"{sign} {objective[key]:g}" for key, sign in _BOUNDS.items() if objective.get(key) is not None]
        goal = "" if objective["goal"] == "constrain" else f"{objective['goal']} "
        parts.append(" ".join([f"{goal}{name}{target}{unit}", *([" and ".join(bounds)] if bounds else [])]))
    if definition["problem"].get("desirability"):
        return f"the overall desirability of {', '.join(parts)}"
    return ", ".join(parts)


def stand_ins_text(experiments: Sequence[Mapping[str, Any]]) -> str:
    """Return how many points stood in for the model's and where to read why; empty when none did."""
    numbers = [e["number"] for e in experiments if e["source"] == "stand-in"]
    if not numbers:
        return ""
    return (
        f"{len(numbers)} space-filling point{'s' * (len(numbers) > 1)} in place of the model's; "
        f"`labwright experiment show` says why, the last was number {numbers[-1]}"
    )


def retracted_text(experiments: Sequence[Mapping[str, Any]]) -> str:
    """Return which results are retracted and where to read why; empty when none is."""
    numbers = [str(e["number"]) for e in experiments if e["retracted_at"] is not None]
    if not numbers:
        return ""
    count = f"{len(numbers)} result{'s' * (len(numbers) > 1)}"
    return f"{count}, of experiment {', '.join(numbers)}; `labwright experiment show` says why"


def flags_text(novelty: Mapping[str, Mapping[str, Any]]) -> str:
    """Return for which objectives the model extrapolates at a point; empty for none.

    Args:
        novelty: By objective, as the proposal keeps it.
    """
    flagged = [f"{name}: {100 * found['spread']:.0f} %" for name, found in novelty.items() if found["flagged"]]
    return f"far from all data (spread left of what there is without any: {', '.join(flagged)})" if flagged else ""


def _columns(prefix: str, described: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    return [
        Column(f"{prefix}:{name}", f"{name} [{d['unit']}]" if d.get("unit") else name) for name, d in described.items()
    ]
