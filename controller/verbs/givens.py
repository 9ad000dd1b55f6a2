"""What the figures of a campaign are made of, from a store or from a campaign held in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from controller.verbs.predicted import predictions_of
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.domain.state import CampaignState
    from controller.figures.given import Expectation, Given, Role

LEVEL = 0.8
"""Share of results that an interval shown beside them is to hold."""
_NEWEST = 200


def given_of(found: Found, *, most: int | None = None, bare: bool = False) -> Given:
    """Return what figures of a campaign in a store are made of.

    Args:
        found: The campaign.
        most: So many experiments are drawn one by one; `figures.thinning.MOST` where nothing is said.
        bare: Without its experiments.
    """
    reader = found.reader
    with reader.snapshot():
        definition = reader.definition(found.id)
        stored = [] if bare else reader.experiment_rows(found.id)
        rows = [{**row, "point": json.loads(row["point"])} for row in stored if row["status"] != "cancelled"]
        observed: dict[str, dict[str, float]] = {}
        for row in reader.observation_rows(found.id) if rows else ():
            observed.setdefault(row["experiment"], {})[row["objective"]] = row["value"]

        about = (found.name, found.simulated, str(found.campaign["status"]), found.campaign["budget_experiments"])
        return _given(definition, rows, observed, partial(predictions_of, reader), *about, most=most)


def given_in_memory(definition: Definition, state: CampaignState) -> Given:
    """Return what figures of a campaign that a script holds are made of."""
    experiments = {e.id: e for e in state.experiments.values() if not e.cancelled}
    rows = [
        {
            "id": e.id, "number": e.number, "status": e.status.value, "point": e.point, "source": e.proposal.source,
            "retracted_at": e.retracted_at, "ended_at": e.ended_at,
        }
        for e in experiments.values()
    ]  # fmt: skip
    observed = {e.id: {name: o.value for name, o in e.observations.items()} for e in experiments.values()}

    def predictions(chosen: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        return {key: {n: p.model_dump() for n, p in experiments[key].proposal.predictions.items()} for key in chosen}

    content = definition.model_dump(mode="json", by_alias=True)
    about = (definition.name, definition.simulated, state.status.value, definition.budget.experiments)
    return _given(content, sorted(rows, key=lambda row: int(str(row["number"]))), observed, predictions, *about)


def _given(
    definition: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], observed: Mapping[str, Mapping[str, float]],
    predictions: Callable[[Sequence[str]], Mapping[str, Mapping[str, Any]]], name: str, simulated: bool, status: str, budget: int,
    *, most: int | None = None,
) -> Given:  # fmt: skip
    from controller.domain.desirability import Desirability
    from controller.domain.objective import Objective
    from controller.figures.given import Given
    from controller.figures.thinning import MOST, spread, thinned

    problem = definition["problem"]
    objectives = {name: Objective.model_validate(o) for name, o in problem["objectives"].items()}
    wishes = {name: Desirability.model_validate(w) for name, w in (problem.get("desirability") or {}).items()}
    numbers = [int(row["number"]) for row in rows]
    drawn: frozenset[int] | None = None
    if len(rows) > (most or MOST):
        keep = set(numbers[-_NEWEST:]) | set(_records(objectives, wishes, rows, observed))
        keep |= set(spread([int(r["number"]) for r in rows if r["status"] != "completed"], _NEWEST))
        drawn = frozenset(thinned(numbers, keep, most or MOST))
    chosen = [row["id"] for row in rows if row["source"] == "model" and (drawn is None or row["number"] in drawn)]
    return Given(
        name=name, simulated=simulated, objectives=objectives, parameters=_parameters(problem), desirability=wishes,
        experiments=_shown(definition, objectives, rows, observed, _expected(predictions(chosen), objectives)), status=status,
        budget=budget, drawn=drawn,
    )  # fmt: skip


def _parameters(problem: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {**problem["parameters"], **(problem.get("context") or {})}


def _records(
    objectives: Mapping[str, Any], wishes: Mapping[str, Any], rows: Sequence[Mapping[str, Any]],
    observed: Mapping[str, Mapping[str, float]],
) -> list[int]:
    """Return the numbers of the experiments that were the best, or on the front, when they ended: they must be seen."""
    from controller.domain.objective import Front, standing

    held: Front[int] = Front()
    found: list[int] = []
    for row in rows:
        values = observed.get(row["id"], {})
        if row["status"] == "completed" and row["retracted_at"] is None and objectives.keys() <= values.keys():
            number = int(row["number"])
            held.add(standing(objectives, values, wishes), number)
            if number in held:
                found.append(number)
    return found


def _expected(
    predictions: Mapping[str, Mapping[str, Any]], objectives: Mapping[str, Any]
) -> dict[str, dict[str, Expectation]]:
    from controller.domain.student import interval_told
    from controller.figures.given import Expectation

    def one(p: Mapping[str, Any]) -> Expectation:
        low, high = interval_told(p, LEVEL) or (p["mean"], p["mean"])
        return Expectation(p["mean"], low, high)

    return {
        experiment: {name: one(p) for name, p in each.items() if name in objectives}
        for experiment, each in predictions.items()
    }  # fmt: skip


def _shown(
    definition: Mapping[str, Any], objectives: Mapping[str, Any], rows: Sequence[Mapping[str, Any]],
    observed: Mapping[str, Mapping[str, float]], expected: Mapping[str, Mapping[str, Expectation]],
) -> tuple[Any, ...]:
    from controller.domain.fidelity import FIDELITY
    from controller.domain.objective import bounded, standing
    from controller.figures.given import Shown, setting_key

    target = (definition["problem"].get("fidelity") or {}).get("target")
    limited = bounded(objectives)
    seen: set[Any] = set()
    shown = []
    for row in rows:
        point, values = row["point"], observed.get(row["id"], {})
        key, stands = setting_key(point), row["status"] == "completed" and row["retracted_at"] is None
        level = target is None or point.get(FIDELITY) == target
        role: Role
        if row["status"] in ("failed", "abandoned", "unknown"):
            role = "failed"
        elif row["status"] != "completed":
            role = "under way"
        elif not stands:
            role = "retracted"
        elif not level:
            role = "cheaper level"
        elif row["source"] == "reference":
            role = "reference"
        elif limited and objectives.keys() <= values.keys() and not standing(objectives, values).feasible:
            role = "not acceptable"
        else:
            role = "replicate" if key in seen else row["source"]
        seen.add(key)
        shown.append(
            Shown(
                number=int(row["number"]), role=role, status=row["status"], point=point, values=values,
                counts=stands and level, ended=row["ended_at"], expected=expected.get(row["id"], {}),
            )
        )  # fmt: skip
    return tuple(shown)
