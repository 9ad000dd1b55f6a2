"""Proves an archive of pg_dump without a server: the hash chain of every log in it is walked.

pg_restore writes the rows out as `COPY` text (https://www.postgresql.org/docs/current/sql-copy.html), in no order that could be
relied on; so they pass through a temporary SQLite database, which may be larger than memory.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from controller.errors import PoolError, StoreError
from controller.store.connecting import describe
from controller.store.pools import unpacked
from controller.store.verifying import walk

CLIENT = "install PostgreSQL's client programs (package postgresql-client), or copy the database by the server's own means"
_MAGIC = b"PGDMP"
_TABLES = {
    "campaign": ("id", "name"),
    "event": ("campaign", "campaign_sequence", "id", "kind", "at", "body", "chain"),
}
_POOLS = {"pool": ("sha256", "parts"), "pool_part": ("sha256", "position", "body")}
"""Not there in archives of older stores."""
_COPY = re.compile(r"COPY (?:[\w\"]+\.)?\"?(?P<table>\w+)\"? \((?P<columns>[^)]*)\) FROM stdin;\n")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PAGE = 2000


def is_archive(path: Path) -> bool:
    """Say whether a file is an archive of pg_dump."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def heads_of(archive: Path) -> dict[str, str]:
    """Return the head of every campaign's log in an archive: campaign -> hash of its newest event.

    Raises:
        StoreError: If the archive cannot be read, holds no store, or a chain does not hold.
    """
    try:
        with closing(sqlite3.connect("")) as rows:  # in a temporary file of its own
            _load(archive, rows)
            campaigns = rows.execute("SELECT id, name FROM campaign ORDER BY name").fetchall()
            _check_pools(rows, archive)
            return {name: _head(rows, key, name, archive) for key, name in campaigns}
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f"archive {archive} cannot be read: {describe(error)}") from error


def _head(rows: sqlite3.Connection, campaign: str, name: str, archive: Path) -> str:
    walked = walk(campaign, _pages(rows, campaign))
    if walked.differences:
        raise StoreError(f"archive {archive}, campaign {name}: {walked.differences[0]}")
    return walked.head


def _check_pools(rows: sqlite3.Connection, archive: Path) -> None:
    """Compare every large list of candidates with its hash."""
    for sha256, n in rows.execute("SELECT sha256, parts FROM pool ORDER BY sha256").fetchall():
        in_order = "SELECT body FROM pool_part WHERE sha256 = ? ORDER BY CAST(position AS INTEGER) LIMIT ?"
        found = rows.execute(in_order, (sha256, int(n)))
        try:
            for _ in unpacked(sha256, (bytes.fromhex(body.removeprefix("\\x")) for (body,) in found), f"archive {archive}"):
                pass
        except PoolError as error:
            raise StoreError(str(error)) from error


def _pages(database: sqlite3.Connection, campaign: str) -> Iterator[Sequence[dict[str, Any]]]:
    columns = _TABLES["event"]
    found = database.execute(
        f"SELECT {', '.join(columns)} FROM event WHERE campaign = ? ORDER BY campaign_sequence", (campaign,)
    )
    while page := found.fetchmany(_PAGE):
        for row in (rows := [dict(zip(columns, values, strict=True)) for values in page]):
            row["at"] = float(row["at"])  # kept as text until here: every digit counts
        yield rows


def _load(archive: Path, rows: sqlite3.Connection) -> None:
    """Copy what is needed of an archive into tables of the same names."""
    rows.execute("CREATE TABLE pool (sha256 TEXT, parts TEXT)")
    rows.execute("CREATE TABLE pool_part (sha256 TEXT, position TEXT, body TEXT)")
    rows.execute("CREATE TABLE campaign (id TEXT, name TEXT)")
    rows.execute(
        "CREATE TABLE event (campaign TEXT, campaign_sequence INTEGER, id TEXT, kind TEXT, at TEXT, body TEXT, chain TEXT)"
    )
    program = shutil.which("pg_restore")
    if program is None:
        raise StoreError(f"pg_restore is not installed, which reads archives; {CLIENT}")
    command = [program, "--data-only", "--file=-", str(archive)]  # of all tables, so that all of the archive is read
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        with TextIOWrapper(process.stdout, encoding="utf-8", newline="\n") as script:
            seen = _take(script, rows)
        if code := process.wait():
            said.seek(0)
            why = describe(RuntimeError(said.read() or f"exit code {code}"))
            raise StoreError(f"pg_restore cannot read archive {archive}: {why}")
    if seen - _POOLS.keys() != set(_TABLES):
        raise StoreError(f"archive {archive} holds no Labwright store; look whether the address named the right database")
    rows.execute("CREATE INDEX by_position ON event (campaign, campaign_sequence)")


def _take(script: IO[str], rows: sqlite3.Connection) -> set[str]:
    """Take the rows of a script in; return the tables that it told of."""
    seen = set()
    for line in script:
        match = _COPY.fullmatch(line)
        tables = _TABLES | _POOLS
        if match is None or match["table"] not in tables:
            continue
        wanted, columns = tables[match["table"]], [name.strip(' "') for name in match["columns"].split(",")]
        places = [columns.index(name) for name in wanted]
        marks = ", ".join("?" * len(wanted))
        rows.executemany(f"INSERT INTO {match['table']} VALUES ({marks})", _rows(script, places))
        seen.add(match["table"])
    return seen


def _rows(script: IO[str], places: Sequence[int]) -> Iterator[list[str | None]]:
    for line in script:
        if line == "\\.\n":
            return
        cells = line.removesuffix("\n").split("\t")
        yield [_cell(cells[place]) for place in places]


def _cell(text: str) -> str | None:
    """Return what a cell of `COPY` text says."""
    if text == r"\N":
        return None
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), text) if "\\" in text else text
