"""The audit finds every difference that is planted behind the store's back, and none where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.errors import UnknownNameError
from controller.store.audit import audit
from controller.store.opening import Store
from controller.store.reading import open_reader
from tests.controller.store.conftest import fill, tamper
from tests.controller.store.samples import Script

FIRST = "(SELECT id FROM experiment WHERE number = 1)"


def test_untouched_store_is_balanced(filled: Store, script: Script) -> None:
    report = audit(filled, "sample")
    assert report.differences == []
    assert report.balanced
    assert report.counts == {
        "proposed": 0, "queued": 1, "running": 1, "completed": 1, "failed": 0, "abandoned": 0, "cancelled": 1, "unknown": 1,
    }  # fmt: skip
    with open_reader(filled.url) as reader:
        assert audit(reader, script.campaign) == report


def test_amended_campaign_is_balanced(filled: Store, script: Script) -> None:
    larger = script.definition.model_copy(update={"batch": 4})
    filled.commit_now([script.amended()], definition=larger)
    assert audit(filled, "sample").differences == []


PLANTED = {
    "campaign status": ("UPDATE campaign SET status = 'completed'", "campaign sample: status is 'completed'"),
    "campaign reason": ("UPDATE campaign SET reason = 'x'", "campaign sample: reason is 'x'"),
    "campaign seed": ("UPDATE campaign SET seed = 8", "campaign sample: seed is 8"),
    "campaign data": ("UPDATE campaign SET simulated = NOT simulated", "campaign sample: simulated is False"),
    "campaign clock": ("UPDATE campaign SET updated_at = updated_at + 1", "campaign sample: updated_at is"),
    "campaign budget": (
        "UPDATE campaign SET budget_experiments = 99",
        "budget_experiments is 99, its definition says 10",
    ),
    "campaign fingerprint": ("UPDATE campaign SET definition_fingerprint = 'x'", "definition_fingerprint is 'x'"),
    "definition content": (
        "UPDATE definition SET body = replace(body, '120.0', '121.0')",
        "definition version 1: its content has fingerprint",
    ),
    "definition fingerprint": ("UPDATE definition SET fingerprint = 'x'", "definition version 1: fingerprint is 'x'"),
    "definition unreadable": ("UPDATE definition SET body = '{}'", "definition version 1 cannot be read"),
    "definition gone": ("DELETE FROM definition", "definition: versions [] do not count up from 1"),
    "experiment status": (
        "UPDATE experiment SET status = 'completed' WHERE number = 3",
        "experiment 3: status is 'completed'",
    ),
    "experiment counts": ("UPDATE experiment SET status = 'completed' WHERE number = 3", "counts: the rows have"),
    "experiment point": (
        "UPDATE experiment SET point = replace(point, '20.1', '20.7') WHERE number = 1",
        "experiment 1: point is {'temperature': 20.7",
    ),
    "experiment reason": ("UPDATE experiment SET reason = 'x' WHERE number = 4", "experiment 4: reason is 'x'"),
    "experiment fault": ("UPDATE experiment SET fault_code = 'x' WHERE number = 1", "experiment 1: fault_code is 'x'"),
    "experiment source": ("UPDATE experiment SET source = 'user' WHERE number = 1", "experiment 1: source is 'user'"),
    "experiment clock": ("UPDATE experiment SET ended_at = NULL WHERE number = 1", "experiment 1: ended_at is None"),
    "experiment data": (
        "UPDATE experiment SET simulated = NOT simulated WHERE number = 5",
        "experiment 5: simulated is False",
    ),
    "experiment attempts": ("UPDATE experiment SET n_attempts = 7 WHERE number = 1", "experiment 1: n_attempts is 7"),
    "experiment number": (
        "UPDATE experiment SET number = 9 WHERE number = 5",
        "experiment numbers have gaps: [5] are missing",
    ),
    "proposal content": (
        f"UPDATE proposal SET body = replace(body, '-1.25', '-1.26') WHERE experiment = {FIRST}",
        "experiment 1: its proposal differs",
    ),
    "proposal gone": (f"DELETE FROM proposal WHERE experiment = {FIRST}", "counts: 5 experiments of 4 proposals"),
    "observation value": (
        "UPDATE observation SET value = 99 WHERE objective = 'yield'",
        "experiment 1, observed yield: value is 99.0",
    ),
    "observation unit": (
        "UPDATE observation SET unit = 'g' WHERE objective = 'cost'",
        "experiment 1, observed cost: unit is 'g'",
    ),
    "observation gone": (
        "DELETE FROM observation WHERE objective = 'cost'",
        "cost: the log tells of it, its row is missing",
    ),
    "observation made up": (
        "INSERT INTO observation SELECT id, 'yield', 99, NULL, NULL, 1 FROM experiment WHERE number = 5",
        "yield: there is a row, the log does not tell of it",
    ),
    "attempt status": (
        "UPDATE attempt SET status = 'faulted' WHERE step = 'assay'",
        "experiment 1, step assay, attempt 1: status is 'faulted'",
    ),
    "attempt arguments": (
        "UPDATE attempt SET arguments = replace(arguments, '21.5', '22.5') WHERE step = 'assay'",
        "experiment 1, step assay, attempt 1: arguments is {'temperature': 22.5",
    ),
    "attempt fault": (
        "UPDATE attempt SET fault_retryable = NOT fault_retryable WHERE fault_code = 'clog'",
        "experiment 2, step react, attempt 1: fault_retryable is False",
    ),
    "attempt clock": (
        "UPDATE attempt SET committed_at = 1 WHERE step = 'assay'",
        "step assay, attempt 1: committed_at is 1.0",
    ),
    "attempt made up": (
        "INSERT INTO attempt SELECT 'x', campaign, experiment, step, 9, instrument, action, arguments, units, status, reason,"
        " NULL, NULL, NULL, committed_at, NULL, NULL, NULL, NULL FROM attempt WHERE step = 'assay'",
        "attempt x: there is a row, the log does not tell of it",
    ),
    "measurement value": (
        "UPDATE measurement SET value_number = 1.5 WHERE name = 'area'",
        "measured area: value is 1.5",
    ),
    "measurement type": (
        "UPDATE measurement SET value_text = NULL WHERE name = 'saturated'",
        "measured saturated: value is 0.0",
    ),
    "measurement uncertainty": ("UPDATE measurement SET sem = NULL WHERE name = 'area'", "measured area: sem is None"),
    "measurement gone": ("DELETE FROM measurement WHERE name = 'area'", "the log tells of it, its row is missing"),
    "measurement of a failed attempt": (
        "UPDATE measurement SET attempt = (SELECT id FROM attempt WHERE fault_code = 'clog') WHERE name = 'area'",
        "measurement area: its attempt",
    ),
    "alarm gone": ("DELETE FROM alarm", "alarm stall at"),
    "alarm changed": ("UPDATE alarm SET message = 'all is well'", "alarm stall at"),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("original") / "store.db"
    with Store.open(str(file)) as store:
        fill(store, Script())
    return file


@pytest.mark.parametrize(("statement", "told"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_difference_is_found(original: Path, tmp_path: Path, statement: str, told: str) -> None:
    url = f"sqlite:///{shutil.copy(original, tmp_path / 'store.db')}"
    tamper(url, statement)
    with open_reader(url) as reader:
        report = audit(reader, "sample")
    assert not report.balanced
    assert any(told in line for line in report.differences), report.differences
    assert all("\n" not in line for line in report.differences)


def test_planted_differences_are_found_on_every_database(filled: Store) -> None:
    names = (
        "campaign data",
        "experiment clock",
        "observation value",
        "attempt arguments",
        "measurement type",
        "alarm gone",
    )
    tamper(filled.url, *(PLANTED[name][0] for name in names))
    differences = audit(filled, "sample").differences
    assert len(differences) == len(names)
    for name in names:
        assert any(PLANTED[name][1] in line for line in differences), (name, differences)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM event WHERE campaign_sequence = 30", "the log has a gap: event 31 stands where event 30 should"),
        ("UPDATE event SET kind = 'alarm.raised' WHERE campaign_sequence = 1", "event 1: kind is 'alarm.raised'"),
        ("UPDATE event SET at = 1 WHERE campaign_sequence = 4", "event 4: at is 1.0"),
        ("UPDATE event SET body = '{}' WHERE campaign_sequence = 4", "event 4 (experiment.proposed) cannot be read"),
        (
            "UPDATE event SET body = replace(body, '\"number\":1,', '\"number\":2,') WHERE campaign_sequence = 4",
            "cannot follow what came before: experiment number 2 follows number 0",
        ),
    ],
    ids=["gap", "kind", "clock", "unreadable", "illegal"],
)
def test_tampered_log_is_found(filled: Store, statement: str, told: str) -> None:
    triggers = (
        ["event_refuses_update", "event_refuses_delete"]
        if filled.kind == "sqlite"
        else ["event_refuses_change ON event"]
    )
    tamper(filled.url, *(f"DROP TRIGGER {trigger}" for trigger in triggers), statement)
    differences = audit(filled, "sample").differences
    assert any(told in line for line in differences), differences


def test_step_that_succeeded_twice_is_found(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    experiment, proposed = script.proposed()
    first, first_committed = script.committed(experiment)
    second, second_committed = script.committed(experiment, ordinal=2)
    store.commit_now(
        [*proposed, script.status(experiment, ExperimentStatus.RUNNING), first_committed, second_committed]
    )
    store.commit_now([script.attempt_status(experiment, first, AttemptStatus.SUCCEEDED)])
    assert audit(store, "sample").balanced
    store.commit_now([script.attempt_status(experiment, second, AttemptStatus.SUCCEEDED)])
    assert audit(store, "sample").differences == ["experiment 1, step react: succeeded 2 times"]


def test_running_experiment_without_anything_left_to_do_is_found(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    for unit in script.one_completed()[:-1]:
        store.commit_now(unit)
    assert audit(store, "sample").balanced
    (assay,) = (a for a in store.reader.attempts("sample") if a["step"] == "assay")
    store.commit_now([script.attempt_status(assay["experiment"], assay["id"], AttemptStatus.SUCCEEDED)])
    assert audit(store, "sample").differences == [
        "experiment 1 is running, but every step has succeeded and none is open"
    ]


def test_completed_experiment_with_an_open_attempt_is_found(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    experiment, proposed = script.proposed()
    _, committed = script.committed(experiment)
    store.commit_now(
        [*proposed, script.status(experiment, ExperimentStatus.RUNNING), committed, script.completed(experiment)]
    )
    assert audit(store, "sample").differences == ["experiment 1 is completed, but one of its attempts is still open"]


def test_unknown_campaign_is_told(filled: Store) -> None:
    with pytest.raises(UnknownNameError, match="did you mean sample"):
        audit(filled, "sampel")


NONSENSE = {
    "definition": ("UPDATE definition SET body = '{'", "definition version 1 cannot be read"),
    "definition of another form": ("UPDATE definition SET body = '[]'", "definition version 1 cannot be read"),
    "point": ("UPDATE experiment SET point = '{' WHERE number = 1", "experiment 1: point is '{'"),
    "number": ("UPDATE experiment SET number = 'one' WHERE number = 1", "experiment numbers have gaps: [1] are missing"),
    "large number": ("UPDATE experiment SET number = 1000000000000000 WHERE number = 2", "numbers have gaps: [2] are missing"),
    "arguments": ("UPDATE attempt SET arguments = ''", "arguments is ''"),
    "whose attempt": ("UPDATE attempt SET experiment = 'nobody' WHERE rowid = 1", "experiment is 'nobody'"),
    "committed": ("UPDATE attempt SET committed_at = 'noon'", "committed_at is 'noon'"),
    "value": ("UPDATE measurement SET value_number = 'much' WHERE value_text IS NULL", "value is 'much'"),
    "event's time": ("UPDATE event SET at = 'noon' WHERE campaign_sequence = 4", "event 4 (experiment.proposed) has 'noon' for"),
    "event's content": ("UPDATE event SET body = x'00' WHERE campaign_sequence = 4", "for its body: it was changed"),
    "event's position": ("UPDATE event SET campaign_sequence = 'x' WHERE campaign_sequence = 30", "event 30 is missing"),
}


@pytest.mark.parametrize(("statement", "told"), NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_in_a_column_is_named_and_ends_no_audit(original: Path, tmp_path: Path, statement: str, told: str) -> None:
    url = f"sqlite:///{shutil.copy(original, tmp_path / 'store.db')}"
    tamper(url, "DROP TRIGGER event_refuses_update", statement)
    with open_reader(url) as reader:
        report = audit(reader, "sample", verify=True, labs=tmp_path / "labs")
    assert any(told in line for line in report.differences), report.differences
    assert all("\n" not in line for line in report.differences)
