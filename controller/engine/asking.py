"""From a campaign's state to what a proposal rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controller.domain.base import Value
from controller.domain.campaign import Definition
from controller.domain.experiment import ExperimentStatus
from controller.domain.history import History
from controller.domain.parameter import ContinuousParameter
from controller.domain.request import Request
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.learn.selection import selected

_UNDER_WAY = (ExperimentStatus.PROPOSED, ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.UNKNOWN)


def request_for(definition: Definition, state: CampaignState, best: Iterable[int], n: int, device: str) -> Request:
    """Return the request for the next `n` proposals of a campaign; its length is bounded, however long the campaign is.

    Args:
        definition: The campaign's.
        state: What has happened.
        best: Numbers of the best experiment, or of the Pareto front.
        n: How many proposals are wanted.
        device: `cpu`, `cuda` or `auto`.
    """
    history, problem = state.history, definition.problem
    front = [at for number in best if (at := history.position(number)) is not None]
    kept = selected(problem.objectives, history.values, len(history), front)
    left_out = len(history) - len(kept)
    return Request(
        problem=problem,
        policy=definition.proposals,
        observed=history.observations(kept),
        left_out=left_out,
        others=_others(history, kept) if left_out and _could_be_repeated(problem) else {},
        pending=tuple(e.point for e in state.with_status(*_UNDER_WAY)),
        n=n,
        number=state.n_experiments + 1,
        seed=state.seed,
        device=device,
    )


def _others(history: History, kept: Sequence[int]) -> dict[str, list[Value]]:
    known = set(kept)
    return history.settings(i for i in range(len(history)) if i not in known)


def _could_be_repeated(problem: Problem) -> bool:
    """Say whether a setting might be met again and must not be; between real numbers nothing is met twice by chance."""
    counted = problem.pool is not None or not any(isinstance(p, ContinuousParameter) for p in problem.parameters.values())
    return counted and not problem.allow_replicates
