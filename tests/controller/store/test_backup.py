"""A copy that is made while somebody writes is whole, holds what was acknowledged, and can be worked with."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus
from controller.errors import ConflictError, StoreError
from controller.store import backup as backup_module
from controller.store.archive import heads_of, is_archive
from controller.store.audit import audit
from controller.store.backup import back_up, damage
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.store.verifying import verify
from tests.controller.store.conftest import fill, tamper
from tests.controller.store.postgres import PASSWORD, PostgresServer
from tests.controller.store.samples import Script
from tests.controller.store.starting import read_line, started

pytestmark = pytest.mark.timeout(120)


def restored(url: str, made: Path, request: pytest.FixtureRequest) -> str:
    """Return the address of a store that is the copy."""
    if url.startswith("sqlite"):
        return f"sqlite:///{made}"
    server: PostgresServer = request.getfixturevalue("postgres")
    target = server.create_database()
    done = subprocess.run(
        ["pg_restore", "--no-owner", f"--dbname={target}", str(made)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def test_copy_made_while_somebody_writes_is_whole_and_holds_what_was_acknowledged(
    store_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with started("write_for_ever", store_url) as writer:
        acknowledged = [tuple(read_line(writer).split()) for _ in range(60)]
        made = back_up(store_url, tmp_path / "copy.db")
        assert read_line(writer), "it writes on"
    assert made.n_bytes == made.path.stat().st_size > 0
    assert [p.name for p in tmp_path.glob("copy.db*")] == ["copy.db"]
    url = restored(store_url, made.path, request)
    with open_reader(url) as reader:
        held = {(c["name"], e["id"]) for c in reader.campaigns() for e in reader.experiments(c["id"])}
        for campaign in reader.campaigns():
            assert audit(reader, campaign["id"], verify=True).differences == []
            assert made.heads[campaign["name"]] == verify(reader, campaign["id"]).head
    assert held >= set(acknowledged)


def test_copy_can_be_worked_with_and_its_log_is_protected(
    filled: Store, script: Script, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made = back_up(filled.url, tmp_path / "copy.db")
    url = restored(filled.url, made.path, request)
    with Store.open(url) as copy:
        assert copy.events(script.campaign) == filled.events(script.campaign)
        copy.commit_now([script.campaign_status(CampaignStatus.PAUSED)])
        assert audit(copy, "sample", verify=True).differences == []
    with pytest.raises(Exception, match="events are never changed or deleted"):
        tamper(url, "DELETE FROM event")


def test_existing_file_is_not_overwritten(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(ConflictError, match="exists already and is not overwritten"):
        back_up(filled.url, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_copy_that_cannot_be_written_is_reported(filled: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no-such-folder"):
        back_up(filled.url, tmp_path / "no-such-folder" / "copy.db")


def test_store_whose_chain_is_broken_is_not_copied_in_silence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(url) as store:
        fill(store, Script())
    tamper(url, "DROP TRIGGER event_refuses_delete", "DELETE FROM event WHERE campaign_sequence = 30")
    with pytest.raises(StoreError, match=r"campaign sample: event 30 is missing.*no copy was kept"):
        back_up(url, tmp_path / "copy.db")
    assert list(tmp_path.glob("copy.db*")) == []


def test_server_whose_chain_is_broken_is_not_copied_in_silence(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database()
    with Store.open(url) as store:
        fill(store, Script())
    tamper(url, "ALTER TABLE event DISABLE TRIGGER ALL", "UPDATE event SET at = at + 1 WHERE campaign_sequence = 30")
    with pytest.raises(StoreError, match=r"campaign sample: event 30 \(.*does not fit the hash chain.*no copy was kept"):
        back_up(url, tmp_path / "copy.dump")
    assert list(tmp_path.glob("copy.dump*")) == []


def test_archive_is_proved_whatever_order_and_characters_its_rows_have(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database()
    script = Script()
    with Store.open(url) as store:
        fill(store, script)
        store.commit_now([script.campaign_status(CampaignStatus.PAUSED, "tab\t line\n back\\slash \\N \\. µ 😀 \x7f")])
        head = verify(store.reader, "sample").head
    # Rows that are written anew come last in the dump.
    tamper(url, "ALTER TABLE event DISABLE TRIGGER ALL", "UPDATE event SET kind = kind WHERE campaign_sequence IN (1, 7, 30)")
    made = back_up(url, tmp_path / "copy.dump")
    assert made.heads == {"sample": head} == heads_of(made.path)
    assert is_archive(made.path)
    whole = made.path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:100], b"PGDMP", b"PGDMP" + bytes(5000), whole[:-1000] + bytes(1000)):
        made.path.write_bytes(damaged)
        with pytest.raises(StoreError, match="archive"):
            heads_of(made.path)


def test_damage_is_found(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with Store.open(str(file)) as store:
        fill(store, Script())
    assert damage(file) == ""
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM campaign")
    assert "row 1 of event refers to a row of campaign that is not there" in damage(file)


def test_missing_pg_dump_is_told_with_what_to_do(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create_database()
    monkeypatch.setattr(backup_module.shutil, "which", lambda program: None)
    with pytest.raises(StoreError, match=r"pg_dump is not installed.*postgresql-client"):
        back_up(url, tmp_path / "copy.dump")


def test_server_that_refuses_is_reported_without_the_password(postgres: PostgresServer, tmp_path: Path) -> None:
    for url in (postgres.url("no_such_database"), postgres.url("postgres").replace(PASSWORD, "wr0ng-word")):
        with pytest.raises(StoreError, match="pg_dump failed") as caught:
            back_up(url, tmp_path / "copy.dump")
        assert PASSWORD not in str(caught.value)
        assert "wr0ng-word" not in str(caught.value)
    with pytest.raises(StoreError, match="holds no Labwright store"):
        back_up(postgres.create_database(), tmp_path / "copy.dump")
    assert list(tmp_path.glob("copy.dump*")) == []
