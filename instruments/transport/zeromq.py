"""ZeroMQ: one ROUTER for the controller, two DEALERs for each driver; CURVE protects what leaves the machine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from instruments.errors import KeyFileError, TransportError
from instruments.protocol.codec import MAX_FRAME, encode, protocol_of_hello
from instruments.protocol.messages import Channel, Refuse, channel_of
from instruments.protocol.values import shorten
from instruments.ratelimit import RateLimitedLog
from instruments.transport.addresses import check_address
from instruments.transport.base import ClientTransport, Peer, ServerTransport
from instruments.transport.guard import MOST_STRANGERS, ConnectionGuard
from instruments.transport.keys import KeyPair, is_key, read_pair
from instruments.transport.rendezvous import read_rendezvous
from instruments.transport.waiting import LoopSocket
from instruments.transport.zap import DOMAIN, Admission, ZapHandler

_QUEUED_FRAMES = 1000
_RECEIVED_FRAMES = 16
"""Frames of one driver that wait in the controller; more of them wait at their sender, which TCP holds back."""
_BACKLOG = 1024
_HANDSHAKE_MS = 5000
_FAIR_SHARE = 64
"""Frames taken in a row before other tasks get a turn: receiving what is ready never yields by itself."""
_STARTS_REMEMBERED = 16
"""Starts of one instrument's driver of which it is known with which key they spoke."""
_KEY_LOOK_S = 1.0
_REFUSALS_MEAN = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "our key is not admitted there, or was revoked (labwright keys list)",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "one of us speaks in the clear and the other does not (--key and --server-key)",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "it hung up in the handshake; is the controller's key the right one (--server-key)?",
}
_REFUSALS = sum(_REFUSALS_MEAN)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerKeys:
    """What a controller needs to speak CURVE: its own pair, and who else may speak."""

    pair: KeyPair
    admission: Admission


def _prepare(socket: zmq.Socket[bytes]) -> None:
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.SNDHWM, _QUEUED_FRAMES)
    socket.set(zmq.RCVHWM, _QUEUED_FRAMES)
    socket.set(zmq.MAXMSGSIZE, MAX_FRAME)


def _keep_alive(socket: zmq.Socket[bytes]) -> None:
    """Have a connection whose other end vanished without closing it (a frozen process) dropped after a few seconds, at both ends.

    Only the driver's end sends libzmq's heartbeats. The controller must not: when a peer sends more than is read and then leaves,
    libzmq 4.3.5 aborts the process that wants to send it the next heartbeat ("Assertion failed: !_io_error",
    https://github.com/zeromq/libzmq/issues/4364), so that any stranger could end the controller.
    """
    socket.set(zmq.HEARTBEAT_IVL, 2000)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 10000)
    socket.set(zmq.HEARTBEAT_TTL, 10000)


@dataclass
class _Holder:
    """Who speaks for one start of a driver: the public key last shown, and the file descriptors of its connections."""

    key: str
    connections: dict[Channel, int]


class ZeroMQServer(ServerTransport):
    """A ROUTER that listens on loopback, or with keys anywhere.

    With keys every frame is looked at twice: libzmq's handshake let its connection in, and its key must still be valid and
    may speak for the instrument that it names. What fails that is never handed on; a hello is told why.

    Args:
        address: Where to listen; port 0 lets the system choose.
        most_strangers: Connections that may be open without having proved to be a driver's; see `ConnectionGuard`.
        keys: Makes it speak CURVE, and nothing else.

    Raises:
        AddressError: If other machines can reach the address and there are no keys.
    """

    def __init__(
        self, address: str = "tcp://127.0.0.1:0", *, most_strangers: int = MOST_STRANGERS, keys: ServerKeys | None = None
    ) -> None:
        self._address = check_address(address, with_keys=keys is not None, listening=True)
        self._keys = keys
        self._most_strangers = most_strangers
        self._guard: ConnectionGuard | None = None
        self._zap: ZapHandler | None = None
        self._source = -1
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: LoopSocket | None = None
        self._taken = 0
        self._holders: dict[str, OrderedDict[str, _Holder]] = {}
        self._n_turned_away = 0
        self._n_unheeded = 0
        self._quiet_log = RateLimitedLog(log)

    async def start(self) -> str:
        """Begin to listen and return the address, with the port that was chosen."""
        self._context = zmq.Context()
        socket = self._context.socket(zmq.ROUTER)
        _prepare(socket)
        socket.set(zmq.ROUTER_MANDATORY, 1)  # so that a frame to nobody is reported instead of dropped in silence
        socket.set(zmq.ROUTER_HANDOVER, 1)  # a driver that reconnects replaces its own dead connection
        socket.set(zmq.RCVHWM, _RECEIVED_FRAMES)
        socket.set(zmq.BACKLOG, _BACKLOG)
        socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        if self._keys is not None:
            socket.set(zmq.CURVE_SERVER, 1)
            socket.set(zmq.CURVE_SECRETKEY, self._keys.pair.secret.encode("ascii"))
            socket.set(zmq.ZAP_DOMAIN, DOMAIN)
            socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a handler that answers, nobody is let in
            self._zap = ZapHandler(zmq.asyncio.Context.shadow(self._context), self._keys.admission)
        self._guard = ConnectionGuard(self._context, socket, most_strangers=self._most_strangers)
        self._socket = LoopSocket(socket)
        try:
            socket.bind(self._address)
        except zmq.ZMQError as error:
            await self.close()
            raise TransportError(f"cannot listen on {self._address}: {error}; is another controller there?") from error
        return str(socket.get_string(zmq.LAST_ENDPOINT)).rstrip("\0")

    def send(self, peer: Peer, frame: bytes) -> bool:
        """Send a frame; return False if the peer is gone or its queue is full, or its key is no longer valid."""
        if self._socket is None or self.objection(peer) is not None:
            return False
        return self._socket.send([peer.to_bytes(), frame])

    async def receive(self) -> tuple[Peer | None, bytes]:
        """Wait for a frame of somebody who may speak."""
        while True:
            if self._socket is None:
                raise TransportError("the transport is closed")
            self._taken += 1
            if self._taken % _FAIR_SHARE == 0:
                await asyncio.sleep(0)
            frames = await self._socket.receive()
            self._source = _connection_of(frames[0])
            if self._guard is not None and not self._guard.heeds(self._source):
                self._n_unheeded += 1
                self.judge(welcome=False)
                continue
            # A driver sends exactly one part after its routing id; anything else is garbage and decodes to none.
            peer, frame = (
                (Peer.from_bytes(frames[0].bytes), frames[1].bytes) if len(frames) == 2 else (None, b"")
            )
            if self._keys is None or self._admit(self._keys.admission, peer, frame, _user_of(frames[-1])):
                return peer, frame

    def _admit(self, admission: Admission, peer: Peer | None, frame: bytes, key: str | None) -> bool:
        """Say whether the holder of `key` may say this as `peer`."""
        instrument = None if peer is None else peer.instrument
        why = "no key was shown" if key is None else admission.objection(key, instrument)
        if why is None and key is not None:
            if peer is not None:
                self._remember(peer, key)
            return True
        self._n_turned_away += 1
        self._quiet_log.warning("turned away a frame that claims to be of %s: %s", instrument, why)
        self.judge(welcome=False)
        if peer is not None and self._socket is not None and protocol_of_hello(frame) is not None:
            refusal = Refuse(code="mismatch", message=shorten(str(why)))
            self._socket.send([peer._replace(channel=channel_of(refusal)).to_bytes(), encode(refusal)])
        return False

    def _remember(self, peer: Peer, key: str) -> None:
        starts = self._holders.setdefault(peer.instrument, OrderedDict())
        holder = starts.setdefault(peer.boot_id, _Holder(key, {}))
        holder.key = key  # a driver may change over to a new key while it runs
        holder.connections[peer.channel] = self._source
        starts.move_to_end(peer.boot_id)
        if len(starts) > _STARTS_REMEMBERED:
            starts.popitem(last=False)

    def objection(self, peer: Peer) -> str | None:
        """Say why nothing may go to `peer` any more; its connections are cut then."""
        if self._keys is None:
            return None
        starts = self._holders.get(peer.instrument)
        holder = None if starts is None else starts.get(peer.boot_id)
        if starts is None or holder is None:
            return "no key was shown"
        why = self._keys.admission.objection(holder.key, peer.instrument)
        if why is not None:
            del starts[peer.boot_id]
            for connection in holder.connections.values():
                if self._guard is not None:
                    self._guard.cut(connection)
        return why

    @property
    def turned_away(self) -> int:
        """How many frames were dropped because whoever sent them may not speak."""
        return self._n_turned_away

    @property
    def unheeded(self) -> int:
        """How many frames were dropped unread because whoever sent them had sent nothing but garbage."""
        return self._n_unheeded

    @property
    def cut_connections(self) -> int:
        """How many connections were cut off because they cost more than they were worth."""
        return 0 if self._guard is None else self._guard.n_cut

    def judge(self, *, welcome: bool) -> None:
        """Say what the frame that was received last was worth; its connection is cut when too many were worth nothing."""
        if self._guard is not None:
            self._guard.judge(self._source, welcome=welcome)

    async def close(self) -> None:
        """Stop listening."""
        if self._guard is not None:
            await self._guard.close()
            self._guard = None
        if self._zap is not None:
            await self._zap.close()
            self._zap = None
        if self._socket is not None and self._context is not None:
            self._socket.close(200)
            self._socket = None
            await asyncio.to_thread(self._context.term)


def _connection_of(frame: zmq.Frame) -> int:
    """Return the file descriptor of a frame's connection; -1 for one that speaks a protocol too old to be a driver's."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1


def _user_of(frame: zmq.Frame) -> str | None:
    """Return the public key with which a frame's connection was made, None for one that was never authenticated."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return None


class _Place(NamedTuple):
    """Where a controller is, and the keys to speak with there; both are None where it speaks in the clear."""

    address: str
    server_key: str | None
    pair: KeyPair | None


class ZeroMQClient(ClientTransport):
    """Two DEALERs of a driver.

    Args:
        controller: `tcp://HOST:PORT`, or the path of a rendezvous file.
        instrument: The instrument's name.
        boot_id: The id of this start of the driver.
        key: File of the driver's key pair. It is read for every connection: a new pair put in its place is taken up within
            a second or so, whatever goes on meanwhile.
        server_key: The controller's public key; a rendezvous file names it too.

    Raises:
        AddressError: If the address is on another machine and a key is missing.
        KeyFileError: If only one of the two keys is given, or one cannot be used.
    """

    def __init__(
        self, controller: str, *, instrument: str, boot_id: str, key: Path | None = None, server_key: str | None = None
    ) -> None:
        self.instrument, self.boot_id = instrument, boot_id
        self._key, self._server_key = key, server_key
        self._fixed = controller if "://" in controller else None
        self._file = Path(controller)
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._sockets: dict[Channel, LoopSocket] = {}
        self._connected_to: _Place | None = None
        self._received: asyncio.Queue[bytes] = asyncio.Queue(maxsize=_QUEUED_FRAMES)
        self._monitors: list[LoopSocket] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._watch: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._quiet_log = RateLimitedLog(log, per_minute=2)
        if self._fixed is not None:
            self._place(self._fixed, None)
        elif key is not None:
            read_pair(key)

    def _place(self, address: str, announced: str | None) -> _Place:
        """Return where to connect; `announced` is the controller's key as the rendezvous file says it."""
        server_key = self._server_key or announced or None
        if server_key is None:
            if self._key is not None and self._fixed is not None:
                raise KeyFileError("a key without the controller's: give --server-key KEY (labwright keys list shows it)")
            return _Place(check_address(address, with_keys=False), None, None)
        if self._key is None:
            raise KeyFileError(
                f"the controller at {address} asks for a key: give --key FILE (labwright keys new {self.instrument} --driver)"
            )
        if not is_key(server_key):
            raise KeyFileError(f"the controller's key {server_key[:60]!r} is none: expected 40 characters of Z85")
        return _Place(check_address(address, with_keys=True), server_key, read_pair(self._key))

    async def connect(self) -> bool:
        """Read where the controller is and connect, unless connected to that place, with that key, already."""
        async with self._connecting:
            if self._fixed is not None:
                place = self._place(self._fixed, None)
            else:
                found = read_rendezvous(self._file)
                if found is None:
                    return False
                place = self._place(found.address, found.server_key)
            if place != self._connected_to:
                await self._connect_to(place)
        if self._key is not None and self._watch is None:
            self._watch = asyncio.create_task(self._watch_key(self._key), name="driver key")
        return True

    async def _connect_to(self, place: _Place) -> None:
        if self._context is None:
            self._context = zmq.Context()
        await self._end_pumps()
        for old in self._sockets.values():
            old.close(0)
        sockets: dict[Channel, LoopSocket] = {}
        monitors: list[LoopSocket] = []
        channels: tuple[Channel, ...] = ("control", "data")
        for channel in channels:
            socket = self._context.socket(zmq.DEALER)
            _prepare(socket)
            _keep_alive(socket)
            socket.set(zmq.IMMEDIATE, 1)  # nothing piles up for a controller that is not there
            socket.set(zmq.RECONNECT_IVL, 50)
            socket.set(zmq.RECONNECT_IVL_MAX, 1000)
            socket.set(zmq.ROUTING_ID, Peer(self.instrument, self.boot_id, channel).to_bytes())
            if place.pair is not None and place.server_key is not None:
                socket.set(zmq.CURVE_SECRETKEY, place.pair.secret.encode("ascii"))
                socket.set(zmq.CURVE_PUBLICKEY, place.pair.public.encode("ascii"))
                socket.set(zmq.CURVE_SERVERKEY, place.server_key.encode("ascii"))
            monitors.append(LoopSocket(socket.get_monitor_socket(_REFUSALS)))
            socket.connect(place.address)
            sockets[channel] = LoopSocket(socket)
        self._sockets, self._monitors = sockets, monitors
        pumps = [*map(self._pump, sockets.values()), *(self._heed_refusals(monitor, place) for monitor in monitors)]
        self._pumps = [asyncio.create_task(pump) for pump in pumps]
        self._connected_to = place

    async def _watch_key(self, path: Path) -> None:
        """Change over to a new key as soon as it is there, not when the old one has failed: an action may be going on."""
        while True:
            await asyncio.sleep(_KEY_LOOK_S)
            with contextlib.suppress(KeyFileError):  # half of a change by hand; whoever connects next complains
                if self._connected_to is not None and self._connected_to.pair not in (None, read_pair(path)):
                    log.info("the key in %s has changed; connecting with the new one", path)
                    await self.connect()

    def send(self, channel: Channel, frame: bytes) -> bool:
        """Send a frame; return False if there is no connection or its queue is full."""
        socket = self._sockets.get(channel)
        return socket is not None and socket.send([frame])

    async def receive(self) -> bytes:
        """Wait for a frame on either connection."""
        return await self._received.get()

    async def _pump(self, socket: LoopSocket) -> None:
        for taken in itertools.count(1):
            frames = await socket.receive()
            # A controller sends exactly one part; anything else is garbage and decodes to none.
            await self._received.put(frames[0].bytes if len(frames) == 1 else b"")
            if taken % _FAIR_SHARE == 0:
                await asyncio.sleep(0)

    async def _heed_refusals(self, monitor: LoopSocket, place: _Place) -> None:
        while True:
            frames = await monitor.receive()
            event = zmq.Event(parse_monitor_message([frame.bytes for frame in frames])["event"])
            self._quiet_log.warning("the controller at %s does not let us in: %s", place.address, _REFUSALS_MEAN[event])
            self._connected_to = None  # libzmq itself does not try again; the next hello connects anew

    async def _end_pumps(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._pumps = []
        for socket in self._sockets.values():
            socket.socket.disable_monitor()
        for monitor in self._monitors:
            monitor.close(0)
        self._monitors = []

    async def close(self) -> None:
        """Close both connections; what was just sent gets a moment to leave."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._end_pumps()
        for socket in self._sockets.values():
            socket.close(300)
        self._sockets = {}
        self._connected_to = None
        if self._context is not None:
            await asyncio.to_thread(self._context.term)
            self._context = None
