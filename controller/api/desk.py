"""What the routes work with: the stores, the gate, and threads that are kept apart so that a stop waits for nobody."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from controller.api.gate import Gate
from controller.api.kept import Kept
from controller.api.limits import COMPUTING_S, LOOKING_S
from controller.api.news import Watch
from controller.api.standing import TASKS, Shared, Standing, read_standing
from controller.api.workers import Workers
from controller.store.reading import Reader
from controller.verbs.aside import Aside
from controller.verbs.stores import Found, find, readers

T = TypeVar("T")


class Desk:
    """One for each process that serves HTTP.

    Args:
        urls: The stores, the one with the tokens first.
        beat: A file whose time of change the daemon renews while its event loop turns.
    """

    def __init__(self, urls: Sequence[str], beat: Path) -> None:
        self.urls, self.beat = tuple(urls), beat
        self.gate = Gate(urls[0])
        self.aside = Aside()
        """Computes with models."""
        self.kept = Kept()
        """Figures, by the end of the log that they rest on."""
        self.streams: Counter[str] = Counter()
        """How many streams of news each token (its id) follows."""
        self._standing = Shared(self._read_standing)
        self.watch = Watch(self._standing.get)
        self._looking = Workers("looking", at_once=4, waiting=32)
        self._following = Workers("following", at_once=1, waiting=1)
        self._computing = Workers("computing", at_once=1, waiting=8)
        self._auditing = Workers("auditing or exporting", at_once=1, waiting=4)
        self._steering = Workers("steering", at_once=8, waiting=32)
        self._booking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stopping = Workers("stopping instruments", at_once=16, waiting=64)

    async def look(self, call: Callable[[Sequence[tuple[str, Reader]]], T]) -> T:
        """Read what `call` reads with readers (URL and reader) of all stores."""

        def read() -> T:
            with readers(self.urls) as opened:
                return call(opened)

        return await self._looking.do(read, patience_s=LOOKING_S)

    async def standing(self) -> Standing:
        """Return how everything stands now, read once for all who ask at the same moment."""
        return await self._standing.get()

    async def _read_standing(self) -> Standing:
        def read() -> Standing:
            with readers(self.urls) as opened:
                return read_standing(opened)

        return await self._following.do(read, patience_s=LOOKING_S)

    async def told_of(self, campaign: str, what: str, call: Callable[[Found], object], *more: str | None) -> bytes:
        """Return what `call` tells of a campaign (its name or id), as JSON: made once for all who look while it stands as it does.

        Args:
            campaign: Its name or id.
            what: Names what is told.
            call: Tells it; of nothing that does not show in `Place.how` or among the tasks of people, but for the time.
            more: What else the answer depends on.
        """
        standing = await self.standing()
        place = standing.find(campaign)

        async def make() -> bytes:
            return as_json(await self.look_at(campaign if place is None else place.id, call))

        return await (make() if place is None else self.kept.get((what, place.id, place.how, standing.topics[TASKS], *more), make))

    async def look_at(self, campaign: str, call: Callable[[Found], T], *, long: bool = False) -> T:
        """Read what `call` reads of one campaign (its name or id); `long` for what goes through all of it."""

        def read() -> T:
            with find(self.urls, campaign) as found:
                return call(found)

        workers = self._auditing if long else self._looking
        return await workers.do(read, patience_s=10 * LOOKING_S if long else LOOKING_S)

    async def compute(self, campaign: str, verb: str, **arguments: Any) -> dict[str, Any]:
        """Return what a verb that asks models tells of a campaign (its name or id); see `Aside.ask`."""

        def think() -> dict[str, Any]:
            with find(self.urls, campaign) as found:
                return self.aside.ask(found, verb, **arguments)

        return await self._computing.do(think, patience_s=COMPUTING_S)

    async def steer(self, call: Callable[[], T], *, timeout_s: float) -> T:
        """Carry out what changes something; `timeout_s` is the patience that the call itself has [real s]."""
        return await self._steering.do(call, patience_s=timeout_s + 20.0)

    async def change_tokens(self, call: Callable[[], T]) -> T:
        """Change the list of tokens; who is let in afterwards is let in by the list as it is then."""
        try:
            return await self.steer(call, timeout_s=10.0)
        finally:
            self.gate.forget()

    async def book(self, campaign: str, call: Callable[[], T], *, timeout_s: float) -> T:
        """As `steer`, one at a time for each campaign: where no controller works, the first would keep the second out."""
        lock = self._booking.setdefault(campaign, asyncio.Lock())
        async with lock:
            return await self.steer(call, timeout_s=timeout_s)

    async def stop(self, call: Callable[[], T], *, timeout_s: float) -> T:
        """Carry out a stop, ahead of everything else."""
        return await self._stopping.do(call, patience_s=timeout_s + 20.0)

    def close(self) -> None:
        """Begin nothing more."""
        self.gate.close()
        self.aside.close()
        for workers in (self._looking, self._following, self._computing, self._auditing, self._steering, self._stopping):
            workers.close()


def as_json(content: object) -> bytes:
    """Return content as the body of an answer."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, default=str).encode("utf-8", "replace")
