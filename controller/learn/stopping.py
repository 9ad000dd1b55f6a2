"""When a campaign has spent its budget: pure functions of its state."""

from __future__ import annotations

from controller.domain.campaign import Budget
from controller.domain.experiment import OPEN_EXPERIMENTS
from controller.domain.state import CampaignState

_SECONDS_PER_HOUR = 3600.0


def experiments_left(budget: Budget, state: CampaignState) -> int:
    """Return how many more experiments may be proposed; cancelled ones cost nothing."""
    return max(0, budget.experiments - state.spent)


def seconds_left(budget: Budget, worked_s: float) -> float | None:
    """Return the lab time left after `worked_s` of work [s], or None where time is not limited."""
    if budget.hours is None:
        return None
    return max(0.0, budget.hours * _SECONDS_PER_HOUR - worked_s)


def reason_to_stop(budget: Budget, state: CampaignState, worked_s: float, *, exhausted: bool = False) -> str | None:
    """Return why no further experiment may begin, or None while one may.

    Args:
        budget: Of the campaign.
        state: What its events tell.
        worked_s: Lab time that the campaign has been at work [s].
        exhausted: Whether every allowed setting has been proposed.
    """
    if seconds_left(budget, worked_s) == 0.0:
        return f"the budget of {budget.hours:g} hours is used up"
    if experiments_left(budget, state) == 0:
        return f"the budget of {budget.experiments} experiments is used up"
    if budget.cost is not None and state.cost >= budget.cost:
        return f"the budget of {budget.cost:g} for cost is used up"
    if exhausted:
        return "every allowed setting has been proposed"
    return None


def is_over(budget: Budget, state: CampaignState, worked_s: float, *, exhausted: bool = False) -> bool:
    """Say whether nothing may begin any more and nothing is under way."""
    under_way = any(e.status in OPEN_EXPERIMENTS for e in state.experiments.values())
    return not under_way and reason_to_stop(budget, state, worked_s, exhausted=exhausted) is not None
