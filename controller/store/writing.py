"""The writer: one thread with one connection, which makes what the loop hands over durable, many units per commit.

A commit costs one flush of the disk, whatever it holds. So the thread takes everything that has gathered while the last
commit ran and writes it as one transaction. Where a unit cannot be written, all is written again with each unit behind a
savepoint of its own, so that it fails alone. When the store itself is in trouble (disk full, server gone, locked by another
program) the thread keeps what it holds, says so, and tries again until it succeeds. Nothing ends it silently: whoever waits for a
unit hears what became of it, whatever goes wrong.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from controller.errors import ConflictError, LabwrightError, StoreError
from controller.store.connecting import describe
from controller.store.jobs import Ends, Job

log = logging.getLogger(__name__)

OK = "ok"
_GROUP = 500
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 3.0
_BAD_UNIT = (IntegrityError, DataError, ProgrammingError)
"""What the database says of the content of a statement; anything else it says of itself."""

Outcome = Ends | Exception


class Writer:
    """Writes jobs in the order in which they are handed over.

    Args:
        engine: Makes the connection; used by the writer's thread alone.
        name: The store, for messages, without a password.
        on_connect: Called after each (re)connection, before anything is written over it; a database error it raises is
            trouble like any other.
    """

    def __init__(self, engine: Engine, name: str, on_connect: Callable[[], None]) -> None:
        self._engine, self._name, self._on_connect = engine, name, on_connect
        self._waiting: deque[tuple[Job, Future[None]]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._ended = False
        """Whether something that no code may catch has ended the thread."""
        self._give_up = threading.Event()
        self._connection: Connection | None = None
        self._ends: dict[str, int] = {}
        self._state = OK
        self._listeners: list[Callable[[str], None]] = []
        self.n_commits = 0
        self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """`ok`, or `holding: ` and why nothing can be written at present."""
        return self._state

    def on_trouble(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called, on the writer's thread, with each new state."""
        self._listeners.append(listener)

    def submit(self, job: Job) -> Future[None]:
        """Hand a job over; the future is done when it is durable, or holds why it was refused.

        Raises:
            StoreError: If the store is closed, or can no longer be written.
        """
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # what is handed over is a fact: nobody takes it back
        with self._changed:
            if self._ended:
                why = "the thread that writes it has ended; restart the program"
                raise StoreError(f"store {self._name} can no longer be written: {why}")
            if self._closing:
                raise StoreError(f"store {self._name} is closed")
            self._waiting.append((job, future))
            self._changed.notify()
        return future

    def know_end(self, campaign: str, end: int) -> None:
        """Take note that the caller has read the log of `campaign` up to `end`: what is written next continues it."""
        with self._changed:
            self._ends[campaign] = max(end, self._ends.get(campaign, 0))

    def close(self, timeout_s: float) -> None:
        """Write what was handed over, then stop; what cannot be written within `timeout_s` fails with StoreError."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        self._give_up.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while group := self._gather():
                self._settle(group)
        finally:
            self._disconnect()
            with self._changed:
                self._ended = not self._closing
                for _, future in self._waiting:
                    future.set_exception(self._lost("the thread that writes it has ended"))
                self._waiting.clear()

    def _gather(self) -> list[tuple[Job, Future[None]]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return [self._waiting.popleft() for _ in range(min(_GROUP, len(self._waiting)))]

    def _settle(self, group: list[tuple[Job, Future[None]]]) -> None:
        try:
            outcomes = self._outcomes([job for job, _ in group])
        except BaseException:
            for _, future in group:
                future.set_exception(self._lost("the thread that writes it was ended"))
            raise
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(None)

    def _outcomes(self, jobs: Sequence[Job], in_doubt: bool = False) -> Sequence[Outcome]:
        """Write jobs and return what came of each; what nobody expected fails the job that it comes with, and no other."""
        try:
            return self._write_until_durable(jobs, in_doubt)
        except Exception as error:  # a fault of ours, or of the library's: the thread goes on for all others
            self._disconnect()
            if not in_doubt:  # a new connection may be all that is needed, and one of several may be to blame
                log.warning("store %s: writing failed unexpectedly and is tried again", self._name, exc_info=True)
                return [outcome for job in jobs for outcome in self._outcomes([job], in_doubt=True)]
            log.exception("store %s: something could not be written", self._name)
            return [self._lost(f"writing failed unexpectedly ({type(error).__name__}: {describe(error)[:500]})") for _ in jobs]

    def _lost(self, why: str) -> StoreError:
        return StoreError(f"store {self._name}: {why}; whether this was stored is not known")

    def _write_until_durable(self, jobs: Sequence[Job], in_doubt: bool) -> Sequence[Outcome]:
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                outcomes = self._write(jobs, in_doubt)
            except (DBAPIError, OSError) as error:
                self._disconnect()
                cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
                self._report(f"holding: {describe(cause)}")
                in_doubt = True  # the commit may have happened before its answer was lost
            else:
                self._report(OK)
                return outcomes
            if self._give_up.wait(wait_s):
                message = (
                    f"store {self._name} was closed while it was {self._state}; whether this was stored is not known"
                )
                return [StoreError(message) for _ in jobs]
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _write(self, jobs: Sequence[Job], in_doubt: bool) -> list[Outcome]:
        """Write all jobs in one transaction and return what came of each, in their order."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._on_connect()
        connection = self._connection
        with self._changed:
            ends = dict(self._ends)
        outcomes = None if in_doubt else self._write_plainly(connection, jobs, ends)
        if outcomes is None:
            outcomes = []
            with connection.begin():
                for job in jobs:
                    outcome = self._write_one(connection, job, ends, in_doubt)
                    outcomes.append(outcome)
                    if not isinstance(outcome, Exception):
                        ends.update(outcome)
        self.n_commits += 1
        for campaign, end in ends.items():
            self.know_end(campaign, end)
        return outcomes

    def _write_plainly(self, connection: Connection, jobs: Sequence[Job], ends: dict[str, int]) -> list[Outcome] | None:
        """Write all jobs in one transaction, or none: then None is returned, and it is to be found out which cannot be written."""
        grown = dict(ends)
        outcomes: list[Outcome] = []
        with connection.begin() as transaction:
            try:
                for job in jobs:
                    outcome = job.apply(connection, grown)
                    outcomes.append(outcome)
                    grown.update(outcome)
            except DBAPIError as error:
                if not isinstance(error, _BAD_UNIT):
                    raise
                transaction.rollback()
                return None
            except Exception:  # whatever it is, the job's own asker will hear of it
                transaction.rollback()
                return None
        ends.update(grown)
        return outcomes

    def _write_one(self, connection: Connection, job: Job, ends: dict[str, int], in_doubt: bool) -> Outcome:
        if in_doubt and (applied := job.find_applied(connection)) is not None:
            return applied
        savepoint = connection.begin_nested()
        try:
            grown = job.apply(connection, ends)
        except LabwrightError as error:
            savepoint.rollback()
            refusal: Exception = error
        except _BAD_UNIT as error:
            savepoint.rollback()
            refusal = ConflictError(
                f"store {self._name} refuses what was to be written: {describe(error.orig or error)}"
            )
        except DBAPIError:
            raise
        except Exception as error:  # a fault in one unit must not end the thread that all others depend on
            savepoint.rollback()
            refusal = error
        else:
            savepoint.commit()
            return grown
        # The answer to an earlier commit was lost while the server still worked on it: then it is ours that is in the way.
        if in_doubt and (applied := job.find_applied(connection)) is not None:
            return applied
        return refusal

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception as error:  # whatever it says, it is let go
            log.debug("closing a broken connection to store %s: %s", self._name, describe(error))

    def _report(self, state: str) -> None:
        if state == self._state:
            return
        self._state = state
        (log.info if state == OK else log.warning)("store %s: %s", self._name, state)
        for listener in list(self._listeners):
            try:
                listener(state)
            except Exception:  # a listener's fault must not stop the writing
                log.exception("a listener of store %s failed", self._name)
