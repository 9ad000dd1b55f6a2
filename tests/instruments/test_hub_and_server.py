"""The hub and the driver server together, on every transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from instruments.client import (
    AttemptAccepted,
    AttemptFinished,
    AttemptProgress,
    AttemptRejected,
    AttemptReported,
    AttemptStarted,
    Command,
    EventStream,
    Expected,
    InstrumentHub,
    LinkDown,
    LinkUp,
    StopConfirmed,
)
from instruments.errors import FrameTooLargeError, NotConnectedError
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Scalar, Succeeded
from instruments.sdk.action import Action
from instruments.sdk.driver import Driver
from instruments.sdk.journal import Journal
from instruments.sdk.quantity import Quantity
from instruments.sdk.server import DriverServer
from instruments.transport.base import ClientTransport
from instruments.transport.memory import MemoryNetwork
from instruments.transport.zeromq import ZeroMQClient, ZeroMQServer
from tests.instruments.devices import Bench
from tests.instruments.support import attempt_id, next_event, running, serving

pytestmark = pytest.mark.timeout(30)


@dataclass
class Place:
    hub: InstrumentHub
    events: EventStream
    client: Callable[[str, str], ClientTransport]


@asynccontextmanager
async def _place(kind: str, expected: dict[str, Expected] | None = None) -> AsyncIterator[Place]:
    network = MemoryNetwork()
    transport = network.server() if kind == "memory" else ZeroMQServer()
    hub = InstrumentHub(transport, expected=expected, heartbeat_s=0.1, lease_s=1.5, resend_s=0.1)
    events = hub.events()
    async with running(hub) as address:

        def client(instrument: str, boot_id: str) -> ClientTransport:
            if kind == "memory":
                return network.client(instrument, boot_id)
            return ZeroMQClient(address, instrument=instrument, boot_id=boot_id)

        yield Place(hub, events, client)


@pytest.fixture(params=["memory", "zeromq"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_command_is_accepted_started_and_finished(kind: str) -> None:
    async with _place(kind) as place, serving(Bench(), place.client("bench", "b1")) as server:
        up = await next_event(place.events, LinkUp)
        assert up.hello.capabilities.actions["react"].arguments["temperature"].high == 150.0
        assert up.hello.simulated
        attempt = attempt_id()
        command = Command(
            attempt=attempt, action="react", arguments={"temperature": 373.15}, units={"temperature": "kelvin"}
        )
        place.hub.command("bench", command)
        accepted = await next_event(place.events, AttemptAccepted)
        assert accepted.duration_s == (1.0, 60.0)
        assert accepted.conversions == {"temperature": "373.15 kelvin -> 100.0 degC"}
        await next_event(place.events, AttemptStarted)
        progress = await next_event(place.events, AttemptProgress)
        assert (progress.fraction, progress.note) == (0.5, "half")
        finished = await next_event(place.events, AttemptFinished)
        assert isinstance(finished.outcome, Succeeded)
        assert finished.outcome.values["yield"] == MeasuredValue(value=50.0, unit="percent", sem=0.5)
        place.hub.acknowledge("bench", attempt)
        place.hub.inquire("bench", [attempt, "never"])
        first = await next_event(place.events, AttemptReported)
        second = await next_event(place.events, AttemptReported)
        assert {first.attempt: first.status, second.attempt: second.status} == {
            attempt: "acknowledged",
            "never": "never_heard",
        }
        assert server.session.outbox == ()


async def test_command_that_comes_again_is_answered_from_the_journal(kind: str) -> None:
    bench = Bench()
    async with _place(kind) as place, serving(bench, place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        command = Command(attempt=attempt_id(), action="react", arguments={"temperature": 100.0})
        for _ in range(3):
            place.hub.command("bench", command)
            await next_event(place.events, AttemptFinished)
        place.hub.acknowledge("bench", command.attempt)
        place.hub.command("bench", command)
        await asyncio.sleep(0.2)
        assert [act for _, act in bench.acts] == ["react"]


@pytest.mark.parametrize(
    ("command", "code", "match"),
    [
        ({"action": "reakt"}, "invalid_command", "offers block, cut, misbehave, react"),
        ({"action": "react", "arguments": {"temperature": 151.0}}, "out_of_limits", "above the limit of 150.0 degC"),
        ({"action": "react", "arguments": {"temprature": 100.0}}, "invalid_command", "it takes temperature"),
        ({"action": "react"}, "invalid_command", "'temperature' is missing"),
        ({"action": "react", "arguments": {"temperature": "hot"}}, "invalid_command", "'hot' is not a number"),
        ({"action": "react", "arguments": {"temperature": True}}, "invalid_command", "True is not a number"),
        (
            {"action": "react", "arguments": {"temperature": 100.0}, "units": {"temperature": "bar"}},
            "invalid_command",
            "measure different things",
        ),
    ],
)
async def test_wrong_command_is_rejected_and_nothing_is_done(command: dict[str, Any], code: str, match: str) -> None:
    bench = Bench()
    async with _place("memory") as place, serving(bench, place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.command("bench", Command(attempt="a1", **command))
        rejected = await next_event(place.events, AttemptRejected)
        assert rejected.code == code
        assert match in rejected.message
        assert bench.acts == []


@pytest.mark.parametrize(
    ("how", "code", "retryable", "match"),
    [
        ("nan", FaultCode.measurement_invalid, True, "not a finite number"),
        ("missing", FaultCode.measurement_invalid, False, "missing: ['value']"),
        ("device", FaultCode.device_fault, True, "pump 2 is blocked"),
        ("bug", FaultCode.driver_error, False, "KeyError: 'oops'"),
    ],
)
async def test_fault_of_an_action_becomes_its_outcome(how: str, code: FaultCode, retryable: bool, match: str) -> None:
    async with _place("memory") as place, serving(Bench(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.command("bench", Command(attempt="a1", action="misbehave", arguments={"how": how}))
        outcome = (await next_event(place.events, AttemptFinished)).outcome
        assert isinstance(outcome, Faulted)
        assert (outcome.code, outcome.retryable) == (code, retryable)
        assert match in outcome.message


async def test_limits_of_the_lab_file_are_enforced_and_shown() -> None:
    bench = Bench()
    limits = {"temperature": [30, 80]}
    async with _place("memory") as place, serving(bench, place.client("bench", "b1"), limits=limits):
        up = await next_event(place.events, LinkUp)
        assert up.hello.capabilities.actions["react"].arguments["temperature"].high == 80.0
        place.hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 100.0}))
        assert (await next_event(place.events, AttemptRejected)).code == "out_of_limits"
        assert bench.acts == []


@pytest.mark.parametrize(
    ("own", "told", "temperature", "code"),
    [
        ({}, {"temperature": (30.0, 80.0)}, 100.0, "out_of_limits"),
        ({}, {"react.temperature": (30.0, 80.0)}, 25.0, "out_of_limits"),
        ({"temperature": [30, 60]}, {"temperature": (30.0, 80.0)}, 70.0, "out_of_limits"),
        ({}, {"temperature": (-1e3, 1e3)}, 160.0, "out_of_limits"),  # never wider than the driver's own
        ({}, {"tempreature": (30.0, 80.0)}, 50.0, "not_ready"),
        ({}, {"temperature": (300.0, 400.0)}, 50.0, "not_ready"),
    ],
)
async def test_limits_of_the_lab_file_reach_a_driver_that_was_not_given_them(
    own: dict[str, object], told: dict[str, tuple[float, float]], temperature: float, code: str
) -> None:
    bench, network = Bench(), MemoryNetwork()
    hub = InstrumentHub(network.server(), expected={"bench": Expected(limits=told)}, heartbeat_s=0.1, resend_s=0.1)
    events = hub.events()
    async with running(hub), serving(bench, network.client("bench", "b1"), limits=own):
        await next_event(events, LinkUp)
        hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": temperature}))
        assert (await next_event(events, AttemptRejected)).code == code
        assert bench.acts == []
        if code == "out_of_limits":
            hub.command("bench", Command(attempt="a2", action="react", arguments={"temperature": 40.0}))
            assert isinstance((await next_event(events, AttemptFinished)).outcome, Succeeded)


async def test_stop_ends_a_blocking_action_within_a_second(kind: str) -> None:
    bench = Bench()
    async with _place(kind) as place, serving(bench, place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.command("bench", Command(attempt="a1", action="block", arguments={"seconds": 1.9}))
        await next_event(place.events, AttemptStarted)
        asked = time.monotonic()
        request = place.hub.stop("bench")
        outcome = (await next_event(place.events, AttemptFinished)).outcome
        confirmed = await next_event(place.events, StopConfirmed, request=request)
        assert time.monotonic() - asked < 1.0
        assert isinstance(outcome, Faulted)
        assert outcome.code is FaultCode.stopped
        assert confirmed.stuck == ("a1",)
        assert bench.stops == 1
        place.hub.command("bench", Command(attempt="a2", action="react", arguments={"temperature": 50.0}))
        assert (await next_event(place.events, AttemptRejected)).code == "stopped"
        place.hub.resume("bench")
        await asyncio.sleep(0.1)
        place.hub.command("bench", Command(attempt="a3", action="react", arguments={"temperature": 50.0}))
        await next_event(place.events, AttemptAccepted, attempt="a3")
        # It waits until the stuck code has let go of the device.
        finished = await next_event(place.events, AttemptFinished, attempt="a3")
        assert isinstance(finished.outcome, Succeeded)
        assert finished.outcome.started_at - outcome.finished_at > 0.5  # type: ignore[operator]


async def test_async_action_that_blocks_its_loop_does_not_silence_the_wire() -> None:
    async with _place("memory") as place, serving(Bench(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.command("bench", Command(attempt="a1", action="misbehave", arguments={"how": "hog"}))
        await next_event(place.events, AttemptStarted)
        asked = time.monotonic()
        place.hub.stop("bench")
        await next_event(place.events, StopConfirmed)
        assert time.monotonic() - asked < 1.0


async def test_attempt_that_waited_is_not_begun_outside_the_limits_that_have_come_since(tmp_path: Path) -> None:
    path, bench, network = tmp_path / "journal.db", Bench(), MemoryNetwork()
    journal, taken = Journal(path, instrument="bench"), {"temperature": 100.0, "tau": 0.0}
    journal.write(AttemptRecord("a1", "react", dict(taken), dict(taken), {}, (1, 60), 60.0, 4.0, {}))
    journal.close()
    limits = {"temperature": (30.0, 80.0)}
    hub = InstrumentHub(network.server(), expected={"bench": Expected(limits=limits)}, heartbeat_s=0.1, resend_s=0.1)
    events = hub.events()
    async with running(hub), serving(bench, network.client("bench", "b1"), journal=path):
        outcome = (await next_event(events, AttemptFinished, attempt="a1")).outcome
        assert isinstance(outcome, Faulted)
        assert (outcome.code, bench.acts) == (FaultCode.out_of_limits, [])


def test_driver_that_cannot_introduce_itself_is_refused_at_once() -> None:
    class Verbose(Driver):
        def actions(self) -> Mapping[str, Action]:
            choices = Quantity(kind="str", choices=tuple(f"{n:01000}" for n in range(1000)))
            return {n: Action(n, lambda ctx, x: {}, {"x": choices}, {}, (0.0, 5.0), "safe") for n in ("a", "b")}

    with pytest.raises(FrameTooLargeError, match=r"hello: .* bytes, the wire takes"):
        DriverServer(Verbose(), transport=MemoryNetwork().client("bench", "b1"), journal=Journal(None, instrument="bench"))


class Slow(Driver):
    """Takes as long as it is told."""

    simulated = True

    def actions(self) -> Mapping[str, Action]:
        wait = Action("wait", lambda ctx, s: {}, {"s": Quantity("s")}, {}, lambda s: (0.0, max(1.0, s)), "consumes")
        return {"wait": wait}


async def test_action_that_would_take_a_century_is_turned_down_and_the_next_is_not() -> None:
    async with _place("memory") as place, serving(Slow(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.command("bench", Command(attempt="a1", action="wait", arguments={"s": 3e9}))
        place.hub.command("bench", Command(attempt="a2", action="wait", arguments={"s": 0.0}))
        rejected = await next_event(place.events, AttemptRejected, attempt="a1")
        assert (rejected.code, "1e+09 at most" in rejected.message) == ("driver_error", True)
        assert isinstance((await next_event(place.events, AttemptFinished, attempt="a2")).outcome, Succeeded)


class Talker(Driver):
    """Returns more text than fits into a message, each value of which does."""

    simulated = True

    def actions(self) -> Mapping[str, Action]:
        returns = {f"v{i}": Quantity(kind="str") for i in range(200)}
        return {
            "dump": Action("dump", lambda ctx: dict.fromkeys(returns, "\x01" * 2000), {}, returns, (0.0, 5.0), "consumes"),
            "read": Action("read", lambda ctx: {}, {}, {}, (0.0, 5.0), "safe"),
        }


async def test_result_too_large_for_the_wire_is_a_fault_and_holds_nothing_up() -> None:
    async with _place("memory") as place, serving(Talker(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.command("bench", Command(attempt="a1", action="dump"))
        place.hub.command("bench", Command(attempt="a2", action="read"))
        outcome = (await next_event(place.events, AttemptFinished, attempt="a1")).outcome
        assert isinstance(outcome, Faulted)
        assert (outcome.code, outcome.retryable) == (FaultCode.measurement_invalid, False)
        assert "the wire takes 1048576; send fewer values" in outcome.message
        assert isinstance((await next_event(place.events, AttemptFinished, attempt="a2")).outcome, Succeeded)


async def test_cancel_ends_one_attempt() -> None:
    async with _place("memory") as place, serving(Bench(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        long: dict[str, Scalar] = {"temperature": 50.0, "tau": 5.0}
        for attempt in ("a1", "a2"):
            place.hub.command("bench", Command(attempt=attempt, action="react", arguments=long))
        await next_event(place.events, AttemptStarted, attempt="a1")
        await next_event(place.events, AttemptAccepted, attempt="a2")
        place.hub.cancel("bench", "a2")
        place.hub.cancel("bench", "a1")
        for attempt in ("a2", "a1"):
            outcome = (await next_event(place.events, AttemptFinished, attempt=attempt)).outcome
            assert isinstance(outcome, Faulted)
            assert outcome.code is FaultCode.cancelled


async def test_cancel_that_overtakes_its_command_is_heeded() -> None:
    bench = Bench()
    async with _place("memory") as place, serving(bench, place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.cancel("bench", "a1")
        await next_event(place.events, AttemptRejected, attempt="a1", code="cancelled")
        place.hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0}))
        await next_event(place.events, AttemptRejected, attempt="a1", code="cancelled")
        assert bench.acts == []


async def test_deadline_ends_an_action() -> None:
    async with _place("memory") as place, serving(Bench(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        arguments: dict[str, Scalar] = {"temperature": 50.0, "tau": 5.0}
        place.hub.command("bench", Command(attempt="a1", action="react", arguments=arguments, deadline_s=0.2))
        outcome = (await next_event(place.events, AttemptFinished)).outcome
        assert isinstance(outcome, Faulted)
        assert outcome.code is FaultCode.timeout


async def test_unexpected_instrument_is_refused() -> None:
    expected = {"reactor": Expected(driver="Bench", simulated=True)}
    async with _place("memory", expected) as place, serving(Bench(), place.client("bench", "b1")):
        await asyncio.sleep(0.3)
        assert not place.hub.links()["reactor"].connected
        assert "bench" not in place.hub.links()
        async with serving(Bench(), place.client("reactor", "b2")):
            await next_event(place.events, LinkUp, instrument="reactor")


async def test_driver_of_the_wrong_sort_is_refused() -> None:
    expected = {"bench": Expected(simulated=False)}
    async with _place("memory", expected) as place, serving(Bench(), place.client("bench", "b1")):
        await asyncio.sleep(0.3)
        assert not place.hub.links()["bench"].connected


async def test_second_driver_of_one_instrument_waits_until_the_first_is_gone(kind: str) -> None:
    async with _place(kind) as place:
        async with serving(Bench(), place.client("bench", "b1")):
            await next_event(place.events, LinkUp)
            second = serving(Bench(), place.client("bench", "b2"))
            await second.__aenter__()
            await asyncio.sleep(0.5)
            hello = place.hub.links()["bench"].hello
            assert hello is not None
            assert hello.boot_id == "b1"
        up = await next_event(place.events, LinkUp)
        assert up.hello.boot_id == "b2"
        await second.__aexit__(None, None, None)


async def test_requests_raise_while_nobody_is_connected() -> None:
    async with _place("memory", {"bench": Expected()}) as place:
        with pytest.raises(NotConnectedError, match="'bench'"):
            place.hub.command("bench", Command(attempt="a1", action="react"))
        with pytest.raises(NotConnectedError, match="known: bench"):
            place.hub.stop("other")


async def test_driver_that_leaves_takes_its_link_down(kind: str) -> None:
    async with _place(kind) as place, serving(Bench(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        place.hub.shutdown("bench")
        down = await next_event(place.events, LinkDown)
        assert "left" in down.reason


async def test_ping_measures_the_round_trip(kind: str) -> None:
    async with _place(kind) as place, serving(Bench(), place.client("bench", "b1")):
        await next_event(place.events, LinkUp)
        await asyncio.sleep(0.3)
        link = place.hub.links()["bench"]
        assert link.round_trip_s is not None
        assert 0.0 < link.round_trip_s < 1.0
        assert link.state == "ready"
