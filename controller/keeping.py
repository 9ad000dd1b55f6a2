"""A process of ours that the daemon keeps running: started, told what it needs on its standard input, started again when it ends.

Standard input, because what it is told can hold passwords, which anybody could read among arguments; and because it is closed
when the daemon is gone, however that ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLOSE_S = 6.0
"""Patience with a process when it is to end [real s]."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0

log = logging.getLogger(__name__)


class KeptProcess:
    """Keeps `python -m MODULE` running.

    Args:
        module: What is run.
        doing: What it does, for the log.
        told: What it is told, as one line of JSON.
        descriptors: Open files that it inherits.
        errors: File for what it writes to standard error; the daemon's own when left out.
        close_s: Patience with it when it is to end [real s].
    """

    def __init__(
        self, module: str, doing: str, told: Mapping[str, Any], *, descriptors: Sequence[int] = (), errors: Path | None = None,
        close_s: float = CLOSE_S,
    ) -> None:  # fmt: skip
        self._module, self._doing, self._told = module, doing, dict(told)
        self._descriptors, self._errors, self._close_s = tuple(descriptors), errors, close_s
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process, None while there is none."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def start(self) -> None:
        """Start the process and keep it running."""
        self._keeping = asyncio.create_task(self._keep(), name=self._module)

    async def close(self, farewell: bytes = b"") -> None:
        """End the process; what it is doing may take a few seconds.

        Args:
            farewell: What it is told before its standard input is closed.
        """
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(farewell)
                process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), self._close_s)
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            try:
                self._process = await self._spawn()
                log.info("the process that %s is %d", self._doing, self._process.pid)
                ended = f"exit code {await self._process.wait()}"
            except OSError as error:
                ended = error.strerror or str(error)
            if time.monotonic() - began > LONGEST_PAUSE_S:
                pause = FIRST_PAUSE_S
            log.error("the process that %s has ended (%s); started again in %g s", self._doing, ended, pause)
            await asyncio.sleep(pause)
            pause = min(2.0 * pause, LONGEST_PAUSE_S)

    async def _spawn(self) -> asyncio.subprocess.Process:
        with contextlib.ExitStack() as stack:
            errors = None if self._errors is None else stack.enter_context(self._errors.open("ab"))
            # A session of its own: Ctrl-C in the daemon's terminal is for the daemon, which ends this one last.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
                stderr=errors, pass_fds=self._descriptors, start_new_session=True,
            )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(ConnectionError):  # it has ended already, and the log says so
            process.stdin.write(json.dumps(self._told).encode() + b"\n")
            await process.stdin.drain()
        return process
