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
from pathlib import Path
from typing import IO, Any, Protocol

from controller.domain.lab import EXTERNAL, LabSpec
from controller.domain.state import Attempt
from controller.engine.drivers import DriverProcess
from controller.engine.recorder import FOLDER as FLIGHT
from controller.engine.recorder import FlightRecorder
from controller.errors import CampaignLockedError, ConflictError
from controller.measure.allocation import Allocation
from controller.settings import flight_bytes
from instruments.client import Expected, HubEvent, InstrumentHub, Link, LinkUp
from instruments.clock import Clock, ScaledClock, SystemClock, clock_from_text
from instruments.protocol.capabilities import ActionDescription
from instruments.protocol.messages import Command
from instruments.transport.base import ServerTransport
from instruments.transport.rendezvous import write_rendezvous
from instruments.transport.zeromq import ZeroMQServer

HEARTBEAT_S = 1.0
LEASE_S = 10.0
"""Silence after which a driver counts the controller as lost, and the other way round [real s]."""
STATUS_S = 2.0
"""How often `status.json` is renewed for those who only look [real s]."""


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


class LabSession:
    """One lab at work.

    Args:
        spec: The lab.
        folder: Where its journals, logs and the rendezvous file are.
        transport: Where drivers connect; a ZeroMQ socket on loopback when left out.
        processes: Whether driver processes are started and kept running here.
    """

    def __init__(
        self, spec: LabSpec, folder: Path, *, transport: ServerTransport | None = None, processes: bool = True
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.clock = lab_clock(folder, spec.speed)
        self.allocation = Allocation({name: i.capacity for name, i in spec.instruments.items()})
        self._owners: list[Owner] = []
        # A simulated driver must never answer for a real instrument, nor the other way round.
        expected = {
            name: Expected(simulated=True if spec.simulated else False if i.driver == EXTERNAL else None)
            for name, i in spec.instruments.items()
        }
        kept = flight_bytes() if processes else 0
        self.recorder = FlightRecorder(folder / FLIGHT, kept) if kept else None
        self._hub = InstrumentHub(
            transport or ZeroMQServer(), expected=expected, clock=self.clock, heartbeat_s=HEARTBEAT_S, lease_s=LEASE_S,
            recorder=self.recorder,
        )  # fmt: skip
        self._reports = self._hub.events()
        self._drivers = {
            name: DriverProcess(
                name, instrument, folder / name, folder / "rendezvous.json", self.clock.to_text(),
                lambda name=name: self.connected(name),  # type: ignore[misc]  # bound now on purpose
            )
            for name, instrument in (spec.instruments.items() if processes else ())
        }  # fmt: skip
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None

    async def start(self) -> None:
        """Listen, publish where, and bring up the drivers.

        Raises:
            CampaignLockedError: If another controller works in this lab.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "controller.lock", self.spec.lab)
        if self.recorder is not None:
            self.recorder.start(self._hub.chapter)
        address = await self._hub.start()
        write_rendezvous(self.folder / "rendezvous.json", address, self._hub.session)
        self._tasks = [
            asyncio.create_task(self._route(), name=f"lab {self.spec.lab}: reports"),
            asyncio.create_task(self._publish(), name=f"lab {self.spec.lab}: status"),
        ]
        for driver in self._drivers.values():
            driver.start()

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
        (self.folder / "status.json").unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    def join(self, owner: Owner) -> None:
        """Let a campaign take part: it hears of its attempts, and its open ones hold their instruments again."""
        self._owners.append(owner)
        for name in self.spec.instruments:
            for attempt in owner.open_attempts(name):
                self.allocation.hold(name, attempt.id)
            if self.connected(name):
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
        return self._hub.links().get(instrument)

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
            link is not None and link.connected and link.state in ("ready", "busy") and self.allocation.free(instrument)
        )

    def send(self, attempt: Attempt, *, deadline_factor: float) -> None:
        """Send the command of an attempt that is committed; if the driver is away, it is sent when it is back and asked.

        Args:
            attempt: The attempt.
            deadline_factor: The driver ends the action after so many times its declared longest duration.
        """
        if not self.connected(attempt.instrument):
            return
        description = self.action(attempt.instrument, attempt.action)
        longest = description.duration_s[1] if description else 0.0
        self._hub.command(
            attempt.instrument,
            Command(
                attempt=attempt.id, action=attempt.action, arguments=attempt.arguments, units=attempt.units,
                deadline_s=deadline_factor * longest if longest > 0 else None,
            ),
        )  # fmt: skip

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

    def instruments(self) -> list[dict[str, Any]]:
        """Return the state of every instrument, for displays."""
        found = []
        for name in self.spec.instruments:
            link = self.link(name)
            connected = link is not None and link.connected
            found.append(
                {"instrument": name, "connected": connected, "state": link.state if link and connected else "away"}
            )
        return found

    def _inquire(self, instrument: str, owner: Owner) -> None:
        attempts = [a.id for a in owner.open_attempts(instrument)]
        if attempts:
            self._hub.inquire(instrument, tuple(attempts))

    async def _route(self) -> None:
        async for event in self._reports:
            if isinstance(event, LinkUp):
                for owner in self._owners:
                    self._inquire(event.instrument, owner)
            for owner in self._concerned(event):
                owner.post(event)

    def _concerned(self, event: HubEvent) -> list[Owner]:
        """Return the campaign that a report is for; all of them where it is about none that anybody knows to be going on."""
        attempt = getattr(event, "attempt", None)
        return [owner for owner in self._owners if owner.concerns(attempt)] or self._owners if attempt else self._owners

    async def _publish(self) -> None:
        path = self.folder / "status.json"
        while True:
            draft = path.with_suffix(".draft")
            content = {
                "pid": os.getpid(),
                "lab": self.spec.lab,
                "at": self.clock.time(),
                "instruments": self.instruments(),
            }
            with contextlib.suppress(OSError):  # a full disk must not end the session; the file is only for looking
                draft.write_text(json.dumps(content), encoding="utf-8")
                draft.replace(path)
            await asyncio.sleep(STATUS_S)


def lab_clock(folder: Path, speed: float) -> Clock:
    """Return the clock of a lab: real time, or the scaled clock that this lab has kept since it first ran.

    A simulated lab's time goes on while nobody looks, as a real one's does: its devices finish what they began.
    """
    if speed == 1.0:
        return SystemClock()
    path = folder / "clock"
    kept: Clock | None = None
    if path.exists():
        kept = clock_from_text(path.read_text(encoding="utf-8").strip())
        if kept.speed == speed:
            return kept
    clock = ScaledClock(speed, epoch_lab=kept.time() if kept else None)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(clock.to_text(), encoding="utf-8")
    return clock


def check_same_lab(running: LabSpec, wanted: LabSpec) -> None:
    """Raise unless two campaigns mean the same lab by one name.

    Raises:
        ConflictError: If instruments or speed differ.
    """
    if running.instruments != wanted.instruments or running.speed != wanted.speed:
        raise ConflictError(
            f"lab {wanted.lab!r} is at work with other instruments or another speed; give one of the labs another name, "
            "or stop the campaigns that use it first"
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
