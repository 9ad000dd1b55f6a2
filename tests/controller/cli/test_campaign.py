"""`labwright campaign` on real stores."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus
from controller.settings import default_store_url
from controller.store.opening import Store
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import Script, make_definition


def fill_default(simulated: bool, name: str) -> None:
    definition = make_definition(name)
    definition = definition.model_copy(update={"lab": definition.lab.model_copy(update={"simulated": simulated})})
    script = Script(definition)
    with Store.open(default_store_url(simulated)) as store:
        store.commit_now(script.created(), definition=definition)


def test_list_json_holds_counts_and_says_that_data_is_simulated(call: Call, store_file: Path) -> None:
    (row,) = call("campaign", "list", "--store", store_file, "--json").json
    assert (row["campaign"], row["status"], row["simulated"], row["data"]) == ("sample", "running", True, "simulated")
    assert row["counts"] == {
        "proposed": 0, "queued": 1, "running": 1, "completed": 1, "failed": 0, "abandoned": 0, "cancelled": 1, "unknown": 1,
    }  # fmt: skip
    assert row["budget_experiments"] == 10
    assert row["store"] == str(store_file)


def test_list_searches_both_default_stores_and_marks_which_is_simulated(call: Call) -> None:
    fill_default(True, "dream")
    fill_default(False, "bench")
    rows = {r["campaign"]: r for r in call("campaign", "list", "--json").json}
    assert {name: r["data"] for name, r in rows.items()} == {"dream": "simulated", "bench": "real"}
    shown = call("campaign", "list").out
    assert "simulated" in shown
    assert "real" in shown


def test_list_of_nothing_says_how_to_begin_and_makes_no_store(call: Call, state_home: Path) -> None:
    said = call("campaign", "list")
    assert said.code == 0
    assert "labwright run FILE" in said.out
    assert call("campaign", "list", "--json").json == []
    assert not state_home.exists()


def test_list_works_on_a_store_that_cannot_be_written(call: Call, store_file: Path) -> None:
    store_file.chmod(0o444)
    assert call("campaign", "list", "--store", store_file, "--json").code == 0


def test_show_gives_front_alarms_and_definition(call: Call, store_file: Path) -> None:
    shown = call("campaign", "show", "sample", "--store", store_file, "--json").json
    (best,) = shown["best"]
    assert best["experiment"] == 1
    assert best["objectives"] == {"yield": 61.25, "cost": 3.0}
    assert shown["alarms"][0]["code"] == "stall"
    assert shown["definition"]["name"] == "sample"


def test_show_as_text_has_units_and_mark_and_no_control_characters(call: Call, store_file: Path) -> None:
    shown = call("campaign", "show", "sample", "--store", store_file).out
    assert "temperature 20.1 degC" in shown
    assert "temperature [degC]" in call("campaign", "show", "sample", "--details", "--store", store_file).out
    assert "SIMULATED" in shown
    assert "\0" not in shown


def test_unknown_name_is_bad_input_and_names_the_close_one(call: Call, store_file: Path) -> None:
    said = call("campaign", "show", "smaple", "--store", store_file)
    assert said.code == 2
    assert "did you mean sample?" in said.err
    assert said.out == ""


def test_error_is_json_too_when_asked_for(call: Call, store_file: Path) -> None:
    said = call("campaign", "show", "smaple", "--store", store_file, "--json")
    assert said.code == 2
    assert said.error["type"] == "UnknownNameError"
    assert "sample" in said.error["error"]


def test_name_in_both_default_stores_is_refused_until_one_is_named(call: Call) -> None:
    fill_default(True, "twice")
    fill_default(False, "twice")
    said = call("campaign", "show", "twice")
    assert said.code == 2
    assert "--store" in said.err
    assert call("campaign", "show", "twice", "--store", default_store_url(True)).code == 0


def test_store_that_is_none_is_a_store_error(call: Call, tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"not a database at all" * 100)
    said = call("campaign", "list", "--store", junk)
    assert said.code == 5
    assert said.err.startswith("labwright: ")
    assert "Traceback" not in said.err


def test_audit_of_a_sound_store_balances(call: Call, store_file: Path) -> None:
    report = call("campaign", "audit", "sample", "--store", store_file, "--json")
    assert report.code == 0
    assert report.json["balanced"] is True
    assert report.json["differences"] == []
    assert sum(report.json["counts"].values()) == 5


def test_audit_verify_prints_a_head_that_is_found_again(call: Call, store_file: Path) -> None:
    told = call("campaign", "audit", "sample", "--verify", "--store", store_file)
    head = told.out.split()[-1]
    assert (told.code, len(head)) == (0, 64)
    assert "The hash chain holds over 39 events" in told.out
    report = call("campaign", "audit", "sample", "--head", head, "--store", store_file, "--json").json
    assert (report["head"], report["n_events"], report["given_head_at"]) == (head, 39, 39)
    other = call("campaign", "audit", "sample", "--head", "f" * 64, "--store", store_file)
    assert other.code == 1
    assert "was cut off or written anew" in other.out
    assert call("campaign", "audit", "sample", "--head", "no hash", "--store", store_file).code == 2


def test_audit_names_what_the_journals_say_otherwise(call: Call, store_file: Path) -> None:
    from instruments.protocol.records import AttemptRecord
    from instruments.protocol.values import Succeeded
    from instruments.sdk.journal import Journal

    journal = Journal(store_file.parent / "sample.files" / "labs" / "bench" / "reactor" / "journal.db", instrument="reactor")
    outcome = Succeeded(values={}, started_at=1.0, finished_at=2.0)
    journal.write(AttemptRecord("stranger", "run", {}, {}, {}, (1.0, 1.0), 1.0, 1.0, {}, 1.0, 2.0, outcome))
    journal.close()
    report = call("campaign", "audit", "sample", "--store", store_file, "--json")
    assert report.code == 1
    assert "reactor finished attempt stranger (run), of which the store knows nothing" in report.json["differences"]


def test_audit_of_a_changed_row_says_so_and_fails(call: Call, store_file: Path) -> None:
    with sqlite3.connect(store_file) as connection:
        connection.execute("UPDATE observation SET value = 99 WHERE objective = 'yield'")
    report = call("campaign", "audit", "sample", "--store", store_file, "--json")
    assert report.code == 1
    assert report.json["balanced"] is False
    assert any("99" in line for line in report.json["differences"])
    assert "99" in call("campaign", "audit", "sample", "--store", store_file).out


def test_export_csv_has_a_row_per_experiment_and_says_simulated_in_each(
    call: Call, store_file: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    assert call("campaign", "export", "sample", "--store", store_file, "--output", target).code == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [r["number"] for r in rows] == ["1", "2", "3", "4", "5"]
    assert {r["simulated"] for r in rows} == {"true"}
    assert (rows[0]["temperature"], rows[0]["base"], rows[0]["yield"]) == ("20.1", "KOAc", "61.25")
    assert rows[2]["yield"] == ""
    assert not list(tmp_path.glob("*.part"))


def test_export_json_holds_proposals_attempts_and_measurements(call: Call, store_file: Path) -> None:
    content = json.loads(call("campaign", "export", "sample", "--store", store_file, "--format", "json").out)
    first = content["experiments"][0]
    assert first["proposal"]["acquisition_name"] == "log expected improvement"
    assert first["attempts_list"][1]["measurements"][0]["value"] == 61.25
    assert content["simulated"] is True


def test_export_into_a_missing_folder_is_refused_and_leaves_nothing(
    call: Call, store_file: Path, tmp_path: Path
) -> None:
    said = call("campaign", "export", "sample", "--store", store_file, "--output", tmp_path / "no" / "out.csv")
    assert said.code == 2
    assert "existing folder" in said.err


@pytest.mark.parametrize("verb", ["pause", "stop", "abort"])
def test_steering_without_a_controller_is_noted_for_the_next(call: Call, store_file: Path, verb: str) -> None:
    said = call("campaign", verb, "sample", "--store", store_file, "--json")
    assert said.code == 0
    assert said.json["answered"] is False
    assert "no controller is at work" in said.json["answer"]
    with Store.open(str(store_file)) as store:
        (request,) = store.pending_requests()
        assert request.verb == verb


def test_steering_a_campaign_that_has_ended_is_refused(call: Call, store_file: Path, script: Script) -> None:
    with Store.open(str(store_file)) as store:
        store.commit_now([script.campaign_status(CampaignStatus.COMPLETED, "done")])
    said = call("campaign", "pause", "sample", "--store", store_file)
    assert said.code == 2
    assert "completed" in said.err
    with Store.open(str(store_file)) as store:
        assert store.pending_requests() == []


def test_steering_waits_for_the_controller_and_says_when_it_does_not_answer(call: Call, store_file: Path) -> None:
    with Store.open(str(store_file)) as store, store.lock_campaign("sample"):
        said = call("campaign", "pause", "sample", "--store", store_file, "--timeout", 0.3)
    assert said.code == 0
    assert "has not answered within 0.3 s" in said.out


def test_start_without_a_daemon_says_how_to_start_one(call: Call, campaign_file: Path, tmp_path: Path) -> None:
    said = call("campaign", "start", campaign_file, "--store", tmp_path / "new.db")
    assert said.code == 2
    assert "labwright daemon start" in said.err
    assert "labwright run" in said.err
