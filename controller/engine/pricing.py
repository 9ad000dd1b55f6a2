"""What experiments cost: kept with each as it is entered, and how much it counts for the next one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from controller.domain.base import Point
from controller.domain.campaign import Definition
from controller.domain.proposal import Proposal
from controller.domain.space import Problem
from controller.domain.state import CampaignState


def priced(problem: Problem, proposals: Sequence[Proposal], previous: Point) -> list[Proposal]:
    """Return proposals, each with what it is expected to cost after the one before.

    Args:
        problem: Of the campaign; without a cost the proposals stay as they are.
        proposals: In the order of their numbers.
        previous: Setting of the experiment before the first; empty where there is none.
    """
    if problem.cost is None:
        return list(proposals)
    found = []
    for proposal in proposals:
        cost = problem.cost.of(proposal.point, previous)
        found.append(proposal.model_copy(update={"cost": cost if math.isfinite(cost) else 0.0}))
        previous = proposal.point
    return found


def previous_point(state: CampaignState) -> Point:
    """Return the setting of the newest experiment that was carried out here or will be; empty where there is none."""
    here = (e for e in state.experiments.values() if not e.cancelled and e.number not in state.imported)
    newest = max(here, key=lambda e: e.number, default=None)
    newest_ended = list(state.history.newest(len(state.imported) + 1))
    ended = next((e for e in reversed(newest_ended) if e.number not in state.imported), None)
    if newest is not None and (ended is None or newest.number > ended.number):
        return newest.point
    return {} if ended is None else ended.point


def cooling(definition: Definition, state: CampaignState) -> float | None:
    """Return how much cost counts for the next experiment: the share of the budget that is left; None without a cost."""
    if definition.problem.cost is None:
        return None
    budget = definition.budget
    left = 1.0 - state.spent / budget.experiments
    if budget.cost is not None:
        left = 1.0 - state.cost / budget.cost
    return min(1.0, max(0.0, left))
