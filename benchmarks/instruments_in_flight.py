"""Hundreds of instruments in one process: real driver sessions behind real ZeroMQ sockets, journals in memory, idle actions."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import zmq

from benchmarks.touching import Touching
from instruments.protocol.codec import decode_from_controller, encode
from instruments.protocol.driver_session import DriverSession, DriverTiming
from instruments.protocol.messages import Channel, Command, Hello, channel_of
from instruments.protocol.outputs import DriverOutput, Execute, Send, Write
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import MeasuredValue, Succeeded
from instruments.sdk.driver import describe_driver
from instruments.transport.base import Peer
from instruments.transport.rendezvous import read_rendezvous
from instruments.transport.waiting import LoopSocket

_TICK_S = 0.25
_CAPABILITIES = describe_driver(Touching())


def serve_instruments(places: Mapping[str, str], instruments: Iterable[str], action_s: float) -> None:
    """Serve `instruments` in each lab until killed.

    Args:
        places: Lab -> its rendezvous file.
        instruments: Their names, the same in each lab.
        action_s: How long each action takes [s].
    """
    asyncio.run(_serve(places, list(instruments), action_s))


async def _serve(places: Mapping[str, str], instruments: list[str], action_s: float) -> None:
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 8192)
    served = []
    for place in places.values():
        while (found := read_rendezvous(Path(place))) is None:
            await asyncio.sleep(0.05)
        served += [_Instrument(context, found.address, name, action_s) for name in instruments]
    while True:
        now = time.monotonic()
        for instrument in served:
            instrument.perform(instrument.session.tick(now))
        await asyncio.sleep(_TICK_S)


class _Instrument:
    """One instrument: a session, two sockets, a journal that is a mapping."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, name: str, action_s: float) -> None:
        self._name, self._action_s, self._boot = name, action_s, uuid.uuid4().hex
        self._journal: dict[str, AttemptRecord] = {}
        self._sockets: dict[Channel, LoopSocket] = {}
        channels: tuple[Channel, ...] = ("control", "data")
        for channel in channels:
            socket = context.socket(zmq.DEALER)
            socket.set(zmq.ROUTING_ID, Peer(name, self._boot, channel).to_bytes())
            socket.connect(address)
            self._sockets[channel] = LoopSocket(socket)
        self.session = DriverSession(
            hello=lambda state, held: Hello(
                instrument=name, driver="touching", version="1", boot_id=self._boot, journal_id=self._boot, simulated=True,
                lease_s=10.0, capabilities=_CAPABILITIES, state=state, held=held,
            ),
            examine=self._examine,
            lookup=self._journal.get,
            lab_time=time.time,
            records=(),
            held=None,
            policy="finish_and_hold",
            capacity=1,
            exit_when_orphaned=False,
            timing=DriverTiming(),
            now=time.monotonic(),
        )  # fmt: skip
        self.perform(self.session.device_ready(None))
        self._pumps = [asyncio.create_task(self._pump(socket)) for socket in self._sockets.values()]

    async def _pump(self, socket: LoopSocket) -> None:
        while True:
            frames = await socket.receive()
            self.perform(self.session.handle(decode_from_controller(frames[0].bytes), time.monotonic()))

    def perform(self, outputs: list[DriverOutput]) -> None:
        """Carry out what the session asks for."""
        for output in outputs:
            match output:
                case Send():
                    self._sockets[channel_of(output.message)].send([encode(output.message)])
                case Write():
                    self._journal[output.record.attempt] = output.record
                case Execute():
                    asyncio.get_running_loop().call_later(self._action_s, self._finish, output.record)
                case _:
                    pass

    def _finish(self, record: AttemptRecord) -> None:
        values = {"value": MeasuredValue(value=float(record.arguments["level"]))}
        outcome = Succeeded(values=values, started_at=record.started_at or 0.0, finished_at=time.time())
        self.perform(self.session.finished(record.attempt, outcome, time.monotonic()))

    @staticmethod
    def _examine(command: Command, at: float) -> AttemptRecord:
        return AttemptRecord(
            attempt=command.attempt, action=command.action, arguments=dict(command.arguments),
            received=dict(command.arguments), units={}, duration_s=(0.0, 60.0), deadline_s=60.0, accepted_at=at, conversions={},
        )  # fmt: skip
