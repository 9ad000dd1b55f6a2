"""A hub and real driver processes on loopback, for tests that need the wire."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instruments.client import InstrumentHub
from instruments.protocol.events import AttemptFinished, AttemptRejected, HubEvent, LinkUp
from instruments.protocol.messages import Command
from instruments.protocol.values import Outcome
from instruments.transport.zeromq import ZeroMQServer

TABLE = "simulators.devices.table:TableDriver"
REACTOR = "simulators.devices.reactor:ReactorDriver"
HPLC = "simulators.devices.hplc:HplcDriver"


class Bench:
    """One hub, and the driver processes that a test starts and kills."""

    def __init__(self, folder: Path, clock: str = "system") -> None:
        self.folder = folder
        self.clock = clock
        self.hub = InstrumentHub(ZeroMQServer(), heartbeat_s=0.2, lease_s=3.0, resend_s=0.3)
        self.events = self.hub.events()
        self.outcomes: dict[str, Outcome] = {}
        self.seen: list[HubEvent] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._address = ""

    async def __aenter__(self) -> Bench:
        self._address = await self.hub.start()
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(timeout=10)
        self._listener.cancel()
        await self.hub.close()

    def start(self, instrument: str, driver: str, options: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """Start a driver's process over the instrument's own journal and device log."""
        folder = self.folder / instrument
        folder.mkdir(exist_ok=True)
        with (folder / "driver.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "instruments", "serve", "--driver", driver, "--instrument", instrument),
                    *("--controller", self._address, "--journal", str(folder / "journal.db")),
                    *("--clock", self.clock, "--options", json.dumps(options)),
                ],
                stdout=log,
                stderr=log,
            )
        self._processes[instrument] = process
        return process

    def kill(self, instrument: str) -> None:
        """Kill the process as a power cut would."""
        self._processes[instrument].kill()
        self._processes[instrument].wait(timeout=10)

    async def linked(self, instrument: str, times: int = 1) -> None:
        """Wait until the instrument's driver has introduced itself so many times."""
        await self.until(lambda: sum(isinstance(e, LinkUp) and e.instrument == instrument for e in self.seen) >= times)

    async def carry_out(self, instrument: str, attempt: str, action: str, arguments: Mapping[str, Any]) -> Outcome:
        """Send a command and return its outcome."""
        self.send(instrument, attempt, action, arguments)
        await self.until(lambda: attempt in self.outcomes)
        return self.outcomes[attempt]

    def send(self, instrument: str, attempt: str, action: str, arguments: Mapping[str, Any]) -> None:
        """Send a command."""
        self.hub.command(instrument, Command(attempt=attempt, action=action, arguments=dict(arguments)))

    async def until(self, condition: Any, timeout_s: float = 20.0) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.01)

    def log(self, instrument: str) -> list[dict[str, Any]]:
        """Return the device's own log."""
        path = self.folder / instrument / "device.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def _listen(self) -> None:
        async for event in self.events:
            self.seen.append(event)
            if isinstance(event, AttemptFinished):
                self.outcomes[event.attempt] = event.outcome
                self.hub.acknowledge(event.instrument, event.attempt)
            assert not isinstance(event, AttemptRejected), event
