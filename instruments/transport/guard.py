"""Bounds what strangers may cost a listening socket: how many connect, how much they send, how much of it is garbage.

libzmq bounds queues by whole messages only. It has no limit for connections, and none for a message whose parts never end;
each connection takes some 30 kB that the allocator does not give back. So the socket's monitor (zmq_socket_monitor(3)) tells
of each connection, and one that costs more than it is worth is shut down, as if its other end had gone away. A driver that is
cut off by mistake connects again by itself, and loses nothing: what matters is sent until it is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass

import zmq

from instruments.transport.waiting import LoopSocket

MOST_STRANGERS = 64
"""Connections that have not proved to be a driver's; one more, and the oldest is cut off."""
_CONNECTIONS_OF_A_DRIVER = 2
_MOST_BYTES = 2 * 1024 * 1024
"""What a stranger may send in all; its hello is one frame of at most a mebibyte."""
_MOST_BYTES_OF_ALL = 8 * 1024 * 1024
"""What all strangers that are connected may have sent together; those who sent most are cut off first."""
_FRAMES_IN_A_ROW = 64
_FRAMES_PER_S = 8.0
"""Unwelcome frames (garbage, or of a driver that nobody knows) that a connection may send before it is cut off."""
_HEEDED = 8
"""So many of a stranger's are looked at; the others only count. To cut it off so soon would cost more: it would come back."""
_SWEEP_S = 0.05
_EVENTS_IN_A_ROW = 500
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_EVENT = struct.Struct("=Hi")
# struct tcp_info of Linux: tcpi_bytes_received, 8 bytes (include/uapi/linux/tcp.h).
_RECEIVED_AT, _TCP_INFO_SIZE = 128, 136


@dataclass(slots=True)
class _Connection:
    left: float = float(_FRAMES_IN_A_ROW)
    """Unwelcome frames that may still come."""
    counted_at: float = 0.0

    def refill(self) -> None:
        """Give back what time has brought since the last frame."""
        now = time.monotonic()
        if self.counted_at:
            self.left = min(_FRAMES_IN_A_ROW, self.left + (now - self.counted_at) * _FRAMES_PER_S)
        self.counted_at = now


def strangers_beside(n_drivers: int) -> int:
    """Return how many strangers' connections to let be open in a lab of `n_drivers`, all of which may come in the same moment.

    A driver's connections are strangers' until they have spoken; with less room the drivers of a large lab push each other out.
    """
    return MOST_STRANGERS + _CONNECTIONS_OF_A_DRIVER * n_drivers


class ConnectionGuard:
    """Watches one listening socket. Used from one event loop.

    Args:
        context: The socket's.
        watched: The socket, before it listens.
        most_strangers: Connections that may be open without having proved to be a driver's.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        watched: zmq.Socket[bytes],
        *,
        most_strangers: int = MOST_STRANGERS,
    ) -> None:
        self._most_strangers = most_strangers
        self._strangers: OrderedDict[int, _Connection] = OrderedDict()
        self._known: dict[int, _Connection] = {}
        self.n_cut = 0
        """Connections that were shut down."""
        self._watched = watched
        place = f"inproc://guard-{id(watched)}"
        watched.monitor(place, _EVENTS)
        events = context.socket(zmq.PAIR)
        events.set(zmq.RCVHWM, 0)  # libzmq's own thread would wait for us at a limit
        events.connect(place)
        self._events = LoopSocket(events)
        self._tasks = [
            asyncio.create_task(self._follow(), name="guard connections"),
            asyncio.create_task(self._sweep(), name="guard bytes"),
        ]

    @property
    def n_open(self) -> tuple[int, int]:
        """How many connections of strangers and of drivers are open."""
        return len(self._strangers), len(self._known)

    def judge(self, connection: int, *, welcome: bool) -> None:
        """Take note of what a frame was worth.

        Args:
            connection: Its file descriptor (`ZMQ_SRCFD` of the frame).
            welcome: Whether it came from a driver that is taken on.
        """
        if welcome:
            if connection in self._strangers:
                self._known[connection] = self._strangers.pop(connection)
            return
        found = self._strangers.get(connection) or self._known.get(connection)
        if found is None:
            return
        found.refill()
        found.left -= 1.0
        if found.left < 0.0:
            self.cut(connection)

    def heeds(self, connection: int) -> bool:
        """Say whether a frame of a connection is worth a look: not of a stranger that has sent many unwelcome ones."""
        found = self._strangers.get(connection)
        if found is None:
            return True
        found.refill()
        return found.left > _FRAMES_IN_A_ROW - _HEEDED

    async def close(self) -> None:
        """Stop watching. Harmless when repeated."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if not self._watched.closed:
            self._watched.disable_monitor()
        self._events.close(0)

    async def _follow(self) -> None:
        while True:
            frames = await self._events.receive()
            for _ in range(_EVENTS_IN_A_ROW):  # connections come faster than the loop turns
                self._note(*_EVENT.unpack(frames[0].bytes))
                more = self._events.receive_now()
                if more is None:
                    break
                frames = more
            else:
                self._note(*_EVENT.unpack(frames[0].bytes))
            await asyncio.sleep(0)

    def _note(self, event: int, connection: int) -> None:
        self._strangers.pop(connection, None)
        self._known.pop(connection, None)
        if event == zmq.EVENT_ACCEPTED:
            self._strangers[connection] = _Connection()
            if len(self._strangers) > self._most_strangers:
                self.cut(next(iter(self._strangers)))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            sent = sorted(((_received(connection), connection) for connection in self._strangers), reverse=True)
            together = sum(n for n, _ in sent)
            for n, connection in sent:
                if n <= _MOST_BYTES and together <= _MOST_BYTES_OF_ALL:
                    break
                together -= n
                self.cut(connection)

    def cut(self, connection: int) -> None:
        """Shut a connection (its file descriptor) down, as if its other end had gone away."""
        if self._strangers.pop(connection, None) is None and self._known.pop(connection, None) is None:
            return  # gone by itself, and its number may be another's by now
        self.n_cut += 1
        # Shut down, not closed: the descriptor is libzmq's, which finds the connection ended and cleans up. Its end may be on the
        # way to us, and its number in use for something else already: only what came in through our port is touched.
        with contextlib.suppress(OSError), _borrowed(connection) as borrowed:
            if borrowed.family == socket.AF_INET and borrowed.getsockname()[1] == self._port():
                borrowed.shutdown(socket.SHUT_RDWR)

    def _port(self) -> int:
        return int(self._watched.get_string(zmq.LAST_ENDPOINT).rstrip("\0").rpartition(":")[2])


def _borrowed(connection: int) -> socket.socket:
    copy = os.dup(connection)
    try:
        return socket.socket(fileno=copy)
    except OSError:  # no socket any more
        os.close(copy)
        raise


def _received(connection: int) -> int:
    """Return how many bytes have come over a connection; 0 where the system does not tell."""
    try:
        with _borrowed(connection) as borrowed:
            told = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    except (OSError, AttributeError):
        return 0
    return int(struct.unpack_from("=Q", told, _RECEIVED_AT)[0]) if len(told) >= _TCP_INFO_SIZE else 0
