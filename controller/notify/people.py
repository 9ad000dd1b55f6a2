"""The tasks that wait for a person, as notices: they lie in the folders of instruments, not in the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from controller.domain.notification import Notice, Topic
from instruments.tasks.folder import FOLDER, TaskFolder

if TYPE_CHECKING:
    from controller.store.reading import Reader
    from instruments.tasks.task import Task

_MOST_WORDS = 300
_SHORT = 6
"""So many last signs of its id name a task to people (`verbs.tasks`)."""


def waiting(lab: Path, instruments: Iterable[str], reader: Reader, known: set[str]) -> Iterator[Notice]:
    """Yield a notice for each task that waits for an answer and is not known yet.

    Args:
        lab: Folder of the lab.
        instruments: Those that may ask people.
        reader: Of the store that holds the attempts.
        known: Ids of tasks that were yielded before; changed.

    Raises:
        StoreError: If the store cannot be read.
        OSError: If a task cannot be.
    """
    for name in instruments:
        if not (lab / name / FOLDER).is_dir():
            continue
        new = [posted.task for posted in TaskFolder(lab / name).waiting() if posted.answer is None and posted.task.id not in known]
        for task in new:
            place = reader.places_of([task.id]).get(task.id)
            row = None if place is None else reader.campaign_row(str(place["campaign"]))
            if place is None or row is None:
                continue  # of no campaign: a reading of an interlock, or of somebody who looks
            known.add(task.id)
            text = _text(task, int(place["number"]), str(place["step"]))
            yield Notice(
                f"task:{task.id}", Topic.PERSON, str(row["name"]), text, task.asked_at, bool(row["simulated"]), int(place["number"])
            )


def _text(task: Task, number: int, step: str) -> str:
    words = " ".join(task.instructions.split())
    words = words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 1] + "…"
    due = datetime.fromtimestamp(task.due_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"somebody is needed at {task.instrument}: {words} (experiment {number}, step {step}, due {due}); "
        f"labwright task answer {task.id[-_SHORT:]}"
    )
