"""Memory transport: controller and drivers in one process, over a network that can be told to misbehave."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Literal

from instruments.errors import TransportError
from instruments.protocol.messages import Channel
from instruments.transport.base import ClientTransport, Peer, ServerTransport

Direction = Literal["to_controller", "to_driver"]
Disturbance = Callable[[Direction, Peer, bytes], Sequence[float]]
"""Returns the delay [real s] of each copy to be delivered: `[]` loses the frame, `[0, 0.2]` doubles it."""


def undisturbed(direction: Direction, peer: Peer, frame: bytes) -> Sequence[float]:
    """Deliver every frame once, at once."""
    del direction, peer, frame
    return (0.0,)


class MemoryNetwork:
    """Connects one controller at a time with any number of drivers.

    Attributes:
        disturb: What happens to each frame; may be changed at any time.
    """

    def __init__(self, disturb: Disturbance = undisturbed) -> None:
        self.disturb = disturb
        self._server: MemoryServer | None = None
        self._clients: dict[tuple[str, str], MemoryClient] = {}
        self._numbers = itertools.count(1)

    def server(self) -> MemoryServer:
        """Make the transport of a controller; starting it replaces the one before."""
        return MemoryServer(self)

    def client(self, instrument: str, boot_id: str) -> MemoryClient:
        """Make the transport of a driver."""
        return MemoryClient(self, instrument, boot_id)

    def _listen(self, server: MemoryServer) -> str:
        self._server = server
        return f"memory://{next(self._numbers)}"

    def _silence(self, server: MemoryServer) -> None:
        if self._server is server:
            self._server = None

    def _attach(self, client: MemoryClient) -> bool:
        self._clients[client.instrument, client.boot_id] = client
        return self._server is not None

    def _detach(self, client: MemoryClient) -> None:
        self._clients.pop((client.instrument, client.boot_id), None)

    def _carry(self, direction: Direction, peer: Peer, frame: bytes) -> bool:
        if direction == "to_controller" and self._server is None:
            return False
        if direction == "to_driver" and (peer.instrument, peer.boot_id) not in self._clients:
            return False
        loop = asyncio.get_running_loop()
        for delay in self.disturb(direction, peer, frame):
            if delay <= 0.0:
                self._deliver(direction, peer, frame)
            else:
                loop.call_later(delay, self._deliver, direction, peer, frame)
        return True

    def _deliver(self, direction: Direction, peer: Peer, frame: bytes) -> None:
        if direction == "to_controller":
            if self._server is not None:
                self._server.received.put_nowait((peer, frame))
            return
        client = self._clients.get((peer.instrument, peer.boot_id))
        if client is not None:
            client.received.put_nowait(frame)


class MemoryServer(ServerTransport):
    """The controller's end of a memory network."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self._open = False
        self.received: asyncio.Queue[tuple[Peer | None, bytes]] = asyncio.Queue()

    async def start(self) -> str:
        """Begin to listen."""
        self._open = True
        return self._network._listen(self)

    def send(self, peer: Peer, frame: bytes) -> bool:
        """Send a frame; return False if the driver is not there."""
        return self._open and self._network._carry("to_driver", peer, frame)

    async def receive(self) -> tuple[Peer | None, bytes]:
        """Wait for a frame."""
        if not self._open:
            raise TransportError("the transport is closed")
        return await self.received.get()

    async def close(self) -> None:
        """Stop listening."""
        self._open = False
        self._network._silence(self)


class MemoryClient(ClientTransport):
    """A driver's end of a memory network."""

    def __init__(self, network: MemoryNetwork, instrument: str, boot_id: str) -> None:
        self._network = network
        self.instrument, self.boot_id = instrument, boot_id
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    async def connect(self) -> bool:
        """Join the network; return whether a controller is there."""
        return self._network._attach(self)

    def send(self, channel: Channel, frame: bytes) -> bool:
        """Send a frame; return False if no controller is there."""
        return self._network._carry("to_controller", Peer(self.instrument, self.boot_id, channel), frame)

    async def receive(self) -> bytes:
        """Wait for a frame."""
        return await self.received.get()

    async def close(self) -> None:
        """Leave the network."""
        self._network._detach(self)
