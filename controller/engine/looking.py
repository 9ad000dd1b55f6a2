"""Asks an instrument what it reads now, for a person who has to say what became of an action.

Only actions that are declared safe and need no argument are carried out, and only while the instrument is ready. Like the
readings of interlocks they belong to no campaign and no books; `interlocks.py` acknowledges them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from controller.domain.base import Value
from controller.domain.ids import new_id
from instruments.client import AttemptFinished, AttemptRejected, HubEvent, InstrumentHub
from instruments.errors import NotConnectedError
from instruments.protocol.messages import Command
from instruments.protocol.values import READING, Succeeded


@dataclass
class Look:
    """What an instrument reads now."""

    instrument: str
    readings: dict[str, dict[str, tuple[Value, str | None]]] = field(default_factory=dict)
    """Action -> name -> value and unit."""
    problem: str = ""
    """Why not everything, or nothing, could be read."""


class Looking:
    """Reads instruments of one lab.

    Args:
        hub: Where they are read.
    """

    def __init__(self, hub: InstrumentHub) -> None:
        self._hub = hub
        self._waiting: dict[str, asyncio.Future[AttemptFinished | AttemptRejected]] = {}

    def take(self, event: HubEvent) -> None:
        """Take a driver's report in; what is about no reading of ours changes nothing."""
        if isinstance(event, AttemptFinished | AttemptRejected):
            waiting = self._waiting.get(event.attempt)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)

    async def look(self, instrument: str, *, timeout_s: float) -> Look:
        """Carry out every safe action of `instrument` that needs no argument.

        Args:
            instrument: Which one.
            timeout_s: Patience with all of them together [real s].
        """
        found, deadline = Look(instrument), time.monotonic() + timeout_s
        link = self._hub.links().get(instrument)
        if link is None or not link.connected or link.hello is None:
            found.problem = "its driver is away"
            return found
        if link.state != "ready":
            found.problem = f"it is {link.state}; it is read only while it is ready"
            return found
        actions = [
            name
            for name, action in link.hello.capabilities.actions.items()
            if action.consequence == "safe" and not any(a.required for a in action.arguments.values())
        ]
        if not actions:
            found.problem = "it offers no action that is safe and needs no argument"
        for action in actions:
            found.problem = await self._read(found, action, deadline)
            if found.problem:
                break
        return found

    async def _read(self, found: Look, action: str, deadline: float) -> str:
        """Carry out one action and note its values; return why there are none."""
        attempt = READING + new_id()
        answered = self._waiting[attempt] = asyncio.get_running_loop().create_future()
        try:
            self._hub.command(found.instrument, Command(attempt=attempt, action=action, arguments={}))
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                event = await answered
        except TimeoutError:
            with contextlib.suppress(NotConnectedError):
                self._hub.cancel(found.instrument, attempt)
            return f"{action} was not answered in time"
        except NotConnectedError:
            return "its driver is away"
        finally:
            del self._waiting[attempt]
        if isinstance(event, AttemptRejected):
            return f"{action} was turned down: {event.message}"
        if not isinstance(event.outcome, Succeeded):
            return f"{action} failed: {event.outcome.message}"
        found.readings[action] = {name: (m.value, m.unit) for name, m in event.outcome.values.items()}
        return ""
