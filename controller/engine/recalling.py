"""What a proposal rested on, told by the log: the question that the proposer was asked, long after it has answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.design.initial import data_fingerprint
from controller.domain.campaign import Definition
from controller.domain.event import Event, ExperimentProposed
from controller.domain.proposal import Basis, Proposal
from controller.domain.request import Request
from controller.domain.state import CampaignState, fold
from controller.engine.replaying import question
from controller.engine.snapshot import best_so_far
from controller.errors import UnknownNameError
from controller.learn.selection import selected


@dataclass(frozen=True)
class Recalled:
    """What a proposal rested on."""

    request: Request
    """For it alone: what was proposed in the same answer before it counts as under way."""
    numbers: tuple[int, ...]
    """Of the experiments in `request.observed`, in their order."""
    exact: bool
    """Whether the fingerprint that was kept with the proposal is that of these data."""


def knowledge_of(
    definition: Definition, state: CampaignState, basis: Basis | None = None, device: str | None = None
) -> tuple[Request, tuple[int, ...]]:
    """Return what is asked in `state` for one proposal, and the numbers of the experiments that are learned from.

    Args:
        definition: Of the campaign.
        state: What has happened.
        basis: When it was asked for; None asks for the next one.
        device: `cpu`, `cuda` or `auto`, in place of that in `basis`.
    """
    basis = basis or Basis(events=state.n_events, number=state.n_experiments + 1)
    request = question(definition, state, basis.model_copy(update={"device": device or basis.device}), 1)
    ended = [e.number for e in state.history]
    front = [at for n in best_so_far(definition, state).numbers() if (at := state.history.position(n)) is not None]
    kept = selected(definition.problem.objectives, state.history.values, len(ended), front)
    return request, tuple(ended[i] for i in kept)


def recall(definition: Definition, events: Sequence[Event], number: int, device: str | None = None) -> Recalled:
    """Return what the proposal of experiment `number` rested on: what the log held when it was asked for, as it tells itself.

    Results that came in before the answer did are not among it. Where a proposal does not tell (of a person, or kept by an earlier
    version), it is what the log held when it was entered.

    Args:
        definition: Of the campaign.
        events: Its log.
        number: Of the experiment.
        device: `cpu`, `cuda` or `auto`; that of the proposal where nothing is said.

    Raises:
        UnknownNameError: If there is no such experiment.
        IllegalTransitionError: If the log contradicts itself.
    """
    end, proposal = _entry(events, number)
    basis = proposal.basis or Basis(events=end, number=number, device="cpu")
    request, numbers = knowledge_of(definition, fold(events[: basis.events]), basis, device)
    # What was proposed in the same answer before it counts as under way.
    together = [p.point for p in _answer(events[basis.events : end]) if p.basis is not None and _same_answer(p.basis, basis)]
    request = request.model_copy(update={"pending": (*request.pending, *together)})
    return Recalled(request, numbers, data_fingerprint(request) == proposal.data_fingerprint)


def _entry(events: Sequence[Event], number: int) -> tuple[int, Proposal]:
    """Return where experiment `number` was entered, and its proposal."""
    for i, event in enumerate(events):
        if isinstance(event, ExperimentProposed) and event.number == number:
            return i, event.proposal
    n = sum(isinstance(event, ExperimentProposed) for event in events)
    there = f"it has 1 to {n}" if n else "it has none yet"
    raise UnknownNameError(f"the campaign has no experiment {number}; {there}")


def _answer(events: Sequence[Event]) -> list[Proposal]:
    return [event.proposal for event in events if isinstance(event, ExperimentProposed)]


def _same_answer(one: Basis, other: Basis) -> bool:
    return (one.events, one.number) == (other.events, other.number) and one.position < other.position
