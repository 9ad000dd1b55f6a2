"""What a campaign has reached: its best experiments, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def best_rows(definition: Mapping[str, Any], experiments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the best completed experiment, or the Pareto front ordered by its first objective.

    Args:
        definition: The campaign's definition as JSON data.
        experiments: As the reader gives them.

    Returns:
        `{"experiment": number, "parameters": {...}, "objectives": {...}}` each.
    """
    from controller.domain.objective import Objective, best_of

    objectives = {name: Objective.model_validate(o) for name, o in definition["problem"]["objectives"].items()}
    completed = [e for e in experiments if has_result(e) and objectives.keys() <= e["objectives"].keys()]
    chosen = [completed[i] for i in best_of(objectives, [e["objectives"] for e in completed])]
    first = next(iter(objectives))
    return [
        {"experiment": e["number"], "parameters": dict(e["parameters"]), "objectives": dict(e["objectives"])}
        for e in sorted(chosen, key=lambda e: e["objectives"][first])
    ]


def has_result(experiment: Mapping[str, Any]) -> bool:
    """Say whether an experiment has a result that stands: it is completed, and nobody has retracted it."""
    return experiment["status"] == "completed" and experiment["retracted_at"] is None
