"""The audit finds every difference between the store and the drivers' journals, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.campaign import Definition
from controller.domain.event import Fault, Measurement
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.state import fold
from controller.engine.resolving import resolve_events
from controller.store.audit import audit
from controller.store.journals import Comparison, compare
from controller.store.opening import Store
from instruments.protocol.records import AttemptRecord, rejected_record
from instruments.protocol.values import READING, FaultCode, Faulted, MeasuredValue, Succeeded
from instruments.sdk.journal import Journal
from tests.controller.store.samples import Script, make_definition

A, E = AttemptStatus, ExperimentStatus


class Bench:
    """A store and the journals of its two instruments, which agree until a test sees to it."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.labs = store, folder / "labs"
        self.script = Script()
        self.journals = {
            name: Journal(self.labs / "bench" / name / "journal.db", instrument=name) for name in ("reactor", "hplc")
        }
        store.commit_now(self.script.created(), definition=self.script.definition)

    def begin(self) -> tuple[str, str]:
        """Have an experiment's first step committed, and the driver accept and start it; return both ids."""
        experiment, proposed = self.script.proposed()
        attempt, committed = self.script.committed(experiment)
        self.store.commit_now([*proposed, self.script.status(experiment, E.RUNNING), committed])
        self.write(record(attempt).started(2.0))
        return experiment, attempt

    def succeed(self, experiment: str, attempt: str, area: float = 61.25) -> None:
        """Have both sides note that an attempt succeeded."""
        self.write(record(attempt).started(2.0).finished(success(area), 3.0).acknowledged(4.0))
        measured = (Measurement(name="area", value=area, unit="percent", sem=0.5), Measurement(name="note", value="clear\0"))
        self.store.commit_now([self.script.attempt_status(experiment, attempt, A.SUCCEEDED, measured)])

    def write(self, written: AttemptRecord, instrument: str = "reactor") -> None:
        self.journals[instrument].write(written)

    def compared(self) -> Comparison:
        return compare(self.store.reader, "sample", self.labs)

    def close(self) -> None:
        for journal in self.journals.values():
            journal.close()


def record(attempt: str) -> AttemptRecord:
    return AttemptRecord(attempt, "run", {"temperature": 21.5}, {}, {}, (1.0, 2.0), 3.0, 1.0, {})


def success(area: float = 61.25) -> Succeeded:
    values = {"area": MeasuredValue(value=area, unit="percent", sem=0.5), "note": MeasuredValue(value="clear\0")}
    return Succeeded(values=values, started_at=2.0, finished_at=3.0)


def fault(code: FaultCode = FaultCode.device_fault) -> Faulted:
    return Faulted(code=code, message="blocked")


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    made = Bench(store, tmp_path)
    yield made  # type: ignore[misc]  # pytest's way to say what comes after
    made.close()


def test_books_and_journals_that_agree_are_balanced_while_drivers_have_them_open(bench: Bench) -> None:
    bench.succeed(*bench.begin())
    experiment, attempt = bench.begin()
    bench.write(record(attempt).started(2.0).finished(fault(), 3.0).acknowledged(4.0))
    stored = Fault(code="device_fault", message="blocked")
    bench.store.commit_now([bench.script.attempt_status(experiment, attempt, A.FAULTED, fault=stored)])
    bench.begin()
    bench.write(record(READING + "1").started(1.0))
    bench.write(rejected_record("x", "run", "busy", "too much", 1.0))
    assert bench.compared() == Comparison([], [], 3)
    report = audit(bench.store, "sample", labs=bench.labs)
    assert report.differences == []
    assert report.journals == Comparison([], [], 3)


def _lost(bench: Bench) -> None:
    _, attempt = bench.begin()
    bench.write(record(attempt).started(2.0).finished(success(), 3.0).acknowledged(4.0))


def _changed(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.succeed(experiment, attempt)
    bench.write(record(attempt).started(2.0).finished(success(71.25), 3.0).acknowledged(4.0))


def _measured_more(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.succeed(experiment, attempt)
    more = Succeeded(
        values={**success().values, "peaks": MeasuredValue(value=3)}, started_at=2.0, finished_at=3.0
    )
    bench.write(record(attempt).started(2.0).finished(more, 3.0).acknowledged(4.0))


def _faulted_in_the_journal(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.succeed(experiment, attempt)
    bench.write(record(attempt).started(2.0).finished(fault(), 3.0).acknowledged(4.0))


def _faulted_in_the_store(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.write(record(attempt).started(2.0).finished(success(), 3.0).acknowledged(4.0))
    stored = Fault(code="device_fault", message="blocked")
    bench.store.commit_now([bench.script.attempt_status(experiment, attempt, A.FAULTED, fault=stored)])


def _another_fault(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.write(record(attempt).started(2.0).finished(fault(FaultCode.timeout), 3.0).acknowledged(4.0))
    stored = Fault(code="device_fault", message="blocked")
    bench.store.commit_now([bench.script.attempt_status(experiment, attempt, A.FAULTED, fault=stored)])


def _still_running(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.store.commit_now([bench.script.attempt_status(experiment, attempt, A.SUCCEEDED)])


def _unknown_but_finished(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.write(record(attempt).started(2.0).finished(success(), 3.0).acknowledged(4.0))
    bench.store.commit_now([bench.script.attempt_status(experiment, attempt, A.UNKNOWN)])


def _never_heard(bench: Bench) -> None:
    experiment, proposed = bench.script.proposed()
    attempt, committed = bench.script.committed(experiment)
    running = bench.script.attempt_status(experiment, attempt, A.RUNNING)
    bench.store.commit_now([*proposed, bench.script.status(experiment, E.RUNNING), committed, running])


def _stranger(bench: Bench) -> None:
    bench.write(record("stranger").started(2.0).finished(success(), 3.0))


def _stranger_began(bench: Bench) -> None:
    bench.write(record("stranger").started(2.0))


def _two_journals(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.succeed(experiment, attempt)
    bench.write(record(attempt).started(2.5), "hplc")


def _another_instrument(bench: Bench) -> None:
    experiment, proposed = bench.script.proposed()
    attempt, committed = bench.script.committed(experiment)
    bench.store.commit_now([*proposed, bench.script.status(experiment, E.RUNNING), committed])
    bench.write(record(attempt).started(2.0).finished(success(), 3.0), "hplc")


def _step_twice(bench: Bench) -> None:
    experiment, attempt = bench.begin()
    bench.succeed(experiment, attempt)
    second, committed = bench.script.committed(experiment, ordinal=2)
    stored = Fault(code="interrupted", message="the driver died")
    bench.store.commit_now([committed, bench.script.attempt_status(experiment, second, A.FAULTED, fault=stored)])
    bench.write(record(second).started(2.0).finished(success(), 3.0).acknowledged(4.0))


DIFFERENT: dict[str, tuple[Callable[[Bench], None], str]] = {
    "result lost": (_lost, "status is 'committed', the journal of reactor says succeeded and that the controller acknowledged it"),
    "value differs": (_changed, "measured area: 61.25 ± 0.5 percent, the journal of reactor has 71.25 ± 0.5 percent"),
    "value missing": (_measured_more, "measured peaks: nothing, the journal of reactor has 3.0"),
    "journal faulted": (_faulted_in_the_journal, "status is 'succeeded', the journal of reactor says faulted (device_fault)"),
    "store faulted": (_faulted_in_the_store, "status is 'faulted' (device_fault), the journal of reactor says succeeded"),
    "another fault": (_another_fault, "status is 'faulted' (device_fault), the journal of reactor says faulted (timeout)"),
    "still running": (_still_running, "status is 'succeeded', the journal of reactor has it as running"),
    "unknown but told": (_unknown_but_finished, "status is 'unknown', the journal of reactor says succeeded and that"),
    "never heard": (_never_heard, "status is 'running', the journal of reactor never heard of it; was it replaced?"),
    "finished by nobody": (_stranger, "reactor finished attempt stranger (run), of which the store knows nothing"),
    "begun by nobody": (_stranger_began, "reactor began attempt stranger (run), of which the store knows nothing"),
    "two journals": (_two_journals, "carried out more often than once, by reactor and by hplc as their journals say"),
    "another instrument": (_another_instrument, "the journal of hplc has it, it was for reactor"),
    "step twice": (_step_twice, "experiment 1, step react: carried out 2 times as the journals say"),
}  # fmt: skip


@pytest.mark.parametrize(("plant", "told"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_planted_difference_is_found(bench: Bench, plant: Callable[[Bench], None], told: str) -> None:
    plant(bench)
    differences = bench.compared().differences
    assert any(told in line for line in differences), differences
    assert all("\n" not in line for line in differences)
    assert not audit(bench.store, "sample", labs=bench.labs).balanced


def test_result_that_nobody_acknowledged_is_on_its_way_and_no_difference(bench: Bench) -> None:
    _, attempt = bench.begin()
    bench.write(record(attempt).started(2.0).finished(success(), 3.0))
    found = bench.compared()
    assert found.differences == []
    assert found.notes == [
        "experiment 1, step react, attempt 1: succeeded by the journal of reactor; "
        "the result waits there for the controller to take it over"
    ]


@pytest.mark.parametrize("verdict", ["completed", "failed"])
def test_word_of_a_person_is_no_difference_but_a_note_where_the_journal_says_otherwise(bench: Bench, verdict: str) -> None:
    experiment, attempt = bench.begin()
    told = success() if verdict == "failed" else fault(FaultCode.interrupted)
    bench.write(record(attempt).started(2.0).finished(told, 3.0).acknowledged(4.0))
    stored = Fault(code="interrupted", message="the driver died")
    bench.store.commit_now(
        [
            bench.script.attempt_status(experiment, attempt, A.UNKNOWN, fault=stored),
            bench.script.status(experiment, E.UNKNOWN, fault=stored),
        ]
    )
    values = {"yield": 71.5, "cost": 2.0} if verdict == "completed" else {}
    argument = {"experiment": 1, "status": verdict, "values": values}
    state = fold(bench.store.events(bench.script.campaign))
    bench.store.commit_now(resolve_events(state, bench.script.definition, argument, bench.script.now + 1))
    found = bench.compared()
    assert found.differences == []
    assert len(found.notes) == 1
    assert f"a person settled it as {'succeeded' if verdict == 'completed' else 'faulted'}" in found.notes[0]


def test_attempts_of_another_campaign_in_the_same_lab_are_no_strangers(bench: Bench) -> None:
    other = Script(make_definition("another"))
    bench.store.commit_now(other.created(), definition=other.definition)
    experiment, proposed = other.proposed()
    attempt, committed = other.committed(experiment)
    bench.store.commit_now([*proposed, other.status(experiment, E.RUNNING), committed])
    bench.write(record(attempt).started(2.0))
    assert bench.compared() == Comparison()


def test_journals_that_are_not_here_or_damaged_are_told(bench: Bench) -> None:
    bench.succeed(*bench.begin())
    assert compare(bench.store.reader, "sample", bench.labs / "elsewhere").notes == [
        f"reactor: there is no journal at {bench.labs / 'elsewhere' / 'bench' / 'reactor' / 'journal.db'}; "
        "its 1 attempts were not compared"
    ]
    bench.journals["hplc"].close()
    path = bench.labs / "bench" / "hplc" / "journal.db"
    for companion in path.parent.glob("journal.db-*"):
        companion.unlink()
    path.write_bytes(b"not a database at all, but long enough to look at" * 40)
    (difference,) = bench.compared().differences
    assert difference.startswith(f"hplc: journal {path} is damaged or no journal")


def test_journals_of_a_lab_that_was_amended_still_count(bench: Bench) -> None:
    bench.succeed(*bench.begin())
    lab = bench.script.definition.lab.model_copy(update={"lab": "bench-2"})
    larger: Definition = bench.script.definition.model_copy(update={"lab": lab})
    bench.store.commit_now([bench.script.amended()], definition=larger)
    assert bench.compared().n_compared == 1


def test_reader_of_journals_gives_what_was_written(bench: Bench) -> None:
    from instruments.sdk.journal import JournalReader

    _, attempt = bench.begin()
    with JournalReader(bench.labs / "bench" / "reactor" / "journal.db") as journal:
        assert journal.instrument == "reactor"
        assert list(journal.records()) == [record(attempt).started(2.0)]
        bench.write(replace(record(attempt), started_at=2.5))
        assert journal.get(attempt) == record(attempt).started(2.5)
        assert journal.get("other") is None
