"""The driver's second ear: a socket beside its journal, over which people stop it when no controller can.

A Unix socket that only its owner may open: no port, no key, no controller in between. It speaks three of the wire's messages, one
JSON text a line: `stop` (answered by `stopped` once it is carried out), `resume` and `ping` (answered by `heartbeat`). Nothing
heard here counts as hearing the controller: a person who looks must not keep a lease alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from instruments.emergency import MAX_LINE, reachable
from instruments.errors import ProtocolError
from instruments.protocol.codec import decode_from_controller, encode
from instruments.protocol.messages import FromDriver, Ping, Resume, Stop
from instruments.ratelimit import RateLimitedLog

_MOST_CALLERS = 32
"""Callers at once; with one more, whoever has been silent longest is sent away: nobody can keep a stop out by holding the line."""

Answer = Callable[[Stop | Resume | Ping], Awaitable[FromDriver]]
log = logging.getLogger(__name__)


class StopSocket:
    """Listens beside the journal for as long as the driver serves.

    Args:
        path: Where; what an earlier process left there is replaced, since the journal's lock admits one process at a time.
        answer: Carries a message out and returns what to answer.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._quiet_log = RateLimitedLog(log, per_minute=10)
        self._callers: dict[asyncio.Task[None], bool] = {}
        """Whether each has said something that is being carried out, oldest caller first."""

    async def open(self) -> None:
        """Begin to listen; where that cannot be, a line in the log says so and the driver serves without."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            with reachable(self._path) as address:
                listening.bind(address)
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=MAX_LINE)
        except OSError as error:
            listening.close()
            log.warning("no stop socket at %s: %s; the instrument can be stopped through a controller only", self._path, error)

    async def close(self) -> None:
        """Stop listening. Harmless when repeated."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for caller in self._callers:
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # never so: a server's callback is a task
            return
        silent = [caller for caller, speaks in self._callers.items() if not speaks]
        if len(self._callers) >= _MOST_CALLERS and silent:
            silent[0].cancel()
        self._callers[task] = False
        try:
            while line := await reader.readline():
                self._callers[task] = True
                writer.write(await self._reply(line) + b"\n")
                self._callers[task] = False
                await writer.drain()
        except asyncio.CancelledError:
            pass  # sent away; cancelled again when the server closes, which is all the same
        except (OSError, ValueError, ProtocolError) as error:  # ValueError: a line without end
            self._quiet_log.warning("a caller at the stop socket was sent away: %s", error)
        finally:
            self._callers.pop(task, None)
            with contextlib.suppress(OSError):
                writer.close()

    async def _reply(self, line: bytes) -> bytes:
        message = decode_from_controller(line)
        if not isinstance(message, Stop | Resume | Ping):
            raise ProtocolError(f"{message.type} does not belong here; send stop, resume or ping")
        return encode(await self._answer(message))
