"""Stops instruments without a controller: straight to the socket that each driver keeps beside its journal.

Imports nothing heavy: the command that stops a lab must be at work at once. See `instruments/sdk/stop_socket.py` for the other end.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from instruments.bounded import from_json

SOCKET = "stop.sock"
"""Name of the socket in an instrument's folder."""
MAX_LINE = 64 * 1024
"""Longest message [bytes]."""
AGAIN_S = 0.05
"""Pause before a driver that is not there is tried again: it may just be starting [real s]."""
GONE_S = 20.0
"""A driver that was there for no moment of so long is not waited for any more, however patient the caller is [real s]."""
_LONGEST_PATH = 100
"""What fits into a Unix socket's address [bytes]: 108 on Linux, 104 elsewhere, the final zero included."""

Mode = Literal["now", "finish"]


@dataclass(frozen=True)
class Confirmation:
    """What one driver answered."""

    instrument: str
    confirmed: bool
    took_s: float
    """From the call to the driver's answer, or to giving up [real s]."""
    stuck: tuple[str, ...] = ()
    """Attempts whose code has not returned although the device was stopped."""
    message: str = ""
    """What the driver complains of, or why there is no answer."""


async def stop(folders: Iterable[Path], *, mode: Mode = "now", timeout_s: float = 5.0) -> list[Confirmation]:
    """Stop instruments, all at once; each takes no command until it is resumed.

    Args:
        folders: Of the instruments, `labs/LAB/INSTRUMENT`; the last part is the instrument's name.
        mode: `now` ends what runs; `finish` lets it finish, and the answer comes then.
        timeout_s: Patience with each [real s]; a driver that is just being started again is waited for, `GONE_S` at most.

    Returns:
        One confirmation for each folder, in their order. Never raises for a driver that does not answer.
    """
    request = uuid.uuid4().hex
    message = {"type": "stop", "request": request, "mode": mode}

    async def one(folder: Path) -> Confirmation:
        return await _ask(folder, message, "stopped", timeout_s)

    return list(await asyncio.gather(*(one(folder) for folder in folders)))


async def resume(folders: Iterable[Path], *, timeout_s: float = 5.0) -> list[Confirmation]:
    """Lift the stop that holds each instrument, if one does; as `stop`."""

    async def one(folder: Path) -> Confirmation:
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                held = (await _exchange(folder, _ping())).get("held")
                if held is None:
                    return Confirmation(folder.name, True, time.monotonic() - began, message="was not stopped")
                left = (await _exchange(folder, {"type": "resume", "request": held})).get("held")
        except (TimeoutError, OSError, ValueError) as error:
            return Confirmation(folder.name, False, time.monotonic() - began, message=_why(folder, error))
        took = time.monotonic() - began
        if left is not None:
            return Confirmation(folder.name, False, took, message="it is still being stopped, or was stopped again")
        return Confirmation(folder.name, True, took)

    return list(await asyncio.gather(*(one(folder) for folder in folders)))


async def look(folder: Path, *, timeout_s: float = 1.0) -> dict[str, Any] | None:
    """Return the driver's heartbeat, as the wire has it; None if no driver answers."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(folder, _ping())
    except (TimeoutError, OSError, ValueError):
        return None


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give an address for the socket at `path`, which may be too long for one as it stands.

    Raises:
        OSError: If its folder is not there.
    """
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    # Linux: the folder under its number. Elsewhere a path so long cannot be used at all, and the system says so.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        short = Path(f"/proc/self/fd/{folder}")
        yield str(short / path.name) if short.exists() else str(path)
    finally:
        os.close(folder)


async def _ask(folder: Path, message: dict[str, Any], wanted: str, timeout_s: float) -> Confirmation:
    began = there = time.monotonic()
    problem: Exception = TimeoutError()
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                asked = time.monotonic()
                try:
                    answer = await _exchange(folder, message)
                    break
                except (OSError, ValueError) as error:  # no driver now, or it ended in the middle: again
                    problem, now = error, time.monotonic()
                    if now - asked > 1.0:
                        there = now  # it was, and was finishing what ran
                    if now - there > GONE_S:
                        raise TimeoutError from error
                    await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        return Confirmation(folder.name, False, time.monotonic() - began, message=_why(folder, problem))
    took = time.monotonic() - began
    if answer.get("type") != wanted:
        return Confirmation(folder.name, False, took, message=f"answered {answer.get('type')!r} instead of {wanted!r}")
    return Confirmation(
        folder.name, True, took, tuple(map(str, answer.get("stuck", ()))), str(answer.get("message", ""))
    )


async def _exchange(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    """Send one message and return the answer. Raises `OSError` or `ValueError`."""
    with reachable(folder / SOCKET) as address:
        reader, writer = await asyncio.open_unix_connection(address, limit=2 * MAX_LINE)
    try:
        writer.write(json.dumps(message).encode() + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    if not line:
        raise ConnectionResetError("the driver closed the connection")
    answer = from_json(line)
    if not isinstance(answer, dict):
        raise ValueError("the driver answered something else than a message")
    return answer


def _ping() -> dict[str, Any]:
    return {"type": "ping", "sent_at": time.monotonic()}


def _why(folder: Path, error: BaseException) -> str:
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return "no driver process is there"
    if isinstance(error, TimeoutError):
        return "its driver has not answered in time"
    return f"its driver cannot be reached: {error or type(error).__name__}"
