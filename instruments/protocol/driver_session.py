"""The driver's side of the wire as a pure state machine: messages and time in, messages and journal writes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from instruments.protocol.messages import (
    Accepted,
    Acknowledge,
    AttemptStatus,
    Cancel,
    Command,
    Farewell,
    Finished,
    FromController,
    Heartbeat,
    Hello,
    Inquire,
    InstrumentState,
    Ping,
    Progress,
    Refuse,
    RejectCode,
    Rejected,
    Report,
    Resume,
    Shutdown,
    Started,
    StateChanged,
    Stop,
    Stopped,
    Welcome,
)
from instruments.protocol.outputs import (
    DriverOutput,
    End,
    Execute,
    GoSafe,
    Leave,
    Note,
    Reconnect,
    Send,
    StopDevice,
    Write,
    WriteHold,
)
from instruments.protocol.records import AttemptRecord, rejected_record
from instruments.protocol.values import FaultCode, Faulted, Outcome, shorten

LostPolicy = Literal["carry_on", "finish_and_hold", "go_safe"]
"""What a driver does when it has not heard the controller for its lease."""

_OFFERS_PER_TICK = 50
_LONGEST_OFFER_PAUSE_S = 30.0
_LONGEST_QUEUE = 64


@dataclass(frozen=True)
class Rejection:
    """Why a command is turned down."""

    code: RejectCode
    message: str


@dataclass(frozen=True)
class DriverTiming:
    """Wire timing [real s]. Heartbeat and lease are the controller's once it has said welcome."""

    heartbeat_s: float = 1.0
    lease_s: float = 10.0
    hello_s: float = 0.3
    """Pause between two hellos at first; grows to `longest_hello_s`."""
    longest_hello_s: float = 2.0
    offer_s: float = 1.0
    """First pause before an unacknowledged outcome is offered again; doubles each time."""


@dataclass
class _Offer:
    due: float
    pause: float


class DriverSession:
    """One driver's half of the conversation.

    The shell calls `handle`, `tick` and the host's reports (`finished`, `progressed`, `stop_done`, `released`) from one
    thread and carries the returned outputs out in order. `now` is always real monotonic time [s].

    Args:
        hello: Makes the hello for the present state and hold.
        examine: Decides about a new command: the record to keep, or why not. Pure.
        lookup: Finds a record that the session no longer holds in memory (acknowledged or rejected).
        lab_time: Lab time [s since the Unix epoch].
        records: Every unacknowledged, not rejected record of the journal, oldest first.
        held: The stop request that held the instrument when the driver last ran, if any.
        policy: What to do when the controller is lost.
        capacity: How many actions may run at once.
        exit_when_orphaned: Leave once idle with the lease run out.
        timing: Wire timing.
        now: Real monotonic time [s].
    """

    def __init__(
        self,
        *,
        hello: Callable[[InstrumentState, str | None], Hello],
        examine: Callable[[Command, float], AttemptRecord | Rejection],
        lookup: Callable[[str], AttemptRecord | None],
        lab_time: Callable[[], float],
        records: Iterable[AttemptRecord],
        held: str | None,
        policy: LostPolicy,
        capacity: int,
        exit_when_orphaned: bool,
        timing: DriverTiming,
        now: float,
    ) -> None:
        self._hello = hello
        self._examine = examine
        self._lookup = lookup
        self._lab_time = lab_time
        self._policy: LostPolicy = policy
        self._capacity = capacity
        self._exit_when_orphaned = exit_when_orphaned
        self._timing = timing
        self._heartbeat_s, self._lease_s = timing.heartbeat_s, timing.lease_s

        self._live = {record.attempt: record for record in records}
        self._queue = deque(r.attempt for r in self._live.values() if r.phase == "accepted")
        self._to_recover = [r.attempt for r in self._live.values() if r.phase == "running"]
        self._running: set[str] = set()
        self._stuck: set[str] = set()
        self._unheard: set[str] = set()
        """Running attempts whose first record says that they run: if it cannot be written, they were never heard of."""
        self._offers = {r.attempt: _Offer(now, timing.offer_s) for r in self._live.values() if r.phase == "finished"}
        self._unwritten: dict[str, AttemptRecord] = {}

        self._held = held
        self._stopping: Stop | None = None
        self._device_stopping: Literal["", "stop", "go_safe"] = ""
        self._last_stopped: Stopped | None = None
        self._not_ready: str | None = "the device is being set up"
        self._set_up_once = False
        self._leaving: Shutdown | None = None
        self._left = False
        self._lost = False
        self._welcomed_once = False

        self._linked = False
        self._started_at = now
        self._last_heard = now
        self._next_heartbeat = now
        self._next_hello = now
        self._hello_pause = timing.hello_s
        self._told_state: InstrumentState | None = None

    # --- what the shell may look at ---------------------------------------------------------------------------------

    @property
    def linked(self) -> bool:
        """Whether a controller has taken this driver on and is being heard."""
        return self._linked

    @property
    def lost(self) -> bool:
        """Whether the lease has run out."""
        return self._lost

    @property
    def held(self) -> str | None:
        """The stop request that holds the instrument, if any."""
        return self._held

    @property
    def running(self) -> tuple[str, ...]:
        """Attempts being carried out."""
        return tuple(sorted(self._running))

    @property
    def stuck(self) -> tuple[str, ...]:
        """Attempts whose outcome is told although their code has not returned."""
        return tuple(sorted(self._stuck))

    @property
    def idle(self) -> bool:
        """Whether nothing is being carried out."""
        return not self._running and not self._device_stopping

    @property
    def outbox(self) -> tuple[str, ...]:
        """Attempts whose outcome nobody has acknowledged yet."""
        return tuple(self._offers)

    @property
    def state(self) -> InstrumentState:
        """The instrument's state, derived from everything else."""
        if self._leaving is not None:
            return "leaving"
        if self._stopping is not None:
            return "stopping"
        if self._held is not None:
            return "stopped"
        if self._not_ready is not None:
            return "faulted" if self._set_up_once else "starting"
        if self._running:
            return "busy"
        return "holding" if self._lost and self._policy != "carry_on" else "ready"

    # --- messages ---------------------------------------------------------------------------------------------------

    def handle(self, message: FromController, now: float) -> list[DriverOutput]:
        """Take one message of the controller.

        Args:
            message: Already validated.
            now: Real monotonic time [s].

        Returns:
            What to do, in order.
        """
        if isinstance(message, Refuse):
            return self._on_refuse(message, now)
        self._last_heard = now
        if isinstance(message, Welcome):
            return self._on_welcome(message, now)
        out: list[DriverOutput] = []
        match message:
            case Command():
                out = self._on_command(message, now)
            case Acknowledge():
                out = self._on_acknowledge(message)
            case Cancel():
                out = self._on_cancel(message, now)
            case Inquire():
                out = [Send(self._report(attempt)) for attempt in message.attempts]
            case Ping():
                out = [Send(self.beat(now, echo=message.sent_at))]
            case Stop():
                out = self._on_stop(message, now)
            case Resume():
                out = self._on_resume(message, now)
            case Shutdown():
                out = self.shutdown(message.mode, now)
        return [*out, *self._tell_state()]

    def _on_welcome(self, message: Welcome, now: float) -> list[DriverOutput]:
        self._heartbeat_s, self._lease_s = message.heartbeat_s, message.lease_s
        was_lost, self._lost = self._lost, False
        was_linked, self._linked = self._linked, True
        self._welcomed_once = True
        self._hello_pause = self._timing.hello_s
        self._next_heartbeat = now
        for offer in self._offers.values():
            offer.due, offer.pause = now, self._timing.offer_s
        out: list[DriverOutput] = []
        if not was_linked:
            out.append(Note("info", f"taken on by session {message.session}{' after the lease ran out' * was_lost}"))
        self._told_state = None
        return [*out, *self._tell_state(), *self._start_ready(now), *self.tick(now)]

    def _on_refuse(self, message: Refuse, now: float) -> list[DriverOutput]:
        self._linked = False
        if message.code == "protocol":
            return [Leave(f"refused: {message.message}", refused=True)]
        if message.code == "say_hello":
            # A new controller behind the old address. Never faster than the first pause, whatever is sent.
            self._hello_pause = self._timing.hello_s
            self._next_hello = min(self._next_hello, now + self._timing.hello_s / 2)
            return []
        self._hello_pause = self._timing.longest_hello_s
        self._next_hello = now + self._hello_pause
        return [Note("warning", f"refused ({message.code}): {message.message}; asking again")]

    def _on_command(self, message: Command, now: float) -> list[DriverOutput]:
        known = self._live.get(message.attempt) or self._lookup(message.attempt)
        if known is not None:
            return self._answer_from(known)
        verdict = self._turn_down(message) or self._examine(message, self._lab_time())
        if isinstance(verdict, Rejection):
            return self._reject(message.attempt, message.action, verdict.code, verdict.message)
        if not self._queue and self._has_room() and self._may_start():
            return self._begin_at_once(verdict)
        self._live[verdict.attempt] = verdict
        self._queue.append(verdict.attempt)
        return [Write(verdict), Send(self._acceptance(verdict)), *self._start_ready(now)]

    def _begin_at_once(self, accepted: AttemptRecord) -> list[DriverOutput]:
        """Accept and start with one record: it costs one flush of the disk, and nobody needs to know of a moment in between."""
        record = accepted.started(accepted.accepted_at)
        self._live[record.attempt] = record
        self._running.add(record.attempt)
        self._unheard.add(record.attempt)
        out: list[DriverOutput] = [Write(record), Send(self._acceptance(record)), Execute(record)]
        if self._linked:
            out.append(Send(Started(attempt=record.attempt, at=accepted.accepted_at)))
        return out

    def _turn_down(self, message: Command) -> Rejection | None:
        if self._leaving is not None:
            return Rejection("not_ready", "the driver is leaving")
        if self._held is not None:
            return Rejection("stopped", f"the instrument is held by stop request {self._held}; resume it first")
        if self._not_ready is not None:
            return Rejection("not_ready", shorten(f"the device is not ready: {self._not_ready}"))
        if len(self._queue) >= _LONGEST_QUEUE:
            return Rejection("busy", f"{len(self._queue)} attempts wait already, {message.action} cannot be queued")
        return None

    def _reject(self, attempt: str, action: str, code: RejectCode, message: str) -> list[DriverOutput]:
        text = shorten(message)
        record = rejected_record(attempt, action, code, text, self._lab_time())
        return [Write(record), Send(Rejected(attempt=attempt, code=code, message=text))]

    @staticmethod
    def _acceptance(record: AttemptRecord) -> Accepted:
        return Accepted(attempt=record.attempt, duration_s=record.duration_s, conversions=record.conversions)

    def _answer_from(self, record: AttemptRecord) -> list[DriverOutput]:
        if record.attempt in self._unwritten:
            return []  # its outcome is not durable yet, and nothing may be said before it is
        if record.rejected is not None:
            return [Send(Rejected(attempt=record.attempt, code=record.rejected[0], message=record.rejected[1]))]
        out: list[DriverOutput] = [Send(self._acceptance(record))]
        if record.outcome is not None:
            out.append(Send(Finished(attempt=record.attempt, outcome=record.outcome)))
        elif record.started_at is not None:
            out.append(Send(Started(attempt=record.attempt, at=record.started_at)))
        return out

    def _report(self, attempt: str) -> Report:
        record = self._live.get(attempt) or self._lookup(attempt)
        if record is None:
            return Report(attempt=attempt, status="never_heard")
        if attempt in self._unwritten:
            return Report(attempt=attempt, status="running")
        status: AttemptStatus = record.status
        message = "" if record.rejected is None else f"{record.rejected[0]}: {record.rejected[1]}"
        return Report(attempt=attempt, status=status, outcome=record.outcome, message=shorten(message))

    def _on_acknowledge(self, message: Acknowledge) -> list[DriverOutput]:
        record = self._live.get(message.attempt)
        if record is None or record.outcome is None or message.attempt in self._unwritten:
            return []
        done = record.acknowledged(self._lab_time())
        del self._live[message.attempt]
        self._offers.pop(message.attempt, None)
        return [Write(done)]

    def _on_cancel(self, message: Cancel, now: float) -> list[DriverOutput]:
        attempt = message.attempt
        record = self._live.get(attempt) or self._lookup(attempt)
        if record is None:
            # The cancellation overtook its command, which must find it here.
            return self._reject(attempt, "", "cancelled", "cancelled before it was heard of")
        if attempt in self._queue:
            return self._drop_queued([attempt], FaultCode.cancelled, "cancelled before it started", now)
        if attempt in self._running:
            return [End(attempt, "cancelled")]
        return self._answer_from(record)

    def _drop_queued(self, attempts: Iterable[str], code: FaultCode, message: str, now: float) -> list[DriverOutput]:
        out: list[DriverOutput] = []
        for attempt in list(attempts):
            self._queue.remove(attempt)
            out += self._conclude(attempt, Faulted(code=code, message=message, retryable=True), now)
        return out

    # --- stop, resume, leave ----------------------------------------------------------------------------------------

    def stop(self, message: Stop, now: float) -> list[DriverOutput]:
        """Take a stop that came past the controller, from a person at the machine; it says nothing of the controller's life."""
        return [*self._on_stop(message, now), *self._tell_state()]

    def resume(self, message: Resume, now: float) -> list[DriverOutput]:
        """Take a resume that came past the controller; as `stop`."""
        return [*self._on_resume(message, now), *self._tell_state()]

    def _on_stop(self, message: Stop, now: float) -> list[DriverOutput]:
        if self._last_stopped is not None and self._last_stopped.request == message.request:
            return [Send(self._last_stopped)]
        pending = self._stopping
        if pending is not None and pending.request == message.request and pending.mode == message.mode:
            return []
        self._stopping = message
        self._held = message.request
        out: list[DriverOutput] = []
        if message.mode == "now" and not self._device_stopping:
            # The device first: nothing that a slow disk delays may come before it.
            self._device_stopping = "stop"
            out.append(StopDevice(self.running))
        out.append(WriteHold(message.request))
        out += self._drop_queued(self._queue, FaultCode.stopped, "the instrument was stopped before it started", now)
        if message.mode == "now":
            return out
        return [*out, *self._stop_if_idle()]

    def _stop_if_idle(self) -> list[DriverOutput]:
        if self._stopping is None or self._stopping.mode != "finish" or self._running:
            return []
        return self._confirm_stop(self._stopping, (), "")

    def _confirm_stop(self, stop: Stop, stuck: tuple[str, ...], message: str) -> list[DriverOutput]:
        self._last_stopped = Stopped(request=stop.request, stuck=stuck, message=shorten(message))
        self._stopping = None
        return [Send(self._last_stopped)]

    def stop_done(self, stuck: tuple[str, ...], message: str, now: float) -> list[DriverOutput]:
        """Report that the device was stopped.

        Args:
            stuck: Attempts whose code has not returned.
            message: What the driver's own stop complained of, if it did.
            now: Real monotonic time [s].

        Returns:
            What to do, in order.
        """
        ended, self._device_stopping = self._device_stopping, ""
        out: list[DriverOutput] = []
        if self._stopping is not None and self._stopping.mode == "now" and ended == "go_safe":
            # The stop came while the device was going safe: its own stop has not been called yet.
            self._device_stopping = "stop"
            return [StopDevice(self.running)]
        if self._stopping is not None:
            out += self._confirm_stop(self._stopping, stuck, message)
        return [*out, *self._leave_if_idle(now), *self._tell_state()]

    def _on_resume(self, message: Resume, now: float) -> list[DriverOutput]:
        if self._held != message.request or self._stopping is not None:
            return []
        self._held = None
        return [WriteHold(None), *self._start_ready(now)]

    def shutdown(self, mode: Literal["now", "when_idle"], now: float) -> list[DriverOutput]:
        """Begin to leave: by the controller's wish or by a signal.

        Args:
            mode: `now` stops what runs; `when_idle` lets it finish. What is queued stays in the journal either way.
            now: Real monotonic time [s].

        Returns:
            What to do, in order.
        """
        if self._leaving is not None and self._leaving.mode == mode:
            return []
        self._leaving = Shutdown(mode=mode)
        out: list[DriverOutput] = []
        if mode == "now" and self._running and not self._device_stopping:
            self._device_stopping = "stop"
            out.append(StopDevice(self.running))
        return [*out, *self._leave_if_idle(now), *self._tell_state()]

    def _leave_if_idle(self, now: float) -> list[DriverOutput]:
        if self._left or not self.idle or self._unwritten:
            return []
        if self._leaving is not None:
            reason = f"shut down ({self._leaving.mode})"
        elif self._lost and self._exit_when_orphaned:
            reason = f"orphaned: no controller for {now - self._last_heard:.1f} s"
        else:
            return []
        self._left = True
        farewell: list[DriverOutput] = [Send(Farewell(reason=reason))] if self._linked else []
        return [*farewell, Leave(reason)]

    # --- what the host reports --------------------------------------------------------------------------------------

    def device_ready(self, problem: str | None, now: float) -> list[DriverOutput]:
        """Report how setting the device up went.

        Args:
            problem: What went wrong, or None when the device is ready.
            now: Real monotonic time [s].

        Returns:
            What to do, in order: the first time it is ready, attempts that an earlier process started are recovered.
        """
        self._not_ready, self._set_up_once = problem, True
        if problem is not None:
            return [*self._tell_state(problem)]
        out: list[DriverOutput] = []
        for attempt in self._to_recover:
            self._running.add(attempt)
            out.append(Execute(self._live[attempt], recovering=True))
        self._to_recover = []
        return [*out, *self._start_ready(now), *self._tell_state()]

    def progressed(self, attempt: str, fraction: float, note: str) -> list[DriverOutput]:
        """Report progress of a running attempt; said only while somebody listens."""
        if not self._linked or attempt not in self._running:
            return []
        return [Send(Progress(attempt=attempt, fraction=min(1.0, max(0.0, fraction)), note=shorten(note)))]

    def finished(self, attempt: str, outcome: Outcome, now: float, *, stuck: bool = False) -> list[DriverOutput]:
        """Report the outcome of a running attempt.

        Args:
            attempt: Which.
            outcome: What became of it.
            now: Real monotonic time [s].
            stuck: Its code has not returned: its place stays taken until `released`.

        Returns:
            What to do, in order.
        """
        self._running.discard(attempt)
        if stuck:
            self._stuck.add(attempt)
        return [
            *self._conclude(attempt, outcome, now),
            *self._stop_if_idle(),
            *self._start_ready(now),
            *self._leave_if_idle(now),
            *self._tell_state(),
        ]

    def never_began(self, attempt: str, now: float) -> list[DriverOutput]:
        """Report that the device never began an attempt that an earlier process had started.

        It waits for its turn as one that was accepted: nothing is begun while the instrument is stopped, or before a controller
        that may have given the attempt up has been heard.
        """
        self._running.discard(attempt)
        self._live[attempt] = replace(self._live[attempt], started_at=None)
        self._queue.appendleft(attempt)
        return [*self._start_ready(now), *self._leave_if_idle(now), *self._tell_state()]

    def released(self, attempt: str, now: float) -> list[DriverOutput]:
        """Report that the code of a stuck attempt has returned at last."""
        self._stuck.discard(attempt)
        return [*self._start_ready(now), *self._tell_state()]

    def write_failed(self, record: AttemptRecord, now: float, problem: str) -> list[DriverOutput]:
        """Report that the journal could not take a record; outputs that came after the write were not carried out.

        Args:
            record: The record that could not be written.
            now: Real monotonic time [s].
            problem: Why.

        Returns:
            What to do instead: a command is turned down, an outcome is kept and written again later.
        """
        attempt = record.attempt
        if record.phase in ("accepted", "rejected") or (record.phase == "running" and attempt in self._unheard):
            self._unheard.discard(attempt)
            self._running.discard(attempt)
            if attempt in self._queue:
                self._queue.remove(attempt)
            code, why = record.rejected or ("not_ready", f"the driver's journal cannot be written: {problem}")
            # Kept in memory instead, so that a second copy of the command is turned down as well.
            self._live[attempt] = rejected_record(attempt, record.action, code, shorten(why), record.accepted_at)
            return [Send(Rejected(attempt=attempt, code=code, message=shorten(why)))]
        if record.phase == "running":
            # Its start could not be noted, so it was not started: back to the head of the queue.
            self._live[attempt] = replace(record, started_at=None)
            self._running.discard(attempt)
            self._queue.appendleft(attempt)
        elif record.phase == "finished":
            self._unwritten[attempt] = record
            self._offers[attempt] = _Offer(now + self._timing.offer_s, self._timing.offer_s)
        elif record.phase == "acknowledged":
            # Offered again, acknowledged again, written then.
            self._live[attempt] = replace(record, acknowledged_at=None)
            self._offers[attempt] = _Offer(now + self._timing.offer_s, self._timing.offer_s)
        return [Note("warning", f"attempt {attempt}: the journal cannot be written: {problem}")]

    # --- time -------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[DriverOutput]:
        """Let time pass.

        Args:
            now: Real monotonic time [s].

        Returns:
            What to do, in order.
        """
        out: list[DriverOutput] = []
        silence = now - self._last_heard
        if self._linked and silence > max(min(3.0 * self._heartbeat_s, 0.5 * self._lease_s), self._heartbeat_s):
            self._linked = False
            self._next_hello = now
            out.append(Note("warning", f"the controller has been silent for {silence:.1f} s"))
        if not self._lost and silence > self._lease_s:
            self._lost = True
            out += self._on_lost()
        if self._linked:
            if now >= self._next_heartbeat:
                self._next_heartbeat = now + self._heartbeat_s
                out.append(Send(self.beat(now)))
        elif now >= self._next_hello:
            self._next_hello = now + self._hello_pause
            self._hello_pause = min(1.5 * self._hello_pause, self._timing.longest_hello_s)
            out += [Reconnect("no controller"), Send(self._hello(self.state, self._held))]
        out += self._make_offers(now)
        if self._queue and not self._running:
            out += self._start_ready(now)  # a start that the journal could not take is tried again
        return [*out, *self._leave_if_idle(now), *self._tell_state()]

    def _on_lost(self) -> list[DriverOutput]:
        out: list[DriverOutput] = [
            Note("warning", f"no controller for {self._lease_s:.1f} s: {self._policy.replace('_', ' ')}")
        ]
        if self._policy == "go_safe" and not self._device_stopping and self._welcomed_once:
            self._device_stopping = "go_safe"
            out.append(GoSafe(self.running))
        return out

    def _make_offers(self, now: float) -> list[DriverOutput]:
        out: list[DriverOutput] = []
        for attempt, offer in self._offers.items():
            if offer.due > now or len(out) >= _OFFERS_PER_TICK:
                continue
            record = self._unwritten.pop(attempt, None)
            if record is not None:
                out.append(Write(record))
            elif not self._linked:
                continue
            outcome = self._live[attempt].outcome
            offer.due = now + offer.pause
            offer.pause = min(2.0 * offer.pause, _LONGEST_OFFER_PAUSE_S)
            if self._linked and outcome is not None:
                out.append(Send(Finished(attempt=attempt, outcome=outcome)))
        return out

    def _conclude(self, attempt: str, outcome: Outcome, now: float) -> list[DriverOutput]:
        record = self._live[attempt].finished(outcome, self._lab_time())
        self._unheard.discard(attempt)
        self._live[attempt] = record
        self._offers[attempt] = _Offer(now + self._timing.offer_s, self._timing.offer_s)
        out: list[DriverOutput] = [Write(record)]
        if self._linked:
            out.append(Send(Finished(attempt=attempt, outcome=outcome)))
        return out

    def _may_start(self) -> bool:
        if self._held is not None or self._leaving is not None or self._not_ready is not None:
            return False
        # Before the first welcome nothing starts: the controller may have given the attempt up while we were away.
        return self._welcomed_once and (not self._lost or self._policy == "carry_on")

    def _has_room(self) -> bool:
        return len(self._running | self._stuck) < self._capacity

    def _start_ready(self, now: float) -> list[DriverOutput]:
        out: list[DriverOutput] = []
        while self._queue and self._has_room() and self._may_start():
            attempt = self._queue.popleft()
            started_at = self._lab_time()
            record = self._live[attempt].started(started_at)
            self._live[attempt] = record
            self._running.add(attempt)
            out += [Write(record), Execute(record)]
            if self._linked:
                out.append(Send(Started(attempt=attempt, at=started_at)))
        return out

    def beat(self, now: float, echo: float | None = None) -> Heartbeat:
        """Return the sign of life of this moment."""
        return Heartbeat(
            state=self.state,
            running=self.running,
            uptime_s=max(0.0, now - self._started_at),
            held=self._held,
            echo=echo,
        )

    def _tell_state(self, message: str = "") -> list[DriverOutput]:
        state = self.state
        if state == self._told_state or not self._linked:
            return []
        self._told_state = state
        return [Send(StateChanged(state=state, message=shorten(message or self._not_ready or "")))]
