"""The driver's journal: what was accepted, started, finished and acknowledged, durable before anybody is told.

SQLite with `synchronous=FULL` (https://www.sqlite.org/pragma.html#pragma_synchronous): a committed write survives a power
cut. One process at a time, enforced by a lock file that the system releases when the process dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from instruments.bounded import from_json
from instruments.durable import flush
from instruments.errors import JournalCorruptError, JournalError, JournalLockedError
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import READING, Outcome

_APPLICATION_ID = 0x4C41424A  # "LABJ": tells this file from any other SQLite file
_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE attempts (
    attempt TEXT PRIMARY KEY,
    action TEXT NOT NULL,
    arguments TEXT NOT NULL,
    received TEXT NOT NULL,
    units TEXT NOT NULL,
    conversions TEXT NOT NULL,
    typical_s REAL NOT NULL,
    longest_s REAL NOT NULL,
    deadline_s REAL NOT NULL,
    accepted_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    outcome TEXT,
    rejected TEXT,
    acknowledged_at REAL
) STRICT;
CREATE INDEX attempts_open ON attempts (accepted_at) WHERE acknowledged_at IS NULL AND rejected IS NULL;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
"""
_COLUMNS = (
    "attempt, action, arguments, received, units, conversions, typical_s, longest_s, deadline_s, accepted_at, started_at, "
    "finished_at, outcome, rejected, acknowledged_at"
)
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


class Journal:
    """The journal of one instrument. Used from one thread.

    Args:
        path: The file; made, with its folder, if it is missing. None keeps everything in memory, for tests and checks.
        instrument: Whose journal it is; a journal never changes hands.

    Raises:
        JournalLockedError: If another process has it open.
        JournalCorruptError: If the file is damaged, is no journal or is another instrument's. It is never replaced.
        JournalError: If it cannot be opened for another reason.
    """

    def __init__(self, path: Path | None, *, instrument: str) -> None:
        self.path = path
        self._lock: IO[str] | None = None
        try:
            if path is None:
                self._database = sqlite3.connect(":memory:", isolation_level=None)
                self._database.executescript(_SCHEMA)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = _lock(path)
                if not path.exists():
                    _create(path)
                self._database = _open(path)
            self._claim(instrument)
        except sqlite3.DatabaseError as error:
            self._unlock()
            raise JournalCorruptError(_corrupt(path, str(error))) from error
        except OSError as error:
            self._unlock()
            raise JournalError(f"journal {path} cannot be opened: {error}") from error
        except JournalError:
            self._unlock()
            raise

    @property
    def journal_id(self) -> str:
        """The journal's own id, made with the file."""
        return self._meta("journal_id") or ""

    @property
    def held(self) -> str | None:
        """The stop request that holds the instrument, if any."""
        return self._meta("held") or None

    def hold(self, request: str | None) -> None:
        """Note the stop request that holds the instrument, or that none does. Raises `JournalError`."""
        self._execute("INSERT OR REPLACE INTO meta VALUES ('held', ?)", (request or "",))

    def write(self, record: AttemptRecord) -> None:
        """Make a record durable: when this returns, it survives a power cut.

        An acknowledgement alone survives the death of this process, but not a power cut: forgotten, it makes the outcome be
        offered once more and acknowledged once more. It becomes durable with what is written next.

        Args:
            record: The record, new or changed.

        Raises:
            JournalError: If it could not be written.
        """
        if record.attempt.startswith(READING) and record.phase in ("acknowledged", "rejected"):
            # One every few seconds, for weeks, also of an instrument that is stopped: nobody will ask for it again.
            if record.phase == "acknowledged":
                self._execute("DELETE FROM attempts WHERE attempt = ?", (record.attempt,))
            return
        values = (
            record.attempt,
            record.action,
            json.dumps(record.arguments),
            json.dumps(record.received),
            json.dumps(record.units),
            json.dumps(record.conversions),
            *record.duration_s,
            record.deadline_s,
            record.accepted_at,
            record.started_at,
            record.finished_at,
            None if record.outcome is None else record.outcome.model_dump_json(),
            None if record.rejected is None else json.dumps(record.rejected),
            record.acknowledged_at,
        )
        marks = ", ".join("?" * len(values))
        statement = f"INSERT OR REPLACE INTO attempts ({_COLUMNS}) VALUES ({marks})"
        if record.acknowledged_at is None:
            self._execute(statement, values)
            return
        # https://www.sqlite.org/pragma.html#pragma_synchronous: in write-ahead mode NORMAL does not flush at a commit.
        self._execute("PRAGMA synchronous = NORMAL", ())
        try:
            self._execute(statement, values)
        finally:
            self._execute("PRAGMA synchronous = FULL", ())

    def get(self, attempt: str) -> AttemptRecord | None:
        """Return the record of an attempt, or None if it was never heard of. Raises `JournalError`."""
        rows = self._execute(f"SELECT {_COLUMNS} FROM attempts WHERE attempt = ?", (attempt,))
        return _record(self.path, rows[0]) if rows else None

    def unacknowledged(self) -> list[AttemptRecord]:
        """Return every record that is neither acknowledged nor rejected, oldest first. Raises `JournalError`."""
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM attempts WHERE acknowledged_at IS NULL AND rejected IS NULL "
            "ORDER BY accepted_at, rowid",
            (),
        )
        return [_record(self.path, row) for row in rows]

    def close(self) -> None:
        """Close the file and let it go. Harmless when repeated."""
        self._database.close()
        self._unlock()

    def _execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path}: {error}; is the disk full or the file removed?") from error

    def _meta(self, key: str) -> str | None:
        rows = self._execute("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def _claim(self, instrument: str) -> None:
        owner = self._meta("instrument")
        if owner is None:
            self._execute(
                "INSERT INTO meta VALUES ('instrument', ?), ('journal_id', ?)", (instrument, uuid.uuid4().hex)
            )
        elif owner != instrument:
            raise JournalCorruptError(f"journal {self.path} belongs to instrument {owner!r}, not to {instrument!r}")

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class JournalReader:
    """Reads a journal, also while its driver is at work, and changes nothing; close it when done.

    Args:
        path: The file.

    Raises:
        JournalCorruptError: If the file is damaged or no journal.
        JournalError: If it is not there, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            address = f"file:{quote(str(path))}?mode=ro"
            self._database = sqlite3.connect(address, uri=True, isolation_level=None, timeout=2.0)
        except sqlite3.Error as error:
            raise JournalError(f"journal {path} cannot be opened: {error}") from error
        try:
            _check_kind(path, self._database)
            rows = self._execute("SELECT value FROM meta WHERE key = 'instrument'").fetchall()
        except BaseException:
            self._database.close()
            raise
        self.instrument = str(rows[0][0]) if rows else ""
        """Whose journal it is; empty where no driver has claimed it yet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records(self) -> Iterator[AttemptRecord]:
        """Return every record, oldest first, as they stand at this moment. Raises `JournalError`."""
        # One statement sees one moment; the rows are fetched as they are wanted.
        rows = self._execute(f"SELECT {_COLUMNS} FROM attempts ORDER BY accepted_at, rowid")
        while page := self._fetch(rows):
            yield from (_record(self.path, row) for row in page)

    def get(self, attempt: str) -> AttemptRecord | None:
        """Return the record of an attempt, or None if it was never heard of. Raises `JournalError`."""
        rows = self._fetch(self._execute(f"SELECT {_COLUMNS} FROM attempts WHERE attempt = ?", attempt))
        return _record(self.path, rows[0]) if rows else None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _execute(self, statement: str, *values: str) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path} cannot be read: {error}") from error

    def _fetch(self, rows: sqlite3.Cursor) -> list[Any]:
        try:
            return rows.fetchmany(1000)
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path} cannot be read: {error}") from error


def _record(path: Path | None, row: tuple[Any, ...]) -> AttemptRecord:
    try:
        code, message = from_json(row[13]) if row[13] is not None else (None, "")
        return AttemptRecord(
            attempt=row[0],
            action=row[1],
            arguments=from_json(row[2]),
            received=from_json(row[3]),
            units=from_json(row[4]),
            conversions=from_json(row[5]),
            duration_s=(row[6], row[7]),
            deadline_s=row[8],
            accepted_at=row[9],
            started_at=row[10],
            finished_at=row[11],
            outcome=None if row[12] is None else _OUTCOME.validate_json(row[12]),
            rejected=None if code is None else (code, message),
            acknowledged_at=row[14],
        )
    except (ValueError, TypeError, ValidationError) as error:
        raise JournalCorruptError(_corrupt(path, f"attempt {row[0]}: {error}")) from error


def _corrupt(path: Path | None, why: str) -> str:
    return (
        f"journal {path} is damaged or no journal: {why}. It is not replaced, since it may hold results that nobody else "
        f"has. Restore it from a copy; or, after making sure what the device did, move it away and start again"
    )


def _lock(path: Path) -> IO[str]:
    lock = path.with_name(path.name + ".lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read(64).strip() or "unknown"
        lock.close()
        raise JournalLockedError(
            f"journal {path} is in use by process {holder}: another driver speaks for this instrument; end it first"
        ) from error
    lock.seek(0)
    lock.truncate()
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _create(path: Path) -> None:
    # Made under another name and moved into place, so that an empty or half-made file is always damage, never a start.
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    database = sqlite3.connect(draft, isolation_level=None)
    database.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
    database.close()
    flush(draft)
    draft.replace(path)
    flush(path.parent)


def _check_kind(path: Path, database: sqlite3.Connection) -> None:
    try:
        (kind,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        # What is no database, and what cannot be opened at all, are told by the first statement.
        if isinstance(error, sqlite3.OperationalError):
            raise JournalError(f"journal {path} cannot be opened: {error}") from error
        raise JournalCorruptError(_corrupt(path, str(error))) from error
    if kind != _APPLICATION_ID:
        raise JournalCorruptError(_corrupt(path, "it is another SQLite file"))
    if version != _SCHEMA_VERSION:
        raise JournalError(f"journal {path} has schema {version}, this version reads {_SCHEMA_VERSION}")


def _open(path: Path) -> sqlite3.Connection:
    if path.stat().st_size == 0:
        raise JournalCorruptError(_corrupt(path, "the file is empty"))
    database = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    try:
        _check_kind(path, database)
        verdict = database.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            raise JournalCorruptError(_corrupt(path, str(verdict)))
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database
