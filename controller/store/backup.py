"""Copies a store while it is in use, and reads the copy back before it counts.

SQLite's online backup (https://www.sqlite.org/backup.html) and pg_dump both copy one moment of the store; writers go on.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from controller.errors import ConflictError, MissingExtraError, StoreError
from controller.settings import sqlite_file
from controller.store.archive import CLIENT, heads_of
from controller.store.connecting import connect_sqlite_readonly, describe, place
from controller.store.pools import differences
from controller.store.reading import open_reader
from controller.store.verifying import verify
from instruments.durable import flush


@dataclass(frozen=True)
class Backup:
    """A copy that was written, flushed to the disk and read back."""

    path: Path
    n_bytes: int
    heads: dict[str, str] = field(default_factory=dict)
    """Campaign -> head of its log in the copy."""


def back_up(url: str, target: Path) -> Backup:
    """Copy the store at `url` into the file `target`.

    Args:
        url: As `settings.normalise_url` returns it.
        target: A file that is not there yet; it appears when the copy is whole, or not at all. From a server it is an archive
            for pg_restore.

    Raises:
        ConflictError: If `target` exists.
        StoreError: If the store cannot be read, the copy cannot be written, or it does not read back as it should.
    """
    if target.exists():
        raise ConflictError(f"{target} exists already and is not overwritten; name another file, or a folder")
    partial = target.with_name(target.name + ".partial")
    file = sqlite_file(url)
    try:
        partial.unlink(missing_ok=True)
        heads = _dump(url, partial) if file is None else _copy(file, partial)
        flush(partial)
        partial.replace(target)
        flush(target.parent)
        return Backup(target, target.stat().st_size, heads)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"store {place(url)} cannot be copied to {target}: {describe(error)}") from error
    finally:
        partial.unlink(missing_ok=True)


def damage(file: Path) -> str:
    """Return what SQLite's own check finds wrong with a file; empty when nothing."""
    try:
        with closing(connect_sqlite_readonly(file)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
            found += [
                f"row {row} of {table} refers to a row of {parent} that is not there"
                for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(5)
            ]
    except sqlite3.Error as error:
        return f"{error}; restore it from a copy"
    return "; ".join(line for line in found if line != "ok")


def _copy(file: Path, partial: Path) -> dict[str, str]:
    if not file.exists():
        raise StoreError(f"store {file} is not there")
    with closing(connect_sqlite_readonly(file)) as source, closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
        # One file by itself, that can be read in a folder that cannot be written.
        copy.execute("PRAGMA journal_mode=DELETE")
    if wrong := damage(partial):
        raise StoreError(f"the copy of {file} does not read back: {wrong}")
    heads = {}
    with open_reader(str(partial)) as reader:
        for campaign in reader.campaign_rows():
            walked = verify(reader, campaign["id"])
            if walked.differences:
                raise StoreError(f"store {file}, campaign {campaign['name']}: {walked.differences[0]}; no copy was kept")
            heads[str(campaign["name"])] = walked.head
        if wrong_pools := differences(reader):
            raise StoreError(f"store {file}: {wrong_pools[0]}; no copy was kept")
    return heads


def _dump(url: str, partial: Path) -> dict[str, str]:
    try:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
    except ImportError:
        raise MissingExtraError("psycopg", "postgres", "a PostgreSQL store") from None
    parts = conninfo_to_dict(url)
    # The list of processes shows arguments, but no other user's environment.
    secrets = {"PGPASSWORD": str(parts.pop("password"))} if parts.get("password") else {}
    into = ("--format=custom", "--no-owner", "--encoding=UTF8", f"--file={partial}")
    _call("pg_dump", *into, f"--dbname={make_conninfo('', **parts)}", **secrets)
    # The whole archive is read; what it holds is listed.
    _call("pg_restore", f"--file={os.devnull}", str(partial))
    listed = _call("pg_restore", "--list", str(partial))
    if "TABLE DATA" not in listed or " event " not in listed:
        raise StoreError(f"the copy of {place(url)} holds no Labwright store; look whether the address names the right database")
    try:
        return heads_of(partial)
    except StoreError as error:
        raise StoreError(f"the copy of {place(url)} does not prove itself: {error}; no copy was kept") from error


def _call(program: str, *arguments: str, **environment: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise StoreError(f"{program} is not installed, which copies a PostgreSQL store; {CLIENT}")
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, check=False, env=os.environ | environment, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise StoreError(f"{program} failed: {describe(RuntimeError(done.stderr or f'exit code {done.returncode}'))}")
    return done.stdout
