"""A ZeroMQ socket in an asyncio loop, at a fraction of what pyzmq's own asyncio sockets cost per frame."""

from __future__ import annotations

import asyncio
from typing import Any

import zmq

_NOW = int(zmq.NOBLOCK)
"""As a plain number: an `enum` costs as much as receiving."""


class LoopSocket:
    """Sends at once or not at all, and waits to receive. Used from one event loop; one task receives.

    The socket's descriptor tells once that something changed, not what (`ZMQ_FD`, zmq_getsockopt(3)), and every operation on
    the socket may swallow the news. So a receiver tries first, waits then, and is told to try again after every send.

    Args:
        socket: An ordinary socket; this object closes it.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(socket.get(zmq.FD))
        self._loop.add_reader(self._descriptor, self._news.set)

    def send(self, parts: list[bytes]) -> bool:
        """Send a message; return False if it could not be sent or queued at once."""
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        finally:
            self._news.set()
        return True

    def receive_now(self) -> list[Any] | None:
        """Return a message's frames (`zmq.Frame`) if one has come, else None.

        Raises:
            zmq.ZMQError: If the socket is closed.
        """
        try:
            frame = self.socket.recv(_NOW, copy=False)
        except zmq.Again:
            return None
        frames = [frame]
        while frame.more:  # all parts of a message come at once (zmq_msg_recv(3))
            frame = self.socket.recv(_NOW, copy=False)
            frames.append(frame)
        return frames

    async def receive(self) -> list[Any]:
        """Wait for a message and return its frames (`zmq.Frame`)."""
        while (frames := self.receive_now()) is None:
            self._news.clear()
            if (frames := self.receive_now()) is not None:  # it came between the try and the clearing
                break
            await self._news.wait()
        return frames

    def close(self, linger_ms: int) -> None:
        """Close the socket; what was sent gets `linger_ms` to leave. Harmless when repeated."""
        if not self.socket.closed:
            self._loop.remove_reader(self._descriptor)
            self.socket.close(linger=linger_ms)
