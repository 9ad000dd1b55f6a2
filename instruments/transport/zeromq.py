"""ZeroMQ between processes of one machine: one ROUTER for the controller, two DEALERs for each driver."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zmq
import zmq.asyncio

from instruments.errors import AddressError, TransportError
from instruments.protocol.codec import MAX_FRAME
from instruments.protocol.messages import Channel
from instruments.transport.base import ClientTransport, Peer, ServerTransport
from instruments.transport.guard import MOST_STRANGERS, ConnectionGuard
from instruments.transport.rendezvous import read_rendezvous

_LOOPBACK = ("127.0.0.1", "localhost")
_QUEUED_FRAMES = 1000
_RECEIVED_FRAMES = 64
"""Frames of one driver that wait in the controller; more of them wait at their sender, which TCP holds back."""
_BACKLOG = 1024
_HANDSHAKE_MS = 5000
_FAIR_SHARE = 64
"""Frames taken in a row before other tasks get a turn: receiving what is ready never yields by itself."""


def check_loopback(address: str) -> str:
    """Return `address` if it is on this machine only.

    Args:
        address: `tcp://HOST:PORT`; port 0 lets the system choose, when listening.

    Returns:
        The address with `localhost` written as a number.

    Raises:
        AddressError: If it is of another form or of another machine.
    """
    parts = urlsplit(address)
    host, _, port = parts.netloc.rpartition(":")
    if parts.scheme != "tcp" or not host or not port.isdigit() or int(port) > 65535 or parts.path:
        raise AddressError(f"address {address!r} is not of the form tcp://127.0.0.1:PORT")
    if host not in _LOOPBACK and not _is_loopback_number(host):
        raise AddressError(
            f"address {address!r} is not on this machine: the wire is neither encrypted nor authenticated, so only "
            f"{', '.join(_LOOPBACK)} are allowed; reach other machines through an ssh tunnel"
        )
    return f"tcp://{'127.0.0.1' if host == 'localhost' else host}:{port}"


def _is_loopback_number(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(p.isdigit() and int(p) < 256 for p in parts)


def _prepare(socket: zmq.asyncio.Socket) -> None:
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.SNDHWM, _QUEUED_FRAMES)
    socket.set(zmq.RCVHWM, _QUEUED_FRAMES)
    socket.set(zmq.MAXMSGSIZE, MAX_FRAME)
    # A connection whose other end vanished without closing it (a frozen process) is dropped after a few seconds.
    socket.set(zmq.HEARTBEAT_IVL, 2000)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 10000)
    socket.set(zmq.HEARTBEAT_TTL, 10000)


def _send_now(socket: zmq.asyncio.Socket, parts: list[bytes]) -> bool:
    # With NOBLOCK pyzmq sends at once and returns a future that is done.
    future: Any = socket.send_multipart(parts, flags=zmq.NOBLOCK)
    if not future.done():
        future.cancel()
        return False
    return future.exception() is None


class ZeroMQServer(ServerTransport):
    """A ROUTER that listens on loopback.

    Args:
        address: Where to listen; port 0 lets the system choose.
        most_strangers: Connections that may be open without having proved to be a driver's; see `ConnectionGuard`.

    Raises:
        AddressError: If the address is not on this machine.
    """

    def __init__(self, address: str = "tcp://127.0.0.1:0", *, most_strangers: int = MOST_STRANGERS) -> None:
        self._address = check_loopback(address)
        self._most_strangers = most_strangers
        self._guard: ConnectionGuard | None = None
        self._source = -1
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._taken = 0

    async def start(self) -> str:
        """Begin to listen and return the address, with the port that was chosen."""
        self._context = zmq.asyncio.Context()
        socket = self._context.socket(zmq.ROUTER)
        _prepare(socket)
        socket.set(zmq.ROUTER_MANDATORY, 1)  # so that a frame to nobody is reported instead of dropped in silence
        socket.set(zmq.ROUTER_HANDOVER, 1)  # a driver that reconnects replaces its own dead connection
        socket.set(zmq.RCVHWM, _RECEIVED_FRAMES)
        socket.set(zmq.BACKLOG, _BACKLOG)
        socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        guard = ConnectionGuard(self._context, socket, most_strangers=self._most_strangers)
        try:
            socket.bind(self._address)
        except zmq.ZMQError as error:
            await guard.close()
            socket.close()
            self._context.term()
            raise TransportError(f"cannot listen on {self._address}: {error}; is another controller there?") from error
        self._socket, self._guard = socket, guard
        return str(socket.get_string(zmq.LAST_ENDPOINT)).rstrip("\0")

    def send(self, peer: Peer, frame: bytes) -> bool:
        """Send a frame; return False if the peer is gone or its queue is full."""
        return self._socket is not None and _send_now(self._socket, [peer.to_bytes(), frame])

    async def receive(self) -> tuple[Peer | None, bytes]:
        """Wait for a frame."""
        if self._socket is None:
            raise TransportError("the transport is closed")
        self._taken += 1
        if self._taken % _FAIR_SHARE == 0:
            await asyncio.sleep(0)
        # Frames instead of bytes know their connection.
        frames: Any = await self._socket.recv_multipart(copy=False)
        self._source = frames[0].get(zmq.SRCFD)
        # A driver sends exactly one part after its routing id; anything else is garbage and decodes to none.
        return (Peer.from_bytes(frames[0].bytes), frames[1].bytes) if len(frames) == 2 else (None, b"")

    def judge(self, *, welcome: bool) -> None:
        """Say what the frame that was received last was worth; its connection is cut when too many were worth nothing."""
        if self._guard is not None:
            self._guard.judge(self._source, welcome=welcome)

    async def close(self) -> None:
        """Stop listening."""
        if self._guard is not None:
            await self._guard.close()
            self._guard = None
        if self._socket is not None and self._context is not None:
            self._socket.close(linger=200)
            self._socket = None
            await asyncio.to_thread(self._context.term)


class ZeroMQClient(ClientTransport):
    """Two DEALERs of a driver.

    Args:
        controller: `tcp://127.0.0.1:PORT`, or the path of a rendezvous file.
        instrument: The instrument's name.
        boot_id: The id of this start of the driver.

    Raises:
        AddressError: If the address is not on this machine.
    """

    def __init__(self, controller: str, *, instrument: str, boot_id: str) -> None:
        self._fixed = check_loopback(controller) if "://" in controller else None
        self._file = Path(controller)
        self.instrument, self.boot_id = instrument, boot_id
        self._context: zmq.asyncio.Context | None = None
        self._sockets: dict[Channel, zmq.asyncio.Socket] = {}
        self._connected_to: str | None = None
        self._received: asyncio.Queue[bytes] = asyncio.Queue(maxsize=_QUEUED_FRAMES)
        self._pumps: list[asyncio.Task[None]] = []

    async def connect(self) -> bool:
        """Read where the controller is and connect, unless connected to that place already."""
        address = self._fixed
        if address is None:
            place = read_rendezvous(self._file)
            if place is None:
                return False
            address = check_loopback(place.address)
        if address == self._connected_to:
            return True
        if self._context is None:
            self._context = zmq.asyncio.Context()
        await self._end_pumps()
        for socket in self._sockets.values():
            socket.close(linger=0)
        sockets: dict[Channel, zmq.asyncio.Socket] = {}
        channels: tuple[Channel, ...] = ("control", "data")
        for channel in channels:
            socket = self._context.socket(zmq.DEALER)
            _prepare(socket)
            socket.set(zmq.IMMEDIATE, 1)  # nothing piles up for a controller that is not there
            socket.set(zmq.RECONNECT_IVL, 50)
            socket.set(zmq.RECONNECT_IVL_MAX, 1000)
            socket.set(zmq.ROUTING_ID, Peer(self.instrument, self.boot_id, channel).to_bytes())
            socket.connect(address)
            sockets[channel] = socket
        self._sockets = sockets
        self._pumps = [asyncio.create_task(self._pump(socket)) for socket in sockets.values()]
        self._connected_to = address
        return True

    def send(self, channel: Channel, frame: bytes) -> bool:
        """Send a frame; return False if there is no connection or its queue is full."""
        socket = self._sockets.get(channel)
        return socket is not None and _send_now(socket, [frame])

    async def receive(self) -> bytes:
        """Wait for a frame on either connection."""
        return await self._received.get()

    async def _pump(self, socket: zmq.asyncio.Socket) -> None:
        for taken in itertools.count(1):
            parts = await socket.recv_multipart()
            # A controller sends exactly one part; anything else is garbage and decodes to none.
            await self._received.put(parts[0] if len(parts) == 1 else b"")
            if taken % _FAIR_SHARE == 0:
                await asyncio.sleep(0)

    async def _end_pumps(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._pumps = []

    async def close(self) -> None:
        """Close both connections; what was just sent gets a moment to leave."""
        await self._end_pumps()
        for socket in self._sockets.values():
            socket.close(linger=300)
        self._sockets = {}
        self._connected_to = None
        if self._context is not None:
            await asyncio.to_thread(self._context.term)
            self._context = None
