"""The journal keeps what it was told, belongs to one process, and is never replaced in silence."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from instruments.errors import JournalCorruptError, JournalError, JournalLockedError
from instruments.protocol.records import AttemptRecord, rejected_record
from instruments.protocol.values import READING, FaultCode, Faulted, MeasuredValue, Succeeded
from instruments.sdk.journal import Journal, JournalReader


def record(attempt: str = "a1", at: float = 1.5) -> AttemptRecord:
    return AttemptRecord(
        attempt, "run", {"x": 1.5, "n": 3, "s": "µ", "b": True}, {"x": 90.0}, {"x": "s"}, (1.0, 2.0), 3.0, at,
        {"x": "90.0 s -> 1.5 min"},
    )  # fmt: skip


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.db"
    values = {"y": MeasuredValue(value=1, unit="bar", sem=0.25)}
    first = record().started(2.0).finished(Succeeded(values=values, started_at=2.0, finished_at=3.0), 3.0)
    second = record("a2", 4.0).started(5.0)
    third = rejected_record("a3", "run", "busy", "too much", 6.0)
    fourth = record("a4", 7.0).finished(Faulted(code=FaultCode.stopped, message="x"), 8.0).acknowledged(9.0)
    journal = Journal(path, instrument="i")
    for written in (first, second, third, fourth):
        journal.write(written)
    journal.hold("stop1")
    identity = journal.journal_id
    journal.close()
    journal = Journal(path, instrument="i")
    for written in (first, second, third, fourth):
        assert journal.get(written.attempt) == written
    assert [r.attempt for r in journal.unacknowledged()] == ["a1", "a2"]
    assert [r.phase for r in (first, second, third, fourth)] == ["finished", "running", "rejected", "acknowledged"]
    assert (journal.journal_id, journal.held) == (identity, "stop1")
    assert type(journal.get("a1").arguments["n"]) is int  # type: ignore[union-attr]
    assert journal.get("other") is None
    journal.close()


def test_readings_leave_nothing_behind_once_they_are_settled(tmp_path: Path) -> None:
    # One every few seconds for weeks, turned down for as long as its instrument is stopped.
    path = tmp_path / "journal.db"
    journal = Journal(path, instrument="i")
    done = record(READING + "1").finished(Faulted(code=FaultCode.stopped, message="x"), 8.0)
    for written in (done, done.acknowledged(9.0), rejected_record(READING + "2", "run", "stopped", "held", 6.0)):
        journal.write(written)
    journal.write(record(READING + "3").started(2.0))
    journal.close()
    with JournalReader(path) as reader:
        assert [r.attempt for r in reader.records()] == [READING + "3"]


def test_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    code = (
        "import sys, pathlib; from instruments.sdk.journal import Journal\n"
        f"j = Journal(pathlib.Path({str(path)!r}), instrument='i'); print('open', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(JournalLockedError, match=f"process {holder.pid}"):
            Journal(path, instrument="i")
        holder.kill()
    Journal(path, instrument="i").close()


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look at" * 40])
def test_file_that_is_no_journal_is_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(JournalCorruptError, match="not replaced"):
        Journal(path, instrument="i")
    assert path.read_bytes() == content


def test_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, instrument="i")
    for number in range(200):
        journal.write(record(f"a{number}"))
    journal.close()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 4))
    with pytest.raises(JournalCorruptError):
        Journal(path, instrument="i")


def test_damaged_row_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, instrument="i")
    journal.write(record())
    journal.close()
    database = sqlite3.connect(path)
    database.execute('UPDATE attempts SET outcome = \'{"kind":"maybe"}\'')
    database.commit()
    database.close()
    journal = Journal(path, instrument="i")
    with pytest.raises(JournalCorruptError, match="attempt a1"):
        journal.get("a1")
    journal.close()


def test_another_sqlite_file_and_another_instrument_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE t (x)")
    database.commit()
    database.close()
    with pytest.raises(JournalCorruptError, match="another SQLite file"):
        Journal(other, instrument="i")
    path = tmp_path / "journal.db"
    Journal(path, instrument="reactor").close()
    with pytest.raises(JournalCorruptError, match="belongs to instrument 'reactor'"):
        Journal(path, instrument="hplc")


def test_write_that_fails_is_a_journal_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", instrument="i")
    journal._database.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalError, match="disk full"):
        journal.write(record())
    journal.close()
