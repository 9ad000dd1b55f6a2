"""The controller's side: one hub that speaks with every driver."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from instruments.clock import Clock, SystemClock
from instruments.errors import NotConnectedError, ProtocolError
from instruments.protocol.codec import decode_from_driver, encode, protocol_of_hello
from instruments.protocol.controller_session import ControllerSession, Expected
from instruments.protocol.events import (
    AttemptAccepted,
    AttemptFinished,
    AttemptProgress,
    AttemptRejected,
    AttemptReported,
    AttemptStarted,
    HubEvent,
    InstrumentStateChanged,
    LinkDown,
    LinkUp,
    StopConfirmed,
)
from instruments.protocol.messages import (
    PROTOCOL_VERSION,
    Command,
    FromController,
    Hello,
    InstrumentState,
    Refuse,
    channel_of,
)
from instruments.protocol.outputs import ControllerOutput, Emit
from instruments.protocol.recording import Chapter, Step, What, state_of
from instruments.ratelimit import RateLimitedLog
from instruments.transport.base import Peer, ServerTransport

__all__ = [
    "AttemptAccepted",
    "AttemptFinished",
    "AttemptProgress",
    "AttemptRejected",
    "AttemptReported",
    "AttemptStarted",
    "Command",
    "EventStream",
    "Expected",
    "HubEvent",
    "InstrumentHub",
    "InstrumentStateChanged",
    "Link",
    "LinkDown",
    "LinkUp",
    "Recorder",
    "StopConfirmed",
]

_TICK_S = 0.05
_MOST_UNEXPECTED = 256
"""Instruments that may introduce themselves when no lab file names them."""
_MOST_WAITING_PROGRESS = 1000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Link:
    """What is known of one instrument now."""

    instrument: str
    connected: bool
    hello: Hello | None
    """Of the driver linked now, or of the last one."""
    state: InstrumentState | None
    running: tuple[str, ...]
    held: str | None
    """The stop request that holds the instrument, if one does; `InstrumentHub.resume` lifts it."""
    last_seen: float | None
    """Lab time at which its driver was last heard [s since the Unix epoch]."""
    round_trip_s: float | None
    """Of the last ping [real s]."""


class EventStream:
    """One listener's events, in order, from the moment it was made until `close` or the hub's close.

    Nothing is dropped but progress, and that only when the listener is far behind.
    """

    def __init__(self) -> None:
        self._waiting: deque[HubEvent] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> HubEvent:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def put(self, event: HubEvent) -> None:
        """Add an event; the hub calls this."""
        if self._closed or (isinstance(event, AttemptProgress) and len(self._waiting) >= _MOST_WAITING_PROGRESS):
            return
        self._waiting.append(event)
        self._news.set()

    @property
    def closed(self) -> bool:
        """Whether no more events will be added."""
        return self._closed

    def close(self) -> None:
        """End the stream once what waits has been taken."""
        self._closed = True
        self._news.set()


class Recorder(Protocol):
    """Is told of everything that a hub's sessions take and answer. It must return at once, and never raise."""

    def took(self, step: Step) -> None:
        """Take a step down."""
        ...


class InstrumentHub:
    """Speaks with every driver of a lab. Every request returns at once; answers come as events.

    Use it from one event loop.

    Args:
        transport: Where drivers connect.
        expected: The lab's instruments by name; drivers of others are refused. None takes anybody.
        clock: Lab time, for `Link.last_seen`.
        heartbeat_s: Pause between signs of life [real s].
        lease_s: Silence after which a driver counts as gone [real s].
        resend_s: First pause before a request without an answer is sent again [real s].
        recorder: Is told of everything that the sessions take and answer.
    """

    def __init__(
        self,
        transport: ServerTransport,
        *,
        expected: Mapping[str, Expected] | None = None,
        clock: Clock | None = None,
        heartbeat_s: float = 1.0,
        lease_s: float = 10.0,
        resend_s: float = 1.0,
        recorder: Recorder | None = None,
    ) -> None:
        self.session = uuid.uuid4().hex
        """The id of this hub, written into the rendezvous file and told to drivers."""
        self._transport = transport
        self._expected = None if expected is None else dict(expected)
        self._clock = clock or SystemClock()
        self._heartbeat_s, self._lease_s, self._resend_s = heartbeat_s, lease_s, resend_s
        self._recorder = recorder
        self._sessions: dict[str, ControllerSession] = {}
        self._last_seen: dict[str, float] = {}
        self._streams: list[EventStream] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._garbage = 0
        self._quiet_log = RateLimitedLog(log)
        for instrument in self._expected or ():
            self._session_of(instrument)

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> str:
        """Begin to listen.

        Returns:
            The address that drivers connect to.

        Raises:
            TransportError: If it cannot be listened on.
        """
        address = await self._transport.start()
        self._tasks = [
            asyncio.create_task(self._receive(), name="hub receive"),
            asyncio.create_task(self._tick(), name="hub tick"),
        ]
        return address

    async def close(self) -> None:
        """Stop listening and end every event stream. Drivers go on by themselves."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._transport.close()
        for stream in self._streams:
            stream.close()
        self._streams = []

    def events(self) -> EventStream:
        """Return a new stream of everything that happens from now on; make it before `start` to miss nothing."""
        stream = EventStream()
        self._streams.append(stream)
        return stream

    def links(self) -> dict[str, Link]:
        """Return what is known of every instrument, expected ones included though they never connected."""
        return {name: self._link_of(session) for name, session in self._sessions.items()}

    def link(self, instrument: str) -> Link | None:
        """Return what is known of one instrument; None before the first contact with one that nobody expects."""
        session = self._sessions.get(instrument)
        return None if session is None else self._link_of(session)

    def _link_of(self, session: ControllerSession) -> Link:
        return Link(
            instrument=session.instrument,
            connected=session.connected,
            hello=session.hello,
            state=session.state,
            running=session.running,
            held=session.held,
            last_seen=self._last_seen.get(session.instrument),
            round_trip_s=session.round_trip_s,
        )

    @property
    def garbage_frames(self) -> int:
        """How many frames were dropped because they were no messages of a driver, or came from senders of nothing else."""
        return self._garbage + self._transport.unheeded

    # --- requests ---------------------------------------------------------------------------------------------------

    def command(self, instrument: str, command: Command) -> None:
        """Send a command, again if need be, until the driver has answered it or its link goes down.

        Args:
            instrument: Its name.
            command: What to do; the same attempt is never carried out twice.

        Raises:
            NotConnectedError: If no driver is linked.
            FrameTooLargeError: If the command does not fit into a frame.
        """
        encode(command)  # refused here and now, not dropped later
        now = time.monotonic()
        self._took(instrument, "command", command, now, self._known(instrument).command(command, now))

    def acknowledge(self, instrument: str, attempt: str) -> None:
        """Tell the driver that an outcome is durable here. Raises `NotConnectedError`."""
        now = time.monotonic()
        self._took(instrument, "acknowledge", {"attempt": attempt}, now, self._known(instrument).acknowledge(attempt))

    def inquire(self, instrument: str, attempts: Iterable[str]) -> None:
        """Ask what became of attempts; each is answered by an `AttemptReported`. Raises `NotConnectedError`."""
        wanted, now = tuple(attempts), time.monotonic()
        self._took(instrument, "inquire", {"attempts": wanted}, now, self._known(instrument).inquire(wanted, now))

    def cancel(self, instrument: str, attempt: str) -> None:
        """End one attempt; its outcome, or its rejection, is the answer. Raises `NotConnectedError`."""
        now = time.monotonic()
        self._took(instrument, "cancel", {"attempt": attempt}, now, self._known(instrument).cancel(attempt, now))

    def stop(self, instrument: str, mode: Literal["finish", "now"] = "now") -> str:
        """Stop the instrument; it takes no command until `resume`, not even after a restart of its driver.

        Args:
            instrument: Its name.
            mode: `now` ends what runs; `finish` lets it finish.

        Returns:
            The request's id, which the `StopConfirmed` event carries.

        Raises:
            NotConnectedError: If no driver is linked.
        """
        request, now = uuid.uuid4().hex, time.monotonic()
        outputs = self._known(instrument).stop(request, mode, now)
        self._took(instrument, "stop", {"request": request, "mode": mode}, now, outputs)
        return request

    def resume(self, instrument: str) -> None:
        """Lift the stop in force, if there is one (`Link.held`). Raises `NotConnectedError`."""
        now = time.monotonic()
        self._took(instrument, "resume", {}, now, self._known(instrument).resume(now))

    def shutdown(self, instrument: str, mode: Literal["now", "when_idle"] = "when_idle") -> None:
        """Ask the driver's process to leave. Raises `NotConnectedError`."""
        self._took(instrument, "shutdown", {"mode": mode}, time.monotonic(), self._known(instrument).shutdown(mode))

    def chapter(self) -> Chapter:
        """Return the state of every session, from which a recording can be replayed."""
        timing = {"heartbeat_s": self._heartbeat_s, "lease_s": self._lease_s, "resend_s": self._resend_s}
        instruments = {name: state_of(session) for name, session in self._sessions.items()}
        return Chapter(time.time(), self.session, timing, instruments)

    def _known(self, instrument: str) -> ControllerSession:
        session = self._sessions.get(instrument)
        if session is None:
            known = ", ".join(sorted(self._sessions)) or "none"
            raise NotConnectedError(f"no driver is connected for instrument {instrument!r}; known: {known}")
        return session

    def _session_of(self, instrument: str) -> ControllerSession | None:
        session = self._sessions.get(instrument)
        if session is None and self._takes(instrument):
            session = self._sessions[instrument] = ControllerSession(
                instrument,
                session=self.session,
                expected=None if self._expected is None else self._expected[instrument],
                heartbeat_s=self._heartbeat_s,
                lease_s=self._lease_s,
                resend_s=self._resend_s,
            )
        return session

    def _takes(self, instrument: str) -> bool:
        if self._expected is not None:
            return instrument in self._expected
        return len(self._sessions) < _MOST_UNEXPECTED

    # --- wire -------------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        while True:
            welcome = False
            try:
                peer, frame = await self._transport.receive()
            except Exception:  # whatever a stranger has done to our socket, the others must be heard
                self._quiet_log.exception("a frame could not be received")
                await asyncio.sleep(_TICK_S)
                continue
            try:
                welcome = self._take(peer, frame)
            except Exception:  # one message must never end the loop that hears all instruments
                self._quiet_log.exception("message of %s could not be handled", peer)
            self._transport.judge(welcome=welcome)

    def _take(self, peer: Peer | None, frame: bytes) -> bool:
        """Take a frame in; say whether it came from a driver that is taken on."""
        if peer is None:
            self._drop("a sender that is no driver", "")
            return False
        try:
            message = decode_from_driver(frame)
        except ProtocolError as error:
            version = protocol_of_hello(frame)
            if version is not None and version != PROTOCOL_VERSION:
                text = f"protocol {version}; this controller speaks {PROTOCOL_VERSION}"
                self._send(peer.instrument, peer.boot_id, Refuse(code="protocol", message=text))
            self._drop(f"{peer.instrument}/{peer.boot_id}", str(error))
            return False
        if isinstance(message, Hello) and (message.instrument, message.boot_id) != peer[:2]:
            self._drop(f"{peer.instrument}/{peer.boot_id}", f"says that it is {message.instrument}/{message.boot_id}")
            return False
        session = self._session_of(peer.instrument)
        if session is None:
            if isinstance(message, Hello):
                text = f"no instrument {peer.instrument!r} is expected here; put it into the lab file"
                self._send(peer.instrument, peer.boot_id, Refuse(code="unexpected", message=text))
            return False
        now = time.monotonic()
        self._took(peer.instrument, "heard", frame, now, session.handle(peer.boot_id, message, now), peer.boot_id)
        if session.boot_id != peer.boot_id:
            return False
        self._last_seen[peer.instrument] = self._clock.time()
        return True

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            for instrument, session in list(self._sessions.items()):
                try:
                    why = session.boot_id and self._transport.objection(Peer(instrument, session.boot_id, "data"))
                    if why:
                        self._took(instrument, "cut", {"reason": why}, now, session.cut(why))
                    else:
                        self._took(instrument, "tick", None, now, session.tick(now))
                except Exception:  # as in `_receive`
                    self._quiet_log.exception("tick of %s failed", instrument)

    def _took(
        self, instrument: str, what: What, given: object, now: float, outputs: list[ControllerOutput], boot_id: str = ""
    ) -> None:
        """Tell the recorder what a session took and answered, then carry the answer out."""
        if self._recorder is not None and (outputs or what != "tick"):  # a tick without an answer changed nothing
            self._recorder.took(Step(time.time(), now, instrument, what, given, outputs, boot_id))
        for output in outputs:
            if isinstance(output, Emit):
                self._streams = [stream for stream in self._streams if not stream.closed]
                for stream in self._streams:
                    stream.put(output.event)
            else:
                self._send(instrument, output.boot_id, output.message)

    def _send(self, instrument: str, boot_id: str, message: FromController) -> None:
        # A frame that cannot be sent is not an error: what matters is sent again, and silence ends the link.
        self._transport.send(Peer(instrument, boot_id, channel_of(message)), encode(message))

    def _drop(self, who: str, why: str) -> None:
        self._garbage += 1
        self._quiet_log.warning("dropped a frame of %s: %s (%d dropped so far)", who, why, self._garbage)
