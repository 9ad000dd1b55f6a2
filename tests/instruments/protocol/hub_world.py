"""The world of both sessions with the real hub in it, so that strangers can come to its door."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

from instruments import client
from instruments.client import EventStream, Expected, HubEvent, InstrumentHub
from instruments.protocol.codec import decode_from_driver
from instruments.protocol.controller_session import ControllerSession
from instruments.protocol.messages import Command, channel_of
from instruments.protocol.outputs import ControllerOutput, Emit
from instruments.protocol.recording import state_of
from instruments.transport.base import Peer, ServerTransport
from tests.instruments.protocol.world import World

INSTRUMENT = "i"
ABSENT = "other"
"""An instrument of the lab whose driver is not there."""


class Door(ServerTransport):
    """What the hub says goes to the honest driver, or to whoever else it is for, of which only the newest is kept."""

    def __init__(self, world: HubWorld) -> None:
        self._world = world
        self.to_strangers: deque[tuple[Peer, bytes]] = deque(maxlen=50)

    async def start(self) -> str:
        return ""

    async def receive(self) -> tuple[Peer | None, bytes]:
        raise AssertionError("frames are handed to the hub")

    async def close(self) -> None:
        return

    def send(self, peer: Peer, frame: bytes) -> bool:
        if (peer.instrument, peer.boot_id) == (INSTRUMENT, self._world.boot_id):
            self._world.to_driver.append((peer.boot_id, frame))
            self._world.heard.append(frame)
        else:
            self.to_strangers.append((peer, frame))
        return True


class Front:
    """The hub as the world's controller: what a `ControllerSession` offers, for the honest instrument."""

    def __init__(self, hub: InstrumentHub) -> None:
        self.hub = hub
        self._events: EventStream = hub.events()

    @property
    def session(self) -> ControllerSession:
        return self.hub._sessions[INSTRUMENT]

    @property
    def connected(self) -> bool:
        return self.session.connected

    def take(self, peer: Peer | None, frame: bytes) -> list[ControllerOutput]:
        self.hub._take(peer, frame)
        return self.told()

    def told(self) -> list[ControllerOutput]:
        events, self._events._waiting = list(self._events._waiting), deque()
        return [Emit(event) for event in events if getattr(event, "instrument", INSTRUMENT) == INSTRUMENT]

    def tick(self, now: float) -> list[ControllerOutput]:
        for name, session in self.hub._sessions.items():
            self.hub._took(name, "tick", None, now, session.tick(now))
        return self.told()

    def command(self, command: Command, now: float) -> list[ControllerOutput]:
        self.hub.command(INSTRUMENT, command)
        return self.told()

    def acknowledge(self, attempt: str) -> list[ControllerOutput]:
        self.hub.acknowledge(INSTRUMENT, attempt)
        return self.told()

    def inquire(self, attempts: Iterable[str], now: float) -> list[ControllerOutput]:
        self.hub.inquire(INSTRUMENT, attempts)
        return self.told()

    def cancel(self, attempt: str, now: float) -> list[ControllerOutput]:
        self.hub.cancel(INSTRUMENT, attempt)
        return self.told()

    def stop(self, request: str, mode: Literal["finish", "now"], now: float) -> list[ControllerOutput]:
        self.hub.stop(INSTRUMENT, mode)
        return self.told()

    def resume(self, now: float) -> list[ControllerOutput]:
        self.hub.resume(INSTRUMENT)
        return self.told()


class HubWorld(World):
    """An honest driver, an engine and the hub between them; `said` and `heard` are all frames of the honest two so far."""

    def __init__(self) -> None:
        super().__init__()
        self.said: deque[bytes] = deque(maxlen=200)
        self.heard: deque[bytes] = deque(maxlen=200)
        self.door = Door(self)
        self.front: Front

    def start_controller(self) -> None:
        if self.controller is None:
            expected = {INSTRUMENT: Expected(driver="d", simulated=True), ABSENT: Expected()}
            hub = InstrumentHub(self.door, expected=expected, heartbeat_s=1.0, lease_s=5.0, resend_s=0.5)
            self.front = Front(hub)
            self.controller = self.front  # type: ignore[assignment]  # it offers what the world asks of a session

    def deliver(self, direction: str, index: int, *, keep: bool = False) -> None:
        if direction == "to_driver":
            super().deliver(direction, index, keep=keep)
        elif self.to_controller:
            index %= len(self.to_controller)
            boot_id, frame = self.to_controller[index] if keep else self.to_controller.pop(index)
            self.said.append(frame)
            if self.controller is not None:
                peer = Peer(INSTRUMENT, boot_id, channel_of(decode_from_driver(frame)))
                self.tell_controller(self.front.take(peer, frame))

    def _engine(self, event: HubEvent) -> None:
        if getattr(event, "attempt", None) in (None, *self.store):  # as the real one, which is asked for no other
            super()._engine(event)

    def flow(self) -> None:
        """Deliver everything that is under way, both ways, until nothing is."""
        while self.to_driver or self.to_controller:
            self.deliver("to_driver", 0)
            self.deliver("to_controller", 0)

    def controller_state(self) -> dict[str, Any]:
        """Return everything that the controller's side knows of the honest instrument."""
        session = self.front.session
        return {**state_of(session), "acknowledged": tuple(session._acknowledged)}


@contextmanager
def hub_world() -> Iterator[HubWorld]:
    """Return a world whose clock the hub follows, its honest driver linked."""
    world = HubWorld()
    clock = SimpleNamespace(monotonic=lambda: world.now, time=lambda: world.now)
    with patch.object(client, "time", clock):
        world.start_driver()
        world.start_controller()
        world.advance(0.1)
        world.flow()
        yield world
