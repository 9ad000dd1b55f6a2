"""`labwright task` in the terminal: what waits, the form field by field, and what becomes of an answer."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.settings import folder_of, normalise_url
from instruments.tasks.folder import TaskFolder
from instruments.tasks.form import FormField
from instruments.tasks.task import End, Task
from tests.controller.cli.conftest import Call

FIELDS = {
    "thickness": FormField(unit="nm", low=10, high=2000), "look": FormField(choices=("mirror", "hazy")),
    "photo": FormField(kind="file", optional=True),
}  # fmt: skip


@pytest.fixture
def tasks(store_file: Path) -> TaskFolder:
    folder = TaskFolder(folder_of(normalise_url(str(store_file))) / "labs" / "films" / "people")
    folder.prepare()
    return folder


@pytest.fixture
def post(tasks: TaskFolder) -> Callable[..., None]:
    def post(key: str, fields: dict[str, FormField] = FIELDS) -> None:
        tasks.post(
            Task(id=key, instrument="people", action="coat", instructions="Coat it.\nWith care.", fields=fields,
                 asked_at=time.time(), typical_s=60.0, longest_s=600.0)
        )  # fmt: skip

    return post


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sit at the terminal and type lines."""
    lines: list[str] = []

    def sit_down(*wanted: str) -> None:
        lines.extend(wanted)
        monkeypatch.setattr("controller.cli.task._somebody_is_there", lambda: True)
        monkeypatch.setattr(builtins, "input", lambda prompt="": lines.pop(0))

    yield sit_down
    assert lines == [], "not all that was typed was asked for"


def test_what_waits_is_listed_and_shown(call: Call, store_file: Path, post: Callable[..., None]) -> None:
    assert "Nothing waits for a person" in call("task", "list", "--store", store_file).out
    post("aaaa1111")
    listed = call("task", "list", "--store", store_file)
    assert "aa1111" in listed.out
    assert "Coat it." in listed.out
    shown = call("task", "show", "--store", store_file).out
    for expected in ("With care.", "a number from 10 to 2000 [nm]", "one of mirror, hazy", "may be left out"):
        assert expected in shown
    assert call("task", "list", "--store", store_file, "--csv").out.splitlines()[1].startswith("aaaa1111")


def test_form_is_asked_field_by_field_until_each_can_be_taken(
    call: Call, store_file: Path, post: Callable[..., None], typed: Callable[..., None], tasks: TaskFolder, tmp_path: Path
) -> None:
    post("aaaa1111")
    photo = tmp_path / "film.jpg"
    photo.write_bytes(b"picture")
    typed("thick", "9 km", "0.35 um", "green", "mirror", str(tmp_path / "nothing.jpg"), str(photo), "a bit slow")
    said = call("task", "answer", "--store", store_file)
    assert said.code == 0
    for expected in ("is no number", "lies above 2000", "is none of the choices", "there is no file", "the answer is kept"):
        assert expected in said.out
    posted = tasks.look("aaaa1111")
    assert posted is not None
    assert posted.answer is not None
    assert (posted.answer.values["thickness"].value, posted.answer.note) == (350.0, "a bit slow")
    assert tasks.file("aaaa1111", str(posted.answer.values["photo"].value)).read_bytes() == b"picture"


@pytest.mark.parametrize(("word", "kind"), [("failed", "failed"), ("skip", "skipped")])
def test_person_may_say_that_it_is_not_done(
    word: str, kind: str, call: Call, store_file: Path, post: Callable[..., None], typed: Callable[..., None], tasks: TaskFolder
) -> None:
    post("aaaa1111")
    typed("350", word, "", "no ink")
    assert call("task", "answer", "--store", store_file).code == 0
    posted = tasks.look("aaaa1111")
    assert posted is not None
    assert posted.answer is not None
    assert (posted.answer.kind, posted.answer.reason, posted.answer.values) == (kind, "no ink", {})


def test_task_without_a_form_is_done_with_a_word(call: Call, store_file: Path, post: Callable[..., None]) -> None:
    post("aaaa1111", {})
    assert "the answer is kept" in call("task", "answer", "--values", "done", "--store", store_file).out


def test_answer_that_cannot_be_taken_is_refused_with_what_to_do(call: Call, store_file: Path, post: Callable[..., None]) -> None:
    assert "nothing waits for a person" in call("task", "answer", "--store", store_file).err
    post("aaaa1111")
    alone = call("task", "answer", "--store", store_file)
    assert (alone.code, "here is nobody to ask" in alone.err) == (2, True)
    assert "is not NAME=VALUE" in call("task", "answer", "--values", "350", "--store", store_file).err
    faults = call("task", "answer", "--values", "thickness=9", "--values", "mass=1", "--store", store_file)
    assert (faults.code, len(faults.err.splitlines())) == (2, 3)
    post("bbbb1111")
    assert "2 tasks wait; say which: aa1111 (coat), bb1111 (coat)" in call("task", "answer", "--store", store_file).err
    assert "2 tasks end in '1111'" in call("task", "show", "1111", "--store", store_file).err
    assert "say one thing" in call("task", "answer", "aa1111", "--failed", "x", "--skip", "y", "--store", store_file).err
    assert "no task '../../x'" in call("task", "show", "../../x", "--store", store_file).err


def test_late_answer_is_kept_and_told_with_exit_code_1(
    call: Call, store_file: Path, post: Callable[..., None], tasks: TaskFolder
) -> None:
    post("aaaa1111")
    tasks.finish("aaaa1111", End(kind="withdrawn", why="the attempt was cancelled", at=time.time()))
    late = call("task", "answer", "aa1111", "--values", "thickness=350", "--values", "look=hazy", "--store", store_file)
    assert (late.code, "comes too late: the attempt was cancelled. No experiment takes it" in late.out) == (1, True)
    assert "Answer that came too late" in call("task", "show", "aa1111", "--store", store_file).out
    assert call("task", "list", "--all", "--store", store_file, "--json").json[0]["status"] == "late"
