"""`labwright experiment show`: everything that is known of one experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.event import Fault
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.store.opening import Store
from controller.verbs.troubles import MEANINGS
from instruments.protocol.values import FaultCode
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import Script


@pytest.fixture
def failed_store(tmp_path: Path) -> Path:
    """A store whose only experiment failed in its second step."""
    path, script = tmp_path / "failed.db", Script()
    fault = Fault(code="timeout", message="no answer\x1b[2J after 90 s", retryable=False)
    with Store.open(str(path)) as store:
        store.commit_now(script.created(), definition=script.definition)
        experiment, proposed = script.proposed()
        store.commit_now(proposed)
        react, committed = script.committed(experiment)
        store.commit_now([script.status(experiment, ExperimentStatus.RUNNING), committed])
        store.commit_now([script.attempt_status(experiment, react, AttemptStatus.SUCCEEDED)])
        assay, committed = script.committed(experiment, "assay")
        store.commit_now([committed])
        store.commit_now([
            script.attempt_status(experiment, assay, AttemptStatus.FAULTED, fault=fault),
            script.status(experiment, ExperimentStatus.FAILED, "assay: no answer", fault),
        ])  # fmt: skip
    return path


def test_a_failed_one_says_what_went_wrong_and_what_can_be_done(call: Call, failed_store: Path) -> None:
    log = failed_store.parent / "failed.files" / "labs" / "bench" / "hplc" / "driver.log"
    log.parent.mkdir(parents=True)
    log.write_text("Traceback\n")
    said = call("experiment", "show", "sample", 1, "--store", failed_store).out
    assert "What went wrong" in said
    assert "assay on hplc, attempt 1: no answer" in said
    assert "it took longer than its deadline allows" in " ".join(said.split())
    assert "labwright experiment retry sample 1" in said
    assert "labwright experiment abandon sample 1" in said
    assert str(log) in said
    assert "\x1b" not in said
    shown = call("experiment", "show", "sample", 1, "--store", failed_store, "--json").json
    commands = [choice["command"] for choice in shown["trouble"]["next"]]
    assert commands[2] == f"labwright recording show bench --since {shown['started_at']} --until {shown['completed_at']}"


def test_everything_that_happened_is_told_in_order(call: Call, failed_store: Path) -> None:
    events = call("experiment", "show", "sample", 1, "--store", failed_store, "--json").json["events"]
    assert [e["text"].partition(": no answer")[0] for e in events] == [
        "experiment 1 proposed (model)", "experiment 1 queued", "experiment 1 running", "experiment 1: react sent to reactor",
        "experiment 1: react on reactor succeeded", "experiment 1: assay sent to hplc", "experiment 1: assay on hplc faulted",
        "experiment 1 failed: assay",
    ]  # fmt: skip
    assert [e["sequence"] for e in events] == sorted(e["sequence"] for e in events)


def test_measurements_have_their_unit_and_uncertainty_and_nothing_went_wrong(call: Call, store_file: Path) -> None:
    said = call("experiment", "show", "sample", 1, "--store", store_file).out
    assert "Measurements" in said
    row = next(line for line in said.splitlines() if " area " in line)
    assert row.split()[:6] == ["assay", "1", "area", "61.25", "0.5", "percent"]
    assert "What went wrong" not in said
    assert "labwright campaign why sample 1" in said
    assert call("experiment", "show", "sample", 1, "--store", store_file, "--json").json["trouble"] is None


def test_an_unknown_one_says_who_can_settle_it(call: Call, store_file: Path) -> None:
    trouble = call("experiment", "show", "sample", 3, "--store", store_file, "--json").json["trouble"]
    assert "nobody can say what became of it" in trouble["what"][0]
    assert trouble["next"][0]["command"] == "labwright experiment resolve sample 3 --explain"


def test_every_fault_of_a_driver_is_put_into_words() -> None:
    assert {code.value for code in FaultCode} <= MEANINGS.keys()
