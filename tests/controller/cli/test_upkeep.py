"""`labwright doctor`, `db`, `driver` and `simulator`."""

from __future__ import annotations

import sqlite3
import types
from pathlib import Path

import pytest

from controller.cli import health
from controller.store.opening import Store
from controller.store.version import SCHEMA_VERSION
from tests.controller.cli.conftest import Call
from tests.controller.store.postgres import installed_postgres
from tests.controller.store.samples import Script


def test_doctor_finds_this_machine_fit(call: Call, store_file: Path) -> None:
    said = call("doctor", "--store", store_file, "--json")
    findings = {f["check"]: f for f in said.json}
    assert said.code == 0, [f for f in said.json if f["result"] == "failed"]
    assert findings["our packages"]["result"] == "ok"
    assert "1 campaigns" in findings[f"store {store_file}"]["detail"]
    assert "a commit takes" in findings[f"folder {store_file.parent}"]["detail"]
    assert "torch" in findings["models"]["detail"]


def test_doctor_sees_a_package_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    stranger = types.ModuleType("instruments")
    stranger.__file__ = "/elsewhere/instruments/__init__.py"
    monkeypatch.setitem(sys.modules, "instruments", stranger)
    (finding,) = health._our_packages()
    assert finding.result == "failed"
    assert "/elsewhere/instruments" in finding.detail
    assert "environment of its own" in finding.remedy


def test_doctor_with_a_damaged_store_fails_and_says_what_to_do(call: Call, tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"not a database at all" * 100)
    said = call("doctor", "--store", junk, "--json")
    assert said.code == 1
    (finding,) = [f for f in said.json if f["result"] == "failed"]
    assert "junk.db" in finding["check"]
    assert "labwright db check" in finding["remedy"]


def test_doctor_survives_a_check_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[health.Finding]:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(health, "_clock", broken)
    monkeypatch.setattr(health, "_models", lambda: [])
    findings = {f.check: f for f in health.examine([])}
    assert findings["clock"].result == "failed"
    assert "no such thing" in findings["clock"].detail


def test_db_upgrade_makes_a_named_store_and_check_finds_it_whole(call: Call, tmp_path: Path) -> None:
    store = tmp_path / "new.db"
    assert call("db", "upgrade", "--store", store, "--json").json[0]["schema"] == SCHEMA_VERSION
    (row,) = call("db", "check", "--store", store, "--json").json
    assert (row["result"], row["campaigns"]) == ("ok", 0)


def test_db_check_of_books_that_do_not_balance_fails(call: Call, store_file: Path) -> None:
    assert call("db", "check", "--store", store_file).code == 0
    with sqlite3.connect(store_file) as connection:
        connection.execute("UPDATE experiment SET status = 'completed' WHERE number = 4")
    said = call("db", "check", "--store", store_file, "--json")
    assert said.code == 5
    assert "sample" in said.json[0]["detail"]


def test_db_check_of_a_missing_or_damaged_file_fails_and_makes_nothing(call: Call, tmp_path: Path) -> None:
    said = call("db", "check", "--store", tmp_path / "absent.db", "--json")
    assert said.code == 5
    assert "no such file" in said.json[0]["detail"]
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "junk.db").write_bytes(b"not a database at all" * 100)
    assert call("db", "check", "--store", tmp_path / "junk.db").code == 5


def test_db_check_walks_the_hash_chain(call: Call, store_file: Path) -> None:
    with sqlite3.connect(store_file) as connection:
        connection.execute("DROP TRIGGER event_refuses_update")
        other = "CASE substr(chain, 1, 1) WHEN 'f' THEN '0' ELSE 'f' END"
        connection.execute(f"UPDATE event SET chain = {other} || substr(chain, 2) WHERE campaign_sequence = 9")
    said = call("db", "check", "--store", store_file, "--json")
    assert said.code == 5
    assert "campaign audit sample --verify" in said.json[0]["detail"]
    audited = call("campaign", "audit", "sample", "--store", store_file)
    assert audited.code == 0
    verified = call("campaign", "audit", "sample", "--verify", "--store", store_file)
    assert verified.code == 1
    assert "event 9 (" in verified.out


def test_db_backup_into_a_file_and_into_a_folder(call: Call, store_file: Path, tmp_path: Path) -> None:
    (row,) = call("db", "backup", tmp_path / "copy.db", "--store", store_file, "--json").json
    assert (row["store"], row["file"], row["campaigns"]) == (str(store_file), str(tmp_path / "copy.db"), 1)
    head = call("campaign", "audit", "sample", "--verify", "--store", tmp_path / "copy.db", "--json").json["head"]
    assert row["heads"] == {"sample": head}
    (tmp_path / "shelf").mkdir()
    assert call("db", "backup", tmp_path / "shelf", "--store", store_file).code == 0
    (copy,) = (tmp_path / "shelf").iterdir()
    assert copy.name.startswith("sample-2")
    assert call("db", "check", "--store", copy).code == 0
    again = call("db", "backup", tmp_path / "copy.db", "--store", store_file)
    assert (again.code, "not overwritten" in again.err) == (2, True)


def test_db_check_walks_the_hash_chains_in_an_archive_of_a_server(call: Call, tmp_path: Path) -> None:
    with installed_postgres() as server:
        url, copy = server.create_database(), tmp_path / "copy.dump"
        with Store.open(url) as store:
            script = Script()
            store.commit_now(script.created(), definition=script.definition)
        (made,) = call("db", "backup", copy, "--store", url, "--json").json
        assert made["campaigns"] == 1
        said = call("db", "check", "--store", copy, "--json")
        assert (said.code, said.json[0]["result"], said.json[0]["campaigns"]) == (0, "ok", 1)
        copy.write_bytes(copy.read_bytes()[:-200])
        said = call("db", "check", "--store", copy, "--json")
        assert (said.code, said.json[0]["result"]) == (5, "failed")
        assert "archive" in said.json[0]["detail"]


def test_db_backup_of_both_own_stores_needs_a_folder(call: Call, state_home: Path, tmp_path: Path) -> None:
    assert call("db", "backup", tmp_path / "copy.db").out == "There is no store yet.\n"
    for path in (state_home / "labwright.db", state_home / "simulated" / "labwright.db"):
        call("db", "upgrade", "--store", path)
    said = call("db", "backup", tmp_path / "copy.db")
    assert (said.code, "say which with --store" in said.err) == (2, True)
    assert call("db", "backup", tmp_path).code == 0
    assert len(list(tmp_path.glob("labwright-*.db"))) == len(list(tmp_path.glob("simulated-labwright-*.db"))) == 1


def test_db_without_any_store_says_so(call: Call, state_home: Path) -> None:
    assert call("db", "check").out == "There is no store yet.\n"
    assert call("db", "upgrade").out == "There is no store yet.\n"
    assert not state_home.exists()


def test_simulators_are_listed_with_what_they_are(call: Call) -> None:
    rows = {r["simulator"]: r["description"] for r in call("simulator", "list", "--json").json}
    assert {"table", "flow-chemistry"} <= rows.keys()
    assert all(rows.values())


def test_driver_new_writes_files_and_does_not_overwrite(call: Call, tmp_path: Path) -> None:
    said = call("driver", "new", "syringe_pump", "--folder", tmp_path)
    assert said.code == 0
    written = [Path(line) for line in said.out.splitlines()]
    assert any(p.name.startswith("test_") for p in written)
    assert all(p.exists() for p in written)
    assert call("driver", "new", "syringe_pump", "--folder", tmp_path).code != 0


@pytest.mark.timeout(90)
def test_driver_check_passes_a_new_driver(call: Call, tmp_path: Path) -> None:
    written = call("driver", "new", "syringe_pump", "--folder", tmp_path).out.splitlines()
    (driver,) = [p for p in written if not Path(p).name.startswith("test_") and p.endswith(".py")]
    said = call("driver", "check", driver, "--json")
    assert {row["result"] for row in said.json} <= {"passed", "skipped"}
    assert sum(row["result"] == "passed" for row in said.json) > 5
    assert said.code == 0


@pytest.mark.parametrize("options", ["{", "[1]"])
def test_driver_options_that_are_no_object_are_bad_input(call: Call, options: str) -> None:
    said = call("driver", "check", "simulated-table", "--options", options)
    assert said.code == 2
    assert "JSON" in said.err


def test_driver_check_of_an_unknown_tag_names_the_close_one(call: Call) -> None:
    said = call("driver", "check", "simulated-tabel")
    assert said.code != 0
    assert said.err.startswith("labwright: ")
    assert "simulated-table" in said.err
