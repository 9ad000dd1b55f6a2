"""One connection to a store over DB-API, for reading while a controller writes it or none runs: whole moments, rows as dicts.

Commands that only look must start at once: nothing here may import sqlalchemy, sqlmodel, alembic or pydantic.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from controller.errors import StoreError
from controller.settings import sqlite_file
from controller.store.connecting import connect_postgresql, connect_sqlite_readonly, describe, place
from controller.store.version import SCHEMA_VERSION, VERSION_TABLE, check_version

Row = dict[str, Any]


class SnapshotReader:
    """Reads one store, a moment at a time. May be shared by threads; close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._file: Path | None = sqlite_file(url)
        self._connection: Any = None
        self._depth = 0
        self._guard = threading.RLock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({place(self.url)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; a later call opens another one."""
        with self._guard:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[bool]:
        """Let everything that is read inside the block be of one moment; yields whether there is a store at all.

        Raises:
            StoreError: If the store cannot be read, is damaged or has another schema.
        """
        with self._guard:
            if self._depth:
                yield self._connection is not None
                return
            try:
                exists = self._begin()
                self._depth = 1
                yield exists
                if exists:
                    self._connection.execute("COMMIT")
            except BaseException as error:
                self._drop()
                if self._is_database_error(error):
                    raise StoreError(f"store {place(self.url)} cannot be read: {describe(error)}") from error
                raise
            finally:
                self._depth = 0

    def _begin(self) -> bool:
        if self._connection is not None:
            try:
                self._start()
                return True
            except Exception as error:  # of either driver; a server may have been restarted since
                if not self._is_database_error(error):
                    raise
                self._drop()
        if self._file is not None and not self._file.exists():
            return False
        self._connection = connect_postgresql(self.url) if self._file is None else connect_sqlite_readonly(self._file)
        self._start()
        if self._holds_store():
            return True
        self._drop()
        return False

    def _start(self) -> None:
        self._connection.execute(
            "BEGIN" if self._file is not None else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _holds_store(self) -> bool:
        """Check the schema; False for a database without any table, as it is before a first controller."""
        if self._file is not None:
            names = [r[0] for r in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        else:
            names = [r[0] for r in self._rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]
        if VERSION_TABLE not in names:
            if names:
                raise StoreError(f"store {place(self.url)} holds other tables and no Labwright store; name another one")
            return False
        versions = self._rows(f"SELECT version_num FROM {VERSION_TABLE}")
        if check_version(versions[0][0] if versions else None, place(self.url)):
            raise StoreError(
                f"store {place(self.url)} has an older schema than {SCHEMA_VERSION}: run labwright db upgrade"
            )
        return True

    def _is_database_error(self, error: BaseException) -> bool:
        if self._file is not None:
            return isinstance(error, (sqlite3.Error, OSError))
        try:
            import psycopg
        except ImportError:
            return False
        return isinstance(error, psycopg.Error)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self._file is None:
            sql = sql.replace("?", "%s")
        return list(self._connection.execute(sql, values).fetchall())

    def _dicts(self, table: str, columns: str, rest: str = "", *values: object) -> list[Row]:
        """Return rows of `table` as dicts by column name; `columns` is separated by blanks."""
        names = columns.split()
        with self.snapshot() as exists:
            if not exists:
                return []
            sql = f"SELECT {', '.join(names)} FROM {table} {rest}"
            return [dict(zip(names, row, strict=True)) for row in self._rows(sql, *values)]
