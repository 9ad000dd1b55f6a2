"""The driver's side of the wire as a pure state machine: messages and time in, messages and journal writes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from instruments.protocol.attempts import DriverAttempts
from instruments.protocol.messages import (
    Acknowledge,
    Cancel,
    Command,
    Farewell,
    FromController,
    Heartbeat,
    Hello,
    Inquire,
    InstrumentState,
    Ping,
    Progress,
    Refuse,
    RejectCode,
    Resume,
    Shutdown,
    StateChanged,
    Stop,
    Stopped,
    Welcome,
)
from instruments.protocol.outputs import (
    DriverOutput,
    End,
    GoSafe,
    Leave,
    Note,
    Reconnect,
    Send,
    StopDevice,
    WriteHold,
)
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import FaultCode, Outcome, shorten

LostPolicy = Literal["carry_on", "finish_and_hold", "go_safe"]
"""What a driver does when it has not heard the controller for its lease."""

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
        self._lab_time = lab_time
        self._policy: LostPolicy = policy
        self._exit_when_orphaned = exit_when_orphaned
        self._timing = timing
        self._heartbeat_s, self._lease_s = timing.heartbeat_s, timing.lease_s

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

        self._attempts = DriverAttempts(
            records,
            lookup=lookup,
            lab_time=lab_time,
            capacity=capacity,
            offer_s=timing.offer_s,
            may_start=self._may_start,
            is_linked=lambda: self._linked,
            now=now,
        )

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
        return self._attempts.running

    @property
    def stuck(self) -> tuple[str, ...]:
        """Attempts whose outcome is told although their code has not returned."""
        return self._attempts.stuck

    @property
    def idle(self) -> bool:
        """Whether nothing is being carried out."""
        return not self._attempts.busy and not self._device_stopping

    @property
    def outbox(self) -> tuple[str, ...]:
        """Attempts whose outcome nobody has acknowledged yet."""
        return self._attempts.outbox

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
        if self._attempts.busy:
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
                out = self._on_command(message)
            case Acknowledge():
                out = self._attempts.acknowledge(message.attempt)
            case Cancel():
                out = self._on_cancel(message, now)
            case Inquire():
                out = [Send(self._attempts.report(attempt)) for attempt in message.attempts]
            case Ping():
                out = [Send(self.beat(now, echo=message.sent_at))]
            case Stop():
                out = self._on_stop(message, now)
            case Resume():
                out = self._on_resume(message)
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
        self._attempts.offer_again(now)
        out: list[DriverOutput] = []
        if not was_linked:
            out.append(Note("info", f"taken on by session {message.session}{' after the lease ran out' * was_lost}"))
        self._told_state = None
        return [*out, *self._tell_state(), *self._attempts.start_ready(), *self.tick(now)]

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

    def _on_command(self, message: Command) -> list[DriverOutput]:
        known = self._attempts.record(message.attempt)
        if known is not None:
            return self._attempts.answer_from(known)
        verdict = self._turn_down(message) or self._examine(message, self._lab_time())
        if isinstance(verdict, Rejection):
            return self._attempts.reject(message.attempt, message.action, verdict.code, verdict.message)
        return self._attempts.take(verdict)

    def _turn_down(self, message: Command) -> Rejection | None:
        if self._leaving is not None:
            return Rejection("not_ready", "the driver is leaving")
        if self._held is not None:
            return Rejection("stopped", f"the instrument is held by stop request {self._held}; resume it first")
        if self._not_ready is not None:
            return Rejection("not_ready", shorten(f"the device is not ready: {self._not_ready}"))
        if self._attempts.n_waiting >= _LONGEST_QUEUE:
            return Rejection("busy", f"{self._attempts.n_waiting} attempts wait already, {message.action} cannot be queued")
        return None

    def _on_cancel(self, message: Cancel, now: float) -> list[DriverOutput]:
        attempt = message.attempt
        record = self._attempts.record(attempt)
        if record is None:
            # The cancellation overtook its command, which must find it here.
            return self._attempts.reject(attempt, "", "cancelled", "cancelled before it was heard of")
        if self._attempts.waits(attempt):
            return self._attempts.drop(attempt, FaultCode.cancelled, "cancelled before it started", now)
        if self._attempts.runs(attempt):
            return [End(attempt, "cancelled")]
        return self._attempts.answer_from(record)

    # --- stop, resume, leave ----------------------------------------------------------------------------------------

    def stop(self, message: Stop, now: float) -> list[DriverOutput]:
        """Take a stop that came past the controller, from a person at the machine; it says nothing of the controller's life."""
        return [*self._on_stop(message, now), *self._tell_state()]

    def resume(self, message: Resume) -> list[DriverOutput]:
        """Take a resume that came past the controller; as `stop`."""
        return [*self._on_resume(message), *self._tell_state()]

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
        out += self._attempts.drop_waiting(FaultCode.stopped, "the instrument was stopped before it started", now)
        if message.mode == "now":
            return out
        return [*out, *self._stop_if_idle()]

    def _stop_if_idle(self) -> list[DriverOutput]:
        if self._stopping is None or self._stopping.mode != "finish" or self._attempts.busy:
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

    def _on_resume(self, message: Resume) -> list[DriverOutput]:
        if self._held != message.request or self._stopping is not None:
            return []
        self._held = None
        return [WriteHold(None), *self._attempts.start_ready()]

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
        if mode == "now" and self._attempts.busy and not self._device_stopping:
            self._device_stopping = "stop"
            out.append(StopDevice(self.running))
        return [*out, *self._leave_if_idle(now), *self._tell_state()]

    def _leave_if_idle(self, now: float) -> list[DriverOutput]:
        if self._left or not self.idle or not self._attempts.written:
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

    def device_ready(self, problem: str | None) -> list[DriverOutput]:
        """Report how setting the device up went.

        Args:
            problem: What went wrong, or None when the device is ready.

        Returns:
            What to do, in order: the first time it is ready, attempts that an earlier process started are recovered.
        """
        self._not_ready, self._set_up_once = problem, True
        if problem is not None:
            return [*self._tell_state(problem)]
        return [*self._attempts.recover(), *self._attempts.start_ready(), *self._tell_state()]

    def progressed(self, attempt: str, fraction: float, note: str) -> list[DriverOutput]:
        """Report progress of a running attempt; said only while somebody listens."""
        if not self._linked or not self._attempts.runs(attempt):
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
        return [
            *self._attempts.finish(attempt, outcome, now, stuck=stuck),
            *self._stop_if_idle(),
            *self._attempts.start_ready(),
            *self._leave_if_idle(now),
            *self._tell_state(),
        ]

    def never_began(self, attempt: str, now: float) -> list[DriverOutput]:
        """Report that the device never began an attempt that an earlier process had started.

        It waits for its turn as one that was accepted: nothing is begun while the instrument is stopped, or before a controller
        that may have given the attempt up has been heard.
        """
        self._attempts.put_back(attempt)
        return [*self._attempts.start_ready(), *self._leave_if_idle(now), *self._tell_state()]

    def released(self, attempt: str) -> list[DriverOutput]:
        """Report that the code of a stuck attempt has returned at last."""
        self._attempts.release(attempt)
        return [*self._attempts.start_ready(), *self._tell_state()]

    def write_failed(self, record: AttemptRecord, now: float, problem: str) -> list[DriverOutput]:
        """Report that the journal could not take a record; outputs that came after the write were not carried out.

        Args:
            record: The record that could not be written.
            now: Real monotonic time [s].
            problem: Why.

        Returns:
            What to do instead: a command is turned down, an outcome is kept and written again later.
        """
        return self._attempts.write_failed(record, now, problem)

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
        out += self._attempts.make_offers(now)
        if not self._attempts.busy:
            out += self._attempts.start_ready()  # a start that the journal could not take is tried again
        return [*out, *self._leave_if_idle(now), *self._tell_state()]

    def _on_lost(self) -> list[DriverOutput]:
        out: list[DriverOutput] = [
            Note("warning", f"no controller for {self._lease_s:.1f} s: {self._policy.replace('_', ' ')}")
        ]
        if self._policy == "go_safe" and not self._device_stopping and self._welcomed_once:
            self._device_stopping = "go_safe"
            out.append(GoSafe(self.running))
        return out

    def _may_start(self) -> bool:
        if self._held is not None or self._leaving is not None or self._not_ready is not None:
            return False
        # Before the first welcome nothing starts: the controller may have given the attempt up while we were away.
        return self._welcomed_once and (not self._lost or self._policy == "carry_on")

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
