"""Build and measure, as the loop sees it: steps become attempts, reports become ends of attempts and of experiments.

Everything here notes in the ledger what it decides; commands and acknowledgements leave when the turn is settled.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, get_args

from controller.build.binding import bind, ready_steps
from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AttemptCommitted,
    AttemptStatusChanged,
    Event,
    ExperimentStatusChanged,
    Fault,
    Measurement,
)
from controller.domain.experiment import OPEN_ATTEMPTS, AttemptStatus, ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.lab import PERSON, StepSpec
from controller.domain.limits import BEYOND_LIMITS
from controller.domain.raw_file import RawFile
from controller.domain.state import Attempt, Experiment
from controller.engine.keeping_files import take_over
from controller.engine.ledger import Ledger
from controller.engine.session import LabSession
from controller.engine.suspecting import suspicion
from controller.errors import ConflictError
from controller.measure.assembly import assemble
from controller.measure.progress import Progress, assess
from controller.measure.verdict import PASSING_REFUSALS, graver, judge
from instruments.client import (
    AttemptAccepted,
    AttemptFinished,
    AttemptProgress,
    AttemptRejected,
    AttemptReported,
    AttemptStarted,
    HubEvent,
)
from instruments.protocol.messages import RejectCode
from instruments.protocol.values import FaultCode, Outcome, Succeeded

_S, _A = ExperimentStatus, AttemptStatus
_ENDED_WELL_KNOWN = (_A.SUCCEEDED, _A.FAULTED, _A.CANCELLED)
_ON_THE_WAY = (_A.COMMITTED, _A.ACCEPTED, _A.RUNNING)
_FIRST_REST_S = 1.0
_LONGEST_REST_S = 60.0
"""How long an instrument that refuses what is sent to it is left alone; twice as long each time [real s]."""
_FORGOTTEN = (
    "its driver took it on and now has never heard of it: the driver's journal was removed, or put back from an older copy"
)
_STATUS_OF_VERDICT = {"again": _A.FAULTED, "failed": _A.FAULTED, "unknown": _A.UNKNOWN, "cancelled": _A.CANCELLED}
_STATUS_OF_END = {"failed": _S.FAILED, "cancelled": _S.CANCELLED, "unknown": _S.UNKNOWN}


class Dispatching:
    """Carries a campaign's experiments out in its lab.

    Args:
        ledger: The campaign's books.
        session: The lab.
    """

    def __init__(self, ledger: Ledger, session: LabSession) -> None:
        self.failures_in_a_row = 0
        self._ledger = ledger
        self._session = session
        self._expected: dict[str, tuple[float, float]] = {}
        """Attempt -> how long it typically and at most takes [lab s], where this controller heard it."""
        self._since: dict[str, float] = {}
        """Attempt -> when it was taken on, where this controller heard it: it may have waited for a hold before. By a clock that
        cannot be set [lab s], so that a jump of the wall clock is no stall."""
        self._committed: dict[str, float] = {}
        """Attempt that an earlier controller heard taken on -> when it was committed, by the same clock."""
        self._fractions: dict[str, float] = {}
        self._taken_on_by: dict[str, str] = {}
        """Attempt -> the start of its driver's process that took it on, where this controller heard it."""
        self._stalled: set[str] = set()
        self._rests: dict[str, tuple[float, float]] = {}
        """Instrument that refused what was sent to it -> until when it is left alone, and for how long [real s]."""
        self._any_ended = False
        self._held: dict[str, str] = {}
        self._holds_seen = -1

    # --- out --------------------------------------------------------------------------------------------------------

    async def dispatch(self, *, begin_new: bool) -> None:
        """Begin every step that may begin, oldest experiments first; of queued ones as many as the batch allows."""
        state = self._ledger.state
        for experiment in state.with_status(_S.RUNNING):
            await self._begin_steps(experiment)
        for experiment in state.with_status(_S.QUEUED) if begin_new else ():
            room = self._ledger.definition.batch - len(state.with_status(_S.RUNNING))
            if room <= 0 or not await self._begin_steps(experiment):
                break

    async def _begin_steps(self, experiment: Experiment) -> bool:
        """Commit the steps of `experiment` that are ready and whose instrument is free, to be sent then; say whether any was."""
        progress = self._progress(experiment)
        if progress.ending or progress.end:
            return False
        definition = self._ledger.definition
        ready = ready_steps(
            definition.lab.protocol, definition.problem.parameters, set(progress.done), set(progress.begun)
        )
        try:
            intents = [self._intent(experiment, s, progress) for s in ready if self._takes(s.instrument)]
        except ConflictError as error:
            if not any(a.status in OPEN_ATTEMPTS for a in self._ledger.state.attempts_of(experiment.id)):
                await self._fail_unbound(experiment, str(error))
            return False  # else once what runs has ended: its result belongs to the experiment, and nothing is begun beside it
        committed = [i for i in intents if self._session.allocation.claim(i.instrument, i.attempt)]
        if not committed:
            return False
        events: list[Event] = [*committed]
        if experiment.status is _S.QUEUED:
            stamp = self._ledger.stamp()
            events.insert(0, ExperimentStatusChanged(**stamp, experiment=experiment.id, status=_S.RUNNING))
        self._ledger.note(*events)
        for attempt in [self._ledger.state.attempts[made.attempt] for made in committed]:
            self._ledger.note(then=partial(self._send, attempt))
        return True

    def _takes(self, instrument: str) -> bool:
        """Say whether a command may be sent to `instrument` now."""
        rests_until, _ = self._rests.get(instrument, (0.0, 0.0))
        return time.monotonic() >= rests_until and self._session.accepts(instrument)

    def _intent(self, experiment: Experiment, step: StepSpec, progress: Progress) -> AttemptCommitted:
        bound = bind(step, self._ledger.definition.problem.parameters, experiment.point, progress.results)
        description = self._session.action(bound.instrument, bound.action)
        return AttemptCommitted(
            **self._ledger.stamp(),
            attempt=new_id(),
            experiment=experiment.id,
            step=step.step,
            ordinal=len(self._ledger.state.attempts_of(experiment.id, step.step)) + 1,
            instrument=bound.instrument,
            action=bound.action,
            arguments=bound.arguments,
            units=bound.units,
            consequence=description.consequence if description else None,
        )

    async def _fail_unbound(self, experiment: Experiment, reason: str) -> None:
        if experiment.status is _S.QUEUED:
            await self._ledger.move_experiment(experiment, _S.RUNNING)
        await self._end(experiment, _S.FAILED, Fault(code="unbound_argument", message=reason))

    def _send(self, attempt: Attempt) -> None:
        self._session.send(attempt, deadline_factor=self._ledger.definition.failures.deadline_factor)

    def _progress(self, experiment: Experiment) -> Progress:
        protocol, state = self._ledger.definition.lab.protocol, self._ledger.state
        return assess(protocol, {s.step: state.attempts_of(experiment.id, s.step, current=True) for s in protocol})

    # --- in ---------------------------------------------------------------------------------------------------------

    async def handle(self, event: HubEvent) -> None:
        """Take a driver's report in, book what ends with it, and settle."""
        await self.take(event)
        await self.book()
        await self._ledger.settle()

    async def book(self) -> None:
        """Book the experiments that have come to an end with the reports taken in."""
        if self._any_ended:
            self._any_ended = False
            await self.close_ended()

    async def take(self, event: HubEvent) -> None:
        """Take a driver's report in; what belongs to another campaign is left alone."""
        match event:
            case AttemptAccepted() | AttemptStarted() | AttemptProgress() if not self._is_open(event.attempt):
                return  # told late, or of another campaign's
            case AttemptAccepted():
                self._expected[event.attempt] = event.duration_s
                self._since.setdefault(event.attempt, self._ledger.clock.monotonic())
                self._taken_on_by[event.attempt] = self._boot_of(event.instrument)
                self._rests.pop(event.instrument, None)
                await self._move(event.attempt, _A.ACCEPTED)
            case AttemptStarted():
                self._taken_on_by[event.attempt] = self._boot_of(event.instrument)
                await self._move(event.attempt, _A.RUNNING)
            case AttemptProgress():
                self._fractions[event.attempt] = event.fraction
            case AttemptFinished():
                await self._finish(event.attempt, event.outcome)
            case AttemptRejected():
                await self._fault(event.attempt, Fault(code=f"rejected.{event.code}", message=event.message))
            case AttemptReported():
                await self._reconcile(event)

    async def _reconcile(self, report: AttemptReported) -> None:
        attempt = self._ledger.state.attempts.get(report.attempt)
        if attempt is None or attempt.status not in OPEN_ATTEMPTS:
            return
        # What was taken on and is forgotten may have begun: its driver's word that it never did would be wrong.
        forgotten = report.status == "never_heard" and attempt.status is not _A.COMMITTED
        if self._ledger.state.aborted and not forgotten and report.status in ("never_heard", "accepted", "running"):
            self._session.cancel(attempt)  # its driver was away when it was to be told; what it never heard of it refuses then
        match report.status:
            case "never_heard" if attempt.status is _A.COMMITTED:
                if not self._ledger.state.aborted:
                    self._send(attempt)
            case "never_heard":
                # From the very process that took it on this is an old answer, late; from another its journal has lost it.
                if self._taken_on_by.get(attempt.id) != self._boot_of(attempt.instrument):
                    await self._fault(attempt.id, Fault(code="interrupted", message=_FORGOTTEN))
            case "accepted" | "running":
                self._taken_on_by[attempt.id] = self._boot_of(attempt.instrument)
                await self._move(attempt.id, _A.ACCEPTED if report.status == "accepted" else _A.RUNNING)
            case "rejected":
                code, _, why = report.message.partition(": ")
                known = code in get_args(RejectCode)
                code = f"rejected.{code}" if known else "rejected.earlier"
                await self._fault(attempt.id, Fault(code=code, message=why or report.message))
            case "finished" | "acknowledged" if report.outcome is not None:
                await self._finish(attempt.id, report.outcome)
            case "interrupted":
                await self._fault(attempt.id, Fault(code="interrupted", message=report.message or "interrupted"))

    def _is_open(self, key: str) -> bool:
        attempt = self._ledger.state.attempts.get(key)
        return attempt is not None and attempt.status in OPEN_ATTEMPTS

    def _boot_of(self, instrument: str) -> str:
        link = self._session.link(instrument)
        return "" if link is None or link.hello is None else link.hello.boot_id

    async def _move(self, key: str, status: AttemptStatus) -> None:
        attempt = self._ledger.state.attempts.get(key)
        if attempt is None or attempt.status not in _ON_THE_WAY:
            return
        if _ON_THE_WAY.index(status) > _ON_THE_WAY.index(attempt.status):
            moved = AttemptStatusChanged(
                **self._ledger.stamp(), attempt=key, experiment=attempt.experiment, status=status
            )
            self._ledger.note(moved, patient=True)

    async def _finish(self, key: str, outcome: Outcome) -> None:
        if not isinstance(outcome, Succeeded):
            waiting = self._ledger.state.attempts.get(key)
            code = outcome.code.value
            if outcome.code is FaultCode.stopped and outcome.started_at is None and waiting and waiting.status is not _A.RUNNING:
                code = "rejected.stopped"  # it waited at its driver when that was stopped: it never began
            await self._fault(key, Fault(code=code, message=outcome.message, retryable=outcome.retryable))
            return
        attempt = self._unsettled(key)
        if attempt is not None:
            # Durable beside the store before the result is, and that before it is acknowledged.
            files = await self._take_over(attempt, outcome) if outcome.files else ()
            await self._end_attempt(
                attempt,
                AttemptStatusChanged(
                    **self._ledger.stamp(),
                    attempt=key,
                    experiment=attempt.experiment,
                    status=_A.SUCCEEDED,
                    measurements=tuple(
                        Measurement(name=name, value=m.value, unit=m.unit, sem=m.sem)
                        for name, m in outcome.values.items()
                    ),
                    files=files,
                ),
            )

    async def _take_over(self, attempt: Attempt, outcome: Succeeded) -> tuple[RawFile, ...]:
        files, problems = await take_over(self._session.folder, attempt.instrument, outcome.files)
        if problems:
            number = self._ledger.state.experiments[attempt.experiment].number
            await self._ledger.alarm(
                "raw_file_not_kept",
                f"experiment {number}, step {attempt.step}: raw files could not be taken over and stay with {attempt.instrument}: "
                f"{'; '.join(problems)}; see labwright experiment files",
                attempt.experiment,
                attempt.id,
            )
        return files

    async def _fault(self, key: str, fault: Fault) -> None:
        attempt = self._unsettled(key)
        if attempt is None:
            return
        state, description = self._ledger.state, self._session.action(attempt.instrument, attempt.action)
        earlier = state.attempts_of(attempt.experiment, attempt.step, current=True)
        announced = description.consequence if description else None
        verdict = judge(
            fault,
            # A driver that was put back to an older version may think less of it than the one that took it on.
            announced if attempt.consequence is None else graver(announced, attempt.consequence),
            sum(a.fault is None or a.fault.code not in PASSING_REFUSALS for a in earlier),
            self._ledger.definition.failures.attempts,
        )
        if verdict == "unknown" and attempt.status is _A.UNKNOWN:
            self._acknowledge(attempt.instrument, key)
            return
        await self._end_attempt(
            attempt,
            AttemptStatusChanged(
                **self._ledger.stamp(),
                attempt=key,
                experiment=attempt.experiment,
                status=_STATUS_OF_VERDICT[verdict],
                reason=fault.message,
                fault=fault.model_copy(update={"retryable": verdict == "again"}),
            ),
        )
        if fault.code in PASSING_REFUSALS:
            await self._let_rest(attempt.instrument, fault)
        if verdict == "unknown":
            await self._ledger.alarm(
                "attempt_unknown",
                f"experiment {state.experiments[attempt.experiment].number}, step {attempt.step}: {fault.message}; "
                "nobody can say what became of it: look at the instrument, then labwright experiment resolve",
                attempt.experiment,
                key,
            )

    async def _let_rest(self, instrument: str, fault: Fault) -> None:
        """Leave an instrument that refused alone for a while; a person should hear of it when that did not help."""
        now = time.monotonic()
        until, pause = self._rests.get(instrument, (0.0, 0.0))
        if now < until or fault.code == "rejected.stopped":  # a hold looks after that
            return
        longer = min(2.0 * pause or _FIRST_REST_S, _LONGEST_REST_S)
        self._rests[instrument] = (now + longer, longer)
        if pause == _FIRST_REST_S:
            text = f"{instrument} refuses what is sent to it: {fault.message}; it is tried again until it takes it"
            await self._ledger.alarm("refused", text)

    def _unsettled(self, key: str) -> Attempt | None:
        """Return the attempt if its end is still to be booked; acknowledge again what was booked before."""
        attempt = self._ledger.state.attempts.get(key)
        if attempt is not None and attempt.status not in _ENDED_WELL_KNOWN:
            return attempt
        instrument = attempt.instrument if attempt is not None else self._ledger.instrument_of_ended(key)
        if instrument is not None:
            self._acknowledge(instrument, key)  # the first acknowledgement was lost, or waits for this very turn
        return None

    def _acknowledge(self, instrument: str, key: str) -> None:
        """Acknowledge when the turn is settled: what was booked in it is not durable before."""
        self._ledger.note(then=partial(self._session.acknowledge, instrument, key))

    async def _end_attempt(self, attempt: Attempt, changed: AttemptStatusChanged) -> None:
        """Book the end of an attempt; it is acknowledged once that is durable, and its instrument is free for what follows."""
        events: list[Event] = [changed]
        if self._ledger.state.experiments[attempt.experiment].status is _S.UNKNOWN and changed.status is not _A.UNKNOWN:
            stamp, reason = self._ledger.stamp(), "its driver has told what became of it"
            events.append(
                ExperimentStatusChanged(**stamp, experiment=attempt.experiment, status=_S.RUNNING, reason=reason)
            )
        self._ledger.note(*events)
        self._acknowledge(attempt.instrument, attempt.id)
        self._forget(attempt.id)
        self._any_ended = True
        # Its action has ended: the next attempt may be booked in this same turn, and leaves after it is settled.
        self._session.allocation.release(attempt.instrument, attempt.id)

    def _forget(self, key: str) -> None:
        self._expected.pop(key, None)
        self._since.pop(key, None)
        self._committed.pop(key, None)
        self._fractions.pop(key, None)
        self._taken_on_by.pop(key, None)
        self._stalled.discard(key)

    # --- ends -------------------------------------------------------------------------------------------------------

    async def close_ended(self) -> None:
        """Book experiments whose steps have come to an end."""
        definition = self._ledger.definition
        for experiment in self._ledger.state.with_status(_S.RUNNING):
            progress = self._progress(experiment)
            if progress.end == "complete":
                observed = assemble(definition.lab.protocol, definition.problem.objectives, progress.results)
                if isinstance(observed, Fault):
                    await self._end(experiment, _S.FAILED, observed)
                else:
                    self.failures_in_a_row = 0
                    await self._ledger.move_experiment(experiment, _S.COMPLETED, observations=observed)
                    if (text := suspicion(definition.problem.objectives, observed, experiment.number)) is not None:
                        await self._ledger.alarm(BEYOND_LIMITS, text, experiment.id)
            elif progress.end is not None:
                await self._end(experiment, _STATUS_OF_END[progress.end], progress.fault)

    async def _end(self, experiment: Experiment, status: ExperimentStatus, fault: Fault | None) -> None:
        reason = fault.message if fault else ""
        await self._ledger.move_experiment(experiment, status, reason, fault=fault)
        if status is not _S.FAILED:
            return
        self.failures_in_a_row += 1
        most = self._ledger.definition.failures.pause_after
        if self.failures_in_a_row >= most and self._ledger.state.status is CampaignStatus.RUNNING:
            text = f"{self.failures_in_a_row} experiments failed in a row, the last one because: {reason}"
            await self._ledger.move_campaign(CampaignStatus.PAUSED, text)
            await self._ledger.alarm("too_many_failures", text)

    def cancel_all(self) -> None:
        """Ask the drivers to end everything that runs."""
        for attempt in self._ledger.state.open_attempts():
            self._session.cancel(attempt)

    async def give_up(self, reason: str) -> None:
        """Book what no driver has confirmed as unknown, and what stands between two steps as cancelled."""
        fault = Fault(code="unconfirmed", message=reason)
        for attempt in self._ledger.state.open_attempts():
            self._ledger.note(
                AttemptStatusChanged(
                    **self._ledger.stamp(),
                    attempt=attempt.id,
                    experiment=attempt.experiment,
                    status=_A.UNKNOWN,
                    reason=reason,
                    fault=fault,
                )
            )
            self._forget(attempt.id)
            self._session.free(attempt.instrument, attempt.id)
        await self.close_ended()
        for experiment in self._ledger.state.with_status(_S.RUNNING):
            await self._ledger.move_experiment(experiment, _S.CANCELLED, "the campaign was aborted")

    # --- watching ---------------------------------------------------------------------------------------------------

    async def look_for_stalls(self) -> None:
        """Raise an alarm, once, for every attempt that takes too long, while it still goes on."""
        state, clock = self._ledger.state, self._ledger.clock
        for attempt in state.open_attempts():
            expected = self._announced(attempt)
            if expected is None or attempt.id in self._stalled:
                continue
            late = clock.monotonic() - self._begun(attempt)
            # The wire and the processes take real seconds, which a fast clock turns into many.
            if late > self._ledger.definition.failures.stall_factor * max(expected[1], 1.0) + 10.0 * clock.speed:
                self._stalled.add(attempt.id)
                await self._ledger.alarm(
                    "stalled",
                    f"experiment {state.experiments[attempt.experiment].number}, step {attempt.step} on "
                    f"{attempt.instrument} has taken {late:.0f} s, {expected[1]:.0f} s at most was announced",
                    attempt.experiment,
                    attempt.id,
                )

    def _begun(self, attempt: Attempt) -> float:
        """Return when an attempt was taken on, or else committed, by the clock that cannot be set [lab s]."""
        if attempt.id in self._since:
            return self._since[attempt.id]
        clock = self._ledger.clock
        ago = max(0.0, clock.time() - attempt.committed_at)
        return self._committed.setdefault(attempt.id, clock.monotonic() - ago)

    def _announced(self, attempt: Attempt) -> tuple[float, float] | None:
        """Return how long an attempt typically and at most takes [lab s], None while no driver has taken it on.

        For its arguments as its driver said when it accepted it; where that was said to an earlier controller, for its action.
        """
        if attempt.id in self._expected or attempt.status is _A.COMMITTED:
            return self._expected.get(attempt.id)
        description = self._session.action(attempt.instrument, attempt.action)
        return None if description is None else description.duration_s

    async def look_for_holds(self) -> None:
        """Raise an alarm, once for each reason, when something keeps an instrument of the protocol from being given work."""
        if self._holds_seen == self._session.hold_changes:
            return
        self._holds_seen = self._session.hold_changes
        for name in dict.fromkeys(step.instrument for step in self._ledger.definition.lab.protocol):
            hold = self._session.hold(name)
            if hold is None:
                self._held.pop(name, None)
            elif hold.alarming and name not in self._held:
                self._held[name] = hold.reason
                await self._ledger.alarm("held", f"nothing is dispatched to {name}: {hold.reason}")

    def held(self) -> dict[str, str]:
        """Return why nothing is dispatched to instruments of the protocol, by instrument."""
        names = dict.fromkeys(step.instrument for step in self._ledger.definition.lab.protocol)
        return {name: hold.reason for name in names if (hold := self._session.hold(name)) is not None}

    def room_for_another(self) -> bool:
        """Say whether the instruments of the first steps stand free."""
        definition = self._ledger.definition
        first = ready_steps(definition.lab.protocol, definition.problem.parameters, set(), set())
        return all(self._session.accepts(step.instrument) for step in first)

    def running(self) -> list[dict[str, Any]]:
        """Return what is with the instruments, for displays."""
        instruments = self._ledger.definition.lab.instruments
        shown = []
        for attempt in self._ledger.state.open_attempts():
            by_person = instruments[attempt.instrument].driver == PERSON
            announced = self._announced(attempt)
            shown.append(
                {
                    "experiment": self._ledger.state.experiments[attempt.experiment].number,
                    "step": attempt.step,
                    "instrument": attempt.instrument,
                    "status": attempt.status.value,
                    "since": attempt.committed_at,
                    # People are late when they have taken longer than they may, a device when longer than it usually does.
                    "expected_s": None if announced is None else announced[by_person],
                    "fraction": self._fractions.get(attempt.id),
                    "task": attempt.id if by_person else None,
                }
            )
        return shown
