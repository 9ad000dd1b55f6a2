"""An instrument is read only by what is safe, and only while it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import pytest

from controller.engine.looking import Looking
from instruments.client import AttemptStarted, Command, InstrumentHub, LinkUp
from instruments.errors import DeviceFaultError
from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity
from instruments.transport.memory import MemoryNetwork
from simulators.devices.sensor import SensorDriver
from tests.instruments.devices import Bench
from tests.instruments.support import attempt_id, next_event, running, serving

pytestmark = pytest.mark.timeout(30)


class Meter(Driver):
    """Reads a value, fails to read another, hangs on a third; heats when it is told to."""

    simulated = True
    twin = None

    def __init__(self) -> None:
        self.heated = False

    @action(duration=(0.0, 5.0), consequence="safe", returns={"level": Quantity("mm")})
    def level(self, ctx: ActionContext) -> dict[str, float]:
        """Tell the level."""
        return {"level": 12.5}

    @action(duration=(0.0, 5.0), consequence="safe", returns={"ph": Quantity()})
    def ph(self, ctx: ActionContext) -> dict[str, float]:
        """Fail."""
        raise DeviceFaultError("the electrode is dry")

    @action(duration=(0.0, 60.0), consequence="repeatable", returns={})
    def heat(self, ctx: ActionContext, seconds: Annotated[float, Quantity("s", low=0, high=60)] = 0.0) -> None:
        """Heat."""
        self.heated = True
        ctx.sleep(seconds)


class Slow(Driver):
    """Takes its time to read."""

    simulated = True
    twin = None

    @action(duration=(0.0, 60.0), consequence="safe", returns={"level": Quantity("mm")})
    def level(self, ctx: ActionContext) -> dict[str, float]:
        """Tell the level, in the end."""
        ctx.sleep(20.0)
        return {"level": 12.5}


@asynccontextmanager
async def looking(driver: Driver) -> AsyncIterator[tuple[Looking, InstrumentHub]]:
    network = MemoryNetwork()
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=1.5, resend_s=0.1)
    events, watched = hub.events(), hub.events()
    found = Looking(hub)

    async def route() -> None:
        async for event in watched:
            found.take(event)

    async with running(hub), serving(driver, network.client("meter", "boot1")):
        task = asyncio.create_task(route())
        await next_event(events, LinkUp)
        await asyncio.sleep(0.1)
        yield found, hub
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_safe_is_read_and_nothing_else_done() -> None:
    async with looking(SensorDriver(values={"sash": 2.0}, units={"sash": "cm"})) as (found, _):
        look = await found.look("meter", timeout_s=5.0)
        assert (look.readings, look.problem) == ({"read": {"sash": (2.0, "cm")}}, "")
    meter = Meter()
    async with looking(meter) as (found, _):
        look = await found.look("meter", timeout_s=5.0)
        assert look.readings == {"level": {"level": (12.5, "mm")}}
        assert look.problem == "ph failed: the electrode is dry"
        assert not meter.heated


async def test_what_cannot_be_read_says_why() -> None:
    async with looking(Bench()) as (found, _):
        look = await found.look("meter", timeout_s=5.0)
        assert (look.readings, look.problem) == ({}, "it offers no action that is safe and needs no argument")
        assert (await found.look("other", timeout_s=5.0)).problem == "its driver is away"
    async with looking(Slow()) as (found, _):
        assert (await found.look("meter", timeout_s=0.3)).problem == "level was not answered in time"


async def test_busy_instrument_is_not_read() -> None:
    async with looking(Meter()) as (found, hub):
        events = hub.events()
        hub.command("meter", Command(attempt=attempt_id(), action="heat", arguments={"seconds": 5.0}))
        await next_event(events, AttemptStarted)
        await asyncio.sleep(0.2)
        assert (await found.look("meter", timeout_s=2.0)).problem == "it is busy; it is read only while it is ready"
        hub.stop("meter")
