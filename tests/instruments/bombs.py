"""Notes, logs and journals as damage or malice may leave them, and what reads them."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from controller.daemon import daemon_state
from controller.engine.recorder import read_flight
from controller.engine.session import lab_clock
from controller.errors import LabwrightError
from controller.store.locking import FileLocks
from controller.verbs.laboratories import status_of
from controller.watching import watch_state
from instruments.drivers.scpi import read_commands
from instruments.errors import InstrumentError
from instruments.protocol.records import rejected_record
from instruments.sdk.journal import Journal, JournalReader
from instruments.transport.keys import read_pair, read_public_key
from instruments.transport.rendezvous import read_rendezvous
from simulators.devices.memory import DeviceMemory
from simulators.devices.sensor import SensorDriver
from simulators.errors import SimulatorError

MIB = 2**20
SPARSE = 2**30


def _laugh(i: int) -> bytes:
    return b"k%d: &k%d [%s]\n" % (i, i, b",".join([b"*k%d" % (i - 1)] * 9))


def _begun(**otherwise: object) -> bytes:
    """Return a line of a device's log that says something else than it may."""
    good = {"event": "began", "attempt": "a", "action": "go", "arguments": {}, "at": 1.0, "ends_at": 2.0, "values": {}}
    return json.dumps(good | otherwise).encode() + b"\n"


CONTENTS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "endless": lambda: b"sparse",  # a gigabyte of zeros that takes no room, see `write`
    "zeros": lambda: bytes(MIB),
    "noise": lambda: bytes(range(256)) * 4096,
    "deep lists": lambda: b"[" * 200_000,
    "deep mappings": lambda: b'{"a":' * 100_000,
    "deep and closed": lambda: b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "long text": lambda: b'"' + b"x" * (8 * MIB) + b'"\n',
    "long number": lambda: b"9" * (8 * MIB) + b"\n",
    "number": lambda: b"9" * 4000 + b"\n",
    "minus one": lambda: b"-1\n",
    "zero": lambda: b"0\n",
    "all processes": lambda: b'{"pid": -1, "restarts": 0, "last_end": "", "alarm": "", "host": "", "since": 1e300, "address": 1}\n',
    "process too large": lambda: b'{"pid": 1e300, "session": [], "address": null, "instruments": 5, "since": "x"}\n',
    "list": lambda: b"[1, 2]\n",
    "null": lambda: b"null\n",
    "nan": lambda: b'{"address": NaN, "at": NaN, "pid": NaN, "since": NaN, "event": "began", "attempt": NaN}\n',
    "utf-16": lambda: '{"address": "tcp://127.0.0.1:1"}'.encode("utf-16"),
    "surrogate": lambda: b'{"address": "\\ud800", "event": "began", "attempt": "\\ud800"}\n',
    "laughs": lambda: b"k0: &k0 [x,x]\n" + b"".join(map(_laugh, range(1, 30))),
    "begun by nobody": lambda: _begun(attempt=[1], arguments=5, at="x", ends_at={}),
    "large argument": lambda: _begun(arguments={"x": 10**4000}),
    "ended before it began": lambda: b'{"event": "ended", "attempt": "a", "at": 1}\n' * 10_000,
    "unknown event": lambda: b'{"event": "exploded", "attempt": "a"}\n',
}  # fmt: skip


def write(path: Path, make: Callable[[], bytes]) -> None:
    """Write a file."""
    content = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    if content == b"sparse":
        with path.open("r+b") as file:
            file.truncate(SPARSE)


def _held(path: Path, read: Callable[[], object]) -> object:
    """Read while the process that left the note lives."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return read()


def read_everything(folder: Path, name: str) -> list[str]:
    """Read one content as every sort of note; return what was told, one line each, beginning with who told it."""
    told: list[str] = []
    store = folder / "lab.db"
    url = f"sqlite:///{store}"
    files = folder / "lab.files"

    def attempt(reader: str, path: Path, read: Callable[[Path], object]) -> None:
        write(path, CONTENTS[name])
        try:
            told.append(f"{reader}: {str(read(path))[:300]}")
        except (InstrumentError, LabwrightError, SimulatorError) as error:
            told.append(f"{reader}: {type(error).__name__}: {error}")
        path.unlink(missing_ok=True)

    attempt("rendezvous", folder / "rendezvous.json", read_rendezvous)
    attempt("key pair", folder / "a.key", read_pair)
    attempt("public key", folder / "a.pub", lambda path: read_public_key(str(path)))
    attempt("status", files / "labs" / "l" / "status.json", lambda path: _held(path, lambda: status_of(url, "l")))
    attempt("watch", files / "daemon.watch.json", lambda path: watch_state(files))
    attempt("daemon", files / "daemon.pid", lambda path: _held(path, lambda: daemon_state(url)))
    attempt("lock", files / "a.lock", FileLocks._read_holder)
    attempt("clock", folder / "clocked" / "clock", lambda path: lab_clock(path.parent, 2.0))
    attempt("device log", folder / "device.jsonl", DeviceMemory)
    attempt("recording", folder / "flight" / "00000001.jsonl", lambda path: len(list(read_flight(path.parent))))
    attempt("scpi", folder / "commands.yaml", read_commands)
    attempt("sensor", folder / "readings.json", lambda path: SensorDriver(values={"a": 1.0}, file=str(path))._read(None))  # type: ignore[arg-type]
    attempt("journal", folder / "journal.db", lambda path: JournalReader(path).close())
    attempt("own journal", folder / "own" / "journal.db", lambda path: Journal(path, instrument="i").close())
    return told


COLUMNS = ("arguments", "received", "units", "conversions", "outcome", "rejected")


def read_journals(folder: Path, content: str) -> list[str]:
    """Read journals of which one cell says something else; return what was told."""
    return [line for column in COLUMNS for line in _read_journal(folder / column, column, content)]


def _read_journal(folder: Path, column: str, content: str) -> list[str]:
    path = folder / "journal.db"
    journal = Journal(path, instrument="i")
    journal.write(rejected_record("a", "go", "busy", "later", 1.0))
    journal.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"UPDATE attempts SET {column} = ?", (content,))
    database.close()
    told = []
    for read in (lambda: Journal(path, instrument="i"), lambda: JournalReader(path)):
        opened = read()
        try:
            told.append(str(opened.get("a"))[:300])
        except InstrumentError as error:
            told.append(f"{type(error).__name__}: {error}")
        finally:
            opened.close()
    return told
