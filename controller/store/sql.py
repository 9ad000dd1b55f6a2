"""The few statements of the hot path, as text for the database's own driver.

What an experiment does is written in these; SQLAlchemy takes several times longer to prepare a statement than SQLite to carry it
out. Values travel as parameters, names of tables and columns come from `tables.py` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from controller.errors import ConflictError
from controller.store.schema import advisory_key
from controller.store.tables import Row

Values = Mapping[str, Any]
"""Column -> value."""

_CHANGED = {"started_at": "COALESCE(started_at, {})", "n_attempts": "n_attempts + {}"}
"""What a column becomes where it is not just the new value: the first start is kept, attempts are counted."""


def insert(connection: Connection, table: type[Row], rows: Sequence[Values]) -> None:
    """Enter rows, all with the same columns."""
    if rows:
        connection.exec_driver_sql(_insert(connection.dialect.name, table.__tablename__, tuple(rows[0])), list(rows))


def update(connection: Connection, table: type[Row], changes: Mapping[str, Values]) -> None:
    """Change rows by their id.

    Args:
        connection: In a transaction.
        table: With a column `id`.
        changes: Id -> what changes; a `started_at` is kept where there is one, `n_attempts` is added.

    Raises:
        ConflictError: If one of them is not there.
    """
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for key, values in changes.items():
        alike.setdefault(tuple(values), []).append({**values, "id": key})
    for columns, rows in alike.items():
        statement = _update(connection.dialect.name, table.__tablename__, columns)
        if connection.exec_driver_sql(statement, rows).rowcount != len(rows):
            missing = next((r["id"] for r in rows if not _is_there(connection, table, r["id"])), rows[0]["id"])
            raise ConflictError(f"the store holds no {table.__tablename__} {missing}")


def delete(connection: Connection, table: type[Row], column: str, keys: Collection[str]) -> None:
    """Remove the rows whose `column` has one of these values."""
    if keys:
        statement = f"DELETE FROM {table.__tablename__} WHERE {column} = {mark(connection.dialect.name, 'key')}"
        connection.exec_driver_sql(statement, [{"key": key} for key in keys])


def take_turn(connection: Connection, what: str) -> None:
    """Wait until no other transaction is about `what`, and keep others from it until this one ends.

    For rules that no constraint of the database can tell, such as one valid key of a name at any moment. SQLite lets one
    transaction write at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(advisory_key(what))))


def mark(dialect: str, name: str) -> str:
    """Return how a statement refers to the parameter `name`."""
    return f":{name}" if dialect == "sqlite" else f"%({name})s"


def _is_there(connection: Connection, table: type[Row], key: str) -> bool:
    statement = f"SELECT 1 FROM {table.__tablename__} WHERE id = {mark(connection.dialect.name, 'key')}"
    return connection.exec_driver_sql(statement, {"key": key}).first() is not None


@cache
def _insert(dialect: str, table: object, columns: tuple[str, ...]) -> str:
    values = ", ".join(mark(dialect, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


@cache
def _update(dialect: str, table: object, columns: tuple[str, ...]) -> str:
    changed = ", ".join(f"{c} = {_CHANGED.get(c, '{}').format(mark(dialect, c))}" for c in columns)
    return f"UPDATE {table} SET {changed} WHERE id = {mark(dialect, 'id')}"
