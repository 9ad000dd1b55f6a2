"""`labwright experiment` on real stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.experiment import ExperimentStatus
from controller.domain.state import fold
from controller.errors import ConflictError
from controller.store.audit import audit
from controller.store.opening import Store
from controller.verbs import requests
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import Script

FIELDS = {"id", "status", "parameters", "objectives", "attempts", "proposed_at", "completed_at", "simulated"}


def test_list_json_has_the_promised_fields(call: Call, store_file: Path) -> None:
    rows = call("experiment", "list", "sample", "--store", store_file, "--json").json
    assert len(rows) == 5
    assert all(row.keys() >= FIELDS for row in rows)
    first = rows[0]
    assert first["parameters"] == {"temperature": 20.1, "base": "KOAc"}
    assert first["objectives"] == {"yield": 61.25, "cost": 3.0}
    assert first["attempts"] == 2
    assert first["simulated"] is True
    assert first["completed_at"].endswith("Z")
    assert rows[4]["completed_at"] is None


def test_list_of_one_status_leaves_the_others_out(call: Call, store_file: Path) -> None:
    rows = call("experiment", "list", "sample", "--store", store_file, "--status", "unknown", "--json").json
    assert [row["number"] for row in rows] == [3]


def test_list_as_text_says_simulated(call: Call, store_file: Path) -> None:
    shown = call("experiment", "list", "sample", "--store", store_file).out
    assert "SIMULATED DATA" in shown
    assert "yield [percent]" in shown


def test_list_of_an_empty_campaign_says_so(call: Call, tmp_path: Path, script: Script) -> None:
    path = tmp_path / "empty.db"
    with Store.open(str(path)) as store:
        store.commit_now(script.created(), definition=script.definition)
    assert call("experiment", "list", "sample", "--store", path).out == "No experiments.\n"
    assert call("experiment", "list", "sample", "--store", path, "--json").json == []


def test_show_gives_reasons_and_measurements(call: Call, store_file: Path) -> None:
    shown = call("experiment", "show", "sample", 1, "--store", store_file, "--json").json
    assert shown["proposal"]["predictions"]["yield"] == {"mean": 55.5, "sd": 3.25, "scale": None, "freedom": None}
    assert shown["attempts_list"][1]["measurements"][0]["name"] == "area"
    text = call("experiment", "show", "sample", 1, "--store", store_file).out
    for expected in ("log expected improvement", "55.5", "61.25", "That came close", "assay", "SIMULATED"):
        assert expected in text
    assert "\0" not in text


def test_show_finds_an_experiment_by_id_too(call: Call, store_file: Path) -> None:
    key = call("experiment", "show", "sample", 2, "--store", store_file, "--json").json["id"]
    assert call("experiment", "show", "sample", key, "--store", store_file, "--json").json["number"] == 2


def test_show_of_an_unknown_number_is_bad_input(call: Call, store_file: Path) -> None:
    said = call("experiment", "show", "sample", 77, "--store", store_file)
    assert said.code == 2
    assert "1 to 5" in said.err


def test_resolve_as_completed_books_values_and_the_books_balance(call: Call, store_file: Path) -> None:
    said = call(
        "experiment", "resolve", "sample", 3, "--as", "completed", "--value", "yield=71.5", "--value", "cost=2",
        "--reason", "read from the display", "--store", store_file,
    )  # fmt: skip
    assert said.code == 0
    row = call("experiment", "show", "sample", 3, "--store", store_file, "--json").json
    assert (row["status"], row["objectives"], row["reason"]) == (
        "completed", {"yield": 71.5, "cost": 2.0}, "read from the display",
    )  # fmt: skip
    with Store.open(str(store_file)) as store:
        assert audit(store, "sample").differences == []


@pytest.mark.parametrize("verdict", ["failed", "abandoned"])
def test_resolve_without_values_ends_it(call: Call, store_file: Path, verdict: str) -> None:
    assert call("experiment", "resolve", "sample", 3, "--as", verdict, "--store", store_file, "--json").json["answered"]
    with Store.open(str(store_file)) as store:
        campaign = store.find("sample")
        assert campaign is not None
        state = fold(store.events(campaign.id))
    assert state.with_status(ExperimentStatus(verdict))[-1].number == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["3", "--as", "completed"], "needs a value for each of yield, cost"),
        (["3", "--as", "completed", "--value", "yield=1", "--value", "cots=2"], "cost"),
        (["1", "--as", "failed"], "only an unknown one can be resolved"),
        (["3", "--as", "failed", "--value", "yield=1"], "none"),
        (["9", "--as", "failed"], "has no experiment 9"),
        (["3", "--as", "completed", "--value", "yield:1"], "OBJECTIVE=NUMBER"),
        (["3", "--as", "completed", "--value", "yield=nan", "--value", "cost=2"], "finite"),
        (["3", "--as", "lost"], "lost"),
    ],
)
def test_resolve_refuses_what_cannot_be_and_changes_nothing(
    call: Call, store_file: Path, arguments: list[str], words: str
) -> None:
    said = call("experiment", "resolve", "sample", *arguments, "--store", store_file)
    assert said.code == 2
    assert words in " ".join(said.err.replace("│", " ").split())
    assert call("experiment", "list", "sample", "--store", store_file, "--status", "unknown", "--json").json != []


def test_resolve_while_a_controller_works_is_asked_of_it(call: Call, store_file: Path) -> None:
    with Store.open(str(store_file)) as store, store.lock_campaign("sample"):
        said = call(
            "experiment", "resolve", "sample", 3, "--as", "failed", "--store", store_file, "--timeout", 0.2, "--json"
        )
        (request,) = store.pending_requests()
    assert said.json["answered"] is False
    assert request.verb == "resolve"
    assert request.argument["experiment"] == 3
    assert request.argument["status"] == "failed"


@pytest.mark.parametrize("verb", ["retry", "abandon"])
def test_retry_and_abandon_are_only_for_failed_ones(call: Call, store_file: Path, verb: str) -> None:
    said = call("experiment", verb, "sample", 1, "--store", store_file)
    assert said.code == 2
    assert "only a failed one" in said.err


def test_retry_of_a_failed_one_is_noted(call: Call, store_file: Path) -> None:
    call("experiment", "resolve", "sample", 3, "--as", "failed", "--store", store_file)
    assert call("experiment", "retry", "sample", 3, "--store", store_file, "--json").json["answered"] is False
    with Store.open(str(store_file)) as store:
        (request,) = store.pending_requests()
    assert request.verb == "retry"
    assert request.argument == {"experiment": 3, "reason": f"tried again by {request.by}"}


def _journal_of_the_unknown(call: Call, store_file: Path, *, outcome: str) -> None:
    """Let the reactor's journal hold the attempt whose end the store does not know."""
    from instruments.protocol.records import AttemptRecord
    from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Succeeded
    from instruments.sdk.journal import Journal

    shown = call("experiment", "show", "sample", 3, "--store", store_file, "--json").json
    (attempt,) = shown["attempts_list"]
    written = AttemptRecord(attempt["id"], "run", {"temperature": 21.5}, {}, {}, (1.0, 2.0), 3.0, 1.0, {}).started(2.0)
    if outcome == "interrupted":
        hook = "the syringe is half empty: its recover hook cannot tell"
        written = written.finished(Faulted(code=FaultCode.interrupted, message=hook), 3.0)
    elif outcome == "succeeded":
        values = {"area": MeasuredValue(value=61.5, unit="percent")}
        written = written.finished(Succeeded(values=values, started_at=2.0, finished_at=3.0), 3.0)
    folder = store_file.parent / f"{store_file.stem}.files" / "labs" / "bench" / "reactor"
    journal = Journal(folder / "journal.db", instrument="reactor")
    journal.write(written)
    journal.close()


@pytest.mark.parametrize(
    ("outcome", "meaning"),
    [
        ("interrupted", "it ended after it began (interrupted): the syringe is half empty: its recover hook cannot tell"),
        ("succeeded", "it succeeded, and its result waits here: a controller that is at work takes it over without a person"),
        ("none", "it began, and no end is noted: its driver is still at it, or died in the middle"),
    ],
)
def test_explain_says_what_the_journal_holds_and_what_each_answer_means(
    call: Call, store_file: Path, outcome: str, meaning: str
) -> None:
    _journal_of_the_unknown(call, store_file, outcome=outcome)
    told = call("experiment", "resolve", "sample", 3, "--explain", "--store", store_file, "--json").json
    (attempt,) = told["attempts"]
    assert (attempt["step"], attempt["instrument"], attempt["status"]) == ("react", "reactor", "unknown")
    assert (attempt["meaning"], attempt["state"]) == (meaning, "not at work")
    assert attempt["journal"]["started_at"] == "1970-01-01T00:00:02.000Z"
    assert attempt["journal"]["values"] == ({"area": 61.5} if outcome == "succeeded" else {})
    assert told["choices"].keys() == {"completed", "failed", "abandoned"}
    assert "--value yield=… --value cost=…" in told["choices"]["completed"]
    text = " ".join(call("experiment", "resolve", "sample", 3, "--explain", "--store", store_file).out.split())
    assert "What you can say" in text
    assert "--as abandoned" in text
    assert call("experiment", "list", "sample", "--status", "unknown", "--store", store_file, "--json").json != []


def test_explain_without_a_journal_says_where_it_was_looked_for(call: Call, store_file: Path) -> None:
    told = call("experiment", "resolve", "sample", 3, "--explain", "--store", store_file, "--json").json
    assert "there is no journal at " in told["attempts"][0]["meaning"]
    _journal_of_the_unknown(call, store_file, outcome="none")
    other = call("experiment", "resolve", "sample", 2, "--explain", "--store", store_file, "--json").json
    assert other["attempts"][0]["meaning"].startswith("it never heard of this attempt")


def test_explain_tells_the_rest_when_the_controller_cannot_read_the_instrument(
    call: Call, store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConflictError("no lab chemistry is at work here")

    _journal_of_the_unknown(call, store_file, outcome="none")
    monkeypatch.setattr(requests, "ask", refuse)
    with Store.open(str(store_file)) as store, store.lock_campaign("sample"):
        told = call("experiment", "resolve", "sample", 3, "--explain", "--store", store_file, "--json").json
    (attempt,) = told["attempts"]
    assert attempt["not_read"] == "no lab chemistry is at work here"
    assert attempt["meaning"].startswith("it began, and no end is noted")


def test_resolve_without_an_answer_explains_and_asks_for_one(call: Call, store_file: Path) -> None:
    said = call("experiment", "resolve", "sample", 3, "--store", store_file)
    assert said.code == 2
    assert "What you can say" in said.out
    assert "completed, failed or abandoned" in " ".join(said.err.replace("│", " ").split())
    assert call("experiment", "list", "sample", "--status", "unknown", "--store", store_file, "--json").json != []
