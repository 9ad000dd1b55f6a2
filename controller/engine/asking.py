"""From a campaign's state to what a proposal rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from controller.design.candidates import MOST_LISTED
from controller.domain.base import Point, Value
from controller.domain.campaign import Definition
from controller.domain.experiment import ExperimentStatus
from controller.domain.history import History
from controller.domain.parameter import CategoricalParameter, ContinuousParameter, DiscreteParameter, Parameter
from controller.domain.request import Request
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.engine.pricing import cooling, previous_point
from controller.learn.selection import selected

_UNDER_WAY = (ExperimentStatus.PROPOSED, ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.UNKNOWN)
MOST_OTHERS = 10_000
"""So many settings beside those that the models learn from are told at most, where the space is too large to be listed."""


def request_for(
    definition: Definition, state: CampaignState, best: Iterable[int], n: int, device: str, *,
    refused: Sequence[Point] = (), most_others: float = MOST_OTHERS,
) -> Request:  # fmt: skip
    """Return the request for the next `n` proposals of a campaign; its length is bounded, however long the campaign is.

    Args:
        definition: The campaign's.
        state: What has happened.
        best: Numbers of the best experiment, or of the Pareto front.
        n: How many proposals are wanted.
        device: `cpu`, `cuda` or `auto`.
        refused: Settings that were proposed although they had been before: told in any case.
        most_others: How many settings beside those learned from are told where the space cannot be listed; infinite where
            nobody looks through the answer for settings that are known.
    """
    history, problem = state.history, definition.problem
    front = [at for number in best if (at := history.position(number)) is not None]
    kept = selected(problem.objectives, history.values, len(history), front)
    left_out = len(history) - len(kept)
    return Request(
        problem=problem,
        policy=definition.proposals,
        observed=history.observations(kept, numbered=problem.drift is not None),
        surprises=state.surprises(),
        left_out=left_out,
        others=_others(history, kept, problem, refused, most_others) if left_out and _could_be_repeated(problem) else {},
        pending=tuple(e.circumstances for e in state.with_status(*_UNDER_WAY)),
        context={name: state.context[name] for name in problem.context if name in state.context},
        n=n,
        number=state.n_experiments + 1,
        seed=state.seed,
        previous=previous_point(state) if problem.cost is not None else {},
        cooling=cooling(definition, state),
        reference_in=_reference_in(problem, state),
        events=state.n_events,
        refused=tuple(refused),
        device=device,
    )


def _reference_in(problem: Problem, state: CampaignState) -> int | None:
    """Return after how many further experiments the reference is due, zero where it is due now; None where there is none."""
    if problem.drift is None or problem.drift.every is None:
        return None
    reference = problem.key(problem.drift.reference)
    newest = state.n_experiments
    under_way = [e.number for e in state.with_status(*_UNDER_WAY) if problem.key(e.point) == reference]
    last = max(under_way, default=0)
    for ended in state.history.newest(problem.drift.every):
        if ended.number > last and problem.key(ended.point) == reference:
            last = ended.number
    # One that was cancelled or retracted does not count: the next takes its place.
    return 0 if last == 0 else max(0, problem.drift.every - 1 - (newest - last))


def _others(
    history: History, kept: Sequence[int], problem: Problem, refused: Sequence[Point], most: float
) -> dict[str, list[Value | None]]:
    """Return the settings that are not among those learned from, in columns.

    All of them where the space is listed, which bounds them: it ends only when each is known to be done. Of a larger space the
    newest, for they are where the search is; an older one that comes up again is refused once, and told from then on.
    """
    known = set(kept)
    others = [i for i in range(len(history)) if i not in known]
    listed = problem.pool is not None or math.prod(map(_n_settings, problem.parameters.values())) <= MOST_LISTED
    if listed or len(others) <= most:
        return history.settings(others)
    columns = history.settings(others[-int(most) :])
    return {name: [*column, *(point.get(name) for point in refused)] for name, column in columns.items()}


def _n_settings(parameter: Parameter) -> float:
    match parameter:
        case ContinuousParameter():
            return math.inf
        case DiscreteParameter():
            return len(parameter.values)
        case CategoricalParameter():
            return len(parameter.choices)
        case _:
            return parameter.bounds[1] - parameter.bounds[0] + 1


def _could_be_repeated(problem: Problem) -> bool:
    """Say whether a setting might be met again and must not be; between real numbers nothing is met twice by chance."""
    counted = problem.pool is not None or not any(isinstance(p, ContinuousParameter) for p in problem.parameters.values())
    return counted and problem.allow_replicates is not True
