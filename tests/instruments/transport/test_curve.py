"""Who may speak: real sockets with CURVE, and everybody who should not be heard. What is accepted is counted at the hub's door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import zmq
import zmq.asyncio

from instruments.client import (
    AttemptFinished,
    AttemptStarted,
    Command,
    EventStream,
    InstrumentHub,
    LinkDown,
    LinkUp,
)
from instruments.protocol.codec import decode_from_controller, encode
from instruments.protocol.messages import Farewell, Refuse
from instruments.protocol.values import Succeeded
from instruments.transport.base import Peer
from instruments.transport.keys import KeyPair, new_pair, write_pair
from instruments.transport.zeromq import ServerKeys, ZeroMQClient, ZeroMQServer
from tests.instruments.devices import Bench
from tests.instruments.support import next_event, running, serving, until

pytestmark = pytest.mark.timeout(60)
PATIENCE_S = 1.5


class AllowList:
    """Public key -> the instruments that it may serve; what is taken out is revoked."""

    def __init__(self) -> None:
        self.admitted: dict[str, set[str]] = {}

    def objection(self, public_key: str, instrument: str | None = None) -> str | None:
        if public_key not in self.admitted:
            return "this key was revoked"
        if instrument is not None and instrument not in self.admitted[public_key]:
            return f"this key may not serve {instrument}"
        return None


class CountingServer(ZeroMQServer):
    """Notes everything that it hands on to the hub."""

    def __init__(self, address: str, keys: ServerKeys | None) -> None:
        super().__init__(address, keys=keys)
        self.accepted: list[tuple[Peer | None, bytes]] = []

    async def receive(self) -> tuple[Peer | None, bytes]:
        taken = await super().receive()
        self.accepted.append(taken)
        return taken

    @property
    def handler(self) -> object:
        return self._zap


class House:
    """A controller with keys, and ways to come to its door."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pair = new_pair()
        self.allowed = AllowList()
        self.server = CountingServer("tcp://127.0.0.1:0", ServerKeys(self.pair, self.allowed))
        self.hub = InstrumentHub(self.server, heartbeat_s=0.2, lease_s=3.0, resend_s=0.2)
        self.address = ""

    def key(self, name: str, *instruments: str) -> Path:
        """Make a key file; the key is admitted for the instruments, or unknown where none is named."""
        pair, path = new_pair(), self.folder / f"{name}.key"
        write_pair(path, pair, replace=True)
        if instruments:
            self.allowed.admitted[pair.public] = set(instruments)
        return path

    def client(self, key: Path | None, instrument: str = "bench", *, server_key: str | None = "") -> ZeroMQClient:
        """Return a driver's connection."""
        known = self.pair.public if server_key == "" else server_key
        return ZeroMQClient(
            self.address, instrument=instrument, boot_id=f"boot-{instrument}", key=key, server_key=known
        )


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[House, EventStream]]:
    made = House(folder)
    events = made.hub.events()
    async with running(made.hub) as made.address:
        yield made, events


def react(attempt: str, minutes: float = 0.0) -> Command:
    return Command(attempt=attempt, action="react", arguments={"temperature": 50.0, "tau": minutes})


@contextmanager
def dealer(house: House, pair: KeyPair | None, identity: bytes) -> Iterator[zmq.Socket[bytes]]:
    """Give a bare socket, for who does not keep to any protocol."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.ROUTING_ID, identity)
    if pair is not None:
        socket.set(zmq.CURVE_SECRETKEY, pair.secret.encode())
        socket.set(zmq.CURVE_PUBLICKEY, pair.public.encode())
        socket.set(zmq.CURVE_SERVERKEY, house.pair.public.encode())
    socket.connect(house.address)
    try:
        yield socket
    finally:
        socket.close()
        context.term()


async def test_driver_with_its_key_works(tmp_path: Path) -> None:
    async with house(tmp_path) as (at, events), serving(Bench(), at.client(at.key("bench", "bench"))):
        await next_event(events, LinkUp)
        at.hub.command("bench", react("a1"))
        assert isinstance((await next_event(events, AttemptFinished)).outcome, Succeeded)
        assert at.server.turned_away == 0


@pytest.mark.parametrize("who", ["revoked", "wrong", "absent", "wrong server"])
async def test_driver_with_a_revoked_wrong_or_absent_key_has_no_message_accepted(
    who: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with house(tmp_path) as (at, events):
        path = at.key("stranger", "bench")
        match who:
            case "revoked":
                at.allowed.admitted.clear()
                stranger = at.client(path)
            case "wrong":
                stranger = at.client(at.key("other"))
            case "absent":
                stranger = at.client(None, server_key=None)
            case _:
                stranger = at.client(path, server_key=new_pair().public)
        async with serving(Bench(), stranger):
            await asyncio.sleep(PATIENCE_S)
            assert at.server.accepted == []
            assert not at.hub.links()
        assert "does not let us in" in caplog.text  # and its log says so
        # The same door is open for whoever has a key.
        async with serving(Bench(), at.client(at.key("honest", "bench"))):
            await next_event(events, LinkUp)
            assert {peer.instrument for peer, _ in at.server.accepted if peer is not None} == {"bench"}


async def test_driver_that_claims_an_instrument_of_others_is_told_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with house(tmp_path) as (at, _):
        async with serving(Bench(), at.client(at.key("bench", "bench"), "reactor")):
            await asyncio.sleep(PATIENCE_S)
        assert at.server.accepted == []
        assert at.server.turned_away > 0
        assert "refused (mismatch): this key may not serve reactor; asking again" in caplog.text


async def test_revoked_key_loses_its_live_connection_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as (at, events), serving(Bench(), at.client(at.key("bench", "bench"))) as server:
        await next_event(events, LinkUp)
        at.hub.command("bench", react("a1", 1.0))
        await next_event(events, AttemptStarted)
        at.allowed.admitted.clear()
        revoked, before = time.monotonic(), len(at.server.accepted)
        down = await next_event(events, LinkDown)
        assert time.monotonic() - revoked < 1.0
        assert down.reason == "this key was revoked"
        await asyncio.sleep(PATIENCE_S)
        assert len(at.server.accepted) == before
        assert not at.server.send(Peer("bench", "boot-bench", "data"), b"{}")
        assert server.session.running == ("a1",)  # what it began goes on; its result waits in its journal


async def test_frames_of_a_connection_made_before_the_key_was_revoked_are_dropped(tmp_path: Path) -> None:
    pair = new_pair()
    async with house(tmp_path) as (at, _):
        at.allowed.admitted[pair.public] = {"bench"}
        with dealer(at, pair, b"bench/b/data") as socket:
            socket.send(b"hello?")
            await until(lambda: len(at.server.accepted) == 1)
            at.allowed.admitted.clear()
            for _ in range(200):
                with contextlib.suppress(zmq.Again):
                    socket.send(encode(Farewell(reason="gone")), zmq.NOBLOCK)
            await until(lambda: at.server.turned_away > 0)
            await asyncio.sleep(0.5)
            assert len(at.server.accepted) == 1


async def test_valid_key_cannot_take_over_the_place_of_another_driver(tmp_path: Path) -> None:
    rogue = new_pair()
    async with house(tmp_path) as (at, events), serving(Bench(), at.client(at.key("bench", "bench"))):
        at.allowed.admitted[rogue.public] = {"pump"}
        await next_event(events, LinkUp)
        # It even knows the id of the other's start, which is drawn at random and never leaves the encrypted wire.
        with dealer(at, rogue, b"bench/boot-bench/data") as socket:
            for _ in range(20):
                socket.send(encode(Farewell(reason="gone")))
            await until(lambda: at.server.turned_away + at.server.unheeded == 20)
            assert at.hub.links()["bench"].connected


async def test_refusal_of_a_hello_that_claims_too_much_reaches_its_sender(tmp_path: Path) -> None:
    pair = new_pair()
    async with house(tmp_path) as (at, _):
        at.allowed.admitted[pair.public] = {"bench"}
        with dealer(at, pair, b"reactor/b/data") as socket:
            socket.send(b'{"type": "hello", "protocol": 1}')
            answer = decode_from_controller(await asyncio.to_thread(socket.recv))
            assert answer == Refuse(code="mismatch", message="this key may not serve reactor")
            assert at.server.accepted == []


class Tap:
    """Forwards TCP and keeps what each side said; can say what the driver said once more."""

    def __init__(self, address: str) -> None:
        self._port = int(address.rpartition(":")[2])
        self.said: list[bytes] = []
        """Everything, of both sides."""
        self.conversations: list[list[bytes]] = []
        """What the driver said, by connection."""
        self._writers: list[asyncio.StreamWriter] = []
        self._to_controller: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Tap:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._to_controller.append(up_writer)
        self._writers += [writer, up_writer]
        own: list[bytes] = []
        for pump in (self._pump(reader, up_writer, own), self._pump(up_reader, writer, None)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.conversations.append(own)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, own: list[bytes] | None
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.said.append(data)
                if own is not None:
                    own.append(data)
                writer.write(data)
        writer.close()

    async def replay(self, conversation: list[bytes]) -> None:
        """Say a whole conversation of a driver once more, over a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for data in conversation:
            writer.write(data)
            with contextlib.suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(reader.read(65536), 0.02)
        self._writers.append(writer)

    def double(self) -> None:
        """Slip what a driver said last into its live connections once more."""
        for writer, conversation in zip(self._to_controller, self.conversations, strict=True):
            writer.write(conversation[-1])


@asynccontextmanager
async def tapped(at: House) -> AsyncIterator[Tap]:
    tap = Tap(at.address)
    async with tap:
        at.address = tap.address
        yield tap


async def test_eavesdropper_reads_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as (at, events), tapped(at) as tap:
        async with serving(Bench(), at.client(at.key("bench", "bench"))):
            await next_event(events, LinkUp)
            at.hub.command("bench", react("secret-attempt"))
            await next_event(events, AttemptFinished)
        overheard = b"".join(tap.said)
        assert len(overheard) > 2000
        for word in (b"secret-attempt", b"temperature", b"bench", b"hello"):
            assert word not in overheard


async def test_eavesdropper_reads_everything_in_the_clear(tmp_path: Path) -> None:
    """The test above can fail: without keys the words are there."""
    at = House(tmp_path)
    at.server = CountingServer("tcp://127.0.0.1:0", None)
    at.hub = InstrumentHub(at.server, heartbeat_s=0.2, lease_s=3.0, resend_s=0.2)
    events = at.hub.events()
    async with running(at.hub) as at.address, tapped(at) as tap:
        async with serving(Bench(), at.client(None, server_key=None)):
            await next_event(events, LinkUp)
            at.hub.command("bench", react("secret-attempt"))
            await next_event(events, AttemptFinished)
        overheard = b"".join(tap.said)
        assert all(word in overheard for word in (b"secret-attempt", b"temperature", b"bench", b"hello"))


async def test_replayed_frames_are_not_accepted(tmp_path: Path) -> None:
    bench = Bench()
    async with house(tmp_path) as (at, events), tapped(at) as tap:
        async with serving(bench, at.client(at.key("bench", "bench"))):
            await next_event(events, LinkUp)
            at.hub.command("bench", react("a1"))
            await next_event(events, AttemptFinished)
            at.hub.acknowledge("bench", "a1")
        await asyncio.sleep(0.3)
        before = len(at.server.accepted)
        for conversation in list(tap.conversations):
            for _ in range(3):
                await tap.replay(conversation)
        await asyncio.sleep(PATIENCE_S)
        assert before > 3
        assert len(at.server.accepted) == before


async def test_frames_doubled_within_a_live_connection_cost_only_the_connection(tmp_path: Path) -> None:
    bench = Bench()
    async with house(tmp_path) as (at, events), tapped(at) as tap:
        async with serving(bench, at.client(at.key("bench", "bench"))):
            await next_event(events, LinkUp)
            at.hub.command("bench", react("a1", 0.01))
            await next_event(events, AttemptStarted)
            n_connections = len(tap.conversations)
            tap.double()
            finished = await next_event(events, AttemptFinished, attempt="a1")
            assert isinstance(finished.outcome, Succeeded)
            await until(lambda: len(tap.conversations) > n_connections)  # libzmq threw the tampered ones out
        assert bench.acts.count(("a1", "react")) == 1
        assert None not in [peer for peer, _ in at.server.accepted]


@pytest.mark.parametrize("grace", [True, False], ids=["with grace", "at once"])
async def test_result_arrives_though_the_key_is_rotated_while_an_action_runs(grace: bool, tmp_path: Path) -> None:
    bench = Bench()
    async with house(tmp_path) as (at, events), serving(bench, at.client(at.key("bench", "bench"))):
        await next_event(events, LinkUp)
        at.hub.command("bench", react("a1", 0.07))
        await next_event(events, AttemptStarted)
        (old,) = at.allowed.admitted
        if not grace:
            del at.allowed.admitted[old]
            await next_event(events, LinkDown)
        at.key("bench", "bench")  # a new pair in the same file
        if grace:
            await asyncio.sleep(PATIENCE_S)
            del at.allowed.admitted[old]
        finished = await next_event(events, AttemptFinished, attempt="a1")
        assert isinstance(finished.outcome, Succeeded)
        at.hub.acknowledge("bench", "a1")
        assert bench.acts.count(("a1", "react")) == 1


async def test_nobody_is_let_in_while_the_handler_is_dead_and_links_go_on(tmp_path: Path) -> None:
    async with house(tmp_path) as (at, events), serving(Bench(), at.client(at.key("bench", "bench"))):
        await next_event(events, LinkUp)
        await at.server.handler.close()  # type: ignore[attr-defined]
        async with serving(Bench(), at.client(at.key("pump", "pump"), "pump")):
            await asyncio.sleep(PATIENCE_S)
            assert "pump" not in at.hub.links()
            assert {peer.instrument for peer, _ in at.server.accepted if peer is not None} == {"bench"}
            at.hub.command("bench", react("a1"))
            await next_event(events, AttemptFinished, attempt="a1")


async def test_handler_that_loses_its_socket_comes_back(tmp_path: Path) -> None:
    async with house(tmp_path) as (at, events):
        at.server.handler._socket.close()  # type: ignore[attr-defined]
        async with serving(Bench(), at.client(at.key("bench", "bench"))):
            await next_event(events, LinkUp)


async def test_port_for_other_machines_is_open_with_keys(tmp_path: Path) -> None:
    keys = ServerKeys(new_pair(), AllowList())
    server = ZeroMQServer("tcp://0.0.0.0:0", keys=keys)
    assert (await server.start()).startswith("tcp://0.0.0.0:")
    await server.close()
