"""One campaign, round and round: design, build, measure, learn.

One task owns the campaign. Everything that happens, a driver's report, a proposal, a person's request, comes through one
inbox and is handled to the end before the next, so there are no races to reason about. What is decided is committed to the
store before it is done (see `docs/explanations/architecture.md`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from controller.build.binding import bind, ready_steps
from controller.design.initial import stand_in
from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Fault,
    Measurement,
    Observation,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.lab import StepSpec
from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.domain.state import Attempt, CampaignState, Experiment
from controller.engine.observed import request_for
from controller.engine.resolving import find_experiment, resolve_events
from controller.engine.snapshot import Snapshot, best_experiments, snapshot_of
from controller.engine.thinker import Thinker
from controller.errors import ConflictError, ProposalError, SpaceExhaustedError
from controller.measure.assembly import assemble
from controller.measure.progress import Progress, assess
from controller.measure.verdict import judge
from instruments.client import (
    AttemptAccepted,
    AttemptFinished,
    AttemptProgress,
    AttemptRejected,
    AttemptReported,
    AttemptStarted,
    HubEvent,
)
from instruments.protocol.values import Outcome, Succeeded

if TYPE_CHECKING:
    from controller.engine.session import LabSession
    from controller.store.opening import Store

TICK_S = 0.5
"""How often deadlines, budgets and stalls are looked at when nothing else happens [real s]."""
ABORT_S = 10.0
"""How long an abort waits for drivers to confirm before it books what is left as unknown [real s]."""
HIDDEN_ALARMS = 20

_S, _A, _C = ExperimentStatus, AttemptStatus, CampaignStatus
_LIVE = frozenset({_C.RUNNING, _C.PAUSED, _C.STOPPING})


class _Proposed:
    """The thinker's answer: proposals, or why there are none."""

    def __init__(self, proposals: list[Proposal], error: ProposalError | None = None) -> None:
        self.proposals = proposals
        self.error = error


class _Asked:
    """A person's request; the answer goes to `reply`."""

    def __init__(self, verb: str, argument: dict[str, Any], reply: asyncio.Future[str]) -> None:
        self.verb = verb
        self.argument = argument
        self.reply = reply


_Message: TypeAlias = HubEvent | _Proposed | _Asked


class CampaignLoop:
    """One campaign under control.

    Args:
        definition: What to do.
        state: What has happened so far.
        store: Where every decision is committed.
        session: The lab.
        thinker: The proposer process.
        device: `cpu`, `cuda` or `auto`.
    """

    def __init__(
        self, definition: Definition, state: CampaignState, store: Store, session: LabSession, thinker: Thinker, device: str
    ) -> None:
        self.definition = definition
        self.state = state
        self.finished = asyncio.Event()
        """Set when the campaign has come to its end, or is paused with nothing left to follow."""
        self._store = store
        self._session = session
        self._thinker = thinker
        self._device = device
        self._inbox: deque[_Message] = deque()
        self._news = asyncio.Event()
        self._thinking: asyncio.Task[None] | None = None
        self._wanted_since: float | None = None
        self._exhausted = ""
        self._leaving = False
        self._aborting_since: float | None = None
        self._expected: dict[str, tuple[float, float]] = {}
        self._fractions: dict[str, float] = {}
        self._stalled: set[str] = set()
        self._alarms: deque[str] = deque(maxlen=HIDDEN_ALARMS)
        self._failures_in_a_row = 0
        self._idle_s = 0.0
        self._best: tuple[int, list[dict[str, Any]]] = (0, [])
        self.crashed = False
        """Set when an unexpected error ended the loop."""

    # --- what others may do -----------------------------------------------------------------------------------------

    def post(self, event: HubEvent) -> None:
        """Take a driver's report in."""
        self._inbox.append(event)
        self._news.set()

    def wake(self) -> None:
        """Look again."""
        self._news.set()

    def open_attempts(self, instrument: str) -> list[Attempt]:
        """Return the attempts that are with `instrument`, or may be."""
        return [a for a in self.state.open_attempts() if a.instrument == instrument]

    async def ask(self, verb: str, argument: dict[str, Any]) -> str:
        """Carry out a person's request and return what became of it.

        Raises:
            LabwrightError: If it cannot be carried out; the message says why.
        """
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._inbox.append(_Asked(verb, argument, reply))
        self._news.set()
        return await reply

    def leave(self) -> None:
        """Begin nothing new; what runs goes on until it has finished or `close` is called."""
        self._leaving = True
        self._news.set()

    @property
    def busy(self) -> bool:
        """Whether an experiment is running."""
        return bool(self.state.with_status(_S.RUNNING))

    # --- the round --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self._session.join(self)
        before = time.monotonic()
        try:
            while True:
                while self._inbox:
                    await self._handle(self._inbox.popleft())
                await self._go_on()
                self._count_idle(time.monotonic() - before)
                before = time.monotonic()
                if not self._inbox:
                    try:
                        async with asyncio.timeout(TICK_S):
                            await self._news.wait()
                    except TimeoutError:
                        pass
                    self._news.clear()
        finally:
            self._session.leave(self)
            if self._thinking is not None:
                self._thinking.cancel()

    async def _handle(self, message: _Message) -> None:
        match message:
            case _Proposed():
                await self._accept(message)
            case _Asked():
                try:
                    message.reply.set_result(await self._carry_out(message.verb, message.argument))
                except Exception as error:  # the person who asked gets it, whatever it is
                    message.reply.set_exception(error)
            case AttemptAccepted():
                self._expected[message.attempt] = message.duration_s
                await self._move(message.attempt, _A.ACCEPTED)
            case AttemptStarted():
                await self._move(message.attempt, _A.RUNNING)
            case AttemptProgress():
                self._fractions[message.attempt] = message.fraction
            case AttemptFinished():
                await self._finish(message.attempt, message.outcome)
            case AttemptRejected():
                await self._fault(message.attempt, Fault(code=f"rejected.{message.code}", message=message.message))
            case AttemptReported():
                await self._reconcile(message)

    async def _go_on(self) -> None:
        """Do everything that can be done now."""
        status = self.state.status
        if status in _LIVE:
            await self._close_ended()
            if self._aborting_since is not None:
                await self._abort()
            if status is _C.RUNNING and not self._leaving:
                await self._check_budget()
            if self.state.status is _C.STOPPING and not self.busy:
                await self._record(self._campaign(_C.COMPLETED, self.state.reason))
        if self.state.status is _C.RUNNING and not self._leaving:
            self._think()
            await self._stand_in()
        if self.state.status in _LIVE:
            await self._dispatch()
            await self._look_for_stalls()
        ended = self.state.status not in _LIVE
        if ended or (self.state.status is _C.PAUSED and not self.busy):
            self.finished.set()
        else:
            self.finished.clear()

    # --- design -----------------------------------------------------------------------------------------------------

    def _wanted(self) -> int:
        """Return how many proposals are wanted now."""
        if self._exhausted or self._time_is_up():
            return 0
        in_hand = len(self.state.with_status(_S.PROPOSED, _S.QUEUED, _S.RUNNING))
        left = self.definition.budget.experiments - self.state.spent
        return max(0, min(self.definition.batch + self.definition.ahead - in_hand, left))

    def _request(self, n: int) -> Request:
        return request_for(self.definition, self.state, n, self._device)

    def _think(self) -> None:
        wanted = self._wanted()
        if wanted == 0:
            self._wanted_since = None
        elif self._thinking is None:
            self._wanted_since = self._wanted_since or time.monotonic()
            self._thinking = asyncio.create_task(self._ask_thinker(self._request(wanted)))

    async def _ask_thinker(self, request: Request) -> None:
        try:
            answer = _Proposed(await self._thinker.propose(request))
        except ProposalError as error:
            answer = _Proposed([], error)
        self._inbox.append(answer)
        self._news.set()

    async def _accept(self, answer: _Proposed) -> None:
        self._thinking = None
        if isinstance(answer.error, SpaceExhaustedError):
            self._exhausted = str(answer.error)
        elif answer.error is not None:
            await self._alarm("proposal_failed", str(answer.error))
            await self._enter(stand_in(self._request(self._wanted())), note=str(answer.error))
        else:
            for failed in [p for p in answer.proposals if p.source == "stand-in"][:1]:
                await self._alarm("stand_in", f"a space-filling point stands in for the model: {failed.note}")
            await self._enter(answer.proposals)
        self._wanted_since = None

    async def _stand_in(self) -> None:
        """Let a space-filling point stand in when nothing is queued and the model takes too long."""
        waiting = (
            self._thinking is not None
            and self._wanted_since is not None
            and self._thinker.ready.is_set()
            and not self.state.with_status(_S.QUEUED)
            and time.monotonic() - self._wanted_since > self.definition.proposals.patience
        )
        if waiting:
            self._wanted_since = time.monotonic()
            try:
                proposals = stand_in(self._request(1))
            except SpaceExhaustedError as error:
                self._exhausted = str(error)
                return
            await self._enter(proposals, note=f"no proposal within {self.definition.proposals.patience:g} s")

    async def _enter(self, proposals: list[Proposal], note: str = "") -> None:
        """Accept proposals as experiments, as many as are still wanted and none that is already under way."""
        if self.state.status is not _C.RUNNING or self._leaving:
            return
        problem = self.definition.problem
        known = set() if problem.allow_replicates else {problem.key(e.point) for e in self.state.experiments.values()}
        events: list[Event] = []
        for proposal in proposals[: self._wanted()]:
            key = problem.key(proposal.point)
            if not problem.allow_replicates and key in known:
                continue  # a stand-in took it while the model was thinking
            known.add(key)
            if note:
                proposal = proposal.model_copy(update={"source": "stand-in", "note": note})
            experiment = new_id()
            number = len(self.state.experiments) + len(events) // 2 + 1
            events.append(ExperimentProposed(**self._stamp(), experiment=experiment, number=number, proposal=proposal))
            events.append(ExperimentStatusChanged(**self._stamp(), experiment=experiment, status=_S.QUEUED))
        await self._record(*events)

    # --- build and measure ------------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Begin every step that may begin, oldest experiments first."""
        if self._aborting_since is not None:
            return
        for experiment in self.state.with_status(_S.RUNNING):
            await self._begin_steps(experiment)
        if self.state.status is not _C.RUNNING or self._leaving:
            return
        for experiment in self.state.with_status(_S.QUEUED):
            if len(self.state.with_status(_S.RUNNING)) >= self.definition.batch or not await self._begin_steps(experiment):
                break

    async def _begin_steps(self, experiment: Experiment) -> bool:
        """Commit and send the steps of `experiment` that are ready and whose instrument is free; say whether any was."""
        progress = self._progress(experiment)
        if progress.ending or progress.end:
            return False
        protocol, parameters = self.definition.lab.protocol, self.definition.problem.parameters
        events: list[Event] = []
        if experiment.status is _S.QUEUED:
            events.append(ExperimentStatusChanged(**self._stamp(), experiment=experiment.id, status=_S.RUNNING))
        committed: list[AttemptCommitted] = []
        for step in ready_steps(protocol, parameters, set(progress.done), set(progress.begun)):
            if not self._session.accepts(step.instrument):
                continue
            attempt = new_id()
            if self._session.allocation.claim(step.instrument, attempt):
                committed.append(self._intent(experiment, step, progress, attempt))
        if not committed:
            return False
        await self._record(*events, *committed)
        for made in committed:
            self._send(self.state.attempts[made.attempt])
        return True

    def _send(self, attempt: Attempt) -> None:
        self._session.send(attempt, deadline_factor=self.definition.failures.deadline_factor)

    def _intent(self, experiment: Experiment, step: StepSpec, progress: Progress, attempt: str) -> AttemptCommitted:
        bound = bind(step, self.definition.problem.parameters, experiment.point, progress.results)
        return AttemptCommitted(
            **self._stamp(),
            attempt=attempt,
            experiment=experiment.id,
            step=step.step,
            ordinal=len(self.state.attempts_of(experiment.id, step.step)) + 1,
            instrument=bound.instrument,
            action=bound.action,
            arguments=bound.arguments,
            units=bound.units,
        )

    def _progress(self, experiment: Experiment) -> Progress:
        protocol = self.definition.lab.protocol
        return assess(protocol, {s.step: self.state.attempts_of(experiment.id, s.step, current=True) for s in protocol})

    async def _reconcile(self, report: AttemptReported) -> None:
        attempt = self.state.attempts.get(report.attempt)
        if attempt is None or not self._is_open(attempt.id):
            return
        match report.status:
            case "never_heard":
                self._send(attempt)
            case "accepted":
                await self._move(attempt.id, _A.ACCEPTED)
            case "running":
                await self._move(attempt.id, _A.RUNNING)
            case "rejected":
                await self._fault(attempt.id, Fault(code="rejected.earlier", message=report.message))
            case "finished" | "acknowledged" if report.outcome is not None:
                await self._finish(attempt.id, report.outcome)
            case "interrupted":
                await self._fault(attempt.id, Fault(code="interrupted", message=report.message or "interrupted"))

    async def _finish(self, key: str, outcome: Outcome) -> None:
        attempt = self.state.attempts.get(key)
        if attempt is None:
            return  # another campaign's
        if attempt.status in (_A.SUCCEEDED, _A.FAULTED, _A.CANCELLED):
            self._session.acknowledge(attempt.instrument, key)  # our acknowledgement was lost: say it again
            return
        if not isinstance(outcome, Succeeded):
            fault = Fault(code=outcome.code.value, message=outcome.message, retryable=outcome.retryable)
            await self._fault(key, fault)
            return
        measurements = tuple(
            Measurement(name=name, value=m.value, unit=m.unit, sem=m.sem) for name, m in outcome.values.items()
        )
        changed = AttemptStatusChanged(
            **self._stamp(), attempt=key, experiment=attempt.experiment, status=_A.SUCCEEDED, measurements=measurements
        )
        await self._end_attempt(attempt, changed)

    async def _fault(self, key: str, fault: Fault) -> None:
        attempt = self.state.attempts.get(key)
        if attempt is None or not (self._is_open(key) or attempt.status is _A.UNKNOWN):
            if attempt is not None:
                self._session.acknowledge(attempt.instrument, key)
            return
        description = self._session.action(attempt.instrument, attempt.action)
        verdict = judge(
            fault,
            description.consequence if description else None,
            len(self.state.attempts_of(attempt.experiment, attempt.step, current=True)),
            self.definition.failures.attempts,
        )
        if verdict == "unknown" and attempt.status is _A.UNKNOWN:
            self._session.acknowledge(attempt.instrument, key)
            return
        status = {"again": _A.FAULTED, "failed": _A.FAULTED, "unknown": _A.UNKNOWN, "cancelled": _A.CANCELLED}[verdict]
        changed = AttemptStatusChanged(
            **self._stamp(),
            attempt=key,
            experiment=attempt.experiment,
            status=status,
            reason=fault.message,
            fault=fault.model_copy(update={"retryable": verdict == "again"}),
        )
        await self._end_attempt(attempt, changed)
        if verdict == "unknown":
            await self._alarm(
                "attempt_unknown",
                f"experiment {self.state.experiments[attempt.experiment].number}, step {attempt.step}: {fault.message}; "
                "nobody can say what became of it: look at the instrument, then labwright experiment resolve",
                attempt.experiment, key,
            )  # fmt: skip

    async def _end_attempt(self, attempt: Attempt, changed: AttemptStatusChanged) -> None:
        """Commit the end of an attempt together with what follows for its experiment, then acknowledge."""
        events: list[Event] = [changed]
        if self.state.experiments[attempt.experiment].status is _S.UNKNOWN and changed.status is not _A.UNKNOWN:
            reason = "its driver has told what became of it"
            events.append(
                ExperimentStatusChanged(**self._stamp(), experiment=attempt.experiment, status=_S.RUNNING, reason=reason)
            )
        await self._record(*events)
        self._expected.pop(attempt.id, None)
        self._fractions.pop(attempt.id, None)
        self._stalled.discard(attempt.id)
        await self._close_ended()
        self._session.acknowledge(attempt.instrument, attempt.id)

    async def _close_ended(self) -> None:
        """Book experiments whose steps have come to an end."""
        for experiment in self.state.with_status(_S.RUNNING):
            progress = self._progress(experiment)
            if progress.end == "complete":
                observed = assemble(self.definition.lab.protocol, self.definition.problem.objectives, progress.results)
                await self._book(experiment, observed)
            elif progress.end is not None:
                status = {"failed": _S.FAILED, "cancelled": _S.CANCELLED, "unknown": _S.UNKNOWN}[progress.end]
                fault = progress.fault
                await self._end(experiment, status, fault.message if fault else "", fault)

    async def _book(self, experiment: Experiment, observed: dict[str, Observation] | Fault) -> None:
        if isinstance(observed, Fault):
            await self._end(experiment, _S.FAILED, observed.message, observed)
        else:
            await self._end(experiment, _S.COMPLETED, "", None, observed)

    async def _end(
        self, experiment: Experiment, status: ExperimentStatus, reason: str, fault: Fault | None,
        observations: dict[str, Observation] | None = None,
    ) -> None:  # fmt: skip
        await self._record(
            ExperimentStatusChanged(
                **self._stamp(), experiment=experiment.id, status=status, reason=reason, fault=fault,
                observations=observations or {},
            )
        )  # fmt: skip
        self._failures_in_a_row = self._failures_in_a_row + 1 if status is _S.FAILED else 0
        if self._failures_in_a_row >= self.definition.failures.pause_after and self.state.status is _C.RUNNING:
            text = f"{self._failures_in_a_row} experiments failed in a row, the last one because: {reason}"
            await self._record(self._campaign(_C.PAUSED, text))
            await self._alarm("too_many_failures", text)

    # --- learn: when to stop ----------------------------------------------------------------------------------------

    def _time_is_up(self) -> bool:
        hours = self.definition.budget.hours
        return hours is not None and self._session.clock.time() - self.state.created_at >= hours * 3600

    async def _check_budget(self) -> None:
        if self._time_is_up():
            await self._cancel_waiting("the time budget is used up")
        if self.state.with_status(_S.PROPOSED, _S.QUEUED, _S.RUNNING):
            return
        if self.state.spent >= self.definition.budget.experiments:
            reason = f"the budget of {self.definition.budget.experiments} experiments is used up"
        elif self._time_is_up():
            reason = f"the budget of {self.definition.budget.hours:g} hours is used up"
        elif self._exhausted:
            reason = self._exhausted
        else:
            return
        unknown = len(self.state.with_status(_S.UNKNOWN))
        if unknown:
            reason += f"; {unknown} experiment{'s' * (unknown > 1)} unknown, to be resolved by a person"
        await self._record(self._campaign(_C.COMPLETED, reason))

    async def _cancel_waiting(self, reason: str) -> None:
        waiting = self.state.with_status(_S.PROPOSED, _S.QUEUED)
        await self._record(
            *(
                ExperimentStatusChanged(**self._stamp(), experiment=e.id, status=_S.CANCELLED, reason=reason)
                for e in waiting
            )
        )

    # --- people -----------------------------------------------------------------------------------------------------

    async def _carry_out(self, verb: str, argument: dict[str, Any]) -> str:
        match verb:
            case "pause":
                await self._record(self._campaign(_C.PAUSED, argument.get("reason") or "paused by request"))
                return "paused: nothing new begins, what runs goes on"
            case "resume":
                self._failures_in_a_row = 0
                await self._record(self._campaign(_C.RUNNING, "resumed by request"))
                return "running"
            case "stop":
                await self._record(self._campaign(_C.STOPPING, argument.get("reason") or "stopped by request"))
                await self._cancel_waiting("the campaign was stopped")
                return "stopping: what runs finishes, then the campaign ends"
            case "abort":
                self._aborting_since = time.monotonic()
                await self._cancel_waiting("the campaign was aborted")
                for attempt in self.state.open_attempts():
                    self._session.cancel(attempt)
                return "aborting: drivers were told to end what runs"
            case "resolve":
                return await self._resolve(argument)
            case "retry" | "abandon":
                return await self._retry_or_abandon(verb, int(argument["experiment"]))
        raise ConflictError(f"a campaign cannot {verb!r}; it can pause, resume, stop, abort, resolve, retry and abandon")

    async def _resolve(self, argument: dict[str, Any]) -> str:
        events = resolve_events(self.state, self.definition, argument, self._session.clock.time())
        await self._record(*events)
        for event in events:
            if isinstance(event, AttemptStatusChanged):
                attempt = self.state.attempts[event.attempt]
                self._session.acknowledge(attempt.instrument, attempt.id)
        return f"experiment {argument['experiment']} is {argument['status']}"

    async def _retry_or_abandon(self, verb: str, number: int) -> str:
        experiment = find_experiment(self.state, number)
        status = _S.QUEUED if verb == "retry" else _S.ABANDONED
        await self._record(
            ExperimentStatusChanged(**self._stamp(), experiment=experiment.id, status=status, reason=f"{verb} by request")
        )
        return f"experiment {number} is {status.value}"

    async def _abort(self) -> None:
        assert self._aborting_since is not None  # noqa: S101 - asked by the caller
        late = time.monotonic() - self._aborting_since > ABORT_S
        if self.state.open_attempts() and not late:
            return
        fault = Fault(code="unconfirmed", message=f"aborted; its driver did not confirm within {ABORT_S:g} s")
        for attempt in self.state.open_attempts():
            await self._record(
                AttemptStatusChanged(
                    **self._stamp(), attempt=attempt.id, experiment=attempt.experiment, status=_A.UNKNOWN,
                    reason=fault.message, fault=fault,
                )
            )  # fmt: skip
            self._session.free(attempt.instrument, attempt.id)
        await self._close_ended()
        for experiment in self.state.with_status(_S.RUNNING):  # between two steps
            await self._end(experiment, _S.CANCELLED, "the campaign was aborted", None)
        self._aborting_since = None
        await self._record(self._campaign(_C.FAILED, "aborted by request"))

    # --- small things -----------------------------------------------------------------------------------------------

    async def _record(self, *events: Event) -> None:
        """Apply and commit `events`; when this returns they are durable."""
        if not events:
            return
        for event in events:
            self.state.apply(event)
        await self._store.commit(events)

    async def _move(self, key: str, status: AttemptStatus) -> None:
        attempt = self.state.attempts.get(key)
        order = [_A.COMMITTED, _A.ACCEPTED, _A.RUNNING]
        if attempt is None or attempt.status not in order or order.index(status) <= order.index(attempt.status):
            return
        await self._record(
            AttemptStatusChanged(**self._stamp(), attempt=key, experiment=attempt.experiment, status=status)
        )

    async def _alarm(self, code: str, message: str, experiment: str | None = None, attempt: str | None = None) -> None:
        self._alarms.append(message)
        await self._record(
            AlarmRaised(**self._stamp(), code=code, message=message, experiment=experiment, attempt=attempt)
        )

    async def _look_for_stalls(self) -> None:
        factor = self.definition.failures.stall_factor
        for attempt in self.state.open_attempts():
            expected = self._expected.get(attempt.id)
            if expected is None or attempt.id in self._stalled:
                continue
            late = self._session.clock.time() - attempt.committed_at
            # The wire and the process take real seconds, which a fast clock turns into many.
            if late > factor * max(expected[1], 1.0) + 10.0 * self._session.clock.speed:
                self._stalled.add(attempt.id)
                number = self.state.experiments[attempt.experiment].number
                await self._alarm(
                    "stalled",
                    f"experiment {number}, step {attempt.step} on {attempt.instrument} has taken {late:.0f} s, "
                    f"{expected[1]:.0f} s at most was announced",
                    attempt.experiment, attempt.id,
                )  # fmt: skip

    def _first_instruments_free(self) -> bool:
        first = ready_steps(self.definition.lab.protocol, self.definition.problem.parameters, set(), set())
        return all(self._session.accepts(step.instrument) for step in first)

    def _count_idle(self, seconds: float) -> None:
        waiting = (
            self.state.status is _C.RUNNING
            and not self._leaving
            and self._wanted() > 0
            and self._thinker.ready.is_set()
            and not self.state.with_status(_S.QUEUED)
        )
        if waiting and self._first_instruments_free():
            self._idle_s += seconds

    def _is_open(self, key: str) -> bool:
        return self.state.attempts[key].status in (_A.COMMITTED, _A.ACCEPTED, _A.RUNNING)

    def _stamp(self) -> dict[str, Any]:
        return {"campaign": self.state.id, "at": self._session.clock.time()}

    def _campaign(self, status: CampaignStatus, reason: str) -> CampaignStatusChanged:
        return CampaignStatusChanged(**self._stamp(), status=status, reason=reason)

    def snapshot(self) -> Snapshot:
        """Return what the campaign looks like now."""
        running = []
        for attempt in self.state.open_attempts():
            expected = self._expected.get(attempt.id)
            running.append(
                {
                    "experiment": self.state.experiments[attempt.experiment].number,
                    "step": attempt.step,
                    "instrument": attempt.instrument,
                    "status": attempt.status.value,
                    "since": attempt.committed_at,
                    "expected_s": expected[0] if expected else None,
                    "fraction": self._fractions.get(attempt.id),
                }
            )
        completed = self.state.counts()["completed"]
        if completed != self._best[0]:
            self._best = (completed, best_experiments(self.definition, self.state))
        return replace(
            snapshot_of(self.definition, self.state, self._best[1]),
            running=running,
            instruments=self._session.instruments(),
            doing=self._describe(),
            alarms=list(self._alarms),
            idle_s=self._idle_s,
            now=self._session.clock.time(),
        )

    def _describe(self) -> str:
        if self._leaving:
            return "leaving: waiting for what runs"
        if self.state.status is not _C.RUNNING:
            return self.state.reason or self.state.status.value
        if self._thinking is not None:
            if not self._thinker.ready.is_set():
                return "loading the models"
            return f"choosing experiment {len(self.state.experiments) + 1}"
        away = [i["instrument"] for i in self._session.instruments() if not i["connected"]]
        if away and not self.busy:
            return f"waiting for {', '.join(away)}"
        return "measuring" if self.busy else "waiting for a free instrument"
