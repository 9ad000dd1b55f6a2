"""What a transport must do, on the controller's side and on the driver's."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import NamedTuple, Self

from instruments.protocol.messages import Channel

_PEER = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})/([A-Za-z0-9_-]{1,64})/(data|control)", re.ASCII)


class Peer(NamedTuple):
    """One connection of one start of a driver.

    The start is part of the name, so that two drivers that claim one instrument can both be answered.
    """

    instrument: str
    boot_id: str
    channel: Channel

    def to_bytes(self) -> bytes:
        """Return the routing id."""
        return f"{self.instrument}/{self.boot_id}/{self.channel}".encode()

    @classmethod
    def from_bytes(cls, identity: bytes) -> Self | None:
        """Return the peer that a routing id names, or None if it names none."""
        match = _PEER.fullmatch(identity.decode("latin-1"))
        if match is None:
            return None
        return cls(match[1], match[2], "data" if match[3] == "data" else "control")


class ServerTransport(ABC):
    """The controller's side. Used from one event loop; only `receive` waits.

    An implementation keeps the order of frames within one connection, may lose frames, never blocks in `send`, and
    bounds what it queues.
    """

    @abstractmethod
    async def start(self) -> str:
        """Begin to listen.

        Returns:
            The address that drivers connect to.

        Raises:
            AddressError: If the address is refused.
            TransportError: If it cannot be listened on.
        """

    @abstractmethod
    def send(self, peer: Peer, frame: bytes) -> bool:
        """Send a frame; return False if it could not be sent or queued."""

    @abstractmethod
    async def receive(self) -> tuple[Peer | None, bytes]:
        """Wait for a frame; the peer is None if the sender's name cannot be read."""

    def judge(self, *, welcome: bool) -> None:
        """Say what the frame that `receive` gave last was worth, so that those who send garbage can be cut off.

        A transport that strangers cannot reach need not care.

        Args:
            welcome: Whether it came from a driver that is taken on.
        """
        del welcome

    @property
    def unheeded(self) -> int:
        """How many frames were dropped unread because of what their senders had sent before."""
        return 0

    def objection(self, peer: Peer) -> str | None:
        """Say why `peer` may no longer be spoken with, None while it may; a transport without keys has nothing against anybody."""
        del peer
        return None

    @abstractmethod
    async def close(self) -> None:
        """Stop listening. Harmless when repeated."""


class ClientTransport(ABC):
    """The driver's side: two connections to one controller. The same promises as `ServerTransport`.

    Attributes:
        instrument: The instrument's name.
        boot_id: The id of this start of the driver.
    """

    instrument: str
    boot_id: str

    @abstractmethod
    async def connect(self) -> bool:
        """Look where the controller is and connect, unless connected to that place already.

        Returns:
            Whether there is a place to connect to at all.

        Raises:
            AddressError: If the address is refused.
        """

    @abstractmethod
    def send(self, channel: Channel, frame: bytes) -> bool:
        """Send a frame; return False if it could not be sent or queued."""

    @abstractmethod
    async def receive(self) -> bytes:
        """Wait for a frame on either connection."""

    @abstractmethod
    async def close(self) -> None:
        """Close both connections. Harmless when repeated."""
