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

from controller.domain.event import Event
from controller.errors import StoreError
from controller.settings import folder_of
from controller.store.audit import audit
from controller.store.chain import BEGINNING, link
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.store.schema import MIGRATIONS, make_engine, prepare
from controller.store.tables import Row
from controller.store.version import SCHEMA_VERSION, VERSION_TABLE
from tests.controller.store.conftest import fill, tamper
from tests.controller.store.postgres import PASSWORD, PostgresServer
from tests.controller.store.samples import Script, make_definition
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
    tamper(filled.url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"has schema 9999.*upgrade Labwright"):
        Store.open(filled.url)
    with open_reader(filled.url) as reader, pytest.raises(StoreError, match="has schema 9999"):
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
    told = _fill_first_schema(store_url, tmp_path, script)
    with open_reader(store_url) as reader, pytest.raises(StoreError, match="labwright db upgrade"):
        reader.campaigns()
    with Store.open(store_url) as store:
        if store_url.startswith("sqlite"):
            assert store.upgraded_from == tmp_path / "store.schema-0001.db"
            assert "chain" not in _columns(f"sqlite:///{store.upgraded_from}", "event")
        else:
            assert store.upgraded_from is None
        assert [store.events(campaign.id) for campaign in store.campaigns()] == told
        assert audit(store, "sample").differences == []
        store.commit_now([script.alarm("after the upgrade")])


def test_upgraded_log_has_the_chain_that_would_have_been_written(
    store_url: str, tmp_path: Path, script: Script
) -> None:
    _fill_first_schema(store_url, tmp_path, script)
    with Store.open(store_url) as store:
        store.commit_now([script.alarm("after the upgrade")])
        for campaign in store.campaigns():
            chain = BEGINNING
            for row in store.reader.event_rows(campaign.id):
                chain = link(
                    chain, campaign.id, row["campaign_sequence"], row["id"], row["kind"], row["at"], row["body"]
                )
                assert row["chain"] == chain


def test_upgraded_log_cannot_be_changed(store_url: str, tmp_path: Path, script: Script) -> None:
    _fill_first_schema(store_url, tmp_path, script)
    prepare(store_url)
    for statement in ("UPDATE event SET at = 1", "DELETE FROM event"):
        with pytest.raises(Exception, match="events are never changed or deleted"):
            tamper(store_url, statement)


def test_upgraded_tables_are_those_of_a_new_store(store_url: str, tmp_path: Path, script: Script) -> None:
    _fill_first_schema(store_url, tmp_path, script)
    prepare(store_url)
    engine = make_engine(store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
        if store_url.startswith("sqlite"):
            made = "SELECT sql FROM sqlite_master WHERE name = 'event'"
            assert "AUTOINCREMENT" in connection.exec_driver_sql(made).scalar_one()
    engine.dispose()


def test_upgrade_that_fails_changes_nothing(store_url: str, tmp_path: Path, script: Script) -> None:
    _fill_first_schema(store_url, tmp_path, script)
    broken = _migrations(tmp_path / "broken", SCHEMA_VERSION)
    (file,) = (broken / "versions").glob(f"v{SCHEMA_VERSION}_*.py")
    after = "\n\n_whole = upgrade\n\n\ndef upgrade() -> None:\n    _whole()\n    op.execute('DROP TABLE nothing')\n"
    file.write_text(file.read_text() + after)
    before = _everything(store_url)
    with pytest.raises(StoreError, match="nothing"):
        prepare(store_url, broken)
    assert _everything(store_url) == before
    prepare(store_url)
    assert _everything(store_url) != before


def _fill_first_schema(url: str, tmp_path: Path, script: Script) -> list[list[Event]]:
    """Make a store as the first schema had it, with two campaigns, and return their logs."""
    prepare(url, _migrations(tmp_path / "first", "0001"))
    newest = f"sqlite:///{tmp_path / 'newest.db'}"
    with Store.open(newest) as store:
        fill(store, script)
        fill(store, Script(make_definition("another")))
        told = [store.events(campaign.id) for campaign in store.campaigns()]
    # The database counts `sequence` by itself.
    there = {t: [c for c in _columns(url, t.name) if c != "sequence"] for t in Row.metadata.sorted_tables}
    source, target = make_engine(newest), make_engine(url, foreign_keys=False)
    with source.connect() as reading, target.begin() as writing:
        for table, columns in there.items():
            if not columns:
                continue
            rows = reading.execute(sa.select(*(table.c[name] for name in columns))).mappings().all()
            if rows:
                writing.execute(sa.insert(sa.table(table.name, *(sa.column(name) for name in columns))), [*map(dict, rows)])
    source.dispose()
    target.dispose()
    return told


def _migrations(folder: Path, newest: str) -> Path:
    """Return the migrations up to `newest`."""
    shutil.copytree(MIGRATIONS, folder)
    for file in (folder / "versions").glob("v*.py"):
        if file.name[1:5] > newest:
            file.unlink()
    return folder


def _columns(url: str, table: str) -> list[str]:
    """Return the columns that a table has in the database; none where there is no such table."""
    engine = make_engine(url)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        names = [c["name"] for c in inspector.get_columns(table)] if inspector.has_table(table) else []
    engine.dispose()
    return names


def _everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return each table's columns and rows."""
    engine: Any = make_engine(url)
    with engine.connect() as connection:
        found = {}
        for table in sa.inspect(connection).get_table_names():
            rows = connection.execute(sa.text(f"SELECT * FROM {table}"))
            found[table] = [tuple(rows.keys()), *map(tuple, rows)]
    engine.dispose()
    return found
