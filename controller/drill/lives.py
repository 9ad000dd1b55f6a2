"""What is killed: a process that is no process, but a set of tasks whose effects on the world can be cut off at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

_CURRENT: ContextVar[Life | None] = ContextVar("life", default=None)


class Life:
    """One process, from its start to its end.

    After `kill` nothing it still does reaches the world: its frames, commits, journal entries and device commands are dropped by
    those that would carry them out. So its tasks may be cancelled in an orderly way, and no clean-up of theirs counts.

    Args:
        name: Which process it is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._dead = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._main: asyncio.Task[Any] | None = None

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin its main task; whatever tasks that one makes belong to this life as well."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        self._main = asyncio.get_running_loop().create_task(work, context=context)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take a task in."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def dead(self) -> bool:
        """Say whether it was killed."""
        return self._dead

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if not self._dead:
            self._dead = True
            asyncio.get_running_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def over(self) -> BaseException | None:
        """Wait until nothing of it is left; return what its main task died of, if it was not killed."""
        assert self._main is not None  # noqa: S101 - begun
        await asyncio.wait({self._main})
        while self._tasks:
            self._cancel()
            await asyncio.wait(list(self._tasks), timeout=1.0)
        return None if self._dead or self._main.cancelled() else self._main.exception()


def task_factory(loop: asyncio.AbstractEventLoop, work: Any, **given: Any) -> asyncio.Task[Any]:
    """Make a task that belongs to the life in which it is made."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **given)
    context = given.get("context")
    life = _CURRENT.get() if context is None else context.get(_CURRENT)
    if life is not None:
        life.adopt(task)
    return task


def current_life() -> Life | None:
    """Return the life in which the code that asks is running."""
    return _CURRENT.get()
