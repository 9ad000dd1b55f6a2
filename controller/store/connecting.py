"""One way to connect to a database, for reading over DB-API and for SQLAlchemy: pragmas, time-outs, errors without secrets."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from controller.errors import MissingExtraError, StoreError
from controller.settings import redact, sqlite_file

BUSY_S = 5.0
"""How long a statement waits for another process's lock before it counts as trouble [s]."""

IDLE_S = 15.0
"""After how long without a word a server ends a transaction that was begun, and so frees what it had locked [s]."""

_CONNECT_S = 5
_REMEDIES = {"disk is full": "; make room on it", "disk I/O error": "; is the disk full, or failing?"}


def connect_sqlite(file: Path, *, create: bool = False, foreign_keys: bool = True) -> sqlite3.Connection:
    """Open a SQLite file for writing; a commit returns when its data is on the disk.

    Transactions are begun by hand (`BEGIN IMMEDIATE`), so that two writers wait for each other instead of failing half-way.

    Args:
        file: The file.
        create: Whether to make it where it is missing; otherwise that is an error.
        foreign_keys: Whether SQLite checks them.
    """
    address = f"file:{quote(str(file))}?mode={'rwc' if create else 'rw'}"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_sqlite_readonly(file: Path) -> sqlite3.Connection:
    """Open a SQLite file that this process must not, or may not, write.

    A file in write-ahead mode needs its companions `-wal` and `-shm`. Where they are absent and the folder does not let us
    make them, the file is whole by itself and is read as one that nobody changes.

    Raises:
        StoreError: If it cannot be read.
    """
    address = f"file:{quote(str(file))}?mode=ro"
    try:
        return _probed(address)
    except sqlite3.OperationalError as error:
        log = file.with_name(file.name + "-wal")
        if _may(file, os.R_OK) and not _may(file.parent, os.W_OK):
            if not log.exists() or log.stat().st_size == 0:
                return _probed(address + "&immutable=1")
            raise StoreError(
                f"store {file} has changes in {log.name} that can only be read in a writable folder; copy both files to one"
            ) from error
        raise


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _probed(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_postgresql(url: str, application: str | None = None) -> Any:
    """Connect to a PostgreSQL server.

    Args:
        url: As libpq takes it, `postgresql://…`.
        application: What `pg_stat_activity` shows of this connection (at most 63 characters).

    Raises:
        MissingExtraError: If psycopg is not installed.
    """
    try:
        import psycopg
    except ImportError:
        raise MissingExtraError("psycopg", "postgres", "a PostgreSQL store") from None
    connection = psycopg.connect(
        url,
        autocommit=True,
        application_name=application or f"labwright {os.getpid()}@{socket.gethostname()[:30]}",
        connect_timeout=_CONNECT_S,
        # A server that went away without a word is noticed within half a minute.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=30_000,
    )
    try:
        # `on` also where the server's default would answer before the data is safe.
        connection.execute("SET synchronous_commit TO on")
        connection.execute(f"SET lock_timeout TO {int(BUSY_S * 1000)}")
        # A host or network that goes away leaves the server with a transaction, and with locks, that nobody will end: the
        # server must notice that within half a minute too (its default is two hours).
        connection.execute(f"SET idle_in_transaction_session_timeout TO {int(IDLE_S * 1000)}")
        for setting, value in (
            ("tcp_keepalives_idle", 10),
            ("tcp_keepalives_interval", 5),
            ("tcp_keepalives_count", 3),
        ):
            connection.execute(f"SET {setting} TO {value}")
    except BaseException:
        connection.close()
        raise
    return connection


def describe(error: BaseException) -> str:
    """Return what a database driver says, on one line and without passwords; of a full disk, also what to do."""
    text = redact(" ".join(str(error).split())) or type(error).__name__
    return text + next((remedy for end, remedy in _REMEDIES.items() if text.endswith(end)), "")


def place(url: str) -> str:
    """Return the store's address as messages show it."""
    file = sqlite_file(url)
    return redact(url) if file is None else str(file)
