"""The driver processes of one lab: started as children, kept running, never taken down with the controller."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from controller.domain.lab import EXTERNAL, InstrumentSpec
from instruments.bounded import process_id, read_small

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
POLL_S = 0.05
ADOPTION_S = 3.0
"""A driver that outlived the last controller gets so long to find this one before a new process is tried [real s]."""


class DriverProcess:
    """One instrument's driver process, started again whenever it ends unasked.

    Args:
        instrument: Its name.
        spec: Its entry in the lab.
        folder: Where its journal and log are.
        rendezvous: File that tells the driver where the controller listens.
        clock: The lab clock in its text form.
        connected: Says whether a driver for this instrument is connected now.
        key: File of its key pair; None where the lab speaks in the clear.
    """

    def __init__(
        self, instrument: str, spec: InstrumentSpec, folder: Path, rendezvous: Path, clock: str,
        connected: Callable[[], bool], key: Path | None = None,
    ) -> None:  # fmt: skip
        self.instrument = instrument
        self._spec = spec
        self._folder = folder
        self._rendezvous = rendezvous
        self._clock = clock
        self._connected = connected
        self._key = key
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._pid_file = folder / "driver.pid"

    def start(self) -> None:
        """Begin to keep the process running (nothing to do for external drivers)."""
        if self._spec.driver != EXTERNAL:
            self._task = asyncio.create_task(self._keep_running(), name=f"driver {self.instrument}")

    async def _keep_running(self) -> None:
        if self._orphan_lives():
            await self._await_adoption()
        backoff = FIRST_BACKOFF_S
        while True:
            while self._connected() and self._process is None:
                await asyncio.sleep(POLL_S)  # an adopted driver serves; take over when it leaves
            try:
                process = self._process = self._spawn()
            except OSError as error:  # a full disk, no process left to be had: not for ever
                backoff = min(2 * backoff, LONGEST_BACKOFF_S)
                log.warning("the driver of %s cannot be started: %s; tried again in %g s", self.instrument, error, backoff)
                await asyncio.sleep(backoff)
                continue
            served = False
            while process.poll() is None:
                served = served or self._connected()
                await asyncio.sleep(POLL_S)
            self._process = None
            # One that served and died is needed again at once; one that cannot even start is not helped by haste.
            backoff = FIRST_BACKOFF_S if served else min(2 * backoff, LONGEST_BACKOFF_S)
            await asyncio.sleep(backoff)

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        options = self._folder / "options.json"
        options.touch(0o600)
        options.chmod(0o600)  # before anything is in it: options may hold a device's password
        options.write_text(json.dumps(self._spec.options), encoding="utf-8")
        with (self._folder / "driver.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "instruments", "serve",
                "--driver", self._spec.driver,
                "--instrument", self.instrument,
                "--controller", str(self._rendezvous),
                "--journal", str(self._folder / "journal.db"),
                "--options-file", str(options),
                "--limits", json.dumps(self._spec.limits),
                "--clock", self._clock,
                *(["--on-lost-controller", lost] if (lost := self._spec.on_lost_controller) else []),
                *([] if self._key is None else ["--key", str(self._key)]),
                "--exit-when-orphaned"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # Its own session: neither Ctrl-C nor the controller's death may take it down in the middle of an action.
                start_new_session=True,
            )  # fmt: skip
        with contextlib.suppress(OSError):  # it only spares the next controller a second start, which the journal would refuse
            self._pid_file.write_text(str(process.pid), encoding="utf-8")
        return process

    def _orphan_lives(self) -> bool:
        """Say whether the driver of an earlier controller may still be at work (the journal's lock decides in the end)."""
        try:
            pid = process_id(read_small(self._pid_file))
            os.kill(pid, 0)
        except (OSError, ValueError):
            return False
        return True

    async def _await_adoption(self) -> None:
        deadline = time.monotonic() + ADOPTION_S
        while time.monotonic() < deadline and self._orphan_lives() and not self._connected():
            await asyncio.sleep(0.05)

    async def close(self, *, patience_s: float) -> None:
        """Stop keeping the process running; wait `patience_s` for it to leave, then let it be.

        A driver that is busy leaves by itself when its action has finished; its result waits in its journal.
        """
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process is None:
            return
        deadline = time.monotonic() + patience_s
        while self._process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
        # A driver at work outlives us on purpose; without this Popen would complain of it when it is collected.
        self._process.returncode = self._process.returncode or 0
