"""Answers that take long to make, kept while they hold: many who look at the same have it made once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

MOST, MOST_BYTES = 64, 32 * 2**20
"""So many answers are kept, and so much of them; the one asked for longest ago makes room."""


class Kept:
    """Answers by what they depend on; whoever asks while one is being made waits for the same."""

    def __init__(self) -> None:
        self._made: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the answer for `key`, made now if it is not there. What `make` raises is raised, and nothing is kept."""
        task = self._made.pop(key, None)
        if task is None:
            task = asyncio.create_task(_made(make))
            task.add_done_callback(lambda done: self._settle(key, done))
        self._made[key] = task
        while len(self._made) > MOST:
            self._made.pop(next(iter(self._made)))
        # Who asked first may go away; what was begun is for the others too.
        return await asyncio.shield(task)

    def _settle(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        if (task.cancelled() or task.exception() is not None) and self._made.get(key) is task:
            del self._made[key]
            return
        done = {k: len(t.result()) for k, t in self._made.items() if t.done() and not t.cancelled() and t.exception() is None}
        size = sum(done.values())
        for old, length in done.items():
            if size <= MOST_BYTES or old == key:
                break
            size -= length
            del self._made[old]


async def _made(make: Callable[[], Awaitable[bytes]]) -> bytes:
    return await make()
