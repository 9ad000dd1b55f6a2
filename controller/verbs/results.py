"""What a campaign has reached: its best experiments, as rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.store.reading import Reader


def best_rows(definition: Mapping[str, Any], experiments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the best completed experiment, or the Pareto front ordered by its first objective.

    Args:
        definition: The campaign's definition as JSON data.
        experiments: As the reader gives them.

    Returns:
        `{"experiment": number, "parameters": {...}, "objectives": {...}}` each; where outcomes are constrained, with `feasible`:
        whether the constraints are met.
    """
    first = next(iter(definition["problem"]["objectives"]))
    completed = [e for e in experiments if has_result(e)]
    chosen, feasible = _best(definition, completed)
    return [
        {
            "experiment": e["number"], "parameters": dict(e["parameters"]), "objectives": dict(e["objectives"]),
            **({"feasible": feasible[e["number"]]} if feasible else {}),
        }
        for e in sorted(chosen, key=lambda e: e["objectives"][first])
    ]


def best_among(definition: Mapping[str, Any], results: Sequence[Mapping[str, Any]], reader: Reader) -> list[dict[str, Any]]:
    """Return the best of many results, as they are, with `parameters` (and `feasible`, see `best_rows`).

    Only the settings that are needed are read: of the best, and of all where they say which results count.

    Args:
        definition: The campaign's definition as JSON data.
        results: `id`, `number` and `objectives` of each experiment that has a result that stands.
        reader: Of the store.
    """
    if definition["problem"].get("fidelity") is not None:
        points = reader.points_of([r["id"] for r in results])
        results = [{**r, "parameters": points[r["id"]]} for r in results]
    chosen, feasible = _best(definition, results)
    points = reader.points_of([r["id"] for r in chosen])
    first = next(iter(definition["problem"]["objectives"]))
    return [
        {**r, "parameters": points[r["id"]], **({"feasible": feasible[r["number"]]} if feasible else {})}
        for r in sorted(chosen, key=lambda r: r["objectives"][first])
    ]


def _best(
    definition: Mapping[str, Any], completed: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], dict[int, bool]]:
    """Return the best, or the front, and number -> whether the outcome constraints are met, where there are any."""
    from controller.domain.desirability import Desirability
    from controller.domain.fidelity import FIDELITY
    from controller.domain.objective import Objective, best_of, bounded, standing

    objectives = {name: Objective.model_validate(o) for name, o in definition["problem"]["objectives"].items()}
    completed = [e for e in completed if objectives.keys() <= e["objectives"].keys()]
    if any(o.explored for o in objectives.values()):
        return [], {}
    if (levels := definition["problem"].get("fidelity")) is not None:
        completed = [e for e in completed if e["parameters"][FIDELITY] == levels["target"]]
    wishes = {n: Desirability.model_validate(w) for n, w in definition["problem"].get("desirability", {}).items()}
    chosen = [completed[i] for i in best_of(objectives, [e["objectives"] for e in completed], wishes)]
    feasible = {e["number"]: standing(objectives, e["objectives"]).feasible for e in chosen} if bounded(objectives) else {}
    return chosen, feasible


def cost_of(proposals: Sequence[Mapping[str, Any]], experiments: Sequence[Mapping[str, Any]]) -> float:
    """Return what experiments cost, cancelled ones left out.

    Args:
        proposals: Rows of the store: `experiment` (its id) and `body` (JSON).
        experiments: As the reader gives them.
    """
    carried_out = {e["id"] for e in experiments if e["status"] != "cancelled"}
    costs = (json.loads(row["body"]).get("cost") or 0.0 for row in proposals if row["experiment"] in carried_out)
    return math.fsum(costs)


def has_result(experiment: Mapping[str, Any]) -> bool:
    """Say whether an experiment has a result that stands: it is completed, and nobody has retracted it."""
    return experiment["status"] == "completed" and experiment["retracted_at"] is None
