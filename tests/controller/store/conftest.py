"""Fixtures of the store's tests: the same tests run on SQLite and on a PostgreSQL server of our own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from controller.settings import HOME_VARIABLE, sqlite_file
from controller.store.opening import Store
from tests.controller.store.postgres import PostgresServer, installed_postgres
from tests.controller.store.samples import Script


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own state folder."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with installed_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.emptied_database()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def filled(store: Store, script: Script) -> Store:
    """A store that holds one campaign with every kind of event."""
    fill(store, script)
    return store


def fill(store: Store, script: Script) -> None:
    # One unit, for speed; what units are for is tested where they are committed.
    store.commit_now(list(chain(*script.everything())), definition=script.definition)


def connect_raw(url: str) -> Any:
    """Return a plain connection that commits each statement: what somebody with a database client has."""
    file = sqlite_file(url)
    if file is None:
        import psycopg

        return psycopg.connect(url, autocommit=True)
    import sqlite3

    return sqlite3.connect(file, isolation_level=None, timeout=5)


def tamper(url: str, *statements: str) -> None:
    """Change rows behind the store's back."""
    connection = connect_raw(url)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()
