"""Which parameters matter, and what lies along one of them: pure functions of a campaign's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from controller.design.lines import along, direction, listed
from controller.design.pairs import pairs, with_context
from controller.domain.base import Point
from controller.domain.campaign import Definition
from controller.domain.event import Event
from controller.domain.explanation import (
    LEVEL,
    Effect,
    Expected,
    Local,
    Sensitivity,
    SensitivityReport,
    Slice,
    SliceValue,
)
from controller.domain.limits import within
from controller.domain.objective import wanted
from controller.domain.parameter import CategoricalParameter
from controller.domain.proposal import Prediction
from controller.domain.request import Request
from controller.domain.space import Problem
from controller.domain.state import CampaignState, Experiment, fold
from controller.domain.student import interval
from controller.encoding.columns import Encoder
from controller.encoding.space import Array
from controller.engine.recalling import knowledge_of
from controller.engine.snapshot import best_so_far
from controller.engine.thinking import Reconsidered, one_thread, reconsider
from controller.errors import ConflictError, NothingYetError, UnknownNameError
from controller.learn.calibration import calibration
from controller.learn.sensitivity import indices
from surrogates.calibration import half_width

_HALF = half_width(LEVEL)
_PLACES = 25
_ON = 1e-6


def sensitivity(definition: Definition, events: Sequence[Event], device: str = "cpu") -> SensitivityReport:
    """Return which parameters matter, by what is known now.

    Args:
        definition: Of the campaign.
        events: Its log.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ConflictError: If nothing was measured yet.
        MissingExtraError: If the problem has structures and RDKit is not installed.
    """
    request, _ = _now(definition, events, device)
    with one_thread():
        found = reconsider(request)
        told = sensitivities(definition.problem, found, request)
        return SensitivityReport(campaign=definition.name, how=_drawn(found.encoder, request.seed).how, objectives=told)


def slice_through(
    definition: Definition, events: Sequence[Event], parameter: str, *, number: int | None = None, device: str = "cpu"
) -> Slice:
    """Return what is expected along `parameter`, by what is known now, the other parameters held.

    Args:
        definition: Of the campaign.
        events: Its log.
        parameter: Its name, or that of a context variable.
        number: The experiment whose setting the slice goes through; None takes the best one, of several objectives the one that
            is best in the sum of scores relative to their ranges.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        UnknownNameError: If there is no such parameter or experiment.
        ConflictError: If nothing was measured yet.
        MissingExtraError: If the problem has structures and RDKit is not installed.
    """
    return slices_through(definition, events, (parameter,), number=number, device=device)[0]


def slices_through(
    definition: Definition, events: Sequence[Event], parameters: Sequence[str], *, number: int | None = None, device: str = "cpu"
) -> tuple[Slice, ...]:
    """Return what is expected along each of `parameters`; see `slice_through`. The model is fitted once for all.

    No name takes every parameter that is active there and every context variable.
    """
    problem = definition.problem
    known = {**problem.parameters, **problem.context}
    for parameter in parameters:
        if parameter not in known:
            raise UnknownNameError(f"campaign {definition.name} has no parameter {parameter!r}; it has {', '.join(known)}")
    request, state = _now(definition, events, device)
    number = _best(definition, state) if number is None else number
    point = experiment_of(state, number).point
    for parameter in parameters:
        if parameter in problem.parameters and parameter not in point:
            raise ConflictError(
                f"{parameter} is not active in experiment {number}; name one where it is with --through "
                f"(it is active when {_when(problem, parameter)})"
            )
    chosen = parameters or [name for name in known if name in point or name in problem.context]
    with one_thread():
        found = reconsider(request)
        return tuple(_slice(definition, request, found, point, number, parameter) for parameter in chosen)


def _when(problem: Problem, parameter: str) -> str:
    """Return in words when a parameter is active."""
    return " and ".join(
        f"{name} is {(' or ' if isinstance(problem.parameters[name], CategoricalParameter) else ' to ').join(map(str, there))}"
        for name, there in (problem.parameters[parameter].active_when or {}).items()
    )


def _slice(
    definition: Definition, request: Request, found: Reconsidered, point: Point, number: int, parameter: str
) -> Slice:
    problem = definition.problem
    points, moved = _line(found.encoder, {**request.context, **point}, parameter)
    allowed = [problem.allows(problem.settings(p)) for p in points]
    if problem.pool is not None and parameter in problem.parameters:
        allowed = listed(problem.pool, points, parameter)
    rows = zip(points, expected_at(problem, found, found.encoder.encode(points)), allowed, strict=True)
    values = [SliceValue(value=p[parameter], point=p, expected=expected, allowed=fine) for p, expected, fine in rows]
    unit = getattr({**problem.parameters, **problem.context}[parameter], "unit", None)
    return Slice(
        campaign=definition.name, parameter=parameter, unit=unit,
        through={**request.context, **point}, experiment=number, moved=moved, values=tuple(values),
    )  # fmt: skip


def _line(encoder: Encoder, through: Point, parameter: str) -> tuple[list[Point], tuple[str, ...]]:
    """Return points along a parameter, or along a context variable, and which other parameters have to give way."""
    space = encoder.space
    for axis in encoder.context:
        if axis.name == parameter:
            places = np.linspace(0.0, 1.0, _PLACES) if axis.levels is None else axis.levels
            here = [through[parameter]] if parameter in through else []
            found = list(dict.fromkeys([*here, *(axis.value(float(c)) for c in places)]))
            return [{**through, parameter: value} for value in sorted(found, key=axis.coordinate)], ()
    j = next(i for i, axis in enumerate(space.axes) if axis.name == parameter)
    rows = along(space, space.coordinates([through])[0], j, _PLACES)
    context = {axis.name: through[axis.name] for axis in encoder.context if axis.name in through}
    way = direction(space, j)
    moved = tuple(axis.name for i, axis in enumerate(space.axes) if i != j and abs(way[i]) > _ON)
    return [{**context, **space.point(row)} for row in rows], moved


def _now(definition: Definition, events: Sequence[Event], device: str) -> tuple[Request, CampaignState]:
    """Return what a model can learn from now, and the state of the campaign."""
    state = fold(events)
    request, _ = knowledge_of(definition, state, device=device)
    if not any(request.observed.completed):
        raise NothingYetError(f"campaign {definition.name} has no result yet that a model could learn from")
    return request, state


def _best(definition: Definition, state: CampaignState) -> int:
    """Return the number of the best experiment; of a front the one with the largest sum of scores relative to their ranges."""
    front = best_so_far(definition, state).experiments()
    objectives = wanted(definition.problem.objectives)
    if len(front) == 1:
        return int(front[0]["experiment"])
    scores = np.array([[o.score(row["objectives"][name]) for name, o in objectives.items()] for row in front])
    span = np.ptp(scores, axis=0)
    return int(front[int((scores / np.where(span > 0, span, 1.0)).sum(1).argmax())]["experiment"])


def experiment_of(state: CampaignState, number: int | None) -> Experiment:
    """Return the experiment of that number; for None the newest that the model proposed, or the newest of all.

    Raises:
        UnknownNameError: If there is none.
    """
    experiments = list(state.experiments.values())
    if number is None:
        if not experiments:
            raise UnknownNameError(f"campaign {state.name} has no experiment yet; there is nothing to explain")
        return ([e for e in experiments if e.proposal.source == "model"] or experiments)[-1]
    found = next((e for e in experiments if e.number == number), None)
    if found is None:
        there = f"it has 1 to {len(experiments)}" if experiments else "it has none yet"
        raise UnknownNameError(f"campaign {state.name} has no experiment {number}; {there}")
    return found


def expected_at(problem: Problem, found: Reconsidered, X: Tensor, *, pending: bool = False) -> list[dict[str, Expected]]:
    """Return what is expected of the objectives at the rows of `X` (n x d), with points under way believed or not."""
    return [
        {name: Expected(mean=p.mean, sd=p.sd, **_ends(p)) for name, p in row.items()}
        for row in found.expect(problem, X, pending=pending)
    ]


def _ends(predicted: Prediction) -> dict[str, float]:
    low, high = interval_of(predicted)
    return {"low": low, "high": high}


def interval_of(predicted: Prediction) -> tuple[float, float]:
    """Return the interval told to people: that of a new measurement, calibrated."""
    if predicted.scale is None or predicted.freedom is None:
        low, high = predicted.mean - _HALF * predicted.sd, predicted.mean + _HALF * predicted.sd
        return within(low, predicted.limits), within(high, predicted.limits)
    return interval(predicted.middle, predicted.scale, predicted.freedom, LEVEL, predicted.limits)


def changes_along(problem: Problem, found: Reconsidered, point: Point) -> tuple[Local, ...]:
    """Return how far the predicted means go along each parameter through `point`."""
    space = found.encoder.space
    z = space.coordinates([point])[0]
    told = []
    for j, axis in enumerate(space.axes):
        if axis.name not in point:  # it is not active there
            continue
        X = found.encoder.columns(torch.from_numpy(along(space, z, j, _PLACES)))
        rows = expected_at(problem, found, X, pending=True)
        means = {name: [row[name].mean for row in rows] for name in rows[0]}
        told.append(
            Local(
                parameter=axis.name, low={n: min(m) for n, m in means.items()}, high={n: max(m) for n, m in means.items()}
            )
        )  # fmt: skip
    return tuple(told)


def sensitivities(problem: Problem, found: Reconsidered, request: Request) -> dict[str, Sensitivity]:
    """Return per objective which parameters matter for what its model expects over the space."""
    encoder = found.encoder
    drawn = _drawn(encoder, request.seed)
    told = {}
    means = expected_at(problem, found, drawn.base)
    for name, model in found.surrogates.items():
        values = np.array([row[name].mean for row in means])
        result = indices(model, drawn.base, drawn.moved, drawn.other, request.seed % 2**62)
        data = found.data.get(name)  # none where the model rests on what was known before the first result
        quality = None if data is None else calibration(model, data)
        effects = [
            Effect(
                parameter=axis.name, total=float(result.total[j]), low=float(result.low[j]), high=float(result.high[j]),
                first=None if result.first is None else float(result.first[j]),
                trend=None if axis.categorical else _trend(drawn.z[:, j], values),
            )
            for j, axis in enumerate((*encoder.space.axes, *encoder.context))
        ]  # fmt: skip
        told[name] = Sensitivity(
            observations=0 if data is None else data.n, r2=None if quality is None else quality.r2, spread=result.spread,
            effects=tuple(sorted(effects, key=lambda e: -e.total)),
        )  # fmt: skip
    return told


@dataclass(frozen=True)
class _Drawn:
    z: Array
    base: Tensor
    moved: list[Tensor]
    other: Tensor | None
    how: str


def _drawn(encoder: Encoder, seed: int) -> _Drawn:
    """Return the settings over which sensitivity is told, as columns; context variables are drawn beside the parameters."""
    found = with_context(pairs(encoder.space, seed % 2**62), encoder.context, seed % 2**62)
    base, *moved = (encoder.columns(torch.from_numpy(z)) for z in (found.base, *found.moved))
    other = None if found.other is None else encoder.columns(torch.from_numpy(found.other))
    return _Drawn(found.base, base, moved, other, found.how)


def _trend(z: Array, values: Array) -> float:
    """Return the correlation of expected values with a coordinate; 0 where one of them does not vary."""
    if np.ptp(z) == 0.0 or np.ptp(values) <= 1e-9 * np.abs(values).max():
        return 0.0
    return float(np.corrcoef(z, values)[0, 1])
