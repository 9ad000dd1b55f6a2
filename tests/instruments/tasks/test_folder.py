"""Tasks and answers meet in a folder: once asked, once answered, whoever dies when."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from instruments.tasks.folder import AnsweredError, TaskFolder
from instruments.tasks.form import FormField, Given
from instruments.tasks.task import Answer, End, Task


def task(key: str = "a1") -> Task:
    return Task(
        id=key, instrument="people", action="coat", instructions="Coat it.", fields={"y": FormField(unit="nm", low=0)},
        asked_at=100.0, typical_s=60.0, longest_s=600.0, ends_at=1900.0,
    )  # fmt: skip


def answer(value: float = 5.0, by: str = "ada") -> Answer:
    return Answer(kind="values", values={"y": Given(value=value, unit="nm")}, by=by, at=200.0)


@pytest.fixture
def tasks(tmp_path: Path) -> TaskFolder:
    folder = TaskFolder(tmp_path / "people")
    folder.prepare()
    folder.post(task())
    return folder


def test_answer_is_taken_once_and_kept_with_the_task(tasks: TaskFolder) -> None:
    assert [(p.task, p.stage) for p in tasks.waiting()] == [(task(), "waiting")]
    assert tasks.take(task()) is None
    assert tasks.answer("a1", answer()).stage == "answered"
    assert tasks.take(task()) == answer()
    tasks.finish("a1", End(kind="answered", at=201.0))
    assert list(tasks.waiting()) == []
    (kept,) = tasks.every()
    assert (kept.answer, kept.stage) == (answer(), "answered")
    assert tasks.take(task()) == answer(), "a driver that was killed before its journal knew finds it again"


def test_whoever_comes_second_hears_who_was_first(tasks: TaskFolder) -> None:
    tasks.answer("a1", answer(by="ada"))
    with pytest.raises(AnsweredError) as told:
        tasks.answer("a1", answer(by="bob", value=6.0))
    assert told.value.first.by == "ada"
    tasks.finish("a1", End(kind="answered", at=201.0))
    with pytest.raises(AnsweredError):
        tasks.answer("a1", answer(by="bob"))
    assert tasks.take(task()) == answer(by="ada")


def test_of_many_answers_at_once_one_is_kept(tasks: TaskFolder) -> None:
    outcomes: list[str] = []

    def give(by: str) -> None:
        try:
            tasks.answer("a1", answer(by=by))
            outcomes.append(by)
        except AnsweredError as error:
            outcomes.append(f"after {error.first.by}")

    threads = [threading.Thread(target=give, args=(f"p{i}",)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (winner,) = [o for o in outcomes if not o.startswith("after")]
    assert sorted(o for o in outcomes if o != winner) == [f"after {winner}"] * 11
    kept = tasks.take(task())
    assert kept is not None
    assert kept.by == winner


def test_late_answer_is_kept_and_told(tasks: TaskFolder) -> None:
    tasks.finish("a1", End(kind="withdrawn", why="the attempt was cancelled", at=150.0))
    late = tasks.answer("a1", answer())
    assert (late.stage, late.late, late.answer) == ("late", (answer(),), None)
    assert tasks.answer("a1", answer()).late == (answer(),), "the same again changes nothing"
    assert len(tasks.answer("a1", answer(6.0)).late) == 2


def test_task_is_asked_once_however_often_the_driver_begins(tasks: TaskFolder) -> None:
    tasks.answer("a1", answer())
    again = TaskFolder(tasks._open.parent.parent)
    again.prepare()
    again.post(task())
    assert again.take(task()) == answer()
    again.finish("a1", End(kind="answered", at=201.0))
    again.post(task())
    assert list(again.waiting()) == []


@pytest.mark.parametrize(
    "rubbish",
    [
        b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b"x" * 300_000,
        b'{"kind": "values", "values": {"y": {"value": -1, "unit": "nm"}}, "by": "eve", "at": 1}',
        b'{"kind": "values", "values": {"y": {"value": 1, "unit": "kg"}}, "by": "eve", "at": 1}',
        b'{"kind": "values", "values": {}, "by": "eve", "at": 1}',
        b'{"kind": "values", "values": {"y": {"value": NaN, "unit": "nm"}}, "by": "eve", "at": 1}',
        b'{"kind": "failed", "reason": "", "by": "eve", "at": 1}',
        b'{"kind": "values", "values": {"y": {"value": 1, "unit": "nm"}}, "at": 1}',
    ],
)  # fmt: skip
def test_rubbish_in_the_folder_is_put_aside_and_the_task_goes_on(tasks: TaskFolder, rubbish: bytes) -> None:
    (tasks._open / "a1" / "answer.json").write_bytes(rubbish)
    (tasks._open / "stranger").write_text("no task")
    (tasks._open / "empty").mkdir()
    assert tasks.take(task()) is None
    (posted,) = tasks.waiting()
    assert (posted.refused, posted.stage) == (1, "waiting")
    tasks.answer("a1", answer())
    assert tasks.take(task()) == answer()


def test_file_is_kept_by_its_content(tasks: TaskFolder) -> None:
    value = tasks.attach("a1", io.BytesIO(b"a photo"))
    assert value == tasks.attach("a1", io.BytesIO(b"a photo"))
    tasks.finish("a1", End(kind="answered", at=201.0))
    assert tasks.file("a1", value).read_bytes() == b"a photo"
    assert [p.name for p in tasks.file("a1", value).parent.iterdir()] == [value.removeprefix("sha256:")]


def test_task_that_ended_as_its_driver_was_killed_is_put_away(tmp_path: Path, tasks: TaskFolder) -> None:
    ended = tmp_path / "people" / "tasks" / "ended"
    tasks.finish("a1", End(kind="withdrawn", at=150.0))
    (ended / "a1").rename(tasks._open / "a1")
    assert list(tasks.waiting()) == []
    tasks.prepare()
    assert (ended / "a1" / "end.json").exists()


def test_unknown_task_is_told(tasks: TaskFolder) -> None:
    assert tasks.look("zz") is None
    with pytest.raises(FileNotFoundError):
        tasks.answer("zz", answer())
