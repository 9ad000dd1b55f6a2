"""The least that an attempt can cost with what is promised of it, in plain Python without anything else.

Three flushes, one after the other: the driver's journal has *accepted and started* on the disk before the device moves, and
*finished* before it tells; the store has the end of this attempt and the intent of the next before anything more is sent. Around
them nothing: no event loop, no thread, no checked message, no log, no hash. What the real thing costs above this is ours to make
less; this is not.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import time
from pathlib import Path
from typing import Any

import zmq


def open_log(file: Path) -> sqlite3.Connection:
    """Return a database in which every statement is durable when it returns, as the store and the journals have it."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body TEXT)")
    return database


def write(database: sqlite3.Connection, what: dict[str, Any]) -> None:
    """Make one row durable."""
    database.execute("INSERT INTO event (body) VALUES (?)", (json.dumps(what),))


def _drive(address: str, file: str) -> None:
    """Be a driver: write down, act (at once), write down, tell."""
    journal = open_log(Path(file))
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.set(zmq.ROUTING_ID, b"driver")
    socket.connect(address)
    socket.send(b"here")
    while True:
        command = json.loads(socket.recv())
        write(journal, {"attempt": command["attempt"], "status": "started", "arguments": command["arguments"]})
        write(journal, {"attempt": command["attempt"], "status": "finished", "values": command["arguments"]})
        socket.send(json.dumps({"attempt": command["attempt"], "values": command["arguments"]}).encode())


class Least:
    """A controller of one driver, stripped to what durability asks."""

    def __init__(self, folder: Path) -> None:
        self._router = zmq.Context.instance().socket(zmq.ROUTER)
        self._router.bind("tcp://127.0.0.1:0")
        address = self._router.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self._process = multiprocessing.get_context("spawn").Process(
            target=_drive, args=(address, str(folder / "least-journal.db")), daemon=True
        )
        self._process.start()
        self._router.recv_multipart()
        self._store = open_log(folder / "least.db")

    def measure(self, n: int) -> list[float]:
        """Return the time of an attempt, from intent to intent [s], `n` times."""
        found = []
        write(self._store, {"attempt": 0, "status": "committed"})
        for attempt in range(n):
            begun = time.perf_counter()
            self._router.send_multipart([b"driver", json.dumps({"attempt": attempt, "arguments": {"level": 0.5}}).encode()])
            _, frame = self._router.recv_multipart()
            write(self._store, {"finished": json.loads(frame), "committed": attempt + 1})
            found.append(time.perf_counter() - begun)
        return found

    def close(self) -> None:
        """End the driver's process."""
        self._process.kill()
        self._process.join()
        self._router.close(linger=0)
        self._store.close()
