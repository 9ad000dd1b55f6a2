"""Logs: events that may follow each other, and events that may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignAmended,
    CampaignCreated,
    CampaignStatusChanged,
    ControllerAttached,
    ControllerDetached,
    Event,
    ExperimentProposed,
    ExperimentReinstated,
    ExperimentRetracted,
    ExperimentStatusChanged,
    Observation,
)
from controller.domain.experiment import (
    ATTEMPT_TRANSITIONS,
    CAMPAIGN_TRANSITIONS,
    EXPERIMENT_TRANSITIONS,
    AttemptStatus,
    ExperimentStatus,
)
from controller.domain.proposal import Proposal
from controller.domain.state import CampaignState
from tests.strategies.events import faults, measurements
from tests.strategies.values import numbers

CAMPAIGN = "campaign-1"
START = 1_000_000.0
"""Lab time of the first event [s]; each event comes one second after the one before."""
STEPS = ("react", "assay")

_Status = TypeVar("_Status", ExperimentStatus, AttemptStatus)
_Draw = Callable[[st.SearchStrategy[Any]], Any]


def _stamp(state: CampaignState) -> dict[str, Any]:
    return {"campaign": CAMPAIGN, "at": START + state.n_events}


def created(*, simulated: bool = True) -> CampaignCreated:
    """Return the first event of every log here."""
    return CampaignCreated(
        campaign=CAMPAIGN, at=START, name="walk", definition_fingerprint="f" * 64, seed=7, simulated=simulated
    )


def proposed(state: CampaignState, x: float = 0.0) -> ExperimentProposed:
    """Return the proposal that may come next."""
    number = len(state.experiments) + 1
    proposal = Proposal(point={"x": x}, source="model")
    return ExperimentProposed(**_stamp(state), experiment=f"experiment-{number}", number=number, proposal=proposal)


def moved_experiment(
    state: CampaignState, experiment: str, status: ExperimentStatus, **content: Any
) -> ExperimentStatusChanged:
    """Return the change of an experiment, legal or not."""
    return ExperimentStatusChanged(**_stamp(state), experiment=experiment, status=status, **content)


def committed(state: CampaignState, experiment: str, step: str = "react") -> AttemptCommitted:
    """Return the dispatch of a step, legal or not."""
    ordinal = len(state.attempts_of(experiment, step)) + 1 if experiment in state.experiments else 1
    return AttemptCommitted(
        **_stamp(state), attempt=f"attempt-{len(state.attempts) + 1}", experiment=experiment, step=step, ordinal=ordinal,
        instrument="reactor", action="run", arguments={"x": 1.5}, units={"x": "mL"},
    )  # fmt: skip


def moved_attempt(state: CampaignState, attempt: str, status: AttemptStatus, **content: Any) -> AttemptStatusChanged:
    """Return the change of a known attempt, legal or not."""
    experiment = state.attempts[attempt].experiment
    return AttemptStatusChanged(**_stamp(state), attempt=attempt, experiment=experiment, status=status, **content)


def retracted(state: CampaignState, experiment: str, number: int, *, undo: bool = False) -> Event:
    """Return the retraction of a result, or its end; legal or not."""
    kind = ExperimentReinstated if undo else ExperimentRetracted
    return kind(**_stamp(state), experiment=experiment, number=number, reason="walk")


def draw_next(draw: _Draw, state: CampaignState) -> Event:
    """Draw one event that may follow `state`; experiments move more often than anything else."""
    if not state.id:
        return created(simulated=draw(st.booleans()))
    moves: list[Callable[[], Event]] = [lambda: proposed(state, draw(numbers)), lambda: _fact(draw, state)]
    if CAMPAIGN_TRANSITIONS[state.status]:
        status = draw(st.sampled_from(sorted(CAMPAIGN_TRANSITIONS[state.status])))
        moves.append(lambda: CampaignStatusChanged(**_stamp(state), status=status, reason="walk"))
    experiments = [e for e in state.experiments.values() if EXPERIMENT_TRANSITIONS[e.status]]
    if experiments:
        moves += 4 * [lambda: _experiment_move(draw, state, draw(st.sampled_from(experiments)).id)]
    running = [e.id for e in experiments if e.status is ExperimentStatus.RUNNING]
    if running:
        moves += 3 * [lambda: committed(state, draw(st.sampled_from(running)), draw(st.sampled_from(STEPS)))]
    attempts = [a.id for a in state.attempts.values() if ATTEMPT_TRANSITIONS[a.status]]
    if attempts:
        moves += 2 * [lambda: _attempt_move(draw, state, draw(st.sampled_from(attempts)))]
    completed = [e for e in state.experiments.values() if e.status is ExperimentStatus.COMPLETED]
    if completed:
        chosen = draw(st.sampled_from(completed))
        moves.append(lambda: retracted(state, chosen.id, chosen.number, undo=chosen.retracted_at is not None))
    # What leads furthest comes first: that is where a draw likes to be.
    return draw(st.sampled_from(moves[::-1]))()  # type: ignore[no-any-return]  # a drawn value has no type


def draw_illegal(draw: _Draw, state: CampaignState) -> Event:
    """Draw one event that may not follow `state`."""
    if not state.id:
        return proposed(state)
    stranger = {"campaign": "campaign-2", "at": START}
    choices: list[Callable[[], Event]] = [
        lambda: created(),
        lambda: CampaignStatusChanged(**stranger, status=CampaignStatus.RUNNING),
        lambda: CampaignStatusChanged(
            **_stamp(state),
            status=draw(st.sampled_from(sorted(set(CampaignStatus) - CAMPAIGN_TRANSITIONS[state.status]))),
        ),
        lambda: proposed(state).model_copy(update={"number": len(state.experiments) + draw(st.sampled_from([0, 2, 5]))}),
        lambda: moved_experiment(state, "experiment-never", draw(st.sampled_from(ExperimentStatus))),
        lambda: committed(state, "experiment-never"),
        lambda: retracted(state, "experiment-never", 1, undo=draw(st.booleans())),
        lambda: AttemptStatusChanged(
            **_stamp(state), attempt="attempt-never", experiment="experiment-1",
            status=draw(st.sampled_from(AttemptStatus)),
        ),
    ]  # fmt: skip
    if state.experiments:
        experiment = draw(st.sampled_from(sorted(state.experiments.values(), key=lambda e: e.number)))
        forbidden = sorted(set(ExperimentStatus) - EXPERIMENT_TRANSITIONS[experiment.status])
        choices += 2 * [lambda: moved_experiment(state, experiment.id, draw(st.sampled_from(forbidden)))]
        choices.append(lambda: proposed(state).model_copy(update={"experiment": experiment.id}))
        if experiment.status is not ExperimentStatus.RUNNING:
            choices.append(lambda: committed(state, experiment.id))
        again = experiment.retracted_at is not None
        if again or experiment.status is not ExperimentStatus.COMPLETED:
            choices.append(lambda: retracted(state, experiment.id, experiment.number))
        if not again:
            choices.append(lambda: retracted(state, experiment.id, experiment.number, undo=True))
        choices.append(lambda: retracted(state, experiment.id, experiment.number + 1, undo=again))
    if state.attempts:
        attempt = draw(st.sampled_from(list(state.attempts.values())))
        kept = sorted(set(AttemptStatus) - ATTEMPT_TRANSITIONS[attempt.status])
        choices += 2 * [lambda: moved_attempt(state, attempt.id, draw(st.sampled_from(kept)))]
        choices.append(
            lambda: AttemptStatusChanged(
                **_stamp(state), attempt=attempt.id, experiment="experiment-never", status=AttemptStatus.UNKNOWN
            )
        )
        if state.experiments[attempt.experiment].status is ExperimentStatus.RUNNING:
            choices.append(lambda: committed(state, attempt.experiment).model_copy(update={"attempt": attempt.id}))
    return draw(st.sampled_from(choices[::-1]))()  # type: ignore[no-any-return]  # a drawn value has no type


@st.composite
def logs(draw: st.DrawFn, most: int = 40) -> list[Event]:
    """Draw a log: it begins with the campaign's creation, and each event may follow the ones before."""
    state = CampaignState()
    written: list[Event] = []
    for _ in range(draw(st.integers(1, most))):
        event = draw_next(draw, state)
        state.apply(event)
        written.append(event)
    return written


def _fact(draw: _Draw, state: CampaignState) -> Event:
    return draw(  # type: ignore[no-any-return]  # a drawn value has no type
        st.sampled_from(
            [
                CampaignAmended(**_stamp(state), changes={"batch": ("1", "2")}),
                ControllerAttached(**_stamp(state), session="session-1", version="0.1.0"),
                ControllerDetached(**_stamp(state), session="session-1", reason="asked to"),
                AlarmRaised(**_stamp(state), code="stalled", message="too slow"),
            ]
        )
    )


def _further(following: frozenset[_Status]) -> list[_Status]:
    """Return the statuses in a fixed order, those after which nothing happens last."""
    return sorted(following, key=lambda status: (status.value in ("cancelled", "abandoned"), status.value))


def _experiment_move(draw: _Draw, state: CampaignState, experiment: str) -> ExperimentStatusChanged:
    status = draw(st.sampled_from(_further(EXPERIMENT_TRANSITIONS[state.experiments[experiment].status])))
    content: dict[str, Any] = {}
    if status is ExperimentStatus.COMPLETED:
        content["observations"] = {"yield": Observation(value=draw(numbers), unit="percent")}
    elif status in (ExperimentStatus.FAILED, ExperimentStatus.UNKNOWN):
        content["fault"] = draw(faults)
    return moved_experiment(state, experiment, status, **content)


def _attempt_move(draw: _Draw, state: CampaignState, attempt: str) -> AttemptStatusChanged:
    status = draw(st.sampled_from(_further(ATTEMPT_TRANSITIONS[state.attempts[attempt].status])))
    content: dict[str, Any] = {}
    if status is AttemptStatus.SUCCEEDED:
        content["measurements"] = tuple(draw(st.lists(measurements, max_size=2)))
    elif status in (AttemptStatus.FAULTED, AttemptStatus.UNKNOWN):
        content["fault"] = draw(faults)
    return moved_attempt(state, attempt, status, **content)
