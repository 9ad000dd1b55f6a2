"""Stopping and resuming instruments through the controller's own links: for drivers that a person cannot reach directly.

The quick way is the socket that each driver keeps beside its journal (`instruments/emergency.py`), which needs no controller. It is
of no use for a driver on another machine; that one is reached over its control channel, which no action blocks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from instruments.client import EventStream, HubEvent, InstrumentHub, InstrumentStateChanged, LinkUp, StopConfirmed
from instruments.emergency import Confirmation, Mode
from instruments.errors import NotConnectedError

STANDING = ("stopping", "stopped")
"""States of an instrument that somebody has stopped."""


async def stop_instruments(
    hub: InstrumentHub, instruments: Iterable[str], *, mode: Mode = "now", timeout_s: float = 5.0
) -> list[Confirmation]:
    """Stop instruments, all at once; each takes no command until it is resumed.

    Args:
        hub: The lab's.
        instruments: Their names.
        mode: `now` ends what runs; `finish` lets it finish, and the confirmation comes then.
        timeout_s: Patience with all of them [real s].

    Returns:
        One confirmation for each instrument, in their order.
    """
    names, began = list(instruments), time.monotonic()
    events = hub.events()
    found: dict[str, Confirmation] = {}
    asked: set[str] = set()
    try:
        for name in names:
            try:
                hub.stop(name, mode)
                asked.add(name)
            except NotConnectedError:
                found[name] = Confirmation(name, False, 0.0, message="no driver is connected")
        try:
            async with asyncio.timeout(timeout_s):
                await _confirmed(events, asked, found, began)
        except TimeoutError:
            message = "its driver has not confirmed in time; it is told again until it does"
            found |= {n: Confirmation(n, False, timeout_s, message=message) for n in asked - found.keys()}
    finally:
        events.close()
    return [found[name] for name in names]


async def _confirmed(events: EventStream, asked: set[str], found: dict[str, Confirmation], began: float) -> None:
    while not asked <= found.keys():
        event = await anext(events)
        # Any stop will do: a newer one, by somebody else, has made the device stand still as well.
        if isinstance(event, StopConfirmed) and event.instrument in asked:
            took = time.monotonic() - began
            found[event.instrument] = Confirmation(event.instrument, True, took, event.stuck, event.message)


async def resume_instruments(
    hub: InstrumentHub, instruments: Iterable[str], *, timeout_s: float = 5.0
) -> list[Confirmation]:
    """Lift the stop that holds each instrument, if one does; as `stop_instruments`."""
    names, began = list(instruments), time.monotonic()
    events = hub.events()
    found: dict[str, Confirmation] = {}
    try:
        for name in names:
            try:
                held = hub.links()[name].held
                hub.resume(name)
            except (NotConnectedError, KeyError):
                found[name] = Confirmation(name, False, 0.0, message="no driver is connected")
            else:
                if held is None:
                    found[name] = Confirmation(name, True, 0.0, message="was not stopped")
        try:
            async with asyncio.timeout(timeout_s):
                while len(found) < len(set(names)):
                    event = await anext(events)
                    if _tells_that_it_is_free(event) and event.instrument in names:
                        found.setdefault(event.instrument, Confirmation(event.instrument, True, time.monotonic() - began))
        except TimeoutError:
            message = "its driver has not confirmed in time"
            found |= {n: Confirmation(n, False, timeout_s, message=message) for n in names if n not in found}
    finally:
        events.close()
    return [found[name] for name in names]


def _tells_that_it_is_free(event: HubEvent) -> bool:
    """Say whether an instrument shows with this that no stop holds it; one whose driver comes back can still be stopped."""
    if isinstance(event, InstrumentStateChanged):
        return event.state not in STANDING
    return isinstance(event, LinkUp) and event.hello.held is None
