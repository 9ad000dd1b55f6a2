"""Makes a database hold the schema of this version: creates it, upgrades an older one, refuses a newer one."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from controller.errors import StoreError
from controller.settings import sqlite_file
from controller.store.connecting import connect_postgresql, connect_sqlite, describe, place
from controller.store.version import VERSION_TABLE, check_version

MIGRATIONS = Path(__file__).parent / "migrations"
_OPENING_S = 30.0


def make_engine(url: str, *, foreign_keys: bool = True) -> Engine:
    """Return a SQLAlchemy engine for the store at `url`; its transactions take the right to write as they begin.

    Args:
        url: As `settings.normalise_url` returns it.
        foreign_keys: False only to rebuild tables, which SQLite cannot do while it checks them.
    """
    file = sqlite_file(url)
    if file is None:

        def connect() -> Any:
            connection = connect_postgresql(url)
            connection.autocommit = False
            return connection

        return sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool, hide_parameters=True)
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: connect_sqlite(file, foreign_keys=foreign_keys),
        poolclass=NullPool,
        hide_parameters=True,
    )
    sa.event.listen(engine, "begin", lambda connection: _begin(connection, file))
    return engine


def _begin(connection: Connection, file: Path) -> None:
    """Begin a transaction on the file that stands under its name: what goes into a file moved away would be lost to all others."""
    found = file.stat()
    identity = (found.st_dev, found.st_ino)
    if connection.info.setdefault("file", identity) != identity:
        raise FileNotFoundError(f"{file} was replaced by another file")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def advisory_key(what: str) -> int:
    """Return the number under which PostgreSQL locks `what` (63 bits of a hash, always positive)."""
    return int.from_bytes(hashlib.sha256(f"labwright:{what}".encode()).digest()[:8], "big") >> 1


def prepare(url: str, migrations: Path = MIGRATIONS) -> Path | None:
    """Make the database at `url` ready for use.

    Args:
        url: As `settings.normalise_url` returns it; for SQLite the file and its folder are made where they are missing.
        migrations: The Alembic scripts.

    Returns:
        The copy that was made of an older SQLite file before it was upgraded, or None.

    Raises:
        StoreError: If the database cannot be reached or written, holds something else, or has a newer schema.
    """
    file = sqlite_file(url)
    deadline = time.monotonic() + _OPENING_S
    while True:
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                _use_write_ahead_log(file)
            return _prepare_once(url, migrations)
        except OSError as error:
            raise StoreError(f"store {place(url)} cannot be made: {describe(error)}") from error
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            # Another process that makes the same store at this moment can hold it longer than SQLite's own patience.
            if file is None or "locked" not in str(cause) or time.monotonic() > deadline:
                raise StoreError(f"store {place(url)} cannot be opened: {describe(cause)}") from error
            time.sleep(0.05)


def _use_write_ahead_log(file: Path) -> None:
    connection = connect_sqlite(file, create=True)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    finally:
        connection.close()
    if mode != "wal":
        raise StoreError(f"store {file} cannot keep a write-ahead log (found {mode!r}); put it on a local disk")


def _prepare_once(url: str, migrations: Path) -> Path | None:
    engine = make_engine(url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            file = sqlite_file(url)
            if file is None:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(advisory_key("schema"))))
            found, is_new = _read_version(connection, url)
            if not check_version(found, place(url)):
                return None
            copy = _copy(file, found) if file is not None and not is_new else None
            _upgrade(connection, migrations)
            return copy
    finally:
        engine.dispose()


def _read_version(connection: Connection, url: str) -> tuple[str | None, bool]:
    """Return the schema that the database holds and whether it is empty."""
    names = sa.inspect(connection).get_table_names()
    if VERSION_TABLE in names:
        return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar(), False
    if names:
        raise StoreError(
            f"store {place(url)} holds other tables ({', '.join(sorted(names)[:3])} …), no Labwright store; name an empty one"
        )
    return None, True


def _copy(file: Path, version: str | None) -> Path:
    """Copy the SQLite file (with what is still in its write-ahead log) beside it."""
    target = file.with_name(f"{file.stem}.schema-{version or '0000'}{file.suffix}")
    partial = target.with_name(target.name + ".partial")
    source, copy = connect_sqlite(file), sqlite3.connect(partial)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    partial.replace(target)
    return target


def _upgrade(connection: Connection, migrations: Path) -> None:
    from alembic import command  # 0.1 s that only a new or older store need cost
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
