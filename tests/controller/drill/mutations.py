"""Bugs to be planted, one of each kind that a controller must never have: a rehearsal that does not find them is worth nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from controller.domain.event import AttemptStatusChanged
from controller.domain.state import Attempt
from controller.engine import dispatching
from controller.engine.dispatching import Dispatching
from controller.measure.verdict import judge
from instruments.protocol.driver_session import DriverSession
from instruments.protocol.messages import Stop
from instruments.protocol.records import AttemptRecord
from instruments.sdk.journal import Journal


@contextlib.contextmanager
def acknowledge_before_commit() -> Iterator[None]:
    """The driver is told to forget a result that is not yet in the store."""
    proper = Dispatching._end_attempt

    async def hasty(self: Dispatching, attempt: Attempt, changed: AttemptStatusChanged) -> None:
        self._session.acknowledge(attempt.instrument, attempt.id)
        await proper(self, attempt, changed)

    with mock.patch.object(Dispatching, "_end_attempt", hasty):
        yield


@contextlib.contextmanager
def journal_is_not_flushed() -> Iterator[None]:
    """An entry reaches the disk only with the next one; what was last is lost when the process dies."""
    proper, close = Journal.write, Journal.close
    waiting: dict[int, list[AttemptRecord]] = {}

    def lazy(self: Journal, record: AttemptRecord) -> None:
        for earlier in waiting.pop(id(self), []):
            proper(self, earlier)
        waiting[id(self)] = [record]

    def forget(self: Journal) -> None:
        waiting.pop(id(self), None)
        close(self)

    with mock.patch.object(Journal, "write", lazy), mock.patch.object(Journal, "close", forget):
        yield


@contextlib.contextmanager
def irreversible_is_tried_again() -> Iterator[None]:
    """An interrupted action is dispatched again, whatever its consequence."""

    def careless(fault: Any, consequence: str | None, attempts: int, most: int) -> Any:
        del consequence
        return judge(fault, "repeatable", attempts, most)

    with mock.patch.object(dispatching, "judge", careless):
        yield


@contextlib.contextmanager
def stop_waits_for_the_action() -> Iterator[None]:
    """A stop queues behind whatever the driver is doing."""
    heard = DriverSession.handle
    waiting: dict[int, list[Any]] = {}

    def deaf(self: DriverSession, message: Any, now: float) -> Any:
        if isinstance(message, Stop) and self.running:
            waiting.setdefault(id(self), []).append(message)
            return []
        out = list(heard(self, message, now))
        if not self.running:
            for late in waiting.pop(id(self), []):
                out += heard(self, late, now)
        return out

    with mock.patch.object(DriverSession, "handle", deaf):
        yield


MUTATIONS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "acknowledge before commit": acknowledge_before_commit,
    "journal not flushed": journal_is_not_flushed,
    "retry of an irreversible action": irreversible_is_tried_again,
    "stop queued behind an action": stop_waits_for_the_action,
}
