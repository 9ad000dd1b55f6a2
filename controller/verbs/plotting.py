"""The figures of a campaign: which there are, and what each is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from controller.errors import UnknownNameError
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.figures.figure import Figure
    from controller.figures.given import Expectation, Given, Role

KINDS = {
    "progress": "what was measured, what had been predicted, and the best so far",
    "front": "what several objectives reached together",
}
"""Kind -> what it shows."""
COMPUTED = frozenset({"slices", "sensitivity"})
"""Kinds that ask models, which takes seconds, and torch."""
LEVEL = 0.8
"""Share of results that an interval shown beside them is to hold."""
_NEWEST = 200


def kinds_of(found: Found) -> dict[str, str]:
    """Return the kinds of figures that a campaign can have, each with what it shows."""
    from controller.domain.objective import Objective, wanted

    problem = found.reader.definition(found.id)["problem"]
    goals = wanted({name: Objective.model_validate(o) for name, o in problem["objectives"].items()})
    several = len(goals) > 1 and not any(o.explored for o in goals.values())
    return {kind: about for kind, about in KINDS.items() if kind != "front" or several}


def figure(found: Found, kind: str) -> Figure:
    """Return one figure of a campaign.

    Args:
        found: The campaign.
        kind: One of `KINDS`.

    Raises:
        UnknownNameError: If there is no such kind.
        ConflictError: If the campaign has nothing that it could show.
    """
    from controller.figures.front import front
    from controller.figures.progress import progress

    if kind not in KINDS:
        raise UnknownNameError(f"there is no figure {kind!r}; there is {', '.join(KINDS)}")
    with found.reader.snapshot():
        given = given_of(found)
    return {"progress": progress, "front": front}[kind](given)


def given_of(found: Found, *, most: int | None = None) -> Given:
    """Return what figures of a campaign are made of.

    Args:
        found: The campaign.
        most: So many experiments are drawn one by one; `figures.thinning.MOST` where nothing is said.
    """
    from controller.domain.desirability import Desirability
    from controller.domain.objective import Objective
    from controller.figures.given import Given
    from controller.figures.thinning import MOST, spread, thinned

    reader = found.reader
    with reader.snapshot():
        definition = reader.definition(found.id)
        rows = [row for row in reader.experiment_rows(found.id) if row["status"] != "cancelled"]
        observed: dict[str, dict[str, float]] = {}
        for row in reader.observation_rows(found.id):
            observed.setdefault(row["experiment"], {})[row["objective"]] = row["value"]
        numbers = [int(row["number"]) for row in rows]
        problem = definition["problem"]
        objectives = {name: Objective.model_validate(o) for name, o in problem["objectives"].items()}
        wishes = {name: Desirability.model_validate(w) for name, w in problem.get("desirability", {}).items()}
        drawn: frozenset[int] | None = None
        if len(rows) > (most or MOST):
            keep = set(numbers[-_NEWEST:]) | set(_records(objectives, wishes, rows, observed))
            keep |= set(spread([int(r["number"]) for r in rows if r["status"] != "completed"], _NEWEST))
            drawn = frozenset(thinned(numbers, keep, most or MOST))
        chosen = [row["id"] for row in rows if row["source"] == "model" and (drawn is None or row["number"] in drawn)]
        bodies = {row["experiment"]: json.loads(row["body"]) for row in reader.proposals_of(chosen)}
        expected = _expected({key: body.get("predictions", {}) for key, body in bodies.items()}, objectives)
    return Given(
        name=found.name, simulated=found.simulated, objectives=objectives, parameters=_parameters(problem), desirability=wishes,
        experiments=_shown(definition, objectives, rows, observed, expected), status=str(found.campaign["status"]),
        budget=found.campaign["budget_experiments"], drawn=drawn,
    )  # fmt: skip


def _parameters(problem: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {**problem["parameters"], **problem.get("context", {})}


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
    from controller.figures.given import Expectation

    def one(p: Mapping[str, Any]) -> Expectation:
        half = _half_width(float(p["freedom"])) * float(p["scale"]) if p.get("scale") else 0.0
        return Expectation(p["mean"], p["mean"] - half, p["mean"] + half)

    return {
        experiment: {name: one(p) for name, p in each.items() if name in objectives}
        for experiment, each in predictions.items()
    }  # fmt: skip


@lru_cache(maxsize=1000)
def _half_width(freedom: float) -> float:
    from controller.domain.student import interval

    return interval(0.0, 1.0, freedom, LEVEL)[1]


def _shown(
    definition: Mapping[str, Any], objectives: Mapping[str, Any], rows: Sequence[Mapping[str, Any]],
    observed: Mapping[str, Mapping[str, float]], expected: Mapping[str, Mapping[str, Expectation]],
) -> tuple[Any, ...]:
    from controller.domain.fidelity import FIDELITY
    from controller.domain.objective import standing
    from controller.figures.given import Shown, setting_key

    target = (definition["problem"].get("fidelity") or {}).get("target")
    seen: set[Any] = set()
    shown = []
    for row in rows:
        point, values = json.loads(row["point"]), observed.get(row["id"], {})
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
        elif objectives.keys() <= values.keys() and not standing(objectives, values).feasible:
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
