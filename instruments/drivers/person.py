"""The `person` driver: a step that somebody does by hand, answered in the terminal, in the page, or over HTTP."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from instruments.drivers.declared import DeclaredAction, check_template, fill
from instruments.errors import ActionCancelledError, DeviceFaultError, RawFileError
from instruments.protocol.values import MAX_TEXT, Name, Scalar, shorten
from instruments.sdk.action import Action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Measured, Quantity, Returned
from instruments.sdk.recovery import Recovery
from instruments.tasks.folder import TaskFolder
from instruments.tasks.form import FormField
from instruments.tasks.task import Answer, Argument, End, Task

WHO, WHEN, NOTE = "answered_by", "answered_at", "note"
"""What every answer returns besides the values that the lab file declares."""
_LOOK_S = 0.1
"""Pause between two looks for an answer [real s]."""
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", ".png", "image/png"), (b"\xff\xd8\xff", ".jpg", "image/jpeg"), (b"%PDF-", ".pdf", "application/pdf"),
    (b"II*\0", ".tif", "image/tiff"), (b"MM\0*", ".tif", "image/tiff"),
)  # fmt: skip
"""How files of the kinds that people take begin: an answer does not tell what a file was called."""
_ABOUT = {
    WHO: "Who answered.",
    WHEN: "When, in UTC.",
    NOTE: "What was noted beside the values.",
}
log = logging.getLogger(__name__)


class PersonAction(DeclaredAction):
    """One thing that people are asked to do; `duration` is (how long it usually takes, after how long it is late) [s]."""

    instructions: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    """What is to be done, with `{name}` for an argument."""
    returns: Annotated[dict[Name, FormField], Field(max_length=100)] = {}
    """What is to be answered."""


class PersonDriver(Driver):
    """People as an instrument: each attempt is a task that waits, also across restarts, until somebody answers it.

    Args:
        actions: What people can be asked to do, by name.
    """

    on_lost_controller = "carry_on"
    """People go on without it; what they answer is kept until it is back."""
    capacity = 64
    """People arrange among themselves who does what; the lab file's capacity says how many tasks wait at once."""

    def __init__(self, *, actions: Annotated[dict[Name, PersonAction], Field(min_length=1)]) -> None:
        for name, declared in actions.items():
            check_template(declared.instructions, declared.arguments, f"action {name!r}, instructions")
            if taken := sorted(declared.returns.keys() & _ABOUT.keys()):
                raise ValueError(f"action {name!r} returns {taken[0]!r}, which every answer has; give it another name")
        self._declared = actions

    def setup(self) -> None:
        """Make the folder in which tasks and answers meet."""
        self._tasks().prepare()

    def actions(self) -> Mapping[str, Action]:
        """Return the declared actions."""
        return {name: self._action(name, declared) for name, declared in self._declared.items()}

    def _action(self, name: str, declared: PersonAction) -> Action:
        returns = {key: _quantity(field) for key, field in declared.returns.items()}
        return Action(
            name=name,
            handler=partial(self._ask, name),
            arguments=declared.quantities(),
            returns=returns | {key: Quantity(kind="str", description=about) for key, about in _ABOUT.items()},
            duration=declared.duration,
            consequence=declared.consequence,
            recover=partial(self._recover, name),
            description=declared.description or declared.instructions.strip().partition("\n")[0],
            defaults=declared.defaults(),
        )

    async def _ask(self, name: str, ctx: ActionContext, **arguments: Scalar) -> dict[str, Returned]:
        """Ask, unless it was asked before, and wait for the answer.

        Raises:
            DeviceFaultError: If it could not be done.
            ActionCancelledError: If it is not done, or the attempt was asked to end.
            TimeoutError: If nobody answered in time.
        """
        tasks, task = self._tasks(), self._task(name, ctx, arguments)
        tasks.post(task)
        # From here on by a clock that cannot be set: a task that was asked before has what is left of its time.
        left_s = math.inf if task.ends_at is None else (task.ends_at - ctx.clock.time()) / ctx.clock.speed
        ends = time.monotonic() + left_s
        while (answer := tasks.take(task)) is None:
            late = time.monotonic() >= ends
            if late or ctx.cancelled:
                why = f"nobody had answered by {_moment(task.ends_at or 0.0)}" if late else f"the attempt was {ctx.why_cancelled}"
                tasks.finish(task.id, End(kind="overdue" if late else "withdrawn", why=why, at=ctx.clock.time()))
                if late:
                    raise TimeoutError(why)
                ctx.check()
            await asyncio.sleep(_LOOK_S)  # not that of the context: before an attempt ends its task is withdrawn
        tasks.finish(task.id, End(kind="answered", at=ctx.clock.time()))
        returned = _returned(answer)
        for name, field in task.fields.items():
            if field.type == "file" and (given := answer.values.get(name)) is not None and given.value:
                await asyncio.to_thread(_keep, ctx, tasks.file(task.id, str(given.value)), name)
        return returned

    async def _recover(self, name: str, ctx: ActionContext, **arguments: Scalar) -> Recovery:
        """Go on with a task of an earlier process: whatever that had come to, the folder knows it."""
        posted = self._tasks().look(ctx.attempt)
        if posted is not None and posted.end is not None and posted.end.kind == "withdrawn" and posted.answer is None:
            return Recovery.unknown(f"its task was withdrawn: {posted.end.why}")
        return Recovery.going(partial(self._ask, name, ctx, **arguments))

    def _tasks(self) -> TaskFolder:
        if self.folder is None:
            raise DeviceFaultError("nobody can be asked without a journal: tasks wait in a folder beside it", retryable=False)
        return TaskFolder(self.folder)

    def _task(self, name: str, ctx: ActionContext, arguments: Mapping[str, Scalar]) -> Task:
        declared = self._declared[name]
        used = {key: Argument(value=value, unit=declared.arguments[key].unit) for key, value in arguments.items()}
        return Task(
            id=ctx.attempt, instrument=self.folder.name if self.folder else "person", action=name,
            instructions=shorten(fill(declared.instructions, arguments).strip()), arguments=used, fields=declared.returns,
            asked_at=ctx.started_at, typical_s=declared.duration[0], longest_s=declared.duration[1],
            ends_at=None if ctx.deadline_s is None else ctx.started_at + ctx.deadline_s,
        )  # fmt: skip


def _keep(ctx: ActionContext, path: Path, name: str) -> None:
    """Keep a file of an answer as a raw file too; where that fails it stays beside its task, and the answer counts."""
    try:
        with path.open("rb") as source:
            head = source.read(16)
        ending, media_type = next(
            ((ending, kind) for begins, ending, kind in _KINDS if head.startswith(begins)), ("", "application/octet-stream")
        )
        ctx.keep(path, name=f"{name}{ending}", media_type=media_type)
    except (OSError, RawFileError) as error:
        log.warning("task %s: %s", ctx.attempt, error)


def _returned(answer: Answer) -> dict[str, Returned]:
    """Return what an answer measures; one that gives no values ends the attempt."""
    if answer.kind == "failed":
        raise DeviceFaultError(f"could not be done, says {answer.by}: {answer.reason}", retryable=False)
    if answer.kind == "skipped":
        raise ActionCancelledError(f"skipped by {answer.by}: {answer.reason}", retryable=False)
    values: dict[str, Returned] = {key: Measured(g.value, sem=g.sem) for key, g in answer.values.items()}
    return {**values, WHO: answer.by, WHEN: _moment(answer.at), NOTE: answer.note}


def _quantity(field: FormField) -> Quantity:
    """Return a field of the form as the SDK writes it; a file is the text that stands for it."""
    kind = "str" if field.type == "file" else field.type
    return Quantity(field.unit, field.low, field.high, field.choices, description=field.description, kind=kind)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
