"""The daemon's end of the process that serves HTTP: starts it, starts it again when it has ended, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from controller.api.serving import Serving
from controller.errors import ConflictError
from controller.settings import folder_of
from controller.watching import beat_file
from instruments.bounded import from_json, read_small

FREE_S = 8.0
"""So long a daemon waits for its address: the process of one that was killed may be about to let go of it [real s]."""
CLOSE_S = 6.0
"""Patience with the process when it is to end [real s]."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0

log = logging.getLogger(__name__)


class HttpProcess:
    """Keeps a process that serves HTTP running.

    The socket is made here and handed on: who connects while the process is started again waits, and is not refused.

    Args:
        serving: Where.
        urls: The stores, the one with the tokens first.
        listening: The socket.
    """

    def __init__(self, serving: Serving, urls: Sequence[str], listening: socket.socket) -> None:
        self._serving, self._urls, self._socket = serving, list(urls), listening
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is served, as clients on this machine write it."""
        return self._serving.url(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start the process and keep it running."""
        for url in self._urls:
            _note(folder_of(url)).write_text(json.dumps({"url": self.url}), encoding="utf-8")
        self._keeping = asyncio.create_task(self._keep(), name="http")

    async def close(self) -> None:
        """End the process; what it is answering may take a few seconds."""
        for url in self._urls:
            _note(folder_of(url)).unlink(missing_ok=True)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        self._socket.close()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), CLOSE_S)
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            try:
                self._process = await self._spawn()
                log.info("HTTP is served at %s by process %d", self.url, self._process.pid)
                ended = f"exit code {await self._process.wait()}"
            except OSError as error:
                ended = error.strerror or str(error)
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            log.error("the process that serves HTTP has ended (%s); started again in %g s", ended, pause)
            await asyncio.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE_S)

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C in the daemon's terminal is for the daemon, which ends this one last.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "controller.api", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            pass_fds=[self._socket.fileno()], start_new_session=True,
        )  # fmt: skip
        told = {
            "urls": self._urls, "names": self._serving.names, "descriptor": self._socket.fileno(),
            "certificate": self._serving.certificate and str(self._serving.certificate),
            "key": self._serving.key and str(self._serving.key), "beat": str(beat_file(folder_of(self._urls[0]))),
        }  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(ConnectionError):  # it has ended already, and the log says so
            process.stdin.write(json.dumps(told).encode() + b"\n")
            await process.stdin.drain()
        return process


async def listen(serving: Serving) -> socket.socket:
    """Return a socket that listens there; an address that is just becoming free is waited for.

    Raises:
        ConflictError: If it cannot be listened on.
    """
    deadline = time.monotonic() + FREE_S
    while True:
        try:
            return serving.listen()
        except ConflictError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


def http_url(folder: Path) -> str | None:
    """Return where a daemon serves HTTP by the note it left, None where there is none."""
    try:
        return str(from_json(read_small(_note(folder)))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(folder: Path) -> Path:
    return folder / "daemon.http.json"
