"""Putting a hub and driver servers together for tests."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from instruments.client import EventStream, InstrumentHub
from instruments.protocol.driver_session import DriverTiming
from instruments.sdk.driver import Driver
from instruments.sdk.journal import Journal
from instruments.sdk.server import DriverServer
from instruments.transport.base import ClientTransport
from instruments.units import convert

E = TypeVar("E")
convert(1.0, "minute", "second")  # loads pint now rather than in the middle of a test with short heartbeats
QUICK = DriverTiming(heartbeat_s=0.1, lease_s=1.5, hello_s=0.05, longest_hello_s=0.2, offer_s=0.1)


async def next_event(stream: EventStream, kind: type[E], *, timeout: float = 10.0, **matching: Any) -> E:
    """Return the next event of a kind whose attributes match; others are passed over."""

    async def search() -> E:
        async for event in stream:
            if isinstance(event, kind) and all(getattr(event, k) == v for k, v in matching.items()):
                return event
        raise AssertionError(f"the stream ended without {kind.__name__}")

    return await asyncio.wait_for(search(), timeout)


async def until(condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


def attempt_id() -> str:
    """Return a new attempt's id."""
    return uuid.uuid4().hex


@asynccontextmanager
async def serving(
    driver: Driver, transport: ClientTransport, *, journal: Path | None = None, **options: Any
) -> AsyncIterator[DriverServer]:
    """Serve a driver for the length of a block."""
    server = DriverServer(
        driver,
        transport=transport,
        journal=Journal(journal, instrument=transport.instrument),
        **{"timing": QUICK, **options},
    )
    task = asyncio.create_task(server.serve())
    try:
        yield server
    finally:
        if not task.done():
            server.request_shutdown("now")
        await asyncio.wait_for(task, 10.0)


@asynccontextmanager
async def running(hub: InstrumentHub) -> AsyncIterator[str]:
    """Run a hub for the length of a block; gives its address."""
    address = await hub.start()
    try:
        yield address
    finally:
        await hub.close()
