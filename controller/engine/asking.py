"""From a campaign's state to what a proposal rests on."""

from __future__ import annotations

from controller.domain.campaign import Definition
from controller.domain.experiment import ExperimentStatus
from controller.domain.request import Request
from controller.domain.state import CampaignState

_UNDER_WAY = (ExperimentStatus.PROPOSED, ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.UNKNOWN)


def request_for(definition: Definition, state: CampaignState, n: int, device: str) -> Request:
    """Return the request for the next `n` proposals of a campaign."""
    return Request(
        problem=definition.problem,
        policy=definition.proposals,
        observed=state.history.observations(),
        pending=tuple(e.point for e in state.with_status(*_UNDER_WAY)),
        n=n,
        number=state.n_experiments + 1,
        seed=state.seed,
        device=device,
    )
