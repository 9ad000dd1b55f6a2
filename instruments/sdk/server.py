"""Hosts a driver on the wire: a thin shell around the driver's session, its journal and its actions."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Literal

from instruments.clock import Clock, SystemClock
from instruments.emergency import SOCKET
from instruments.errors import DriverOptionsError, JournalError, ProtocolError, RefusedError, TransportError
from instruments.protocol.codec import decode_from_controller, encode
from instruments.protocol.driver_session import DriverSession, DriverTiming, LostPolicy
from instruments.protocol.messages import (
    FromDriver,
    Hello,
    InstrumentState,
    Ping,
    Resume,
    Stop,
    Stopped,
    Welcome,
    channel_of,
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
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import shorten
from instruments.ratelimit import RateLimitedLog
from instruments.sdk.driver import Driver, describe_driver
from instruments.sdk.host import ActionHost, DeviceCalls
from instruments.sdk.journal import Journal
from instruments.sdk.limits import Limits, narrow
from instruments.sdk.stop_socket import StopSocket
from instruments.transport.base import ClientTransport

_TICK_S = 0.05
log = logging.getLogger(__name__)


class DriverServer:
    """Serves one driver until it is told to leave, or leaves by itself as an orphan.

    Args:
        driver: The driver.
        transport: Knows the instrument's name and this start's id.
        journal: The instrument's.
        clock: Lab time.
        limits: The lab file's.
        tag: The driver's tag, told to the controller; the class's name when left out.
        on_lost_controller: What to do when the controller is silent; what the driver declares when left out.
        exit_when_orphaned: Leave once idle with the lease run out.
        timing: Wire timing before the controller's welcome.
        grace_s: How long an action may take to end once it was asked to [real s].
        stop_bound_s: How long the driver's `stop` may take until the stop is confirmed with a complaint [real s].
        setup_pause_s: Pause before a failed setup is tried again [real s].
        calls: How the driver's methods are called; in threads of their own when left out.

    Raises:
        DriverDefinitionError: If an action is declared wrongly.
        DriverOptionsError: If the limits do not fit.
        FrameTooLargeError: If what the driver offers does not fit into a message.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        transport: ClientTransport,
        journal: Journal,
        clock: Clock | None = None,
        limits: Limits | None = None,
        tag: str | None = None,
        on_lost_controller: LostPolicy | None = None,
        exit_when_orphaned: bool = False,
        timing: DriverTiming | None = None,
        grace_s: float = 0.5,
        stop_bound_s: float = 5.0,
        setup_pause_s: float = 2.0,
        calls: DeviceCalls | None = None,
    ) -> None:
        self._driver = driver
        driver.folder = None if journal.path is None else journal.path.parent
        self._transport = transport
        self._journal = journal
        self._clock = clock or SystemClock()
        self._tag = tag or type(driver).__name__
        self._exit_when_orphaned = exit_when_orphaned
        self._timing = timing or DriverTiming(lease_s=driver.lease_s)
        self._stop_bound_s = stop_bound_s
        self._setup_pause_s = setup_pause_s
        self._own_capabilities = self._capabilities = narrow(describe_driver(driver), limits or {})
        self._calls = calls or DeviceCalls()
        self._host = ActionHost(
            driver.actions(),
            self._capabilities,
            calls=self._calls,
            clock=self._clock,
            on_progress=lambda attempt, fraction, note: self._perform(
                self._session.progressed(attempt, fraction, note)
            ),
            on_released=lambda attempt: self._perform(self._session.released(attempt)),
            on_overrun=self._overrun,
            grace_s=grace_s,
            folder=driver.folder,
        )
        self._session = DriverSession(
            hello=self._hello,
            examine=self._host.examine,
            lookup=journal.get,
            lab_time=self._clock.time,
            records=journal.unacknowledged(),
            held=journal.held,
            policy=on_lost_controller or driver.on_lost_controller,
            capacity=driver.capacity,
            exit_when_orphaned=exit_when_orphaned,
            timing=self._timing,
            now=time.monotonic(),
        )
        self._executions: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._left: asyncio.Future[Leave] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._stop_socket = None if journal.path is None else StopSocket(journal.path.parent / SOCKET, self._answer)
        self._asked_to_stop: list[asyncio.Future[Stopped]] = []
        self._hold_is_noted = True
        self._quiet_log = RateLimitedLog(log, per_minute=10)
        encode(self._hello("starting", None))  # refused here and now: a driver that cannot introduce itself is never heard

    @property
    def session(self) -> DriverSession:
        """The session, for looking at."""
        return self._session

    def request_shutdown(self, mode: Literal["now", "when_idle"]) -> None:
        """Begin to leave, as a signal handler does. Call it on the server's loop."""
        self._perform(self._session.shutdown(mode, time.monotonic()))

    async def serve(self) -> str:
        """Serve until leaving.

        Returns:
            Why it left.

        Raises:
            RefusedError: If the controller will not have this driver at all.
        """
        loop = asyncio.get_running_loop()
        left = self._left = loop.create_future()
        if self._stop_socket is not None:
            await self._stop_socket.open()
        tasks = [
            asyncio.create_task(self._receive(), name="driver receive"),
            asyncio.create_task(self._tick(), name="driver tick"),
            asyncio.create_task(self._set_up(), name="driver setup"),
        ]
        try:
            leave: Leave = await left
        finally:
            if self._stop_socket is not None:
                await self._stop_socket.close()
            everything = [*tasks, *self._background, *self._executions.values()]
            if self._connecting is not None:
                everything.append(self._connecting)
            for task in everything:
                task.cancel()
            await asyncio.gather(*everything, return_exceptions=True)
            await self._bounded("teardown", self._calls.call(self._driver.teardown))
            await self._calls.close()
            await self._transport.close()
            self._journal.close()
        if leave.refused:
            raise RefusedError(leave.reason)
        return leave.reason

    # --- loops ------------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        while True:
            frame = await self._transport.receive()
            try:
                message = decode_from_controller(frame)
            except ProtocolError as error:
                self._quiet_log.warning("dropped a frame: %s", error)
                continue
            try:
                if isinstance(message, Welcome):
                    self._take_limits(message.limits)
                self._perform(self._session.handle(message, time.monotonic()))
            except Exception:  # one message must never end the loop that hears the stop
                self._quiet_log.exception("message %s could not be handled", message.type)

    def _take_limits(self, limits: Limits) -> None:
        """Enforce the controller's lab file beside our own limits; where it makes no sense here, nothing is begun."""
        misfit = None
        try:
            self._capabilities = narrow(self._own_capabilities, limits)
        except DriverOptionsError as error:
            misfit = shorten(f"the lab file does not fit this driver: {error}; correct one of the two")
            self._quiet_log.warning("%s", misfit)
        self._host.narrow(self._capabilities, misfit)

    async def _tick(self) -> None:
        while True:
            try:
                if not self._hold_is_noted:
                    self._write_hold(self._session.held)
                self._perform(self._session.tick(time.monotonic()))
            except Exception:  # as in `_receive`
                self._quiet_log.exception("tick failed")
            await asyncio.sleep(_TICK_S)

    async def _set_up(self) -> None:
        while True:
            try:
                await self._calls.call(self._driver.setup)
            except Exception as error:  # a device that is not there yet is no reason to give up
                self._quiet_log.exception("setup failed; trying again in %g s", self._setup_pause_s)
                problem = f"setup failed: {type(error).__name__}: {error}"
                self._perform(self._session.device_ready(problem))
                await asyncio.sleep(self._setup_pause_s)
            else:
                self._perform(self._session.device_ready(None))
                return

    # --- outputs ----------------------------------------------------------------------------------------------------

    def _perform(self, outputs: Iterable[DriverOutput]) -> None:
        failed: set[str] = set()
        for output in outputs:
            match output:
                case Send():
                    if isinstance(output.message, Stopped):
                        self._tell_askers(output.message)
                    if getattr(output.message, "attempt", None) not in failed:
                        self._transport.send(channel_of(output.message), encode(output.message))
                case Write():
                    if output.record.attempt not in failed and not self._write(output.record):
                        failed.add(output.record.attempt)
                case WriteHold():
                    self._write_hold(output.request)
                case Execute():
                    if output.record.attempt not in failed:
                        self._begin(output.record, output.recovering)
                case End():
                    self._host.end(output.attempt, output.reason)
                case StopDevice():
                    self._stop_device(output.attempts, self._driver.stop)
                case GoSafe():
                    self._stop_device(output.attempts, self._driver.go_safe)
                case Reconnect():
                    if self._connecting is None or self._connecting.done():
                        self._connecting = asyncio.create_task(self._connect())
                case Note():
                    log.log(logging.WARNING if output.level == "warning" else logging.INFO, "%s", output.message)
                case Leave():
                    if self._left is not None and not self._left.done():
                        self._left.set_result(output)

    def _write(self, record: AttemptRecord) -> bool:
        try:
            self._journal.write(record)
        except JournalError as error:
            self._quiet_log.exception("attempt %s", record.attempt)
            self._perform(self._session.write_failed(record, time.monotonic(), str(error)))
            return False
        return True

    def _write_hold(self, request: str | None) -> None:
        try:
            self._journal.hold(request)
        except JournalError:
            # It is in force in this process all the same; only a restart would forget it. So it is tried again.
            self._hold_is_noted = False
            self._quiet_log.exception("the hold could not be noted")
        else:
            self._hold_is_noted = True

    def _begin(self, record: AttemptRecord, recovering: bool) -> None:
        async def carry_out() -> None:
            try:
                outcome, stuck = await self._host.execute(record, recovering=recovering)
            finally:
                self._executions.pop(record.attempt, None)
            if outcome is None:
                self._perform(self._session.never_began(record.attempt, time.monotonic()))
            else:
                self._perform(self._session.finished(record.attempt, outcome, time.monotonic(), stuck=stuck))

        self._executions[record.attempt] = asyncio.create_task(carry_out(), name=f"attempt {record.attempt}")

    def _stop_device(self, attempts: tuple[str, ...], method: Callable[[], Any]) -> None:
        # Begun here and now, before the next output is looked at: no slow disk may come between a stop and the device.
        for attempt in attempts:
            self._host.end(attempt, "stopped")
        self._spawn(self._stopped(attempts, method.__name__, self._calls.call(method)))

    async def _stopped(self, attempts: tuple[str, ...], name: str, called: asyncio.Future[Any]) -> None:
        executions = [self._executions[attempt] for attempt in attempts if attempt in self._executions]
        for attempt in attempts:  # again: one that was just being begun could not hear it before
            self._host.end(attempt, "stopped")
        complaint, *_ = await asyncio.gather(self._bounded(name, called), *executions, return_exceptions=True)
        stuck = tuple(attempt for attempt in attempts if attempt in self._session.stuck)
        text = complaint if isinstance(complaint, str) else repr(complaint)
        if not self._hold_is_noted:
            text = "; ".join(filter(None, (text, "the stop could not be noted in the journal: a restart would forget it")))
        self._perform(self._session.stop_done(stuck, text, time.monotonic()))

    async def _bounded(self, name: str, called: asyncio.Future[Any]) -> str:
        """Wait at most `stop_bound_s` for a driver's method; return its complaint, or an empty text."""
        try:
            await asyncio.wait_for(called, self._stop_bound_s)
        except TimeoutError:
            complaint = f"the driver's {name} has not returned within {self._stop_bound_s:g} s"
        except Exception as error:  # a driver's fault must not keep the stop from being confirmed, nor us from leaving
            complaint = f"the driver's {name} failed: {type(error).__name__}: {error}"
        else:
            return ""
        log.error("%s", complaint)
        return complaint

    # --- people at the socket ---------------------------------------------------------------------------------------

    async def _answer(self, message: Stop | Resume | Ping) -> FromDriver:
        """Carry out what was asked at the stop socket."""
        now = time.monotonic()
        if isinstance(message, Stop):
            asked: asyncio.Future[Stopped] = asyncio.get_running_loop().create_future()
            self._asked_to_stop.append(asked)
            self._perform(self._session.stop(message, now))
            return await asked
        if isinstance(message, Resume):
            self._perform(self._session.resume(message))
        return self._session.beat(now, echo=message.sent_at if isinstance(message, Ping) else None)

    def _tell_askers(self, stopped: Stopped) -> None:
        # Whoever waits is told of any stop: a newer one that took the place of theirs has made the device stand still too.
        asked, self._asked_to_stop = self._asked_to_stop, []
        for future in asked:
            if not future.done():
                future.set_result(stopped)

    def _overrun(self) -> None:
        # Past its deadline and deaf: make the device stand still. With several actions at once the others would be
        # stopped as well, which is the controller's decision.
        if self._driver.capacity == 1:
            self._spawn(self._stop_only())

    async def _stop_only(self) -> None:
        await self._bounded("stop", self._calls.call(self._driver.stop))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _connect(self) -> None:
        try:
            await self._transport.connect()
        except TransportError as error:
            self._quiet_log.warning("cannot connect: %s", error)

    def _hello(self, state: InstrumentState, held: str | None) -> Hello:
        return Hello(
            instrument=self._transport.instrument,
            driver=self._tag,
            version=f"{self._driver.version} (labwright {_labwright_version()})",
            boot_id=self._transport.boot_id,
            journal_id=self._journal.journal_id,
            simulated=self._driver.simulated,
            lease_s=self._timing.lease_s,
            capabilities=self._capabilities,
            state=state,
            held=held,
        )


@cache
def _labwright_version() -> str:
    try:
        return importlib.metadata.version("labwright")
    except importlib.metadata.PackageNotFoundError:
        return "source"
