"""`labwright campaign retract` on real stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.experiment import ExperimentStatus
from controller.domain.state import fold
from controller.store.audit import audit
from controller.store.opening import Store
from tests.controller.cli.conftest import Call


def test_retracted_result_leaves_best_and_history_but_is_kept(call: Call, store_file: Path) -> None:
    said = call("campaign", "retract", "sample", 1, "--reason", "the vial was empty", "--store", store_file, "--json")
    assert said.code == 0
    assert said.json["answered"] is True
    # Experiments 2 to 5 were proposed by the model after the first one ended.
    assert said.json["rested_on"] == [2, 3, 4, 5]
    row = call("experiment", "show", "sample", 1, "--store", store_file, "--json").json
    assert (row["status"], row["objectives"]) == ("completed", {"yield": 61.25, "cost": 3.0})
    assert (row["retracted_reason"], row["retracted_at"][-1]) == ("the vial was empty", "Z")
    assert row["rested_on"] == [2, 3, 4, 5]
    shown = call("campaign", "show", "sample", "--store", store_file, "--json").json
    assert (shown["best"], shown["counts"]["completed"], shown["spent"]) == ([], 1, 4)
    with Store.open(str(store_file)) as store:
        assert audit(store, "sample", verify=True).differences == []
        for lean in (False, True):
            state = fold(store.events(shown["id"]), lean=lean)
            assert len(state.history) == 0
            assert list(state.history.retracted) == [1]


def test_retraction_is_shown_in_lists_exports_and_text(call: Call, store_file: Path) -> None:
    said = call("campaign", "retract", "sample", 1, "--reason", "the vial was empty", "--store", store_file)
    assert said.out.startswith("sample: experiment 1 is retracted: the model no longer learns from its result; 4 proposals rested")
    assert "2 (running), 3 (unknown), 4 (cancelled), 5 (queued)" in said.out
    assert "the vial was empty" in call("experiment", "show", "sample", 1, "--store", store_file).out
    assert "of experiment 1; `labwright experiment show` says why" in " ".join(
        call("campaign", "show", "sample", "--store", store_file).out.split()
    )
    header, first, *_ = call("campaign", "export", "sample", "--store", store_file).out.splitlines()
    assert header.endswith("simulated,retracted_at,retracted_reason")
    assert first.endswith("Z,the vial was empty")
    exported = call("campaign", "export", "sample", "--store", store_file, "--json").json
    assert exported["experiments"][0]["retracted_reason"] == "the vial was empty"


def test_retraction_is_taken_back(call: Call, store_file: Path) -> None:
    call("campaign", "retract", "sample", 1, "--reason", "the vial was empty", "--store", store_file)
    said = call("campaign", "retract", "sample", 1, "--undo", "--reason", "it was another vial", "--store", store_file)
    assert "no longer retracted" in said.out
    shown = call("campaign", "show", "sample", "--store", store_file, "--json").json
    assert [row["experiment"] for row in shown["best"]] == [1]
    with Store.open(str(store_file)) as store:
        assert audit(store, "sample").differences == []
        assert [e.kind for e in store.events(shown["id"])][-2:] == ["experiment.retracted", "experiment.reinstated"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["2"], "experiment 2 has no result to retract, since it is not completed"),
        (["9"], "has no experiment 9"),
        (["1", "--undo"], "experiment 1 is not retracted"),
    ],
)
def test_what_cannot_be_retracted_is_refused_and_changes_nothing(
    call: Call, store_file: Path, arguments: list[str], words: str
) -> None:
    said = call("campaign", "retract", "sample", *arguments, "--reason", "wrong", "--store", store_file)
    assert said.code == 2
    assert words in said.err
    with Store.open(str(store_file)) as store:
        assert store.reader.campaign("sample")["n_events"] == 39


def test_retraction_needs_a_reason_and_happens_once(call: Call, store_file: Path) -> None:
    assert call("campaign", "retract", "sample", 1, "--store", store_file).code == 2
    blank = call("campaign", "retract", "sample", 1, "--reason", " ", "--store", store_file)
    assert (blank.code, "give it with --reason" in blank.err) == (2, True)
    assert call("campaign", "retract", "sample", 1, "--reason", "wrong", "--store", store_file).code == 0
    again = call("campaign", "retract", "sample", 1, "--reason", "wrong", "--store", store_file)
    assert (again.code, "is retracted already" in again.err) == (2, True)


def test_retraction_while_a_controller_works_is_asked_of_it(call: Call, store_file: Path) -> None:
    with Store.open(str(store_file)) as store, store.lock_campaign("sample"):
        said = call(
            "campaign", "retract", "sample", 1, "--reason", "wrong", "--store", store_file, "--timeout", 0.2, "--json"
        )
        (request,) = store.pending_requests()
    assert said.json["answered"] is False
    assert (request.verb, request.argument) == ("retract", {"experiment": 1, "reason": "wrong", "undo": False})


def test_retracted_experiment_is_still_of_its_status(call: Call, store_file: Path) -> None:
    call("campaign", "retract", "sample", 1, "--reason", "wrong", "--store", store_file)
    rows = call(
        "experiment", "list", "sample", "--status", ExperimentStatus.COMPLETED.value, "--store", store_file, "--json"
    ).json
    assert [(row["number"], row["retracted_reason"]) for row in rows] == [(1, "wrong")]
