"""The proposer process, as the control loop sees it: asked over a pipe, allowed to be slow, to hang and to die.

The process runs `thinking_process.py`. One request at a time; the answer is a pure function of the request, so asking again
after a death costs time and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from controller.domain.proposal import Proposal
from controller.errors import ProposalError, SpaceExhaustedError
from controller.store.pools import POOLS

if TYPE_CHECKING:
    from controller.domain.request import Request

LINE_LIMIT = 256 * 1024 * 1024
"""Longest answer [bytes]."""
HANG_S = 900.0
"""A process that has not answered for so long hangs; it is ended and asked once more [real s]."""
MOST_GROWTH = 400e6
"""The process is renewed when it holds so much more memory than after its first answer [bytes]: libraries do not give back
all that a large model took, and a controller runs for weeks."""
_BYTES_PER_CELL = 24.0
"""Of a large pool: its file mapped into memory, its coordinates, and an order of them."""


class Thinker:
    """Owns the proposer process.

    Args:
        log: File that receives what the process writes to its standard error.
        pools: Folder in which large pools lie, which requests only refer to; by default the store's own, beside the log.
    """

    def __init__(self, log: Path, pools: Path | None = None) -> None:
        self._log, self._pools = log, pools or log.parent / POOLS
        self._room: dict[str, float] = {}
        """Memory that large pools may take in the process: hash -> bytes."""
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._first_memory: int | None = None
        self._renewal: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        """Set once the process has loaded its libraries; patience is counted from then on."""

    async def propose(self, request: Request) -> list[Proposal]:
        """Return proposals for `request`; a process that dies is started once more.

        Raises:
            SpaceExhaustedError: If every allowed setting has been proposed.
            ProposalError: If the process failed twice.
        """
        async with self._turn:
            failure = ""
            if (pool := request.problem.pool) is not None and not pool.inline:
                self._room[pool.sha256] = _BYTES_PER_CELL * pool.cells
            for _ in range(2):
                try:
                    async with asyncio.timeout(HANG_S):
                        answer = await self._ask(request.model_dump_json())
                    proposals = [Proposal.model_validate(p) for p in answer.get("proposals", ())]
                except (OSError, EOFError, ValueError) as error:  # it died, hangs, cannot be started or answers nonsense
                    failure = f"{type(error).__name__}: {error}"
                    await self.close()
                    continue
                except asyncio.CancelledError:
                    await self.close()  # or its answer would be taken for that of the next question, of another campaign
                    raise
                await self._renew_if_swollen()
                if answer.get("exhausted"):
                    raise SpaceExhaustedError(answer["exhausted"])
                if "error" in answer:
                    raise ProposalError(answer["error"])
                return proposals
            raise ProposalError(f"the proposer process failed twice ({failure}); see {self._log}")

    async def _ask(self, text: str) -> dict[str, Any]:
        process = await self._running()
        assert process.stdin is not None  # noqa: S101 - made with pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(text.encode() + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise EOFError(f"it ended with exit status {await process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _renew_if_swollen(self) -> None:
        assert self._process is not None  # noqa: S101 - it has just answered
        try:
            memory = psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return  # it ended after its answer; the next question starts another
        if self._first_memory is None:
            self._first_memory = memory
        elif memory > self._first_memory + MOST_GROWTH + sum(self._room.values()):
            await self.close()
            self._renewal = asyncio.create_task(self.start())  # ahead of the next question

    async def start(self) -> None:
        """Start the process ahead of need, so that its libraries are loaded when the first proposal is wanted."""
        async with self._turn:
            with contextlib.suppress(OSError, EOFError, ValueError):  # propose() tries again and reports
                await self._running()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "controller.engine.thinking_process", str(self._pools),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, limit=LINE_LIMIT,
                # Its own process group: Ctrl-C at the terminal is for the controller to handle.
                start_new_session=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        assert self._process.stdout is not None  # noqa: S101 - made with pipes
        if await self._process.stdout.readline() != b"ready\n":
            raise EOFError(f"it ended while starting, with exit status {await self._process.wait()}")
        self.ready.set()
        return self._process

    async def close(self) -> None:
        """End the process, if it runs."""
        if self._renewal is not None and self._renewal is not asyncio.current_task():
            self._renewal.cancel()
        process, self._process, self._first_memory = self._process, None, None
        self._room.clear()
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        # Close the pipes now: left to the garbage collector they would warn after the loop is gone.
        process._transport.close()  # type: ignore[attr-defined]  # asyncio offers no public way
