"""The figures of a campaign: which there are, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, NothingYetError, UnknownNameError
from controller.verbs.givens import given_in_memory, given_of
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.domain.event import Event
    from controller.figures.comparison import Comparison
    from controller.figures.figure import Figure
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
_BARE = frozenset({"sensitivity", "calibration", "timeline"})
"""Kinds that do not look at the experiments one by one."""


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
    from controller.verbs import reasons
    from controller.verbs.trust import calibration_told

    if kind not in KINDS:
        raise UnknownNameError(f"there is no figure {kind!r}; there is {', '.join(KINDS)}")
    if kind != "slices" and (parameters or through is not None):
        raise ConflictError(f"{kind}: a parameter, or an experiment to go through, belongs to slices alone")
    with found.reader.snapshot():
        # What the campaign cannot have is refused by its builder, which needs no experiments for that.
        given = given_of(found, bare=kind in _BARE or kind not in kinds_of(found))
        told: Any = ()
        if kind == "calibration":
            told = (calibration_told(found),)
        elif kind == "timeline":
            told = (_attempts(found),)
    if kind == "sensitivity":
        told = (reasons.sensitivity(found, device=device),)
    elif kind == "slices":
        told = (reasons.slices_through(found, parameters, number=through, device=device),)
    drawn: Figure = _builder(kind)(given, *told)
    return drawn


def figure_in_memory(
    definition: Definition, events: Sequence[Event], kind: str, *, parameters: Sequence[str] = (), through: int | None = None,
    device: str = "cpu",
) -> Figure:  # fmt: skip
    """Return one figure of a campaign that a script holds; see `figure`. `calibration` and `timeline` are read from stores."""
    from controller.domain.state import fold

    if kind not in KINDS or kind in ("calibration", "timeline"):
        there = ", ".join(k for k in KINDS if k not in ("calibration", "timeline"))
        raise UnknownNameError(f"there is no figure {kind!r} of a campaign in memory; there is {there}")
    if kind != "slices" and (parameters or through is not None):
        raise ConflictError(f"{kind}: a parameter, or an experiment to go through, belongs to slices alone")
    told: tuple[Any, ...] = ()
    if kind in COMPUTED:
        from controller.engine.thinking_sensitivity import sensitivity, slices_through

        if kind == "sensitivity":
            told = (sensitivity(definition, events, device).model_dump(mode="json"),)
        else:
            found = slices_through(definition, events, parameters, number=through, device=device)
            told = ([one.model_dump(mode="json") for one in found],)
    drawn: Figure = _builder(kind)(given_in_memory(definition, fold(events)), *told)
    return drawn


def _builder(kind: str) -> Any:
    from controller import figures

    return getattr(import_module(f"{figures.__name__}.{kind}"), kind)


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
    """Return a figure as JSON data; see `figure`. One that has nothing to show yet has no panels, and its `summary` says why."""
    try:
        drawn = figure(found, kind, parameters=(parameter,) if parameter else (), through=through)
    except NothingYetError as error:
        from controller.figures.figure import Figure

        why = str(error).removeprefix(f"{kind}: ")
        drawn = Figure(kind=kind, title=f"{kind} of {found.name}", simulated=found.simulated, summary=why, panels=())
    return drawn.model_dump(mode="json")


def compare(found: Sequence[Found]) -> Comparison:
    """Return campaigns beside each other: a row for each, and a figure.

    Raises:
        ConflictError: If they are fewer than two, their objectives differ, or nothing is to be best.
    """
    from controller.figures.comparison import compare
    from controller.verbs.results import cost_of
    from controller.verbs.trust import coverage_told

    costs: list[float | None] = []
    for one in found:
        priced, reader = one.reader.definition(one.id)["problem"].get("cost"), one.reader
        costs.append(cost_of(reader.proposal_rows(one.id), reader.experiments(one.id)) if priced else None)
    return compare([given_of(one) for one in found], costs, [coverage_told(one) for one in found])


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
