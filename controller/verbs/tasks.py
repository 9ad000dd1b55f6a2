"""The tasks of people: what waits to be done by hand, and answering it.

Tasks lie in the folders of instruments (`instruments/tasks/folder.py`), so that they can be looked at and answered while no
controller is at work, or the store is away; the store only tells to which experiment each belongs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from controller.errors import ConflictError, FormFaultsError, StoreError, UnknownNameError
from controller.settings import folder_of
from controller.store.reading import iso
from controller.verbs.stores import readers, show_url

if TYPE_CHECKING:
    from controller.store.reading import Reader
    from instruments.tasks.folder import Posted, TaskFolder
    from instruments.tasks.task import Answer

SHORT = 6
"""So many last signs of a task's id are shown to people; so many of them, and more, name it."""
LEAST = 4
"""Fewer signs name no task."""
TAKING_S = 2.0
"""Patience with a driver that is to take an answer [real s]."""
_OPEN = ("committed", "accepted", "running")
"""Statuses of attempts of which something may still become (`domain.experiment`, which is too heavy here)."""


@dataclass(frozen=True)
class _Place:
    """A task where it lies."""

    url: str
    lab: str
    folder: TaskFolder
    posted: Posted


def waiting(opened: Sequence[tuple[str, Reader]], campaign: str | None = None) -> list[dict[str, Any]]:
    """Return the tasks that wait for a person, those due first; see `told`.

    Args:
        opened: Stores (URL and reader of each).
        campaign: Only those of the campaign of this id.
    """
    rows = [row for row in _rows(opened, ended=False) if row["status"] == "waiting"]
    return sorted((row for row in rows if campaign in (None, row["campaign_id"])), key=lambda row: str(row["due_at"]))


def every(opened: Sequence[tuple[str, Reader]], *, newest: int | None = None) -> list[dict[str, Any]]:
    """Return all tasks, newest first, those that have ended too; see `told`. Of each instrument so many as `newest` at most."""
    return sorted(_rows(opened, ended=True, newest=newest), key=lambda row: str(row["asked_at"]), reverse=True)


def show(urls: Sequence[str], key: str) -> dict[str, Any]:
    """Return one task, by its id or the end of it.

    Raises:
        UnknownNameError: If there is none.
        ConflictError: If several ids end so.
    """
    place = _find(urls, key)
    return _told_with_store(place, place.posted)


def answer(
    urls: Sequence[str], key: str, *, by: str, values: Mapping[str, Any] | None = None, failed: str = "", skipped: str = "",
    note: str = "", files: Mapping[str, Path] | None = None, patience_s: float = TAKING_S,
) -> dict[str, Any]:  # fmt: skip
    """Answer a task.

    Args:
        urls: The stores in whose labs it may be.
        key: Its id, or the end of it.
        by: Who answers.
        values: Name -> what was found; see `instruments.tasks.form.read_form`.
        failed: Why it could not be done, instead of values: the attempt fails.
        skipped: Why it is not done, instead of values: the experiment is cancelled and teaches nothing.
        note: Kept beside the values.
        files: Name -> a file to be kept, for what the form asks as a file.
        patience_s: How long the driver is waited for that takes the answer [real s].

    Returns:
        The task, see `told`, with `text`, what became of the answer, and `taken`, whether its driver has it.

    Raises:
        UnknownNameError: If there is no such task.
        ConflictError: If it is answered already, or nothing or too much is said.
        FormFaultsError: If values cannot be taken; each with its place and what was expected.
    """
    from instruments.tasks.folder import AnsweredError

    place = _find(urls, key)
    task = place.posted.task.id
    made = _answer(place, by=by, values=values, failed=failed, skipped=skipped, note=note, files=files or {})
    try:
        posted = place.folder.answer(task, made)
    except AnsweredError as error:
        if error.first.says_the_same(made):
            posted = place.folder.look(task) or place.posted
        else:
            first = f"{error.first.by} at {iso(error.first.at)}"
            raise ConflictError(f"task {task[-SHORT:]} was answered by {first} already: {_said(error.first)}; {_CORRECT}") from None
    except OSError as error:
        raise StoreError(f"the answer cannot be kept beside {place.lab}/{place.posted.task.instrument}: {error}") from error
    deadline = time.monotonic() + patience_s
    while posted.end is None and posted.refused == place.posted.refused and time.monotonic() < deadline:
        time.sleep(0.05)
        posted = place.folder.look(task) or posted
    row = _told_with_store(place, posted)
    return {**row, "taken": row["status"] == "answered" and posted.end is not None, "text": _text(row, posted, made)}


_CORRECT = "to correct a result that was booked: labwright campaign retract"


def _answer(
    place: _Place, *, by: str, values: Mapping[str, Any] | None, failed: str, skipped: str, note: str, files: Mapping[str, Path]
) -> Answer:
    from pydantic import ValidationError

    from instruments.tasks.form import read_form
    from instruments.tasks.task import Answer

    if (values is not None or bool(files)) + bool(failed) + bool(skipped) != 1:
        raise ConflictError("say one thing: the values, why it could not be done, or why it is not done")
    try:
        if values is None and not files:
            kind: Literal["failed", "skipped"] = "failed" if failed else "skipped"
            return Answer(kind=kind, reason=failed or skipped, note=note, by=by, at=time.time())
        fields = place.posted.task.fields
        wrong = [f"{name}: asks for no file" for name in files if name not in fields or fields[name].type != "file"]
        if wrong:
            raise FormFaultsError(wrong)
        kept = {name: attach(place.folder, place.posted.task.id, name, path) for name, path in files.items()}
        taken, faults = read_form(fields, {**(values or {}), **kept})
        sent = {name: str(given.value) for name, given in taken.items() if fields[name].type == "file" and given.value}
        faults += [
            f"{name}: {value} is no file that is kept here; send the file first"
            for name, value in sent.items() if not place.folder.file(place.posted.task.id, value).is_file()
        ]  # fmt: skip
        if faults:
            raise FormFaultsError(faults)
        return Answer(kind="values", values=taken, note=note, by=by, at=time.time())
    except ValidationError as error:
        raise FormFaultsError([f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]) from None


def attach(folder: TaskFolder, task: str, name: str, path: Path) -> str:
    """Keep a file beside a task and return what stands for it in the answer.

    Raises:
        FormFaultsError: If it cannot be read or is too large.
    """
    try:
        with path.open("rb") as source:
            return folder.attach(task, source)
    except (OSError, ValueError) as error:
        raise FormFaultsError([f"{name}: {str(path)!r} cannot be kept: {error}"]) from None


def attach_bytes(urls: Sequence[str], key: str, content: bytes) -> str:
    """Keep what was sent as a file beside a task and return what stands for it in the answer. Raises as `show`."""
    from io import BytesIO

    place = _find(urls, key)
    try:
        return place.folder.attach(place.posted.task.id, BytesIO(content))
    except ValueError as error:
        raise ConflictError(f"the file cannot be kept: {error}") from None
    except OSError as error:
        raise StoreError(f"the file cannot be kept beside {place.lab}/{place.posted.task.instrument}: {error.strerror}") from error


def _text(row: Mapping[str, Any], posted: Posted, made: Answer) -> str:
    of = "" if row["experiment"] is None else f" of experiment {row['experiment']} of {row['campaign']}"
    if posted.answer is None and not posted.late:
        return "its driver could not take the answer; look at the task and answer it again"
    if row["status"] == "late":
        why = posted.end.why if posted.end is not None and posted.end.why else "its attempt has ended"
        return f"the answer is kept, but comes too late{of}: {why}. No experiment takes it"
    if posted.end is None:
        return f"the answer is kept{of}; its driver takes it when it is at work"
    return {"values": f"taken{of}", "failed": f"taken{of}: it failed", "skipped": f"taken{of}: it is not done"}[made.kind]


def _find(urls: Sequence[str], key: str) -> _Place:
    named = [
        (url, lab, folder, task)
        for url in urls for lab, folder in _folders(url) for task in folder.ids()
        if task == key or (len(key) >= LEAST and task.endswith(key.lower()))
    ]  # fmt: skip
    meant = [entry for entry in named if entry[3] == key] or named
    found = [_Place(url, lab, folder, posted) for url, lab, folder, task in meant if (posted := folder.look(task)) is not None]
    if not found:
        there = sorted(p.posted.task.id[-SHORT:] for url in urls for p in _places(url, ended=False))
        hint = f"those that wait are {', '.join(there[:8])}" if there else "no task waits"
        raise UnknownNameError(f"no task {key[:80]!r}; {hint}: labwright task list --all shows every task")
    if len(found) > 1:
        raise ConflictError(f"{len(found)} tasks end in {key!r}; give more of the id: labwright task list --json")
    return found[0]


def _folders(url: str) -> Iterator[tuple[str, TaskFolder]]:
    """Yield lab and tasks of each instrument that asks people."""
    labs = folder_of(url) / "labs"
    with suppress(OSError):
        for path in sorted(labs.glob("*/*/tasks")):
            from instruments.tasks.folder import TaskFolder  # pydantic, which is needed only where people are asked

            yield path.parent.parent.name, TaskFolder(path.parent)


def _places(url: str, *, ended: bool, newest: int | None = None) -> Iterator[_Place]:
    for lab, folder in _folders(url):
        found = folder.every(newest) if ended else folder.waiting()
        yield from (_Place(url, lab, folder, posted) for posted in found)


def _rows(opened: Sequence[tuple[str, Reader]], *, ended: bool, newest: int | None = None) -> list[dict[str, Any]]:
    rows = []
    for url, reader in opened:
        places = list(_places(url, ended=ended, newest=newest))
        known, campaigns = _known(reader, [place.posted.task.id for place in places])
        rows += [told(place.url, place.lab, place.posted, known.get(place.posted.task.id), campaigns) for place in places]
    return rows


def _known(reader: Reader, attempts: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return what the store knows of attempts, and the names of campaigns by id; nothing where it cannot be read."""
    if not attempts:
        return {}, {}
    try:
        with reader.snapshot():
            return reader.places_of(attempts), {row["id"]: row["name"] for row in reader.campaign_rows()}
    except StoreError:
        return {}, {}


def _told_with_store(place: _Place, posted: Posted) -> dict[str, Any]:
    with readers([place.url]) as ((url, reader),):
        known, campaigns = _known(reader, [posted.task.id])
    return told(url, place.lab, posted, known.get(posted.task.id), campaigns)


def told(
    url: str, lab: str, posted: Posted, known: Mapping[str, Any] | None, campaigns: Mapping[str, str]
) -> dict[str, Any]:
    """Return a task as JSON data.

    Args:
        url: The store in whose lab it lies.
        lab: The lab.
        posted: The task.
        known: What the store knows of its attempt; None where it knows nothing.
        campaigns: Id -> name.

    Returns:
        `status`: *waiting*, *answered*, *withdrawn*, *overdue* (nobody answered in time), or *late* (an answer came after the end);
        what is to be done, with which arguments; `fields`, what is to be answered; who answered what.
    """
    task, status = posted.task, posted.stage
    if posted.end is None and known is not None and known["status"] not in _OPEN:
        # Its attempt has been booked as ended while its driver was away.
        status = "withdrawn" if posted.answer is None else "late"
    return {
        "task": task.id, "status": status, "lab": lab, "instrument": task.instrument, "action": task.action,
        "campaign": None if known is None else campaigns.get(known["campaign"]),
        "campaign_id": None if known is None else known["campaign"],
        "experiment": None if known is None else known["number"], "step": None if known is None else known["step"],
        "instructions": task.instructions,
        "arguments": {name: argument.model_dump() for name, argument in task.arguments.items()},
        "fields": {name: field.told() for name, field in task.fields.items()},
        "asked_at": iso(task.asked_at), "due_at": iso(task.due_at), "ends_at": iso(task.ends_at),
        "usually_s": task.typical_s, "late": status == "waiting" and time.time() > task.due_at,
        "answer": None if posted.answer is None else _answer_told(posted.answer),
        "ended_at": None if posted.end is None else iso(posted.end.at), "why": "" if posted.end is None else posted.end.why,
        "late_answers": [_answer_told(late) for late in posted.late], "refused_answers": posted.refused, "store": show_url(url),
    }  # fmt: skip


def _answer_told(given: Answer) -> dict[str, Any]:
    return {**given.model_dump(mode="json"), "at": iso(given.at)}


def _said(given: Answer) -> str:
    if given.kind != "values":
        return f"{'it could not be done' if given.kind == 'failed' else 'it is not done'}: {given.reason}"
    shown = (f"{name} {v.value}{f' {v.unit}' if v.unit else ''}" for name, v in given.values.items() if v.value != "")
    return ", ".join(shown) or "done"
