"""Connections are bounded in number and in time: who says nothing, half of it, or does not listen, is cut off."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.api.limits import MOST_CONNECTIONS, READING_S, REQUEST_S

_WHOLE = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)


class BoundedConnection(H11Protocol):
    """Uvicorn's connection, which by itself waits for ever for a first request, a body, and a reader."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._began = time.monotonic()
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    @property
    def whole(self) -> bool:
        """Whether a request has arrived and is not answered yet."""
        return self.conn.their_state in _WHOLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room: an attacker's idle connections give way to a new one, which may be somebody's stop."""
        super().connection_made(transport)
        self._expect()
        if len(self.connections) > MOST_CONNECTIONS:
            idle = [c for c in self.connections if isinstance(c, BoundedConnection) and not c.whole]
            oldest = min(idle, key=lambda c: c._began, default=self)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request must be whole in time."""
        super().data_received(data)
        if self.whole:
            self._expect_nothing()
        elif self._deadline is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clocks."""
        self._expect_nothing()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a reader, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(READING_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Keep the connection for a next request, as something that gives way."""
        self._began = time.monotonic()
        super().on_response_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
