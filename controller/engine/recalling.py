"""What a proposal rested on, told by the log: the question that the proposer was asked, long after it has answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.design.initial import data_fingerprint
from controller.domain.base import Point
from controller.domain.campaign import Definition
from controller.domain.event import (
    Event,
    ExperimentProposed,
    ExperimentReinstated,
    ExperimentRetracted,
    ExperimentStatusChanged,
)
from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.domain.state import CampaignState, fold
from controller.engine.asking import request_for
from controller.engine.snapshot import best_so_far
from controller.errors import UnknownNameError
from controller.learn.selection import selected

# How many events back from its entry the moment is looked for at which a proposal was asked for.
_MOST_BACK = 1000
# Only what begins or ends an experiment changes what a proposal rests on.
_TELLING = (ExperimentProposed, ExperimentStatusChanged, ExperimentRetracted, ExperimentReinstated)


@dataclass(frozen=True)
class Recalled:
    """What a proposal rested on."""

    request: Request
    """For it alone: what was proposed in the same answer before it counts as under way."""
    numbers: tuple[int, ...]
    """Of the experiments in `request.observed`, in their order."""
    exact: bool
    """Whether the fingerprint that was kept with the proposal is that of these data."""


def knowledge_of(definition: Definition, state: CampaignState, number: int, device: str) -> tuple[Request, tuple[int, ...]]:
    """Return what is asked for experiment `number` in `state`, and the numbers of the experiments that are learned from."""
    best = best_so_far(definition, state).numbers()
    request = request_for(definition, state, best, 1, device).model_copy(update={"number": number})
    ended = [e.number for e in state.history]
    front = [at for n in best if (at := state.history.position(n)) is not None]
    kept = selected(definition.problem.objectives, state.history.values, len(ended), front)
    return request, tuple(ended[i] for i in kept)


def recall(definition: Definition, events: Sequence[Event], number: int, device: str = "cpu") -> Recalled:
    """Return what the proposal of experiment `number` rested on.

    It was asked for at some moment before it was entered; results that came in between are not among what it rested on. That
    moment is found by the fingerprint of the data, which is kept with the proposal.

    Args:
        definition: Of the campaign.
        events: Its log.
        number: Of the experiment.
        device: `cpu`, `cuda` or `auto`; goes into the request.

    Raises:
        UnknownNameError: If there is no such experiment.
        IllegalTransitionError: If the log contradicts itself.
    """
    end, proposal = _entry(events, number)
    state = fold(events[:end])
    request, numbers = knowledge_of(definition, state, number, device)
    if data_fingerprint(request) == proposal.data_fingerprint:
        return Recalled(request, numbers, True)
    return _earlier(definition, events, end, number, proposal, device) or Recalled(request, numbers, False)


def _entry(events: Sequence[Event], number: int) -> tuple[int, Proposal]:
    """Return where experiment `number` was entered, and its proposal."""
    for i, event in enumerate(events):
        if isinstance(event, ExperimentProposed) and event.number == number:
            return i, event.proposal
    n = sum(isinstance(event, ExperimentProposed) for event in events)
    there = f"it has 1 to {n}" if n else "it has none yet"
    raise UnknownNameError(f"the campaign has no experiment {number}; {there}")


def _earlier(
    definition: Definition, events: Sequence[Event], end: int, number: int, proposal: Proposal, device: str
) -> Recalled | None:
    """Look for the moment at which the data were those of the proposal; None where there is none."""
    begin = max(0, end - _MOST_BACK)
    state = fold(events[:begin])
    found: Recalled | None = None
    for at in range(begin, end):
        if isinstance(events[at], _TELLING):
            together = _proposed(events[at:end])
            request, numbers = knowledge_of(definition, state, number, device)
            if data_fingerprint(request, together) == proposal.data_fingerprint:
                request = request.model_copy(update={"pending": (*request.pending, *together)})
                found = Recalled(request, numbers, True)
        state.apply(events[at])
    return found


def _proposed(events: Sequence[Event]) -> list[Point]:
    return [event.proposal.point for event in events if isinstance(event, ExperimentProposed)]
