"""Threads for what would hold the event loop up: so many at once, so many waiting, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from controller.api.problems import RefusedError

T = TypeVar("T")


class Workers:
    """Carries calls out in threads.

    Args:
        what: What they do, for messages.
        at_once: How many at once.
        waiting: How many more may wait for their turn.
    """

    def __init__(self, what: str, *, at_once: int, waiting: int) -> None:
        self._what, self._most = what, at_once + waiting
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix=what.replace(" ", "-"))
        self._taken = 0

    async def do(self, call: Callable[[], T], *, patience_s: float) -> T:
        """Carry a call out and return what it returns.

        Args:
            call: What to do.
            patience_s: How long is waited for it; it is not cut short, and keeps its place until it ends [real s].

        Raises:
            RefusedError: With status 503, if too many wait already, or it takes longer.
        """
        if self._taken >= self._most:
            raise RefusedError(503, f"too many are {self._what} at this moment; ask again", {"Retry-After": "1"})
        self._taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        future.add_done_callback(self._free)
        try:
            return await asyncio.wait_for(asyncio.shield(future), patience_s)
        except TimeoutError:
            if future.done():
                raise
            raise RefusedError(
                503, f"{self._what} has taken more than {patience_s:g} s and goes on; look again later", {"Retry-After": "10"}
            ) from None

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _free(self, future: asyncio.Future[T]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # looked at, should nobody be waiting any more
