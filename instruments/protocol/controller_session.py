"""The controller's side of the wire, for one instrument, as a pure state machine."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from instruments.errors import NotConnectedError
from instruments.protocol.codec import decode_from_controller
from instruments.protocol.events import (
    AttemptAccepted,
    AttemptFinished,
    AttemptProgress,
    AttemptRejected,
    AttemptReported,
    AttemptStarted,
    InstrumentStateChanged,
    LinkDown,
    LinkUp,
    StopConfirmed,
)
from instruments.protocol.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Acknowledge,
    Cancel,
    Command,
    Farewell,
    Finished,
    FromController,
    FromDriver,
    Heartbeat,
    Hello,
    Inquire,
    InstrumentState,
    Ping,
    Progress,
    Refuse,
    RefuseCode,
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
from instruments.protocol.outputs import ControllerOutput, Emit, SendTo
from instruments.protocol.values import MAX_ITEMS, shorten

_REMEMBERED = 4096


@dataclass(frozen=True)
class Expected:
    """What the lab file says of an instrument; None accepts anything.

    Args:
        driver: The driver's tag.
        simulated: Whether it must be, or must not be, a simulation.
        limits: Bounds by argument, told to the driver, which enforces them beside its own.
    """

    driver: str | None = None
    simulated: bool | None = None
    limits: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass
class _Resend:
    message: FromController
    due: float
    pause: float


class ControllerSession:
    """The controller's half of the conversation with one instrument.

    `now` is always real monotonic time [s]. Requests raise `NotConnectedError` while no driver is linked; requests that
    need an answer are sent again, with growing pauses, until it comes or the link goes down; a stop outlives the link.
    After a link comes up the caller inquires about whatever it holds open.

    Args:
        instrument: Its name.
        session: The id of this controller's process, told to drivers.
        expected: What the lab file says of it.
        heartbeat_s: Pause between signs of life [real s].
        lease_s: Silence after which a driver counts as gone, and after which drivers do what they declared [real s].
        resend_s: First pause before a request without an answer is sent again [real s].
    """

    def __init__(
        self,
        instrument: str,
        *,
        session: str,
        expected: Expected | None = None,
        heartbeat_s: float = 1.0,
        lease_s: float = 10.0,
        resend_s: float = 1.0,
    ) -> None:
        self.instrument = instrument
        self._session = session
        self._expected = expected or Expected()
        self._heartbeat_s, self._lease_s, self._resend_s = heartbeat_s, lease_s, resend_s
        self.hello: Hello | None = None
        """Of the driver linked now, or of the last one."""
        self.state: InstrumentState | None = None
        self.running: tuple[str, ...] = ()
        self.held: str | None = None
        """The stop request in force, as the driver last told."""
        self.round_trip_s: float | None = None
        """Of the last ping [real s]."""
        self._boot_id: str | None = None
        self._last_heard = 0.0
        self._next_ping = 0.0
        self._resends: dict[str, _Resend] = {}
        self._acknowledged: OrderedDict[str, None] = OrderedDict()

    @property
    def connected(self) -> bool:
        """Whether a driver is linked."""
        return self._boot_id is not None

    @property
    def boot_id(self) -> str | None:
        """The start of the driver's process that is linked."""
        return self._boot_id

    # --- messages ---------------------------------------------------------------------------------------------------

    def handle(self, boot_id: str, message: FromDriver, now: float) -> list[ControllerOutput]:
        """Take one message of a driver.

        Args:
            boot_id: The start of the driver's process that sent it.
            message: Already validated.
            now: Real monotonic time [s].

        Returns:
            What to do, in order.
        """
        if isinstance(message, Hello):
            return self._on_hello(boot_id, message, now)
        if boot_id != self._boot_id:
            if isinstance(message, Farewell):
                return []
            return [self._refuse(boot_id, "say_hello", "this controller does not know you yet")]
        self._last_heard = now
        name = self.instrument
        match message:
            case Accepted():
                self._settled(f"command:{message.attempt}")
                return [Emit(AttemptAccepted(name, message.attempt, message.duration_s, message.conversions))]
            case Rejected():
                self._settled(f"command:{message.attempt}", f"cancel:{message.attempt}")
                return [Emit(AttemptRejected(name, message.attempt, message.code, message.message))]
            case Started():
                self._settled(f"command:{message.attempt}")
                return [Emit(AttemptStarted(name, message.attempt, message.at))]
            case Progress():
                return [Emit(AttemptProgress(name, message.attempt, message.fraction, message.note))]
            case Finished():
                return self._on_finished(message)
            case Report():
                self._settled(f"inquire:{message.attempt}")
                reported = AttemptReported(name, message.attempt, message.status, message.outcome, message.message)
                return [Emit(reported)]
            case Heartbeat():
                return self._on_heartbeat(message, now)
            case StateChanged():
                return self._on_state(message.state, message.message)
            case Stopped():
                self._settled(f"stop:{message.request}")
                self.held = message.request
                return [Emit(StopConfirmed(name, message.request, message.stuck, message.message))]
            case Farewell():
                return self._down(f"the driver left: {message.reason}")

    def _on_hello(self, boot_id: str, hello: Hello, now: float) -> list[ControllerOutput]:
        objection = self._objection(boot_id, hello, now)
        if objection is not None:
            return [self._refuse(boot_id, *objection)]
        out: list[ControllerOutput] = []
        if self._boot_id is not None and boot_id != self._boot_id:
            out += self._down("the driver was started anew")
        # A second hello of the same boot means that the driver lost us: what was under way may be lost as well, so it
        # is sent again at once, and the link counts as new so that the caller inquires again.
        self._boot_id, self.hello, self.state, self.held = boot_id, hello, hello.state, hello.held
        for resend in self._resends.values():
            resend.due, resend.pause = now, self._resend_s
        self._last_heard = self._next_ping = now
        limits = {argument: (float(low), float(high)) for argument, (low, high) in self._expected.limits.items()}
        welcome = Welcome(session=self._session, heartbeat_s=self._heartbeat_s, lease_s=self._lease_s, limits=limits)
        return [*out, SendTo(boot_id, welcome), Emit(LinkUp(self.instrument, hello)), *self.tick(now)]

    def _objection(self, boot_id: str, hello: Hello, now: float) -> tuple[RefuseCode, str] | None:
        if hello.protocol != PROTOCOL_VERSION:
            return "protocol", f"protocol {hello.protocol}; this controller speaks {PROTOCOL_VERSION}"
        wanted = self._expected
        if wanted.driver is not None and wanted.driver != hello.driver:
            return "mismatch", f"{self.instrument} is driven by {hello.driver!r}; the lab file says {wanted.driver!r}"
        if wanted.simulated is not None and wanted.simulated != hello.simulated:
            kinds = ("real", "simulated")
            return "mismatch", f"{self.instrument} is {kinds[hello.simulated]}, expected {kinds[wanted.simulated]}"
        rival = self.hello if self._boot_id not in (None, boot_id) else None
        # The same journal under a new start proves the old process dead; another journal is another driver.
        if rival is not None and rival.journal_id != hello.journal_id and now - self._last_heard <= self._lease_s:
            return "name_taken", f"another driver speaks for {self.instrument}"
        return None

    def _refuse(self, boot_id: str, code: RefuseCode, message: str) -> SendTo:
        return SendTo(boot_id, Refuse(code=code, message=shorten(message)))

    def _on_finished(self, message: Finished) -> list[ControllerOutput]:
        attempt = message.attempt
        self._settled(f"command:{attempt}", f"cancel:{attempt}")
        if attempt in self._acknowledged and self._boot_id is not None:
            return [SendTo(self._boot_id, Acknowledge(attempt=attempt))]
        return [Emit(AttemptFinished(self.instrument, attempt, message.outcome))]

    def _on_heartbeat(self, message: Heartbeat, now: float) -> list[ControllerOutput]:
        self.running, self.held = message.running, message.held
        if message.echo is not None and 0.0 <= now - message.echo <= self._lease_s:
            self.round_trip_s = now - message.echo
        for key in [key for key in self._resends if key.startswith("resume:") and key != f"resume:{message.held}"]:
            self._settled(key)
        return self._on_state(message.state, "") if message.state != self.state else []

    def _on_state(self, state: InstrumentState, message: str) -> list[ControllerOutput]:
        self.state = state
        if state in ("ready", "busy", "holding"):
            self.held = None  # its heartbeat will say so too, but only in a while
        return [Emit(InstrumentStateChanged(self.instrument, state, message))]

    # --- requests ---------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> list[ControllerOutput]:
        """Send a command until the driver answers it."""
        return self._request(f"command:{command.attempt}", command, now)

    def acknowledge(self, attempt: str) -> list[ControllerOutput]:
        """Acknowledge an outcome; later offers of it are acknowledged without an event."""
        self._acknowledged[attempt] = None
        self._acknowledged.move_to_end(attempt)
        while len(self._acknowledged) > _REMEMBERED:
            self._acknowledged.popitem(last=False)
        return [SendTo(self._linked_boot(), Acknowledge(attempt=attempt))]

    def inquire(self, attempts: Iterable[str], now: float) -> list[ControllerOutput]:
        """Ask what the journal says of some attempts; each answer is an `AttemptReported`."""
        boot_id = self._linked_boot()
        wanted = list(dict.fromkeys(attempts))
        for attempt in wanted:
            # Sent again one by one: the answers come one by one.
            again = Inquire(attempts=(attempt,))
            self._resends[f"inquire:{attempt}"] = _Resend(again, now + self._resend_s, self._resend_s)
        chunks = (wanted[start : start + MAX_ITEMS] for start in range(0, len(wanted), MAX_ITEMS))
        return [SendTo(boot_id, Inquire(attempts=tuple(chunk))) for chunk in chunks]

    def cancel(self, attempt: str, now: float) -> list[ControllerOutput]:
        """End one attempt; its outcome or its rejection is the answer."""
        self._settled(f"command:{attempt}")
        return self._request(f"cancel:{attempt}", Cancel(attempt=attempt), now)

    def stop(self, request: str, mode: Literal["finish", "now"], now: float) -> list[ControllerOutput]:
        """Stop and hold the instrument; `StopConfirmed` is the answer."""
        self._linked_boot()
        for key in list(self._resends):
            if key.startswith(("stop:", "resume:")):
                self._settled(key)
            elif key.startswith("command:"):
                # Not sent again after a stop, yet whoever sent it needs an answer: what became of it?
                self._settled(key)
                attempt = key.removeprefix("command:")
                again = Inquire(attempts=(attempt,))
                self._resends[f"inquire:{attempt}"] = _Resend(again, now + self._resend_s, self._resend_s)
        return self._request(f"stop:{request}", Stop(request=request, mode=mode), now)

    def resume(self, now: float) -> list[ControllerOutput]:
        """Lift the hold in force, if there is one; the state's change is the answer."""
        self._linked_boot()
        if self.held is None:
            return []
        return self._request(f"resume:{self.held}", Resume(request=self.held), now)

    def shutdown(self, mode: Literal["now", "when_idle"]) -> list[ControllerOutput]:
        """Ask the driver to leave."""
        return [SendTo(self._linked_boot(), Shutdown(mode=mode))]

    def _linked_boot(self) -> str:
        if self._boot_id is None:
            raise NotConnectedError(
                f"no driver is connected for instrument {self.instrument!r}; start it, or wait for its LinkUp"
            )
        return self._boot_id

    def _request(self, key: str, message: FromController, now: float) -> list[ControllerOutput]:
        boot_id = self._linked_boot()
        self._resends[key] = _Resend(message, now + self._resend_s, self._resend_s)
        return [SendTo(boot_id, message)]

    def _settled(self, *keys: str) -> None:
        for key in keys:
            self._resends.pop(key, None)

    # --- recordings -------------------------------------------------------------------------------------------------

    @property
    def expected(self) -> Expected:
        """What the lab file says of the instrument."""
        return self._expected

    def state_now(self) -> dict[str, Any]:
        """Return everything that `restore` needs, for a recording: values that never change, or copies.

        Without the outcomes that were acknowledged, which may be thousands: see `restore_acknowledged`.
        """
        return {
            "hello": self.hello, "state": self.state, "running": self.running, "held": self.held, "boot_id": self._boot_id,
            "last_heard": self._last_heard, "next_ping": self._next_ping,
            "resends": {key: (resend.message, resend.due, resend.pause) for key, resend in self._resends.items()},
        }  # fmt: skip

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take the state of a recording.

        Args:
            kept: What `state_now` returned, by way of JSON.

        Raises:
            ValueError: If it is of another form.
        """
        self.hello = None if kept["hello"] is None else Hello.model_validate_json(json.dumps(kept["hello"]))
        self.state, self.running, self.held = kept["state"], tuple(kept["running"]), kept["held"]
        self._boot_id = kept["boot_id"]
        self._last_heard, self._next_ping = float(kept["last_heard"]), float(kept["next_ping"])
        self._resends = {
            key: _Resend(decode_from_controller(json.dumps(message).encode()), float(due), float(pause))
            for key, (message, due, pause) in kept["resends"].items()
        }

    def restore_acknowledged(self, attempt: str) -> None:
        """Take an outcome as acknowledged earlier."""
        self._acknowledged[attempt] = None

    # --- time -------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[ControllerOutput]:
        """Let time pass.

        Args:
            now: Real monotonic time [s].

        Returns:
            What to do, in order.
        """
        if self._boot_id is None:
            return []
        silence = now - self._last_heard
        if silence > self._lease_s:
            return self._down(f"silent for {silence:.1f} s")
        out: list[ControllerOutput] = []
        if now >= self._next_ping:
            self._next_ping = now + self._heartbeat_s
            out.append(SendTo(self._boot_id, Ping(sent_at=now)))
        for resend in self._resends.values():
            if resend.due <= now:
                resend.due = now + resend.pause
                resend.pause = min(2.0 * resend.pause, 10.0 * self._resend_s)
                out.append(SendTo(self._boot_id, resend.message))
        return out

    def cut(self, reason: str) -> list[ControllerOutput]:
        """Take the link down: whoever is at its other end may no longer speak."""
        return [] if self._boot_id is None else self._down(reason)

    def _down(self, reason: str) -> list[ControllerOutput]:
        self._boot_id = None
        self.state = None
        self.running = ()
        # Only a stop outlives its link: whoever speaks for the instrument next is told at once.
        self._resends = {key: resend for key, resend in self._resends.items() if key.startswith("stop:")}
        return [Emit(LinkDown(self.instrument, reason))]
