"""The daemon's end of the process that serves HTTP: starts it, starts it again when it has ended, and ends it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from controller.api.serving import Serving
from controller.errors import ConflictError
from controller.keeping import KeptProcess
from controller.settings import folder_of
from controller.watching import beat_file
from instruments.bounded import from_json, read_small

FREE_S = 8.0
"""So long a daemon waits for its address: the process of one that was killed may be about to let go of it [real s]."""


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
        told = {
            "urls": self._urls, "names": serving.names, "descriptor": listening.fileno(),
            "certificate": serving.certificate and str(serving.certificate), "key": serving.key and str(serving.key),
            "beat": str(beat_file(folder_of(self._urls[0]))),
        }  # fmt: skip
        self._kept = KeptProcess("controller.api", f"serves HTTP at {self.url}", told, descriptors=[listening.fileno()])

    @property
    def url(self) -> str:
        """Where it is served, as clients on this machine write it."""
        return self._serving.url(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start the process and keep it running."""
        for url in self._urls:
            _note(folder_of(url)).write_text(json.dumps({"url": self.url}), encoding="utf-8")
        self._kept.start()

    async def close(self) -> None:
        """End the process; what it is answering may take a few seconds."""
        for url in self._urls:
            _note(folder_of(url)).unlink(missing_ok=True)
        await self._kept.close()
        self._socket.close()


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
