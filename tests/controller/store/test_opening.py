"""Opening makes, upgrades or refuses a store, and says why."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from controller.errors import StoreError
from controller.settings import folder_of
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.store.schema import MIGRATIONS, make_engine, prepare
from controller.store.tables import Row
from controller.store.version import SCHEMA_VERSION, VERSION_TABLE
from tests.controller.store.conftest import fill, tamper
from tests.controller.store.postgres import PASSWORD, PostgresServer
from tests.controller.store.samples import Script
from tests.controller.store.starting import read_line, started


def test_open_makes_folder_and_file(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "a" / "b" / "lab.db")) as store:
        assert store.campaigns() == []
        assert (store.kind, store.upgraded_from) == ("sqlite", None)
        assert store.folder == tmp_path / "a" / "b" / "lab.files"
    assert (tmp_path / "a" / "b" / "lab.db").exists()


def test_sqlite_store_flushes_each_commit_to_the_disk(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    prepare(url)
    with make_engine(url).connect() as connection:
        pragmas = {
            p: connection.exec_driver_sql(f"PRAGMA {p}").scalar()
            for p in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_postgresql_store_waits_for_the_disk_whatever_the_server_says(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    database = url.rpartition("/")[2]
    tamper(url, f'ALTER DATABASE "{database}" SET synchronous_commit TO off')
    with make_engine(url).connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_tables_and_migrations_agree(store: Store) -> None:
    engine = make_engine(store.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "target_metadata": Row.metadata}
        )
        assert compare_metadata(context, Row.metadata) == []
    engine.dispose()


def test_schema_version_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


def test_newer_schema_is_refused(filled: Store) -> None:
    filled.close()
    tamper(filled.url, f"UPDATE {VERSION_TABLE} SET version_num = '0002'")
    with pytest.raises(StoreError, match=r"has schema 0002.*upgrade Labwright"):
        Store.open(filled.url)
    with open_reader(filled.url) as reader, pytest.raises(StoreError, match="has schema 0002"):
        reader.campaigns()


def test_database_of_another_program_is_refused(store_url: str, tmp_path: Path) -> None:
    if store_url.startswith("sqlite"):
        with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
            connection.execute("CREATE TABLE invoices (id INTEGER)")
    else:
        tamper(store_url, "CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(StoreError, match="invoices"):
        Store.open(store_url)
    with open_reader(store_url) as reader, pytest.raises(StoreError, match="other tables"):
        reader.campaigns()


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk, bread, eggs and a good deal more than a header's worth of text" * 20)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(str(tmp_path / "notes.txt"))
    with open_reader(str(tmp_path / "notes.txt")) as reader, pytest.raises(StoreError, match="not a database"):
        reader.campaigns()


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open(str(tmp_path / "file" / "lab.db"))


def test_unreachable_server_is_reported_without_the_password(postgres: PostgresServer) -> None:
    for url in (postgres.url("no_such_database"), postgres.url("lab").replace(PASSWORD, "wr0ng-word")):
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            Store.open(url)
        assert PASSWORD not in str(caught.value)
        assert "wr0ng-word" not in str(caught.value)
        with open_reader(url) as reader, pytest.raises(StoreError) as caught:
            reader.campaigns()
        assert PASSWORD not in str(caught.value)


def test_names_of_a_store_show_no_password(postgres: PostgresServer) -> None:
    with Store.open(postgres.create_database()) as store:
        assert PASSWORD not in f"{store!r} {store.reader!r} {store.folder}"
        assert store.folder == folder_of(store.url)


def test_store_is_made_once_by_processes_that_open_it_together(store_url: str) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(started("open_at_once", store_url)) for _ in range(2)]
        for process in processes:
            assert read_line(process) == "ready"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [read_line(process) for process in processes] == ["opened 0"] * 2


def test_older_schema_is_upgraded_after_a_copy(store_url: str, tmp_path: Path, script: Script) -> None:
    older = _migrations(tmp_path / "older", ["0000"])
    assert prepare(store_url, older) is None
    assert _tables(store_url) == {VERSION_TABLE, "note"}
    with open_reader(store_url) as reader, pytest.raises(StoreError, match="labwright db upgrade"):
        reader.campaigns()
    copy = prepare(store_url, _migrations(tmp_path / "newer", ["0000", "0001"]))
    if store_url.startswith("sqlite"):
        assert copy == tmp_path / "store.schema-0000.db"
        assert _tables(f"sqlite:///{copy}") == {VERSION_TABLE, "note"}
    else:
        assert copy is None
    with Store.open(store_url) as store:
        fill(store, script)
        assert len(store.reader.experiments("sample")) == 5


def test_upgrade_that_fails_changes_nothing(store_url: str, tmp_path: Path) -> None:
    prepare(store_url, _migrations(tmp_path / "older", ["0000"]))
    broken = _migrations(tmp_path / "newer", ["0000", "0001"])
    file = broken / "versions" / "v0001_first.py"
    file.write_text(
        file.read_text().replace("    _protect_the_log()\n\n\n", "    op.execute('DROP TABLE nothing')\n\n\n", 1)
    )
    with pytest.raises(StoreError, match="nothing"):
        prepare(store_url, broken)
    assert _tables(store_url) == {VERSION_TABLE, "note"}


def _migrations(folder: Path, versions: list[str]) -> Path:
    """Return migrations that begin with a version 0000, which only makes a table `note`."""
    shutil.copytree(MIGRATIONS, folder)
    first = folder / "versions" / "v0001_first.py"
    text = first.read_text()
    first.write_text(text.replace("down_revision = None", 'down_revision = "0000"'))
    if "0001" not in versions:
        first.unlink()
    (folder / "versions" / "v0000_note.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n\nrevision = '0000'\ndown_revision = None\n\n\n"
        "def upgrade():\n    op.create_table('note', sa.Column('id', sa.Integer(), primary_key=True))\n"
    )
    return folder


def _tables(url: str) -> set[str]:
    engine: Any = make_engine(url)
    with engine.connect() as connection:
        names = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    return names
