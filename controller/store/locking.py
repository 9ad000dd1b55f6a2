"""Who may work on a campaign: locks that end with the process that holds them, however it ends.

SQLite: `flock` on a file in the store's folder (the kernel frees it, after kill -9 too). PostgreSQL: an advisory lock on a
connection of its own (the server frees it when the connection ends).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from controller.errors import CampaignLockedError, StoreError
from controller.store.connecting import connect_postgresql, describe, place
from controller.store.schema import advisory_key
from instruments.bounded import from_json, read_small


class Lock:
    """A lock on something; a context manager that takes it and gives it back."""

    def __init__(self, locks: Locks, key: str, what: str) -> None:
        self._locks, self._key, self._what = locks, key, what

    def acquire(self) -> None:
        """Take the lock at once; nobody is waited for.

        Raises:
            CampaignLockedError: If another process, or another part of this one, holds it; says which, where and since when.
            StoreError: If it cannot be asked for.
        """
        self._locks.acquire(self._key, self._what)

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        self._locks.release(self._key)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Locks(Protocol):
    """The locks of one store that this process holds, by key: `daemon` or `campaign-<name>`."""

    def acquire(self, key: str, what: str) -> None:
        """Take a lock; `what` is locked, for the message. See `Lock.acquire`."""

    def release(self, key: str) -> None:
        """Give a lock back, where it is held."""

    def release_all(self) -> None:
        """Give everything back."""

    def renew(self) -> None:
        """Take again what a lost connection gave back.

        Raises:
            ConnectionError: If the server cannot be asked.
        """

    def check(self, key: str) -> None:
        """Do nothing unless the lock was lost to somebody else meanwhile.

        Raises:
            CampaignLockedError: If it was.
        """


def _held_message(what: str, holder: str) -> str:
    return f"{what} is held by {holder}; stop that one, or look on without taking it over"


def _holder(pid: object, host: object, since: float) -> str:
    return f"process {pid} on {host} since {datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S} UTC"


class FileLocks:
    """Locks of a SQLite store. The files stay; only the kernel's lock on them counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def acquire(self, key: str, what: str) -> None:
        """See `Lock.acquire`."""
        path = self._folder / f"{key}.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"lock file {path} cannot be opened: {describe(error)}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise CampaignLockedError(_held_message(what, self._read_holder(path))) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"lock file {path} cannot be locked: {describe(error)}") from error
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        # The lock is the kernel's; a note that a full disk cuts short only makes a later message less exact.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(note).encode(), 0)
        self._held[key] = descriptor

    @staticmethod
    def _read_holder(path: Path) -> str:
        try:
            note = from_json(read_small(path))
            return _holder(note["pid"], note["host"], float(note["since"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return "another process"

    def release(self, key: str) -> None:
        """See `Lock.release`."""
        descriptor = self._held.pop(key, None)
        if descriptor is not None:
            os.close(descriptor)

    def release_all(self) -> None:
        """See `Locks`."""
        for key in list(self._held):
            self.release(key)

    def renew(self) -> None:
        """The kernel takes no lock away from a living process."""

    def check(self, key: str) -> None:
        """The kernel takes no lock away from a living process."""


@dataclass
class _Held:
    what: str
    connection: Any
    lost_to: str | None = None


class AdvisoryLocks:
    """Locks of a PostgreSQL store; the holder is named by the connection's application name."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._held: dict[str, _Held] = {}
        self._guard = threading.RLock()

    def acquire(self, key: str, what: str) -> None:
        """See `Lock.acquire`."""
        import psycopg

        with self._guard:
            try:
                connection, holder = self._try(key)
            except psycopg.Error as error:
                raise StoreError(
                    f"store {place(self._url)} cannot be asked for the lock of {what}: {describe(error)}"
                ) from error
            if holder is not None:
                raise CampaignLockedError(_held_message(what, holder))
            self._held[key] = _Held(what, connection)

    def _try(self, key: str) -> tuple[Any, str | None]:
        """Return a connection that holds the lock, or None and who holds it."""
        name = f"labwright/{os.getpid()}/{time.time():.0f}/{socket.gethostname()[:30]}"
        connection = connect_postgresql(self._url, name)
        number = advisory_key(key)
        try:
            (got,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone()
            if got:
                return connection, None
            found = connection.execute(
                "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
                " AND l.granted AND l.objsubid = 1 AND ((l.classid::bigint << 32) | l.objid::bigint) = %s",
                (number,),
            ).fetchone()
        except BaseException:
            connection.close()
            raise
        connection.close()
        parts = found[0].split("/", 3) if found else []
        return None, _holder(parts[1], parts[3], float(parts[2])) if len(parts) == 4 else "another process"

    def release(self, key: str) -> None:
        """See `Lock.release`."""
        with self._guard:
            held = self._held.pop(key, None)
            if held is not None:
                held.connection.close()

    def release_all(self) -> None:
        """See `Locks`."""
        with self._guard:
            for key in list(self._held):
                self.release(key)

    def renew(self) -> None:
        """See `Locks`."""
        import psycopg

        with self._guard:
            for key, held in self._held.items():
                if held.lost_to is not None:
                    continue
                try:
                    held.connection.execute("SELECT 1")
                except psycopg.Error:
                    held.connection.close()
                    try:
                        connection, held.lost_to = self._try(key)
                    except psycopg.Error as error:
                        raise ConnectionError(describe(error)) from error
                    held.connection = connection or held.connection

    def check(self, key: str) -> None:
        """See `Locks`."""
        with self._guard:
            held = self._held.get(key)
            if held is not None and held.lost_to is not None:
                raise CampaignLockedError(
                    f"{held.what} was lost while the server was away and is now held by {held.lost_to}; "
                    "end this process and start again when that one has ended"
                )
