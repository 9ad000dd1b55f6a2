"""The parts of which the processes of a cell are made: those of a rehearsal, which also count, refuse, and are older."""

from __future__ import annotations

import contextlib
import resource
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.drill.lives import Life
from controller.drill.parts import Director, RehearsedClient, RehearsedJournal, RehearsedWriter, SpaceFilling
from controller.drill.witness import Witness
from controller.store.jobs import Job
from controller.store.writing import Outcome
from instruments.errors import JournalError
from instruments.protocol.messages import PROTOCOL_VERSION, Channel

_OLDER = b'"protocol":%d' % (PROTOCOL_VERSION - 1)


class Faults(Director, Protocol):
    """Decides what goes wrong, and is told of it."""

    disk: str
    """Under what the disk takes nothing at present: `store`, `journal` or nothing."""

    def refused(self, what: str) -> None:
        """Take note that the store or the journal took nothing."""

    def refitted(self, request: Request) -> None:
        """Take note of what the proposer was given."""


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Let the kernel refuse whatever this process writes into a file meanwhile, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Acts(Witness):
    """Counts besides how often each attempt was begun."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.acts: Counter[str] = Counter()
        self.last = ""
        """The attempt that was begun last."""

    def forget(self, kept: set[str]) -> None:
        """Take note that a journal knows of these attempts alone, and has lost the results of all others."""
        self._outcomes = {attempt: told for attempt, told in self._outcomes.items() if attempt in kept}

    def device_begins(self, instrument: str, attempt: str, *given: Any) -> None:
        """See `Witness.device_begins`."""
        super().device_begins(instrument, attempt, *given)
        self.acts[attempt] += 1
        self.last = attempt


class CellWriter(RehearsedWriter):
    """Says when the store took nothing; the disk under it may be full."""

    _director: Faults

    def _write(self, jobs: Sequence[Job], in_doubt: bool) -> list[Outcome]:
        try:
            with no_room() if self._director.disk == "store" else contextlib.nullcontext():
                return super()._write(jobs, in_doubt)
        except Exception as error:
            self._director.refused(str(error))
            raise


class CellJournal(RehearsedJournal):
    """The disk under it may be full."""

    _director: Faults

    def _execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        if self._director.disk != "journal" or statement.startswith("SELECT"):
            return super()._execute(statement, values)
        try:
            with no_room():
                return super()._execute(statement, values)
        except JournalError as error:
            self._director.refused(str(error))
            raise


class CellThinker(SpaceFilling):
    """Says when it was given something."""

    _director: Faults

    async def propose(self, request: Request) -> list[Proposal]:
        """See `Thinker.propose`."""
        self._director.refitted(request)
        return await super().propose(request)


class OlderClient(RehearsedClient):
    """The wire of a driver of an older version, which speaks an older protocol."""

    def __init__(self, client: RehearsedClient, life: Life) -> None:
        super().__init__(client._network, client.instrument, client.boot_id, life)

    def send(self, channel: Channel, frame: bytes) -> bool:
        """See `ClientTransport.send`."""
        return super().send(channel, frame.replace(b'"protocol":%d' % PROTOCOL_VERSION, _OLDER, 1))
