"""From a campaign's state to what a proposal rests on."""

from __future__ import annotations

from collections.abc import Iterable

from controller.domain.campaign import Definition
from controller.domain.experiment import ExperimentStatus
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
    at = {number: i for i, number in enumerate(history.numbers)} if best else {}
    kept = selected(problem.objectives, history.values, len(history), [at[number] for number in best if number in at])
    left_out = sorted(set(range(len(history))) - set(kept))
    return Request(
        problem=problem,
        policy=definition.proposals,
        observed=history.observations(kept),
        left_out=len(left_out),
        others=history.settings(left_out) if left_out and _is_countable(problem) else {},
        pending=tuple(e.point for e in state.with_status(*_UNDER_WAY)),
        n=n,
        number=state.n_experiments + 1,
        seed=state.seed,
        device=device,
    )


def _is_countable(problem: Problem) -> bool:
    """Whether the settings could be listed; between real numbers nothing is met twice by chance."""
    return problem.pool is not None or not any(isinstance(p, ContinuousParameter) for p in problem.parameters.values())
