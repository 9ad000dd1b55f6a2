"""One lab at work: its hub, its driver processes, the claims on its instruments, and the routing of what they report.

Several campaigns may share a session. Each attempt belongs to the campaign that committed it; what nobody here committed is
left with its driver, unacknowledged, for the controller that did.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import ValidationError

from controller.domain.lab import EXTERNAL, InterlockSpec, LabSpec
from controller.domain.state import Attempt
from controller.engine.admission import Keyring, LabAdmission
from controller.engine.drivers import DriverProcess
from controller.engine.interlocks import Interlocks
from controller.engine.looking import Look, Looking
from controller.engine.recorder import FOLDER as FLIGHT
from controller.engine.recorder import FlightRecorder
from controller.engine.stopping import STANDING, resume_instruments, stop_instruments
from controller.errors import CampaignLockedError, ConflictError
from controller.measure.allocation import Allocation
from controller.measure.holds import Hold, Holds
from controller.presence import Presence
from controller.settings import flight_bytes
from instruments.bounded import read_small
from instruments.client import AttemptRejected, Expected, HubEvent, InstrumentHub, InstrumentStateChanged, Link, LinkUp
from instruments.clock import Clock, ScaledClock, SystemClock, clock_from_text
from instruments.emergency import Confirmation, Mode
from instruments.errors import ClockError, ProtocolError
from instruments.protocol.capabilities import ActionDescription
from instruments.protocol.messages import Command
from instruments.protocol.values import shorten
from instruments.transport.addresses import reached_here
from instruments.transport.base import ServerTransport
from instruments.transport.guard import strangers_beside
from instruments.transport.rendezvous import write_rendezvous
from instruments.transport.zeromq import ServerKeys, ZeroMQServer

LOOPBACK = "tcp://127.0.0.1:0"
DRIVER_KEY = "driver.key"
"""File of the key pair of a driver that is started here, beside its journal."""
HEARTBEAT_S = 1.0
LEASE_S = 10.0
"""Silence after which a driver counts the controller as lost, and the other way round [real s]."""
STATUS_S = 2.0
"""How often `status.json` is renewed for those who only look [real s]."""
LEAST_STATUS_S = 0.1
"""Pause after it was renewed, however much changes [real s]."""


class Owner(Protocol):
    """A campaign's loop, as the session sees it."""

    def post(self, event: HubEvent) -> None:
        """Take one report in."""
        ...

    def wake(self) -> None:
        """Look again: an instrument became free or came back."""
        ...

    def concerns(self, attempt: str) -> bool:
        """Say whether an attempt is one of the campaign's, of which something may still become."""
        ...

    def open_attempts(self, instrument: str) -> list[Attempt]:
        """Return the attempts that are with `instrument`, or may be."""
        ...

    def doing(self) -> dict[str, Any]:
        """Return what it does now, for those who only look."""
        ...


class LabSession:
    """One lab at work.

    Args:
        spec: The lab.
        folder: Where its journals, logs and the rendezvous file are.
        transport: Where drivers connect; a ZeroMQ socket on loopback when left out.
        processes: Whether driver processes are started and kept running here.
        keyring: The keys of the store; where it holds the controller's own, nobody speaks without one.

    Raises:
        AddressError: If other machines can reach the lab's endpoint and the controller has no key.
        KeyFileError: If the controller's key cannot be used.
    """

    def __init__(
        self, spec: LabSpec, folder: Path, *, transport: ServerTransport | None = None, processes: bool = True,
        keyring: Keyring | None = None,
    ) -> None:  # fmt: skip
        self.spec = spec
        self.folder = folder
        self.clock = lab_clock(folder, spec.speed)
        self.allocation = Allocation({name: i.capacity for name, i in spec.instruments.items()})
        self._owners: list[Owner] = []
        # A simulated driver must never answer for a real instrument, nor the other way round.
        expected = {
            name: Expected(simulated=True if spec.simulated else False if i.driver == EXTERNAL else None, limits=i.limits)
            for name, i in spec.instruments.items()
        }
        self._keyring = keyring
        pair = None if keyring is None else keyring.pair()
        self._admission = None if keyring is None or pair is None else LabAdmission(spec, keyring)
        self._keys = None if pair is None or self._admission is None else ServerKeys(pair, self._admission)
        kept = flight_bytes() if processes else 0
        self.recorder = FlightRecorder(folder / FLIGHT, kept) if kept else None
        self._hub = InstrumentHub(
            transport or ZeroMQServer(
                spec.endpoint or LOOPBACK, keys=self._keys, most_strangers=strangers_beside(len(spec.instruments))
            ),
            expected=expected, clock=self.clock, heartbeat_s=HEARTBEAT_S, lease_s=LEASE_S, recorder=self.recorder,
        )  # fmt: skip
        self._reports = self._hub.events()
        self._drivers = {
            name: DriverProcess(
                name, instrument, folder / name, folder / "rendezvous.json", self.clock.to_text(),
                lambda name=name: self.connected(name),  # type: ignore[misc]  # bound now on purpose
                None if self._keys is None else folder / name / DRIVER_KEY,
            )
            for name, instrument in (spec.instruments.items() if processes else ())
        }  # fmt: skip
        self.on_latch: Callable[[str, str, str], None] = lambda instrument, interlock, reason: None
        """Told when a latched interlock disables an instrument: it must be written down."""
        self._holds = Holds()
        self._disabled: dict[str, str] = {}
        self._looking = Looking(self._hub)
        self.hold_changes = 0
        """How often an instrument began or ceased to be held: who asks `hold` of many may skip it while this stands still."""
        self._stood_still: set[str] = set()
        self._news = asyncio.Event()
        self._interlocks = Interlocks(spec.interlocks, self._hub, spec.speed, self._put_holds, self._latch)
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        self._status = Presence(self.folder / "status.json")

    async def start(self) -> None:
        """Listen, publish where, and bring up the drivers.

        Raises:
            CampaignLockedError: If another controller works in this lab.
            TransportError: If the endpoint cannot be listened on, or a key cannot be used.
            StoreError: If the list of keys cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "controller.lock", self.spec.lab)
        try:
            self._admit_own_drivers()
            address = await self._hub.start()
            server_key = "" if self._keys is None else self._keys.pair.public
            write_rendezvous(self.folder / "rendezvous.json", reached_here(address), self._hub.session, server_key)
        except BaseException:  # whatever it is, keys or a store that cannot be read, a full disk: the lab is free for the next one
            await self._hub.close()
            self._lock.close()
            raise
        if self.recorder is not None:
            self.recorder.start(self._hub.chapter)
        self._tasks = [
            asyncio.create_task(self._route(), name=f"lab {self.spec.lab}: reports"),
            asyncio.create_task(self._publish(), name=f"lab {self.spec.lab}: status"),
            asyncio.create_task(self._interlocks.watch(), name=f"lab {self.spec.lab}: interlocks"),
        ]
        if self._keyring is not None and self._keys is not None:
            self._tasks.append(asyncio.create_task(self._keyring.watch(), name=f"lab {self.spec.lab}: keys"))
        for driver in self._drivers.values():
            driver.start()

    def _admit_own_drivers(self) -> None:
        """Read the list of keys for the first time, and give the drivers that are started here keys of their own."""
        if self._keyring is None or self._admission is None:
            return
        self._keyring.refresh()
        for name, instrument in self.spec.instruments.items():
            if instrument.driver != EXTERNAL:
                self._admission.own_key(name, self.folder / name / DRIVER_KEY)

    async def close(self, *, patience_s: float = 5.0) -> None:
        """Leave: idle drivers end, busy ones finish what runs, keep the result and end then."""
        for name in self.spec.instruments:
            if self.connected(name):
                self._hub.shutdown(name, "when_idle")
        await asyncio.gather(*(d.close(patience_s=patience_s) for d in self._drivers.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._hub.close()
        if self.recorder is not None:
            self.recorder.close()
        self._status.withdraw()
        if self._lock is not None:
            self._lock.close()

    def join(self, owner: Owner) -> None:
        """Let a campaign take part: it hears of its attempts, and its open ones hold their instruments again."""
        self._owners.append(owner)
        for name in self.spec.instruments:
            for attempt in owner.open_attempts(name):
                self.allocation.hold(name, attempt.id)
            self._inquire(name, owner)

    def leave(self, owner: Owner) -> None:
        """Take a campaign out."""
        if owner in self._owners:
            self._owners.remove(owner)

    def connected(self, instrument: str) -> bool:
        """Say whether a driver for `instrument` is connected."""
        link = self.link(instrument)
        return link is not None and link.connected

    def link(self, instrument: str) -> Link | None:
        """Return what is known of the connection to `instrument`, None before the first contact."""
        return self._hub.link(instrument)

    def action(self, instrument: str, action: str) -> ActionDescription | None:
        """Return what the driver announced of `action`, None when it has not, or is not there."""
        link = self.link(instrument)
        if link is None or link.hello is None:
            return None
        return link.hello.capabilities.actions.get(action)

    def accepts(self, instrument: str) -> bool:
        """Say whether a command may be sent to `instrument` now."""
        link = self.link(instrument)
        return (
            link is not None and link.connected and link.state in ("ready", "busy") and self.hold(instrument) is None
            and self.allocation.free(instrument)
        )  # fmt: skip

    def send(self, attempt: Attempt, *, deadline_factor: float) -> None:
        """Send the command of an attempt that is committed; if the driver is away or held, when it is back or free and asked.

        A command that cannot travel is refused here, as its driver would refuse it.

        Args:
            attempt: The attempt.
            deadline_factor: The driver ends the action after so many times its declared longest duration.
        """
        if not self.connected(attempt.instrument) or self.hold(attempt.instrument) is not None:
            return
        description = self.action(attempt.instrument, attempt.action)
        longest = description.duration_s[1] if description else 0.0
        try:
            command = Command(
                attempt=attempt.id, action=attempt.action, arguments=attempt.arguments, units=attempt.units,
                deadline_s=deadline_factor * longest if longest > 0 else None,
            )  # fmt: skip
            self._hub.command(attempt.instrument, command)
        except (ValidationError, ProtocolError) as error:
            why = str(error)
            if isinstance(error, ValidationError):
                place = error.errors()[0]["loc"][:2]
                wanted = dict.fromkeys(e["msg"] for e in error.errors() if e["loc"][:2] == place)
                why = f"{'.'.join(map(str, place))}: {' or '.join(wanted)}"
            refused = AttemptRejected(
                attempt.instrument, attempt.id, "invalid_command", shorten(f"the command cannot be sent: {why}")
            )
            for owner in self._concerned(refused):
                owner.post(refused)

    def acknowledge(self, instrument: str, attempt: str) -> None:
        """Tell the driver that the outcome is durable here, and free the instrument."""
        if self.connected(instrument):
            self._hub.acknowledge(instrument, attempt)
        self.free(instrument, attempt)

    def free(self, instrument: str, attempt: str) -> None:
        """Give up the claim of an attempt that has ended."""
        self.allocation.release(instrument, attempt)
        for owner in self._owners:
            owner.wake()

    def cancel(self, attempt: Attempt) -> None:
        """Ask the driver to end an attempt."""
        if self.connected(attempt.instrument):
            self._hub.cancel(attempt.instrument, attempt.id)

    def readings(self) -> dict[str, dict[str, object]]:
        """Return what each interlock reads now: name -> values; without those that have no fresh reading."""
        return self._interlocks.readings()

    def instruments(self) -> list[dict[str, Any]]:
        """Return the state of every instrument, for displays; `held` says why nothing is dispatched to it."""
        found = []
        for name in self.spec.instruments:
            link, hold = self.link(name), self.hold(name)
            connected = link is not None and link.connected
            state = link.state if link and connected else "away"
            found.append(
                {"instrument": name, "connected": connected, "state": state, "held": hold.reason if hold else ""}
            )
        return found

    # --- holds ------------------------------------------------------------------------------------------------------

    def hold(self, instrument: str) -> Hold | None:
        """Return why nothing may be dispatched to `instrument` although it may be free, None if nothing speaks against it."""
        link = self.link(instrument)
        if link is not None and link.state in STANDING:
            return Hold(f"stopped; labwright instrument resume {instrument} --lab {self.spec.lab}")
        return self._holds.of(instrument)

    def disable(self, disabled: Mapping[str, str]) -> None:
        """Dispatch nothing to these instruments, for the reasons given, and to no others for such a reason any longer."""
        self._disabled = {name: why for name, why in disabled.items() if name in self.spec.instruments}
        self._put_holds("people", {name: Hold(why) for name, why in self._disabled.items()})

    async def stop(self, instruments: Iterable[str], *, mode: Mode, timeout_s: float) -> list[Confirmation]:
        """Stop instruments over their control channels; see `stop_instruments`."""
        return await stop_instruments(self._hub, instruments, mode=mode, timeout_s=timeout_s)

    async def resume(self, instruments: Iterable[str], *, timeout_s: float) -> list[Confirmation]:
        """Lift the stops of instruments; see `resume_instruments`."""
        return await resume_instruments(self._hub, instruments, timeout_s=timeout_s)

    async def look(self, instruments: Iterable[str], *, timeout_s: float) -> list[Look]:
        """Ask instruments what they read now; see `Looking.look`."""
        return list(await asyncio.gather(*(self._looking.look(name, timeout_s=timeout_s) for name in instruments)))

    def _latch(self, spec: InterlockSpec, reason: str) -> None:
        # In force at once; the store may take its time.
        self.disable(self._disabled | dict.fromkeys(spec.hold, f"disabled by interlock {spec.interlock}: {reason}"))
        for name in spec.hold:
            self.on_latch(name, spec.interlock, reason)

    def _put_holds(self, source: str, holds: dict[str, Hold]) -> None:
        for name in self._holds.put(source, holds):
            self._freed_or_held(name)

    def _freed_or_held(self, instrument: str) -> None:
        """Tell everybody that an instrument is held, or is free again: what was not sent meanwhile is asked for and sent then."""
        self.hold_changes += 1
        self._news.set()
        for owner in self._owners:
            if self.hold(instrument) is None:
                self._inquire(instrument, owner)
            owner.wake()

    def _inquire(self, instrument: str, owner: Owner) -> None:
        """Ask a driver for a campaign's open attempts; one that is away, again since it was heard of, is asked when it is back."""
        attempts = [a.id for a in owner.open_attempts(instrument)]
        if attempts and self.connected(instrument):
            self._hub.inquire(instrument, tuple(attempts))

    async def _route(self) -> None:
        async for event in self._reports:
            self._looking.take(event)
            if self._interlocks.take(event):
                continue
            if isinstance(event, LinkUp):
                self.hold_changes += 1
                if event.hello.state in STANDING:  # it came back stopped: what waits is sent when it stands still no more
                    self._stood_still.add(event.instrument)
                for owner in self._owners:
                    self._inquire(event.instrument, owner)
            elif isinstance(event, InstrumentStateChanged) and (
                event.state in STANDING or event.instrument in self._stood_still
            ):
                (self._stood_still.add if event.state in STANDING else self._stood_still.discard)(event.instrument)
                self._freed_or_held(event.instrument)
            for owner in self._concerned(event):
                owner.post(event)

    def _concerned(self, event: HubEvent) -> list[Owner]:
        """Return the campaign that a report is for; all of them where it is about none that anybody knows to be going on."""
        attempt = getattr(event, "attempt", None)
        return [owner for owner in self._owners if owner.concerns(attempt)] or self._owners if attempt else self._owners

    async def _publish(self) -> None:
        while True:
            content = {
                "lab": self.spec.lab,
                "at": self.clock.time(),
                "speed": self.clock.speed,
                "instruments": self.instruments(),
                "campaigns": [owner.doing() for owner in self._owners],
                "interlocks": self._interlocks.report(),
            }
            with contextlib.suppress(OSError):  # a full disk must not end the session; the file is only for looking
                self._status.show(json.dumps(content))
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_S):
                    await self._news.wait()
            await asyncio.sleep(LEAST_STATUS_S)


def lab_clock(folder: Path, speed: float) -> Clock:
    """Return the clock of a lab: real time, or the scaled clock that this lab has kept since it first ran.

    A simulated lab's time goes on while nobody looks, as a real one's does: its devices finish what they began.
    """
    if speed == 1.0:
        return SystemClock()
    path = folder / "clock"
    kept: Clock | None = None
    if path.exists():
        try:
            kept = clock_from_text(read_small(path).strip())
        except (OSError, ValueError, ClockError) as error:
            raise ClockError(f"lab clock {path}: {error}; remove it, and lab time begins anew") from error
        if kept.speed == speed:
            return kept
    clock = ScaledClock(speed, epoch_lab=kept.time() if kept else None)
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(clock.to_text(), encoding="utf-8")
    draft.replace(path)  # the whole of it or nothing: lab time must not begin anew after a power cut
    return clock


def check_same_lab(running: LabSpec, wanted: LabSpec) -> None:
    """Raise unless two campaigns mean the same lab by one name.

    Raises:
        ConflictError: If instruments, interlocks, speed or endpoint differ.
    """
    ours, theirs = ((lab.instruments, lab.interlocks, lab.speed, lab.endpoint) for lab in (running, wanted))
    if ours != theirs:
        raise ConflictError(
            f"lab {wanted.lab!r} is at work with other instruments, interlocks, another speed or endpoint; give one of the labs "
            "another name, or stop the campaigns that use it first"
        )


def _lock(path: Path, lab: str) -> IO[str]:
    handle = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise CampaignLockedError(
            f"lab {lab!r} is used by another controller (process {holder}); stop that one first"
        ) from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle
