"""The folder beside a person's journal in which tasks wait for answers: no port, no key, no controller in between.

```
tasks/open/ATTEMPT/task.json       written by the driver, once, when the attempt begins
tasks/open/ATTEMPT/answer.json     written by whoever answers first: the name is taken once, by a hard link
tasks/open/ATTEMPT/files/HASH      files that belong to the answer, by their SHA-256
tasks/open/ATTEMPT/refused-N.json  what stood in answer.json and was none
tasks/ended/ATTEMPT/…              the same, with end.json: how it ended. late-N.json: answers that came after that
```

Each file appears whole or not at all, and is on the disk before anybody is told. So driver, person or machine may die at any
moment: the task is asked once, an answer is kept once, and whoever comes second hears who was first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from instruments.bounded import MAX_SMALL, read_small
from instruments.durable import flush
from instruments.tasks.form import read_form
from instruments.tasks.task import Answer, End, Stage, Task

FOLDER = "tasks"
"""Name of the folder in an instrument's folder."""
MAX_FILE = 64 * 2**20
"""Largest file of an answer [bytes]."""
_MOST_LATE = 100
"""Answers that are kept of a task that has ended."""
_MOST_FILES = 50
_CHUNK = 2**20
K = TypeVar("K", bound=BaseModel)


class AnsweredError(Exception):
    """Somebody has answered already; `first` is what was said."""

    def __init__(self, first: Answer) -> None:
        super().__init__(f"answered already by {first.by}")
        self.first = first


@dataclass(frozen=True)
class Posted:
    """A task with what became of it."""

    task: Task
    answer: Answer | None = None
    end: End | None = None
    late: tuple[Answer, ...] = ()
    refused: int = 0
    """How many answers the driver could not take."""

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        if self.end is None:
            return "waiting" if self.answer is None else "answered"
        if self.end.kind == "answered":
            return "answered"
        return "late" if self.answer is not None or self.late else self.end.kind


class TaskFolder:
    """The tasks of one instrument.

    Args:
        folder: The instrument's folder, that of its journal.
    """

    def __init__(self, folder: Path) -> None:
        self._open = folder / FOLDER / "open"
        self._ended = folder / FOLDER / "ended"

    # --- the driver -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder, and put away what ended just before the driver's last process did. Raises `OSError`."""
        for folder in (self._open, self._ended):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place in self._open.iterdir():
            if (place / "end.json").exists():
                self._put_away(place)

    def post(self, task: Task) -> None:
        """Ask somebody; asked before, by an earlier process of the driver, it stands as it is. Raises `OSError`."""
        place = self._open / task.id
        if (place / "task.json").exists() or (self._ended / task.id).exists():
            return
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(place / "task.json", task)
        flush(self._open)

    def take(self, task: Task) -> Answer | None:
        """Return the answer to a task, None while there is none; what is no answer is put aside and never taken."""
        place = self._place(task.id)
        path = place / "answer.json"
        if not path.exists():
            return None
        answer = _read(path, Answer)
        if answer is not None and not _faults(task, answer):
            return answer
        aside = next(p for p in (place / f"refused-{n}.json" for n in range(1, 10_000)) if not p.exists())
        path.rename(aside)
        return None

    def finish(self, task: str, end: End) -> None:
        """Note how a task ended; noted before, that stands. Raises `OSError`."""
        place = self._open / task
        if not place.exists():
            return
        if not (place / "end.json").exists():
            _write(place / "end.json", end)
        self._put_away(place)

    def _put_away(self, place: Path) -> None:
        with contextlib.suppress(OSError):  # next time; whoever looks sees end.json
            place.rename(self._ended / place.name)

    # --- people -----------------------------------------------------------------------------------------------------

    def waiting(self) -> Iterator[Posted]:
        """Yield the tasks that nobody has answered yet, and those whose answer the driver has not taken yet."""
        for name in _names(self._open):
            if (posted := self._posted(self._open / name)) is not None and posted.end is None:
                yield posted

    def ids(self) -> list[str]:
        """Return the ids of all tasks, those that have ended too, oldest first."""
        return sorted({*_names(self._open), *_names(self._ended)})

    def every(self, newest: int | None = None) -> Iterator[Posted]:
        """Yield all tasks, those that have ended too, oldest first; of more than `newest` those alone."""
        ids = self.ids()
        for name in ids if newest is None else ids[-newest:]:
            if (posted := self.look(name)) is not None:
                yield posted

    def look(self, task: str) -> Posted | None:
        """Return one task, None where there is none of that id."""
        for _ in range(3):  # it may be put away while it is looked at
            if (posted := self._posted(self._place(task))) is not None:
                return posted
        return None

    def answer(self, task: str, answer: Answer) -> Posted:
        """Keep an answer; when this returns, it survives a power cut.

        Returns:
            The task with the answer: taken, or *late* where it had ended before.

        Raises:
            AnsweredError: If there is an answer already.
            FileNotFoundError: If there is no such task.
            OSError: If it cannot be kept.
        """
        for _ in range(3):
            posted, place = self.look(task), self._place(task)
            if posted is None:
                break
            if posted.answer is not None:
                raise AnsweredError(posted.answer)
            try:
                if posted.end is None:
                    _link(place / "answer.json", answer)
                else:
                    if any(answer.says_the_same(late) for late in posted.late):
                        return posted
                    free = next(n for n in range(1, _MOST_LATE + 2) if not (place / f"late-{n}.json").exists())
                    if free > _MOST_LATE:
                        raise OSError(f"{_MOST_LATE} answers were kept of it after it had ended; no more are")
                    _link(place / f"late-{free}.json", answer)
            except FileExistsError:
                continue  # somebody was first, this very moment
            except FileNotFoundError:
                continue  # it was put away, this very moment
            return self.look(task) or posted
        first = self.look(task)
        if first is not None and first.answer is not None:
            raise AnsweredError(first.answer)
        raise FileNotFoundError(f"no task {task}")

    def attach(self, task: str, source: IO[bytes]) -> str:
        """Keep a file beside a task and return what stands for it in an answer, `sha256:…`.

        Raises:
            ValueError: If it is larger than `MAX_FILE`, or there are too many.
            OSError: If it cannot be read or kept.
        """
        files = self._place(task) / "files"
        files.mkdir(exist_ok=True, mode=0o700)
        if len(_names(files)) >= _MOST_FILES:
            raise ValueError(f"{_MOST_FILES} files are kept of this task; no more are")
        draft, digest, size = files / f".{uuid.uuid4().hex}", hashlib.sha256(), 0
        try:
            with draft.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    size += len(chunk)
                    if size > MAX_FILE:
                        raise ValueError(f"it is larger than {MAX_FILE >> 20} MiB")
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            draft.replace(files / digest.hexdigest())
        finally:
            draft.unlink(missing_ok=True)
        flush(files)
        return f"sha256:{digest.hexdigest()}"

    def file(self, task: str, value: str) -> Path:
        """Return where the file lies that `sha256:…` in an answer stands for."""
        return self._place(task) / "files" / value.removeprefix("sha256:")

    def _place(self, task: str) -> Path:
        place = self._open / task
        return place if place.is_dir() else self._ended / task

    def _posted(self, place: Path) -> Posted | None:
        task = _read(place / "task.json", Task)
        if task is None or task.id != place.name:
            return None
        try:
            others = [name for name in os.listdir(place) if name.startswith(("late-", "refused-"))]  # noqa: PTH208 - fewer calls
        except OSError:
            others = []
        late = [_read(place / name, Answer) for name in sorted(others) if name.startswith("late-")]
        return Posted(
            task, _read(place / "answer.json", Answer), _read(place / "end.json", End), tuple(a for a in late if a is not None),
            sum(name.startswith("refused-") for name in others),
        )  # fmt: skip


def _faults(task: Task, answer: Answer) -> list[str]:
    """Return what is wrong with an answer, in case somebody wrote it past everything that checks it first."""
    if answer.kind != "values":
        return []
    said = {
        name: given.value if given.sem is None else {"value": given.value, "sem": given.sem}
        for name, given in answer.values.items()
    }
    taken, faults = read_form(task.fields, said)
    units = [name for name, given in taken.items() if given.unit != answer.values[name].unit] if not faults else []
    return [*faults, *(f"{name}: is not in the unit of the form" for name in units)]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []


def _read(path: Path, kind: type[K]) -> K | None:
    """Return what a file says; None where there is none, or none that can be read: anybody may have written it."""
    try:
        return kind.model_validate_json(read_small(path, MAX_SMALL))
    except (OSError, ValueError, ValidationError, RecursionError):
        return None


def _draft(path: Path, content: BaseModel) -> Path:
    draft = path.with_name(f".{uuid.uuid4().hex}")
    with draft.open("x", encoding="utf-8") as target:
        target.write(content.model_dump_json(indent=1))
        target.flush()
        os.fsync(target.fileno())
    return draft


def _write(path: Path, content: BaseModel) -> None:
    """Write a file, whole; when this returns it survives a power cut."""
    draft = _draft(path, content)
    try:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    flush(path.parent)


def _link(path: Path, content: BaseModel) -> None:
    """Write a file, whole, unless there is one of that name: raises `FileExistsError` then."""
    draft = _draft(path, content)
    try:
        path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    flush(path.parent)
