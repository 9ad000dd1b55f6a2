"""The figures of a campaign: which there are, and what each is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, UnknownNameError
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.figures.comparison import Comparison
    from controller.figures.figure import Figure
    from controller.figures.given import Expectation, Given, Role
    from controller.figures.timeline import Attempt

KINDS = {
    "progress": "what was measured, what had been predicted, and the best so far",
    "front": "what several objectives reached together",
    "parallel": "every experiment across all parameters and objectives",
    "slices": "what the model expects along each parameter, with its uncertainty",
    "sensitivity": "which parameters matter for what",
    "calibration": "what was predicted before against what was measured",
    "timeline": "which instrument did what when",
}
"""Kind -> what it shows."""
COMPUTED = frozenset({"slices", "sensitivity"})
"""Kinds that ask models, which takes seconds, and torch."""
LEVEL = 0.8
"""Share of results that an interval shown beside them is to hold."""
_BARE = frozenset({"sensitivity", "calibration", "timeline"})
"""Kinds that do not look at the experiments one by one."""
_NEWEST = 200


def kinds_of(found: Found) -> dict[str, str]:
    """Return the kinds of figures that a campaign can have, each with what it shows."""
    from controller.domain.objective import Objective, wanted

    problem = found.reader.definition(found.id)["problem"]
    goals = wanted({name: Objective.model_validate(o) for name, o in problem["objectives"].items()})
    several = len(goals) > 1 and not any(o.explored for o in goals.values())
    return {kind: about for kind, about in KINDS.items() if kind != "front" or several}


def figure(
    found: Found, kind: str, *, parameters: Sequence[str] = (), through: str | None = None, device: str = "cpu"
) -> Figure:
    """Return one figure of a campaign.

    Args:
        found: The campaign.
        kind: One of `KINDS`.
        parameters: Of `slices`: along which; none takes all.
        through: Of `slices`: number or id of the experiment whose setting is held; None takes the best.
        device: `cpu`, `cuda` or `auto`, for those that ask models.

    Raises:
        UnknownNameError: If there is no such kind, parameter or experiment.
        ConflictError: If the campaign has nothing that it could show, or something is said that belongs to `slices`.
    """
    from controller import figures
    from controller.verbs import reasons
    from controller.verbs.trust import calibration_told

    if kind not in KINDS:
        raise UnknownNameError(f"there is no figure {kind!r}; there is {', '.join(KINDS)}")
    if kind != "slices" and (parameters or through is not None):
        raise ConflictError(f"{kind}: a parameter, or an experiment to go through, belongs to slices alone")
    draw = getattr(import_module(f"{figures.__name__}.{kind}"), kind)
    with found.reader.snapshot():
        given = given_of(found, bare=kind in _BARE)
        told: Any = ()
        if kind == "calibration":
            told = (calibration_told(found),)
        elif kind == "timeline":
            told = (_attempts(found),)
    if kind == "sensitivity":
        told = (reasons.sensitivity(found, device=device),)
    elif kind == "slices":
        told = (reasons.slices_through(found, parameters, number=through, device=device),)
    drawn: Figure = draw(given, *told)
    return drawn


def figures(
    found: Found, kinds: Sequence[str] = (), *, parameters: Sequence[str] = (), through: str | None = None, device: str = "cpu",
    follow: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> tuple[list[Figure], list[str]]:
    """Return several figures of a campaign, and why others are not there.

    Args:
        found: The campaign.
        kinds: Which; none takes all that the campaign can have, and leaves out those that have nothing to show yet.
        parameters: Of `slices`; see `figure`.
        through: Of `slices`.
        device: `cpu`, `cuda` or `auto`.
        follow: Hands the kinds on one by one, and may show how far it is.

    Raises:
        UnknownNameError: If there is no such kind, parameter or experiment.
        ConflictError: If a kind that was asked for has nothing to show, or none has, or something belongs to `slices` that is not
            among them.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UnknownNameError(f"there is no figure {unknown[0]!r}; there is {', '.join(KINDS)}")
    chosen = list(kinds) or list(kinds_of(found))
    if "slices" not in chosen and (parameters or through is not None):
        raise ConflictError(f"{chosen[0]}: a parameter, or an experiment to go through, belongs to slices alone")
    drawn, refused = [], []
    for kind in follow(chosen):
        given = {"parameters": parameters, "through": through} if kind == "slices" else {}
        try:
            drawn.append(figure(found, kind, device=device, **given))  # type: ignore[arg-type]
        except ConflictError as error:
            if kinds:
                raise
            refused.append(str(error))
    return drawn, refused


def figure_told(found: Found, kind: str, parameter: str | None = None, through: str | None = None) -> dict[str, Any]:
    """Return a figure as JSON data; see `figure`."""
    return figure(found, kind, parameters=(parameter,) if parameter else (), through=through).model_dump(mode="json")


def compare(found: Sequence[Found]) -> Comparison:
    """Return campaigns beside each other: a row for each, and a figure.

    Raises:
        ConflictError: If they are fewer than two, their objectives differ, or nothing is to be best.
    """
    from controller.figures.comparison import compare
    from controller.verbs.results import cost_of
    from controller.verbs.trust import calibration_told

    costs: list[float | None] = []
    for one in found:
        priced = one.reader.definition(one.id)["problem"].get("cost")
        rows = one.reader.experiments(one.id)
        costs.append(cost_of(one.reader.proposal_rows(one.id), rows) if priced else None)
    return compare([given_of(one) for one in found], costs, [calibration_told(one)["objectives"] for one in found])


def comparison_told(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON data."""
    return {
        "measure": found.measure, "threshold": found.threshold, "way": found.way,
        "campaigns": [asdict(entry) for entry in found.entries], "figure": found.figure.model_dump(mode="json"),
    }  # fmt: skip


def _attempts(found: Found) -> list[Attempt]:
    from controller.figures.timeline import Attempt

    reader = found.reader
    numbers = {row["id"]: int(row["number"]) for row in reader.experiment_rows(found.id)}
    now = float(reader.campaign_row(found.id)["updated_at"])
    attempts = []
    for row in reader.attempt_rows(found.id):
        start = row["started_at"] or row["accepted_at"] or row["committed_at"]
        status = "sent" if row["status"] in ("committed", "accepted") else row["status"]
        end = max(start, row["ended_at"] or now)
        attempts.append(Attempt(row["instrument"], numbers[row["experiment"]], row["step"], status, start, end))
    return attempts


def given_of(found: Found, *, most: int | None = None, bare: bool = False) -> Given:
    """Return what figures of a campaign are made of.

    Args:
        found: The campaign.
        most: So many experiments are drawn one by one; `figures.thinning.MOST` where nothing is said.
        bare: Without its experiments.
    """
    from controller.domain.desirability import Desirability
    from controller.domain.objective import Objective
    from controller.figures.given import Given
    from controller.figures.thinning import MOST, spread, thinned

    reader = found.reader
    with reader.snapshot():
        definition = reader.definition(found.id)
        rows = [] if bare else [row for row in reader.experiment_rows(found.id) if row["status"] != "cancelled"]
        observed: dict[str, dict[str, float]] = {}
        for row in reader.observation_rows(found.id) if rows else ():
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
    from controller.domain.student import interval
    from controller.figures.given import Expectation

    def one(p: Mapping[str, Any]) -> Expectation:
        low, high = interval(p["mean"], p["scale"], p["freedom"], LEVEL) if p.get("scale") else (p["mean"], p["mean"])
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
