"""What of a log is worth telling, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.event import AlarmRaised, Event, ExperimentStatusChanged, Observation
from controller.domain.experiment import ExperimentStatus
from controller.domain.notification import Notice
from controller.domain.objective import Objective
from controller.notify.finding import Finder, Memory
from controller.store.opening import Store
from controller.store.reading import open_reader
from tests.controller.store.conftest import script, state_home
from tests.controller.store.samples import Script, make_definition

__all__ = ["script", "state_home"]

E = ExperimentStatus


class Book:
    """A campaign in a store, and what was found worth telling of it."""

    def __init__(self, url: str, script: Script) -> None:
        self.url, self.script = url, script
        self.reader = open_reader(url)
        self.enter(*script.created(), definition=script.definition)
        self.finder = Finder(self.reader, self.reader.campaign_rows()[0], Memory())

    def enter(self, *events: Event, **options: object) -> None:
        with Store.open(self.url) as store:
            store.commit_now(list(events), **options)

    def complete(self, *, imported: bool = False, **values: float) -> str:
        key, proposed = self.script.proposed()
        if imported:
            elsewhere = proposed[0].proposal.model_copy(update={"source": "imported"})
            proposed[0] = proposed[0].model_copy(update={"proposal": elsewhere})
        running = self.script.status(key, E.RUNNING)
        observed = {name: Observation(value=value) for name, value in values.items()}
        ended = ExperimentStatusChanged(
            campaign=self.script.campaign, at=self.script.now, experiment=key, status=E.COMPLETED, observations=observed
        )
        self.enter(*proposed, running, ended)
        return key

    def found(self) -> list[tuple[str, int | None]]:
        return [(n.topic.value, n.experiment) for n in self.notices()]

    def notices(self) -> list[Notice]:
        found, more = self.finder.look()
        assert not more
        # What is remembered survives being written down.
        self.finder.memory = Memory.model_validate_json(self.finder.memory.model_dump_json())
        return found


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    definition = make_definition(experiments=100)
    problem = definition.problem.model_copy(update={"objectives": {"yield": Objective(goal="maximize", unit="percent")}})
    made = Book(f"sqlite:///{tmp_path / 's.db'}", Script(definition.model_copy(update={"problem": problem})))
    yield made
    made.reader.close()


def test_new_best_is_told_and_a_retracted_one_does_not_count(book: Book) -> None:
    book.complete(**{"yield": 50.0})
    assert book.found() == []  # the first is better than nothing
    book.complete(**{"yield": 40.0})
    assert book.found() == []
    wrong = book.complete(**{"yield": 99.0})
    (told,) = book.notices()
    best = "experiment 3 is the best so far: yield 99 percent; before it 1 with yield 50 percent"
    assert told.text == f"{best}; at temperature 20.3, base KOAc"
    book.enter(book.script.retracted(wrong, 3))
    book.complete(**{"yield": 60.0})
    assert book.found() == [("best", 4)]
    book.enter(book.script.reinstated(wrong, 3))
    book.complete(**{"yield": 70.0})
    assert book.found() == []


def test_imported_results_are_no_news_but_what_is_better_is_measured_by_them(book: Book) -> None:
    for value in (50.0, 80.0):
        book.complete(imported=True, **{"yield": value})
    assert book.found() == []
    book.complete(**{"yield": 70.0})
    assert book.found() == []
    book.complete(**{"yield": 90.0})
    assert book.found() == [("best", 4)]


def test_front_grows(tmp_path: Path, script: Script) -> None:
    book = Book(f"sqlite:///{tmp_path / 's.db'}", script)
    for values, joins in [((50, 5), False), ((60, 6), True), ((55, 7), False), ((70, 4), True)]:
        book.complete(**{"yield": values[0], "cost": values[1]})
        assert [topic for topic, _ in book.found() if topic == "best"] == ["best"] * joins
    assert [number for number, _ in book.finder.memory.best] == [4]


def test_unknown_is_told_once_by_its_alarm_or_its_status(book: Book) -> None:
    script = book.script
    for n, with_alarm in enumerate([True, False], 1):
        key, proposed = script.proposed()
        alarm = AlarmRaised(campaign=script.campaign, at=script.now, code="attempt_unknown", message="driver lost", experiment=key)
        book.enter(*proposed, script.status(key, E.RUNNING), *([alarm] if with_alarm else []))
        assert book.found() == [("unknown", n)] * with_alarm
        book.enter(script.status(key, E.UNKNOWN, "driver lost"))
        assert book.found() == [("unknown", n)] * (not with_alarm)
        book.enter(script.status(key, E.FAILED, "settled"), script.status(key, E.QUEUED), script.status(key, E.RUNNING))
        assert book.found() == [("failure", n)]
        book.enter(script.status(key, E.UNKNOWN, "lost again"))
        assert book.found() == [("unknown", n)]


def test_alarms_of_every_sort_are_told(book: Book) -> None:
    codes = ["stalled", "distrust", "held", "context_missing", "stand_in", "something_new"]
    book.enter(*(AlarmRaised(campaign=book.script.campaign, at=1.0, code=code, message=code) for code in codes))
    assert [topic for topic, _ in book.found()] == ["stall", "distrust", "held", "person", "alarm", "alarm"]


def test_long_log_is_read_in_pieces(book: Book) -> None:
    for _ in range(4):
        book.complete(**{"yield": 1.0})
    before = book.finder.memory.cursor
    _, more = book.finder.look(3)
    assert more
    assert book.finder.memory.cursor > before
    while more:
        _, more = book.finder.look(3)
    assert book.found() == []
