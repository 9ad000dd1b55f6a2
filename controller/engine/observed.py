"""From a campaign's state to what a proposal rests on."""

from __future__ import annotations

from controller.domain.campaign import Definition
from controller.domain.experiment import ExperimentStatus
from controller.domain.request import Observed, Request
from controller.domain.state import CampaignState

_ENDED = (ExperimentStatus.COMPLETED, ExperimentStatus.FAILED, ExperimentStatus.ABANDONED)
_UNDER_WAY = (ExperimentStatus.PROPOSED, ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.UNKNOWN)


def observed_of(state: CampaignState) -> tuple[Observed, ...]:
    """Return the experiments that have ended, in the order of their numbers; a failed one has no values."""
    return tuple(
        Observed(
            point=e.point,
            values={n: o.value for n, o in e.observations.items()} if e.status is ExperimentStatus.COMPLETED else None,
            sem={n: o.sem for n, o in e.observations.items() if o.sem is not None},
        )
        for e in state.with_status(*_ENDED)
    )


def request_for(definition: Definition, state: CampaignState, n: int, device: str) -> Request:
    """Return the request for the next `n` proposals of a campaign."""
    return Request(
        problem=definition.problem,
        policy=definition.proposals,
        observed=observed_of(state),
        pending=tuple(e.point for e in state.with_status(*_UNDER_WAY)),
        n=n,
        number=len(state.experiments) + 1,
        seed=state.seed,
        device=device,
    )
