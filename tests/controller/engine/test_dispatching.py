"""What is decided about attempts, on real books and without processes: the lab is the real session, never started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignCreated,
    CampaignStatusChanged,
    ExperimentProposed,
    ExperimentStatusChanged,
    Measurement,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.lab import StepSpec
from controller.domain.proposal import Proposal
from controller.domain.state import CampaignState, fold
from controller.engine.dispatching import Dispatching
from controller.engine.ledger import Ledger
from controller.engine.session import LabSession
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.store.opening import Store
from instruments.client import AttemptAccepted, AttemptFinished, AttemptRejected, AttemptReported, AttemptStarted
from instruments.clock import SystemClock
from instruments.protocol.capabilities import ActionDescription, Consequence
from instruments.protocol.messages import RejectCode
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Succeeded
from tests.integration.support import write_campaign

SUCCESS = Succeeded(values={"y": MeasuredValue(value=4.5)}, started_at=0.0, finished_at=1.0)


class MovableClock(SystemClock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now, self.jumped = 1000.0, 0.0

    def time(self) -> float:
        return self.now + self.jumped

    def monotonic(self) -> float:
        return self.now


@dataclass
class Room:
    """A campaign with one experiment running and its attempt committed."""

    ledger: Ledger
    dispatching: Dispatching
    store: Store
    clock: MovableClock
    session: LabSession
    spoiled: bool = False
    """The test has made store and state differ on purpose."""

    @property
    def state(self) -> CampaignState:
        return self.ledger.state


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    definition = load_campaign(write_campaign(tmp_path))
    clock = MovableClock()
    stamp = {"campaign": "c", "at": clock.now}
    point = {"a": 0.0, "b": 0.0, "c": "left"}
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        ledger = Ledger(definition, CampaignState(), store, clock)
        created = CampaignCreated(
            **stamp, name="test", definition_fingerprint=definition.fingerprint, seed=0, simulated=True
        )
        ledger.state.apply(created)
        await store.commit([created], definition=definition)
        await ledger.record(
            CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING),
            ExperimentProposed(**stamp, experiment="e", number=1, proposal=Proposal(point=point, source="user")),
            ExperimentStatusChanged(**stamp, experiment="e", status=ExperimentStatus.QUEUED),
            ExperimentStatusChanged(**stamp, experiment="e", status=ExperimentStatus.RUNNING),
            AttemptCommitted(
                **stamp, attempt="a", experiment="e", step="measure", ordinal=1, instrument="bench", action="measure",
                arguments={}, units={},
            ),
        )  # fmt: skip
        session = LabSession(definition.lab, tmp_path / "lab")
        room = Room(ledger, Dispatching(ledger, session), store, clock, session)
        yield room
        if room.spoiled:
            return
        await ledger.settle()
        assert fold(store.events("c")).counts() == ledger.state.counts()


async def test_clock_that_is_set_is_no_stall(room: Room) -> None:
    await room.dispatching.handle(AttemptAccepted("bench", "a", (60.0, 100.0)))
    for jump in (1e6, -1e6):
        room.clock.jumped = jump
        await room.dispatching.look_for_stalls()
    assert not room.ledger.alarms
    room.clock.now += 165.0
    await room.dispatching.look_for_stalls()
    assert len(room.ledger.alarms) == 1


async def test_stall_is_told_once_while_the_action_goes_on(room: Room) -> None:
    await room.dispatching.handle(AttemptAccepted("bench", "a", (60.0, 100.0)))
    room.clock.now += 155.0
    await room.dispatching.look_for_stalls()
    assert not room.ledger.alarms
    room.clock.now += 10.0
    await room.dispatching.look_for_stalls()
    await room.dispatching.look_for_stalls()
    (alarm,) = room.ledger.alarms
    assert "has taken 165 s, 100 s at most was announced" in alarm
    assert room.state.attempts["a"].status is AttemptStatus.ACCEPTED


async def test_stall_of_an_action_that_an_earlier_controller_began_is_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = ActionDescription(arguments={}, returns={}, duration_s=(60.0, 100.0), consequence="repeatable")
    monkeypatch.setattr(room.session, "action", lambda instrument, action: measure)
    room.clock.now += 165.0
    await room.dispatching.look_for_stalls()
    assert not room.ledger.alarms, "nobody has taken it on"
    await room.dispatching.handle(AttemptReported("bench", "a", "running", None))
    await room.dispatching.look_for_stalls()
    (alarm,) = room.ledger.alarms
    assert "has taken 165 s, 100 s at most was announced" in alarm
    assert room.dispatching.running()[0]["expected_s"] == 60.0


async def test_time_that_an_attempt_waited_to_be_taken_on_is_no_stall(room: Room) -> None:
    room.clock.now += 7200.0  # its instrument was held
    await room.dispatching.handle(AttemptAccepted("bench", "a", (60.0, 100.0)))
    await room.dispatching.look_for_stalls()
    assert not room.ledger.alarms


async def test_outcome_that_comes_twice_is_booked_once(room: Room) -> None:
    for _ in range(2):
        await room.dispatching.handle(AttemptFinished("bench", "a", SUCCESS))
    experiment = room.state.experiments["e"]
    assert experiment.status is ExperimentStatus.COMPLETED
    assert experiment.observations["y"].value == 4.5
    assert [e.kind for e in room.store.events("c")].count("attempt.status_changed") == 1


async def test_nothing_is_acknowledged_before_its_turn_is_durable(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    durable_when_acknowledged: list[int] = []

    def acknowledge(instrument: str, attempt: str) -> None:
        del instrument, attempt
        ends = [e for e in room.store.events("c") if isinstance(e, ExperimentStatusChanged) and e.experiment == "e"]
        durable_when_acknowledged.append(len(ends))

    monkeypatch.setattr(room.session, "acknowledge", acknowledge)
    for _ in range(2):  # offered twice before the turn ends
        await room.dispatching.take(AttemptFinished("bench", "a", SUCCESS))
    assert durable_when_acknowledged == []
    await room.dispatching.book()
    await room.ledger.settle()
    assert durable_when_acknowledged == [3, 3]  # queued, running, completed


async def test_turn_that_cannot_be_committed_sends_and_acknowledges_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(room.session, "acknowledge", lambda instrument, attempt: done.append(attempt))
    with Store.open(room.store.url) as other:  # another program writes this campaign's log
        other.events("c")
        await other.commit([CampaignStatusChanged(campaign="c", at=0.0, status=CampaignStatus.PAUSED)])
    with pytest.raises(ConflictError, match="another program"):
        await room.dispatching.handle(AttemptFinished("bench", "a", SUCCESS))
    assert done == []
    room.spoiled = True


async def test_commit_is_shared_by_all_that_a_turn_decides(room: Room) -> None:
    before = room.store.n_commits
    await room.dispatching.take(AttemptAccepted("bench", "a", (1.0, 1.0)))
    await room.dispatching.take(AttemptFinished("bench", "a", SUCCESS))
    await room.dispatching.book()
    await room.ledger.settle()
    assert room.store.n_commits == before + 1
    assert room.state.counts()["completed"] == 1


async def test_messages_out_of_order_never_move_an_attempt_back(room: Room) -> None:
    await room.dispatching.handle(AttemptFinished("bench", "a", SUCCESS))
    n = room.state.n_events
    await room.dispatching.handle(AttemptAccepted("bench", "a", (1.0, 1.0)))
    await room.dispatching.handle(AttemptReported("bench", "a", "running", None))
    await room.dispatching.handle(AttemptRejected("bench", "a", "busy", "no"))
    assert room.state.n_events == n


async def test_attempt_that_memory_has_let_go_of_is_acknowledged_again_from_the_store(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.state.lean = True
    acknowledged: list[tuple[str, str]] = []
    monkeypatch.setattr(room.dispatching._session, "acknowledge", lambda *given: acknowledged.append(given))
    for _ in range(2):
        await room.dispatching.handle(AttemptFinished("bench", "a", SUCCESS))
    assert (room.state.experiments, room.state.attempts) == ({}, {})
    assert acknowledged == [("bench", "a"), ("bench", "a")]
    assert room.ledger.best == [{"experiment": 1, "parameters": {"a": 0.0, "b": 0.0, "c": "left"}, "objectives": {"y": 4.5}}]


async def test_report_about_another_campaigns_attempt_is_left_alone(room: Room) -> None:
    n = room.state.n_events
    await room.dispatching.handle(AttemptFinished("bench", "theirs", SUCCESS))
    await room.dispatching.handle(AttemptReported("bench", "theirs", "finished", SUCCESS))
    assert room.state.n_events == n


async def test_interrupted_action_of_unknown_consequence_is_unknown_and_taken_up_by_a_late_answer(room: Room) -> None:
    # No driver is connected, so nobody can say what repeating the action would mean.
    lost = Faulted(code=FaultCode.interrupted, message="the driver was killed")
    await room.dispatching.handle(AttemptFinished("bench", "a", lost))
    assert room.state.experiments["e"].status is ExperimentStatus.UNKNOWN
    assert any("labwright experiment resolve" in alarm for alarm in room.ledger.alarms)
    await room.dispatching.handle(AttemptFinished("bench", "a", SUCCESS))
    assert room.state.experiments["e"].status is ExperimentStatus.COMPLETED


async def test_attempt_that_its_driver_has_forgotten_is_not_sent_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = "first"
    monkeypatch.setattr(room.dispatching, "_boot_of", lambda instrument: boot)
    sent: list[str] = []
    monkeypatch.setattr(room.dispatching._session, "send", lambda attempt, **_: sent.append(attempt.id))
    never = AttemptReported("bench", "a", "never_heard", None)
    await room.dispatching.handle(never)
    assert sent == ["a"]  # it was committed and never arrived
    await room.dispatching.handle(AttemptAccepted("bench", "a", (1.0, 1.0)))
    await room.dispatching.handle(never)  # the same process said so before it got the command: an old answer, late
    assert room.state.attempts["a"].status is AttemptStatus.ACCEPTED
    boot = "second"
    await room.dispatching.handle(never)
    assert sent == ["a"]
    assert room.state.attempts["a"].status is AttemptStatus.UNKNOWN
    assert "put back from an older copy" in room.state.experiments["e"].reason


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [("irreversible", "repeatable", "unknown"), ("repeatable", "consumes", "unknown"), ("repeatable", "repeatable", "faulted")],
)
async def test_interrupted_action_is_as_grave_as_any_version_of_its_driver_said(
    room: Room, monkeypatch: pytest.MonkeyPatch, before: Consequence, now: Consequence, status: str
) -> None:
    announced = ActionDescription(arguments={}, returns={}, duration_s=(1.0, 2.0), consequence=before)
    monkeypatch.setattr(room.session, "action", lambda instrument, action: announced)
    monkeypatch.setattr(room.session, "accepts", lambda instrument: True)
    await room.dispatching.handle(AttemptRejected("bench", "a", "stopped", "it is held"))
    await room.dispatching.dispatch(begin_new=False)
    await room.ledger.settle()
    (attempt,) = room.state.open_attempts()
    room.ledger.state = fold(room.store.events("c"))  # the controller that sent it has died, and its driver came back older
    announced = announced.model_copy(update={"consequence": now})
    lost = Faulted(code=FaultCode.interrupted, message="the driver was killed")
    await room.dispatching.handle(AttemptFinished("bench", attempt.id, lost))
    assert room.state.attempts[attempt.id].status.value == status


async def test_what_a_stop_took_from_its_drivers_queue_never_began_and_is_sent_again(room: Room) -> None:
    await room.dispatching.handle(AttemptAccepted("bench", "a", (1.0, 2.0)))
    dropped = Faulted(code=FaultCode.stopped, message="the instrument was stopped before it started", retryable=True)
    await room.dispatching.handle(AttemptFinished("bench", "a", dropped))
    assert room.state.attempts["a"].status is AttemptStatus.FAULTED
    assert room.state.experiments["e"].status is ExperimentStatus.RUNNING  # the step may be dispatched again


async def test_what_a_stop_ended_may_have_begun_and_is_unknown(room: Room) -> None:
    await room.dispatching.handle(AttemptStarted("bench", "a", 1000.0))
    ended = Faulted(code=FaultCode.stopped, message="it was stopped", retryable=True)  # by a driver that tells no times
    await room.dispatching.handle(AttemptFinished("bench", "a", ended))
    assert room.state.experiments["e"].status is ExperimentStatus.UNKNOWN


@pytest.mark.parametrize("code", ["not_ready", "busy"])
async def test_instrument_that_refuses_is_left_alone_for_longer_and_longer_and_told_of(
    room: Room, monkeypatch: pytest.MonkeyPatch, code: RejectCode
) -> None:
    now = 50.0
    monkeypatch.setattr("controller.engine.dispatching.time.monotonic", lambda: now)
    monkeypatch.setattr(room.session, "accepts", lambda instrument: True)
    attempt, waited = "a", []
    for _ in range(8):
        await room.dispatching.handle(AttemptRejected("bench", attempt, code, "the driver's journal cannot be written"))
        begin = now
        while not [a for a in room.state.open_attempts() if a.id != attempt]:
            now += 0.5
            await room.dispatching.dispatch(begin_new=False)
        await room.ledger.settle()
        waited.append(now - begin)
        (attempt,) = [a.id for a in room.state.open_attempts()]
    assert waited == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert list(room.ledger.alarms) == [
        "bench refuses what is sent to it: the driver's journal cannot be written; it is tried again until it takes it"
    ]
    await room.dispatching.handle(AttemptAccepted("bench", attempt, (1.0, 2.0)))
    assert room.dispatching._takes("bench")


async def test_refusal_that_is_heard_of_later_is_judged_by_its_reason_too(room: Room) -> None:
    await room.dispatching.handle(AttemptReported("bench", "a", "rejected", None, "stopped: it is held"))
    assert room.state.attempts["a"].fault is not None
    assert (room.state.attempts["a"].fault.code, room.state.attempts["a"].fault.retryable) == ("rejected.stopped", True)
    assert room.state.experiments["e"].status is ExperimentStatus.RUNNING


async def test_missing_value_fails_the_experiment_with_a_reason(room: Room) -> None:
    other = Succeeded(values={"z": MeasuredValue(value=1.0)}, started_at=0.0, finished_at=1.0)
    await room.dispatching.handle(AttemptFinished("bench", "a", other))
    experiment = room.state.experiments["e"]
    assert experiment.status is ExperimentStatus.FAILED
    assert "should give y from 'y', but it returned z" in experiment.reason


async def test_step_that_cannot_be_bound_fails_its_experiment_once_its_other_steps_have_ended(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.session, "accepts", lambda instrument: True)
    steps = (
        *room.ledger.definition.lab.protocol,
        StepSpec(step="weigh", instrument="bench", action="weigh"),
        StepSpec(step="report", instrument="bench", action="report", arguments={"mass": "$weigh.mass"}),
        StepSpec(step="wash", instrument="bench", action="wash"),
    )
    lab = room.ledger.definition.lab.model_copy(update={"protocol": steps})
    room.ledger.definition = room.ledger.definition.model_copy(update={"lab": lab})
    stamp = {"campaign": "c", "at": 1000.0, "experiment": "e", "attempt": "b"}
    weighed = (Measurement(name="weight", value=3.0),)
    await room.ledger.record(
        AttemptCommitted(**stamp, step="weigh", ordinal=1, instrument="bench", action="weigh", arguments={}),
        AttemptStatusChanged(**stamp, status=AttemptStatus.SUCCEEDED, measurements=weighed),
    )
    await room.dispatching.dispatch(begin_new=False)
    assert room.state.experiments["e"].status is ExperimentStatus.RUNNING
    assert [a.id for a in room.state.open_attempts()] == ["a"], "nothing more is begun of what is bound to fail"
    await room.dispatching.handle(AttemptFinished("bench", "a", SUCCESS))
    assert room.state.attempts["a"].status is AttemptStatus.SUCCEEDED
    await room.dispatching.dispatch(begin_new=False)
    experiment = room.state.experiments["e"]
    assert (experiment.status, experiment.fault and experiment.fault.code) == (ExperimentStatus.FAILED, "unbound_argument")
    assert room.state.open_attempts() == []


async def test_given_up_attempt_is_unknown_never_forgotten(room: Room) -> None:
    await room.dispatching.give_up("aborted")
    assert room.state.attempts["a"].status is AttemptStatus.UNKNOWN
    assert room.state.experiments["e"].status is ExperimentStatus.UNKNOWN
