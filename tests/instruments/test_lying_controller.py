"""A controller that sends what it must not: the driver's host carries none of it out, whatever arrives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from instruments.errors import InvalidCommandError
from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, ValueKind
from instruments.protocol.codec import encode
from instruments.protocol.messages import Command, Welcome
from instruments.sdk.checks import check_arguments
from instruments.transport.zeromq import ZeroMQClient
from tests.instruments.devices import Bench
from tests.instruments.support import serving, until

LIMITS = {"temperature": (20.0, 90.0)}
"""Narrower than the driver's own 20 to 150 degC, as a lab file would have it."""


class Liar:
    """A ROUTER that says welcome to anybody and sends the bytes it is told to."""

    def __init__(self, socket: zmq.asyncio.Socket) -> None:
        self._socket = socket
        self._data: bytes | None = None
        self.heard: list[dict[str, Any]] = []

    async def listen(self) -> None:
        while True:
            sender, frame = await self._socket.recv_multipart()
            message = json.loads(frame)
            self.heard.append(message)
            if message["type"] == "hello":
                self._data = sender
                await self.send(encode(Welcome(session="s1", heartbeat_s=1.0, lease_s=30.0)))

    async def send(self, frame: bytes) -> None:
        assert self._data is not None
        await self._socket.send_multipart([self._data, frame])

    def answers(self, attempt: str) -> list[str]:
        return [m["type"] for m in self.heard if m.get("attempt") == attempt]


@asynccontextmanager
async def liar() -> AsyncIterator[tuple[Liar, str]]:
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.ROUTER)
    socket.set(zmq.LINGER, 0)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    lying = Liar(socket)
    task = asyncio.create_task(lying.listen())
    try:
        yield lying, f"tcp://127.0.0.1:{port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        socket.close()
        context.term()


def frame(temperature: str, *, units: str = "{}", more: str = "", action: str = "react", extra: str = "") -> bytes:
    """Write a command by hand: no encoder of ours would let these values through."""
    arguments = f'{{"temperature": {temperature}{more}}}'
    return (
        f'{{"type": "command", "attempt": "lie", "action": "{action}", "arguments": {arguments}, "units": {units}{extra}}}'
    ).encode()


LIES = {
    "not a number": frame("NaN"),
    "infinite": frame("Infinity"),
    "minus infinite": frame("-Infinity"),
    "larger than a float": frame("1e999"),
    "huge": frame("1e308"),
    "huge whole number": frame("9" * 400),
    "above the device's limit": frame("150.01"),
    "above the lab file's limit": frame("90.001"),
    "below the limit": frame("19.999"),
    "far below": frame("-1e308"),
    "inside as a number, outside in its unit": frame("25", units='{"temperature": "kilokelvin"}'),
    "too large once converted": frame("1e308", units='{"temperature": "gigakelvin"}'),
    "unit of another dimension": frame("50", units='{"temperature": "kg"}'),
    "unit that nobody knows": frame("50", units='{"temperature": "parsnip"}'),
    "unit of an argument that is not there": frame("50", units='{"pressure": "bar"}'),
    "truth value": frame("true"),
    "text": frame('"50"'),
    "nothing": frame("null"),
    "list": frame("[50]"),
    "object": frame('{"value": 50}'),
    "argument missing": frame('50, "temperature_": 1').replace(b'"temperature": 50, ', b""),
    "argument too many": frame("50", more=', "pressure": 1'),
    "second argument out of limits": frame("50", more=', "tau": 5.5'),
    "second argument not a number": frame("50", more=', "tau": NaN'),
    "action that is not there": frame("50", action="explode"),
    "negative deadline": frame("50", extra=', "deadline_s": -1'),
    "deadline not a number": frame("50", extra=', "deadline_s": NaN'),
    "key that is not there": frame("50", extra=', "force": true'),
    "no JSON": frame("50")[:-1],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_command_that_must_not_be_is_never_carried_out(tmp_path: Path, lie: bytes) -> None:
    driver = Bench()
    async with liar() as (lying, address):
        transport = ZeroMQClient(address, instrument="bench", boot_id="boot1")
        async with serving(driver, transport, limits=LIMITS) as server:
            await until(lambda: server.session.linked and server.session.state == "ready")
            await lying.send(lie)
            good = lie.split(b'"lie"')[0] + b'"truth", "action": "react", "arguments": {"temperature": 50.0}}'
            await lying.send(good)
            await until(lambda: "finished" in lying.answers("truth"))
            assert [attempt for attempt, _ in driver.acts] == ["truth"]
            assert set(lying.answers("lie")) <= {"rejected"}


async def test_value_in_another_unit_is_converted_before_it_meets_the_limits(tmp_path: Path) -> None:
    driver = Bench()
    async with liar() as (lying, address):
        transport = ZeroMQClient(address, instrument="bench", boot_id="boot1")
        async with serving(driver, transport, limits=LIMITS) as server:
            await until(lambda: server.session.linked and server.session.state == "ready")
            await lying.send(frame("350", units='{"temperature": "K"}'))  # 76.85 degC
            await until(lambda: "finished" in lying.answers("lie"))
            assert driver.acts == [("lie", "react")]


@pytest.mark.parametrize("kind", ["float", "int"])
def test_number_that_overflows_in_its_unit_is_refused_even_without_limits(kind: ValueKind) -> None:
    action = ActionDescription(
        arguments={"length": ArgumentDescription(kind=kind, unit="nm")}, returns={}, duration_s=(0.0, 1.0), consequence="safe"
    )
    command = Command(attempt="a", action="move", arguments={"length": 1e308}, units={"length": "Gm"})
    with pytest.raises(InvalidCommandError, match="too large a number in nm"):
        check_arguments(command, action)
