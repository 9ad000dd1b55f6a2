"""Thin shells that stand where a rehearsal has no threads, no sockets and no proposer process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.exc import DBAPIError

from controller.design.initial import without_model
from controller.domain.event import Event
from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.drill.lives import Life
from controller.encoding.space import SearchSpace
from controller.engine.thinker import Thinker
from controller.errors import StoreError
from controller.store.connecting import describe
from controller.store.jobs import Job, Unit
from controller.store.writing import OK, Writer
from instruments.errors import JournalError
from instruments.protocol.messages import Channel
from instruments.protocol.records import AttemptRecord
from instruments.sdk.host import DeviceCalls
from instruments.sdk.journal import Journal
from instruments.transport.base import Peer
from instruments.transport.memory import MemoryClient, MemoryNetwork, MemoryServer

_COMMIT_S = 0.02
_AWAY_S = 0.5


class Director(Protocol):
    """Decides what goes wrong, and is told of what becomes durable."""

    def passes(self, point: str, life: Life, *, before: bool) -> None:
        """Take note that `life` passes a named point; it may be dead afterwards."""

    def delay(self, longest_s: float) -> float:
        """Return how long something takes [virtual s]."""

    def store_is_away(self) -> bool:
        """Say whether the store cannot be written now."""

    def disk_is_full(self, instrument: str) -> bool:
        """Say whether the journal of `instrument` cannot be written now."""

    def committed(self, events: Sequence[Event]) -> None:
        """Take note of events that are durable now."""

    def journalled(self, instrument: str, record: AttemptRecord) -> None:
        """Take note of a record that is durable now."""


class RehearsedWriter(Writer):
    """The store's writer without its thread: a commit takes a moment, in which its process may die.

    What the store does not take is kept and tried again, as the thread does it, but the loop does not wait meanwhile.

    Args:
        given: As for `Writer`.
        life: The controller's.
        director: Decides and is told.
    """

    def __init__(self, *given: Any, life: Life, director: Director) -> None:
        self._life, self._director = life, director
        self._timer: asyncio.TimerHandle | None = None
        self._in_doubt = False
        super().__init__(*given)

    def _start(self) -> None:
        """Begin no thread."""

    def submit(self, job: Job) -> Future[None]:
        """See `Writer.submit`; what a dead process asks for never happens."""
        self._director.passes("commit.asked", self._life, before=False)
        future: Future[None] = Future()
        if not self._life.dead():
            self._waiting.append((job, future))
            self._later(self._director.delay(_COMMIT_S))
        return future

    def _later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._director.store_is_away() and not self._closing:
            self._report("holding: the store is away")
            self._later(_AWAY_S)
            return
        self._director.passes("commit.made", self._life, before=True)
        group = self._gather() if self._waiting else []
        if self._life.dead():
            return
        try:
            outcomes = self._write([job for job, _ in group], self._in_doubt)
        except (DBAPIError, OSError) as error:
            self._hold_back(group, error)
            return
        self._in_doubt = False
        self._report(OK)
        for (job, _), outcome in zip(group, outcomes, strict=True):
            if isinstance(job, Unit) and not isinstance(outcome, Exception):
                self._director.committed(job.events)
        self._director.passes("commit.made", self._life, before=False)
        if self._life.dead():
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(None)

    def _hold_back(self, group: Sequence[tuple[Job, Future[None]]], error: DBAPIError | OSError) -> None:
        self._disconnect()
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        self._report(f"holding: {describe(cause)}")
        self._in_doubt = True
        if self._closing:
            for _, future in group:
                future.set_exception(StoreError(f"store {self._name} was closed while it was {self.state}"))
            return
        self._waiting.extendleft(reversed(group))
        self._later(_AWAY_S)

    def close(self, timeout_s: float) -> None:
        """Write what was handed over, unless the process is dead."""
        del timeout_s
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if not self._life.dead():
            self._flush()
        self._disconnect()


class RehearsedJournal(Journal):
    """A driver's journal on a disk that may be full, of a process that may die before or after each entry.

    Args:
        path: The file.
        instrument: Whose it is.
        life: The driver's.
        director: Decides and is told.
    """

    def __init__(self, path: Path, *, instrument: str, life: Life, director: Director) -> None:
        self._instrument, self._life, self._director = instrument, life, director
        super().__init__(path, instrument=instrument)

    def write(self, record: AttemptRecord) -> None:
        """See `Journal.write`."""
        point = f"journal.{_stage(record)}"
        self._director.passes(point, self._life, before=True)
        if self._life.dead():
            return
        if self._director.disk_is_full(self._instrument):
            raise JournalError(f"journal {self.path}: rehearsed: the disk is full")
        super().write(record)
        self._director.journalled(self._instrument, record)
        self._director.passes(point, self._life, before=False)

    def hold(self, request: str | None) -> None:
        """See `Journal.hold`."""
        if self._life.dead():
            return
        if self._director.disk_is_full(self._instrument):
            raise JournalError(f"journal {self.path}: rehearsed: the disk is full")
        super().hold(request)


def _stage(record: AttemptRecord) -> str:
    if record.acknowledged_at is not None:
        return "acknowledged"
    if record.outcome is not None or record.rejected is not None:
        return "finished"
    return "accepted" if record.started_at is None else "started"


class RehearsedServer(MemoryServer):
    """The controller's end of the network; a dead controller sends nothing.

    Args:
        network: The network.
        life: The controller's.
    """

    def __init__(self, network: MemoryNetwork, life: Life) -> None:
        super().__init__(network)
        self._life = life

    def send(self, peer: Peer, frame: bytes) -> bool:
        """See `ServerTransport.send`."""
        return not self._life.dead() and super().send(peer, frame)


class RehearsedClient(MemoryClient):
    """A driver's end of the network; a dead driver sends nothing.

    Args:
        network: The network.
        instrument: The instrument's name.
        boot_id: Of this start.
        life: The driver's.
    """

    def __init__(self, network: MemoryNetwork, instrument: str, boot_id: str, life: Life) -> None:
        super().__init__(network, instrument, boot_id)
        self._life = life

    def send(self, channel: Channel, frame: bytes) -> bool:
        """See `ClientTransport.send`."""
        return not self._life.dead() and super().send(channel, frame)


class InlineCalls(DeviceCalls):
    """Calls a driver's methods where it stands: simulated ones never block."""

    def call(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> asyncio.Future[Any]:
        """See `DeviceCalls.call`."""
        future = asyncio.get_running_loop().create_future()
        try:
            returned = function(*args, **keywords)
        except Exception as error:  # a driver's fault is its action's outcome, not ours
            future.set_exception(error)
            return future
        if inspect.isawaitable(returned):
            return asyncio.ensure_future(returned)
        future.set_result(returned)
        return future

    async def close(self) -> None:
        """Nothing is left behind."""


class SpaceFilling(Thinker):
    """Proposes space-filling points after a while, in this process.

    Args:
        space: Of the campaign; it is the same for every proposal.
        life: The controller's.
        director: Decides how long it takes.
    """

    def __init__(self, space: SearchSpace, life: Life, director: Director) -> None:
        super().__init__(Path("unused"))
        self._space, self._life, self._director = space, life, director
        self.ready.set()

    async def start(self) -> None:
        """Be ready already."""

    async def propose(self, request: Request) -> list[Proposal]:
        """See `Thinker.propose`."""
        await asyncio.sleep(self._director.delay(1.0))
        self._director.passes("proposal.made", self._life, before=False)
        return without_model(request, "space-filling", "a rehearsal", self._space)

    async def close(self) -> None:
        """Nothing is left behind."""
