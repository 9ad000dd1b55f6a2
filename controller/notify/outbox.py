"""What is to be told, what was, and how far each log has been looked at: a SQLite file of its own beside the store.

One transaction takes notices in and moves the cursor on, so that a kill at any moment loses none and repeats none. A message is
fixed when it is made and has an id; until its receiver has taken it, it is sent again with the same id: at least once.
It is a file on the controller's machine for stores on a server too: it belongs to who tells, not to the books.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from controller.domain.notification import Notice, Topic
from controller.errors import ConflictError
from controller.notify.finding import Memory

FOLDER = "notify"
KEPT_S = 90 * 86400.0
"""What was told is kept so long, for `labwright notify list` [s]."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS memory (campaign TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS away (
  lab TEXT, instrument TEXT, seconds REAL NOT NULL, told INTEGER NOT NULL, PRIMARY KEY (lab, instrument));
CREATE TABLE IF NOT EXISTS notice (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, campaign TEXT NOT NULL, body TEXT NOT NULL,
  taken_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS message (
  id TEXT PRIMARY KEY, target TEXT NOT NULL, made_at REAL NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, sent_at REAL, ended_at REAL, problem TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS delivery (
  notice INTEGER NOT NULL REFERENCES notice(id) ON DELETE CASCADE, target TEXT NOT NULL, message TEXT REFERENCES message(id),
  PRIMARY KEY (notice, target));
CREATE TABLE IF NOT EXISTS tally (target TEXT, what TEXT, n INTEGER NOT NULL, PRIMARY KEY (target, what));
CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (target) WHERE message IS NULL;
CREATE INDEX IF NOT EXISTS delivery_message ON delivery (message);
CREATE INDEX IF NOT EXISTS message_open ON message (target) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS message_made ON message (target, made_at);
"""


@dataclass(frozen=True)
class Message:
    """What is sent to a target, fixed from when it was made."""

    id: str
    target: str
    made_at: float
    """Real time [s since 1970-01-01 UTC], as all times here but those of notices."""
    title: str
    text: str
    attempts: int = 0
    next_at: float = 0.0


class Outbox:
    """The outbox of one store.

    Args:
        folder: What belongs to the store but is not in it (`folder_of`); made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "outbox.db"
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(file, timeout=10.0, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- how far everything has been looked at ----------------------------------------------------------------------

    def fact(self, name: str) -> str | None:
        """Return what was noted under a name."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Note something under a name."""
        self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def memories(self) -> dict[str, Memory]:
        """Return what is remembered of each campaign, by its id."""
        return {key: Memory.model_validate_json(body) for key, body in self._db.execute("SELECT campaign, body FROM memory")}

    def begin(self, memories: Mapping[str, Memory]) -> None:
        """Take up a store whose past is not told: so it is remembered of its campaigns. Does nothing the second time."""
        with self._transaction():
            if self.fact("begun") is None:
                rows = [(key, memory.model_dump_json()) for key, memory in memories.items()]
                self._db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", rows)
                self.note("begun", "yes")

    def take(
        self, notices: Sequence[tuple[Notice, Sequence[str]]], now: float, memories: Mapping[str, Memory] | None = None
    ) -> None:
        """Take notices in, each for some targets, and with them what is to be remembered of campaigns, in one transaction.

        A notice whose key was taken before is left out.
        """
        with self._transaction():
            for notice, targets in notices:
                if not targets:
                    continue
                entered = self._db.execute(
                    "INSERT OR IGNORE INTO notice (key, topic, campaign, body, taken_at) VALUES (?, ?, ?, ?, ?)",
                    (notice.key, notice.topic.value, notice.campaign, json.dumps(asdict(notice)), now),
                )
                if entered.rowcount:
                    self._db.executemany(
                        "INSERT INTO delivery (notice, target) VALUES (?, ?)", [(entered.lastrowid, t) for t in targets]
                    )
            rows = [(key, memory.model_dump_json()) for key, memory in (memories or {}).items()]
            self._db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", rows)

    def away(self) -> dict[tuple[str, str], tuple[float, bool]]:
        """Return how long drivers have been away that are, and whether it was told: (lab, instrument) -> (s, told)."""
        rows = self._db.execute("SELECT lab, instrument, seconds, told FROM away")
        return {(lab, name): (seconds, bool(told)) for lab, name, seconds, told in rows}

    def keep_away(self, away: Mapping[tuple[str, str], tuple[float, bool]]) -> None:
        """Keep which drivers are away, in place of what was kept before."""
        with self._transaction():
            self._db.execute("DELETE FROM away")
            rows = [(lab, name, seconds, int(told)) for (lab, name), (seconds, told) in away.items()]
            self._db.executemany("INSERT INTO away VALUES (?, ?, ?, ?)", rows)

    # --- messages ---------------------------------------------------------------------------------------------------

    def waiting(self, target: str) -> list[tuple[int, float, Notice]]:
        """Return what a target is still to be told of and is in no message yet: id, when it was taken in, the notice."""
        rows = self._db.execute(
            "SELECT id, taken_at, body FROM delivery JOIN notice ON notice.id = delivery.notice"
            " WHERE target = ? AND message IS NULL ORDER BY id", (target,),
        )  # fmt: skip
        return [(key, taken_at, _notice(body)) for key, taken_at, body in rows]

    def compose(self, message: Message, notices: Sequence[int]) -> None:
        """Enter a message that tells of `notices` (ids), to be sent at once."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO message (id, target, made_at, title, text, next_at) VALUES (?, ?, ?, ?, ?, ?)",
                (message.id, message.target, message.made_at, message.title, message.text, message.made_at),
            )
            rows = [(message.id, message.target, notice) for notice in notices]
            self._db.executemany("UPDATE delivery SET message = ? WHERE target = ? AND notice = ?", rows)

    def open_message(self, target: str) -> Message | None:
        """Return the message to a target that has neither been sent nor given up, None where there is none."""
        row = self._db.execute(
            "SELECT id, target, made_at, title, text, attempts, next_at FROM message WHERE target = ? AND ended_at IS NULL"
            " ORDER BY id LIMIT 1", (target,),
        ).fetchone()  # fmt: skip
        return None if row is None else Message(*row)

    def notices_of(self, message: str) -> list[Notice]:
        """Return what a message tells of."""
        rows = self._db.execute(
            "SELECT body FROM delivery JOIN notice ON notice.id = delivery.notice WHERE message = ? ORDER BY id", (message,)
        )
        return [_notice(body) for (body,) in rows]

    def made_since(self, target: str, moment: float) -> list[float]:
        """Return when messages to a target were made since a moment, oldest first."""
        statement = "SELECT made_at FROM message WHERE target = ? AND made_at > ? ORDER BY made_at"
        return [at for (at,) in self._db.execute(statement, (target, moment))]

    def sent(self, message: Message, now: float) -> None:
        """Note that a message has arrived."""
        self._end(message, "sent", "sent_at = ?, ended_at = ?, problem = ''", now, now)

    def given_up(self, message: Message, problem: str, now: float) -> None:
        """Note that a message is not sent any more."""
        self._end(message, "given up", "problem = ?, ended_at = ?", problem, now)

    def _end(self, message: Message, what: str, changes: str, *values: object) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE message SET attempts = attempts + 1, {changes} WHERE id = ?", (*values, message.id))
            self._count(message.target, what)

    def failed(self, message: Message, problem: str, next_at: float) -> None:
        """Note that a message has not arrived, and when it is sent again."""
        with self._transaction():
            self._db.execute(
                "UPDATE message SET attempts = attempts + 1, problem = ?, next_at = ? WHERE id = ?",
                (problem, next_at, message.id),
            )
            self._count(message.target, "failed attempts")

    def _count(self, target: str, what: str) -> None:
        self._db.execute(
            "INSERT INTO tally VALUES (?, ?, 1) ON CONFLICT (target, what) DO UPDATE SET n = n + 1", (target, what)
        )

    def prune(self, now: float) -> None:
        """Forget what was told long ago."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM notice WHERE taken_at < ? AND NOT EXISTS (SELECT 1 FROM delivery LEFT JOIN message ON message.id ="
                " delivery.message WHERE delivery.notice = notice.id AND message.ended_at IS NULL)", (now - KEPT_S,),
            )  # fmt: skip
            self._db.execute(
                "DELETE FROM message WHERE ended_at < ?"
                " AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = message.id)", (now - KEPT_S,),
            )  # fmt: skip

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


class Turn:
    """Who tells of a store: one process at a time, until it ends; a context manager.

    Args:
        folder: As for `Outbox`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FOLDER / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConflictError(
                f"another process tells people of what is in {self._path.parent.parent} already, a daemon perhaps; leave --notify "
                "out"
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def told(folder: Path, *, after: int = 0, limit: int = 200, newest: bool = False) -> list[dict[str, Any]]:
    """Return what people were told of, or are to be, as rows for JSON; by number.

    Args:
        folder: As for `Outbox`; where nobody was ever told of anything there is nothing.
        after: Only notices with a larger number.
        limit: So many at most.
        newest: The last ones instead of the first.
    """
    rows = _look(
        folder,
        "SELECT notice.id, taken_at, topic, campaign, body, delivery.target, message.id, attempts, next_at, sent_at, ended_at,"
        " problem"
        " FROM (SELECT * FROM notice WHERE id > ? ORDER BY id " + ("DESC " if newest else "") + "LIMIT ?) AS notice"
        " JOIN delivery ON delivery.notice = notice.id LEFT JOIN message ON message.id = delivery.message"
        " ORDER BY notice.id, delivery.target", after, limit,
    )  # fmt: skip
    found = []
    for key, taken_at, topic, campaign, body, target, message, attempts, next_at, sent_at, ended_at, problem in rows:
        notice = json.loads(body)
        under_way = "retrying" if attempts else "sending"
        status = "waiting" if message is None else "sent" if sent_at else "given up" if ended_at else under_way
        found.append({
            "number": key, "taken_at": taken_at, "topic": topic, "campaign": campaign or None, "experiment": notice["experiment"],
            "text": notice["text"], "simulated": notice["simulated"], "target": target, "status": status, "message": message,
            "attempts": attempts or 0, "next_at": next_at if status == "retrying" else None, "sent_at": sent_at,
            "problem": problem or "",
        })  # fmt: skip
    return found


def tallies(folder: Path) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Return what became of messages, by target and what (`sent`, `given up`, `failed attempts`), and how many notices wait."""
    counted = {(target, what): int(n) for target, what, n in _look(folder, "SELECT target, what, n FROM tally")}
    waiting = _look(
        folder,
        "SELECT delivery.target, count(*) FROM delivery LEFT JOIN message ON message.id = delivery.message"
        " WHERE message.ended_at IS NULL GROUP BY delivery.target",
    )
    return counted, {target: int(n) for target, n in waiting}


def file_of(folder: Path) -> Path | None:
    """Return the file by which people are told of this store, or last were, None where nobody ever was."""
    rows = _look(folder, "SELECT value FROM fact WHERE name = 'file'")
    return Path(rows[0][0]) if rows else None


def _look(folder: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    file = folder / FOLDER / "outbox.db"
    if not file.exists():
        return []
    db = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=5.0)
    try:
        return db.execute(sql, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # it is just being made
            return []
        raise
    finally:
        db.close()


def _notice(body: str) -> Notice:
    content = json.loads(body)
    return Notice(**{**content, "topic": Topic(content["topic"])})
