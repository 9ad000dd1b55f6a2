"""Reads a lab's interlocks, again and again, and holds the instruments back that they guard.

A reading is a command like any other, but it belongs to no campaign and no books: its attempts have names of their own, are
acknowledged at once whatever they say, and the driver's journal forgets them then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from controller.domain.ids import new_id
from controller.domain.lab import InterlockSpec
from controller.measure.holds import Hold
from controller.measure.interlock import Interlock
from instruments.client import AttemptFinished, AttemptRejected, Command, HubEvent, InstrumentHub
from instruments.errors import NotConnectedError
from instruments.protocol.values import READING

log = logging.getLogger(__name__)

TICK_S = 0.1
"""How often it is looked whether one is due, or has grown old [real s]."""


class Interlocks:
    """The interlocks of one lab.

    Args:
        specs: What to read.
        hub: Where it is read.
        speed: Lab seconds per real second.
        put: Told, whenever something may have changed, what an interlock holds now: `put(source, holds by instrument)`.
        tripped: Told once when a latching interlock reads badly: the interlock, and why.
    """

    def __init__(
        self, specs: Sequence[InterlockSpec], hub: InstrumentHub, speed: float,
        put: Callable[[str, dict[str, Hold]], None], tripped: Callable[[InterlockSpec, str], None],
    ) -> None:  # fmt: skip
        now = time.monotonic()
        self._locks = [Interlock(spec, speed, now) for spec in specs]
        self._hub = hub
        self._put, self._tripped = put, tripped
        self._under_way: dict[str, Interlock] = {}
        for lock in self._locks:
            self._publish(lock, now)

    async def watch(self) -> None:
        """Read for ever; without interlocks return at once."""
        while self._locks:
            now = time.monotonic()
            for lock in self._locks:
                try:
                    if lock.due(now):
                        self._ask(lock, now)
                except Exception as error:  # whatever it is: nothing is known now, so hold, and go on reading
                    log.exception("interlock %s could not be read", lock.spec.interlock)
                    lock.fail(f"it cannot be read: {type(error).__name__}: {error}", now)
                self._publish(lock, now)
            await asyncio.sleep(TICK_S)

    def take(self, event: HubEvent) -> bool:
        """Take a driver's report in if it is about a reading; say whether it was."""
        attempt = getattr(event, "attempt", None)
        if attempt is None or not attempt.startswith(READING):
            return False
        if isinstance(event, AttemptFinished):
            self._acknowledge(event)
        lock = self._under_way.get(attempt)
        if lock is None or not isinstance(event, AttemptFinished | AttemptRejected):
            return True  # one that was given up, or of an earlier controller
        del self._under_way[attempt]
        now = time.monotonic()
        try:
            if isinstance(event, AttemptRejected):
                lock.fail(f"{lock.spec.instrument} refuses to be read ({event.code}): {event.message}", now)
            elif lock.take(event.outcome, now) and lock.spec.latch:
                self._tripped(lock.spec, lock.reason(now) or "")
        except Exception as error:  # as in `watch`
            log.exception("a reading of interlock %s could not be told", lock.spec.interlock)
            lock.fail(f"its reading cannot be told: {type(error).__name__}: {error}", now)
        self._publish(lock, now)
        return True

    def readings(self) -> dict[str, dict[str, object]]:
        """Return what each interlock reads now, good or bad; those without a fresh reading are left out."""
        now = time.monotonic()
        return {lock.spec.interlock: dict(lock.values) for lock in self._locks if lock.state(now) in ("good", "bad")}

    def report(self) -> list[dict[str, object]]:
        """Return how each interlock stands, for displays."""
        now = time.monotonic()
        return [
            {
                "interlock": lock.spec.interlock, "state": lock.state(now), "require": list(lock.spec.require),
                "reading": dict(lock.values), "hold": list(lock.spec.hold), "reason": lock.reason(now) or "",
            }
            for lock in self._locks
        ]  # fmt: skip

    def _ask(self, lock: Interlock, now: float) -> None:
        spec = lock.spec
        self._under_way = {a: other for a, other in self._under_way.items() if other is not lock}
        link = self._hub.links().get(spec.instrument)
        action = link.hello.capabilities.actions.get(spec.action) if link is not None and link.hello is not None else None
        if link is None or not link.connected:
            lock.fail(f"it cannot be read: the driver of {spec.instrument} is away", now)
        elif action is None:
            lock.fail(f"it cannot be read: {spec.instrument} has no action {spec.action}", now)
        elif action.consequence != "safe":
            lock.fail(f"it is not read: {spec.instrument}.{spec.action} is {action.consequence}, not safe", now)
        else:
            attempt = READING + new_id()
            try:
                self._hub.command(spec.instrument, Command(attempt=attempt, action=spec.action, arguments=spec.arguments))
            except NotConnectedError as error:
                lock.fail(str(error), now)
                return
            self._under_way[attempt] = lock
            lock.asked(now)

    def _acknowledge(self, event: AttemptFinished) -> None:
        try:
            self._hub.acknowledge(event.instrument, event.attempt)
        except NotConnectedError:
            return  # it is offered again

    def _publish(self, lock: Interlock, now: float) -> None:
        reason = lock.reason(now)
        held = {} if reason is None else {name: Hold(reason, lock.alarming(now)) for name in lock.spec.hold}
        self._put(f"interlock {lock.spec.interlock}", held)
