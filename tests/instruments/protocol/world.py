"""A world without sockets or clocks: both sessions, a network that misbehaves, and processes that die anywhere."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from instruments.errors import NotConnectedError
from instruments.protocol.capabilities import ActionDescription, Capabilities
from instruments.protocol.codec import decode_from_controller, decode_from_driver, encode
from instruments.protocol.controller_session import ControllerSession
from instruments.protocol.driver_session import DriverSession, DriverTiming
from instruments.protocol.events import AttemptFinished, AttemptRejected, AttemptReported, HubEvent, LinkUp
from instruments.protocol.messages import Command, Hello, InstrumentState
from instruments.protocol.outputs import (
    ControllerOutput,
    DriverOutput,
    Emit,
    End,
    Execute,
    GoSafe,
    Leave,
    Send,
    StopDevice,
    Write,
    WriteHold,
)
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Outcome, Succeeded

CAPABILITIES = Capabilities(
    actions={"go": ActionDescription(arguments={}, returns={}, duration_s=(1.0, 2.0), consequence="consumes")}
)


class CrashError(Exception):
    """The driver's process dies here."""


class World:
    """What outlasts the processes is `journal`, `held`, `device` and `store`; everything else dies with them."""

    def __init__(self, capacity: int = 1, *, remembers: bool = False) -> None:
        self.now = 0.0
        self.remembers = remembers
        """Whether the device can tell what it never began."""
        self.capacity = capacity
        self.numbers = itertools.count(1)
        self.journal: dict[str, AttemptRecord] = {}
        self.held: str | None = None
        self.device: Counter[str] = Counter()
        """How often each attempt was physically begun."""
        self.store: dict[str, Outcome | str | None] = {}
        """What the controller's store holds of each attempt: nothing yet, its outcome, or its rejection."""
        self.contradictions: list[str] = []
        self.to_driver: list[tuple[str, bytes]] = []
        self.to_controller: list[tuple[str, bytes]] = []
        self.going: set[str] = set()
        self.driver: DriverSession | None = None
        self.boot_id = ""
        self.controller: ControllerSession | None = None
        self.outputs_until_crash: int | None = None
        self.writes_that_fail = 0
        self.writes_before_failure = 0

    # --- processes --------------------------------------------------------------------------------------------------

    def start_driver(self) -> None:
        if self.driver is not None:
            return
        self.boot_id = f"boot{next(self.numbers)}"
        boot_id = self.boot_id

        def hello(state: InstrumentState, held: str | None) -> Hello:
            return Hello(
                instrument="i", driver="d", version="1", boot_id=boot_id, journal_id="j", simulated=True, lease_s=5.0,
                capabilities=CAPABILITIES, state=state, held=held,
            )  # fmt: skip

        self.driver = DriverSession(
            hello=hello,
            examine=lambda command, at: AttemptRecord(
                command.attempt, command.action, {}, {}, {}, (1.0, 2.0), 2.0, at, {}
            ),
            lookup=self.journal.get,
            lab_time=lambda: self.now,
            records=[r for r in self.journal.values() if r.acknowledged_at is None and r.rejected is None],
            held=self.held,
            policy="finish_and_hold",
            capacity=self.capacity,
            exit_when_orphaned=False,
            timing=DriverTiming(heartbeat_s=1.0, lease_s=5.0),
            now=self.now,
        )
        self.tell_driver(self.driver.device_ready(None))

    def kill_driver(self) -> None:
        self.driver = None
        self.going.clear()
        self.outputs_until_crash = None

    def start_controller(self) -> None:
        if self.controller is None:
            session = f"session{next(self.numbers)}"
            self.controller = ControllerSession("i", session=session, heartbeat_s=1.0, lease_s=5.0, resend_s=0.5)

    def kill_controller(self) -> None:
        self.controller = None

    # --- what people and time do ------------------------------------------------------------------------------------

    def commit(self) -> None:
        """The engine commits an attempt, then sends it if it can."""
        attempt = f"a{next(self.numbers)}"
        self.store[attempt] = None
        self.send_command(attempt)

    def send_command(self, attempt: str) -> None:
        if self.controller is not None and self.controller.connected:
            self.tell_controller(self.controller.command(Command(attempt=attempt, action="go"), self.now))

    def ask(self, what: str) -> None:
        """Stop, resume or cancel, if there is somebody to ask."""
        if self.controller is None:
            return
        open_attempts = [attempt for attempt, outcome in self.store.items() if outcome is None]
        try:
            if what == "stop":
                self.tell_controller(self.controller.stop(f"stop{next(self.numbers)}", "now", self.now))
            elif what == "finish":
                self.tell_controller(self.controller.stop(f"stop{next(self.numbers)}", "finish", self.now))
            elif what == "resume":
                self.tell_controller(self.controller.resume(self.now))
            elif open_attempts:
                self.tell_controller(self.controller.cancel(open_attempts[0], self.now))
        except NotConnectedError:
            return

    def finish_one(self) -> None:
        """The device finishes what it is at."""
        if self.driver is not None and self.going:
            attempt = min(self.going)
            self.going.discard(attempt)
            outcome = Succeeded(
                values={"n": MeasuredValue(value=self.device[attempt])}, started_at=0.0, finished_at=self.now
            )
            self.tell_driver(self.driver.finished(attempt, outcome, self.now))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        if self.driver is not None:
            self.tell_driver(self.driver.tick(self.now))
        if self.controller is not None:
            self.tell_controller(self.controller.tick(self.now))

    def deliver(self, direction: str, index: int, *, keep: bool = False) -> None:
        """Deliver any frame in flight, in any order; `keep` leaves a copy to come again."""
        frames = self.to_driver if direction == "to_driver" else self.to_controller
        if not frames:
            return
        index %= len(frames)
        boot_id, frame = frames[index] if keep else frames.pop(index)
        if direction == "to_driver":
            if self.driver is not None and boot_id == self.boot_id:
                self.tell_driver(self.driver.handle(decode_from_controller(frame), self.now))
        elif self.controller is not None:
            self.tell_controller(self.controller.handle(boot_id, decode_from_driver(frame), self.now))

    def lose(self, direction: str, index: int) -> None:
        frames = self.to_driver if direction == "to_driver" else self.to_controller
        if frames:
            frames.pop(index % len(frames))

    # --- the shells -------------------------------------------------------------------------------------------------

    def tell_driver(self, outputs: Iterable[DriverOutput]) -> None:
        try:
            self._perform(outputs)
        except CrashError:
            self.kill_driver()

    def _perform(self, outputs: Iterable[DriverOutput]) -> None:
        failed: set[str] = set()
        for output in outputs:
            if self.outputs_until_crash is not None:
                self.outputs_until_crash -= 1
                if self.outputs_until_crash < 0:
                    raise CrashError
            driver = self.driver
            assert driver is not None
            match output:
                case Send():
                    if getattr(output.message, "attempt", None) not in failed:
                        self.to_controller.append((self.boot_id, encode(output.message)))
                case Write():
                    if output.record.attempt in failed:
                        continue
                    if self.writes_that_fail and self.writes_before_failure:
                        self.writes_before_failure -= 1
                        self.journal[output.record.attempt] = output.record
                    elif self.writes_that_fail:
                        self.writes_that_fail -= 1
                        failed.add(output.record.attempt)
                        self._perform(driver.write_failed(output.record, self.now, "disk full"))
                    else:
                        self.journal[output.record.attempt] = output.record
                case WriteHold():
                    self.held = output.request
                case Execute():
                    if output.record.attempt not in failed:
                        self._execute(driver, output)
                case End():
                    self._end(driver, (output.attempt,), FaultCode.cancelled)
                case StopDevice() | GoSafe():
                    self._end(driver, output.attempts, FaultCode.stopped)
                    self._perform(driver.stop_done((), "", self.now))
                case Leave():
                    raise CrashError
                case _:
                    pass

    def _execute(self, driver: DriverSession, output: Execute) -> None:
        attempt = output.record.attempt
        assert attempt in self.journal
        assert self.journal[attempt].started_at is not None, "begun before it was durable"
        if output.recovering and self.remembers and not self.device[attempt]:
            self._perform(driver.never_began(attempt, self.now))
            return
        if output.recovering:
            interrupted = Faulted(code=FaultCode.interrupted, message="")
            self._perform(driver.finished(attempt, interrupted, self.now))
            return
        assert driver.held is None, "begun while it is stopped"
        self.device[attempt] += 1
        self.going.add(attempt)

    def _end(self, driver: DriverSession, attempts: Iterable[str], code: FaultCode) -> None:
        for attempt in attempts:
            if attempt in self.going:
                self.going.discard(attempt)
                self._perform(driver.finished(attempt, Faulted(code=code, message=""), self.now))

    def tell_controller(self, outputs: Iterable[ControllerOutput]) -> None:
        for output in outputs:
            if isinstance(output, Emit):
                self._engine(output.event)
            else:
                self.to_driver.append((output.boot_id, encode(output.message)))

    def _engine(self, event: HubEvent) -> None:
        """What the controller's engine does: store first, then acknowledge; send again what was never heard of."""
        controller = self.controller
        assert controller is not None
        match event:
            case LinkUp():
                open_attempts = [attempt for attempt, outcome in self.store.items() if outcome is None]
                if open_attempts:
                    self.tell_controller(controller.inquire(open_attempts, self.now))
            case AttemptFinished():
                self._keep(event.attempt, event.outcome)
            case AttemptRejected():
                self._keep(event.attempt, "rejected")
            case AttemptReported():
                if event.status == "never_heard" and self.store.get(event.attempt) is None:
                    self.send_command(event.attempt)
                elif event.status == "rejected":
                    self._keep(event.attempt, "rejected")
                elif event.outcome is not None:
                    self._keep(event.attempt, event.outcome)
            case _:
                pass

    def _keep(self, attempt: str, result: Outcome | str) -> None:
        kept = self.store.get(attempt)
        if kept is not None and kept != result:
            self.contradictions.append(f"{attempt}: {kept} became {result}")
        self.store[attempt] = result
        assert self.controller is not None
        if result != "rejected" and self.controller.connected:
            self.tell_controller(self.controller.acknowledge(attempt))

    # --- the end ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything works from now on: both processes live, nothing is lost, the device finishes what it is at."""
        self.outputs_until_crash, self.writes_that_fail = None, 0
        for _ in range(400):
            self.start_driver()
            self.start_controller()
            self.ask("resume")
            while self.to_driver or self.to_controller:
                self.deliver("to_driver", 0)
                self.deliver("to_controller", 0)
            self.finish_one()
            self.advance(0.25)
            if self.settled:
                return

    @property
    def settled(self) -> bool:
        driver = self.driver
        quiet = driver is not None and driver.linked and not driver.outbox and not driver.running
        return quiet and all(outcome is not None for outcome in self.store.values())
