"""What has changed in the stores: looked up once for everybody who follows, twice a second, and only while somebody does."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from controller.api.standing import Standing
from controller.errors import LabwrightError
from instruments.ratelimit import RateLimitedLog

POLL_S = 0.5
"""How often the stores are looked at [real s]."""
BEAT_S = 5.0
"""Who follows hears something at least so often [real s]."""

log = RateLimitedLog(logging.getLogger(__name__), per_minute=5)


@dataclass(frozen=True)
class News:
    """What has changed since a cursor."""

    cursor: str
    campaigns: tuple[str, ...]
    """Ids."""
    topics: tuple[str, ...]
    """Of those of a `Standing`."""
    anew: bool = False
    """Everything may have changed: the cursor was another process's."""
    unread: str = ""
    """Why the stores cannot be read at this moment."""

    @property
    def nothing(self) -> bool:
        """Whether nothing has changed."""
        return not (self.campaigns or self.topics or self.anew)


class Watch:
    """Follows the stores for all who want to know.

    Args:
        look: Returns how everything stands.
    """

    def __init__(self, look: Callable[[], Awaitable[Standing]]) -> None:
        self.leaving = False
        """Whether this process is to end; whoever follows is told at once."""
        self._look = look
        self._name = secrets.token_hex(4)
        self._turn = 0
        self._seen: dict[str, tuple[str, int]] = {}
        """What -> how it stood, and since which turn."""
        self._unread = ""
        self._changed = asyncio.Event()
        self._followers = 0
        self._polling: asyncio.Task[None] | None = None

    async def follow(self, cursor: str | None) -> AsyncIterator[News]:
        """Tell what has changed since `cursor`, then what changes; and, each `BEAT_S`, that nothing has.

        Args:
            cursor: Of the last news that was heard; None begins with everything.
        """
        self._followers += 1
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll(), name="news")
        try:
            if not self._turn:
                await self._wait()
            name, _, turn = (cursor or "").partition("-")
            known = name == self._name and turn.isdecimal() and len(turn) < 18 and int(turn) <= self._turn
            last = int(turn) if known else 0
            news = self._since(last, anew=not known)
            last = self._turn
            yield news
            while True:
                if self._turn == last:
                    await self._wait()
                news = self._since(last)
                last = self._turn
                yield news
        finally:
            self._followers -= 1
            if not self._followers and self._polling is not None:
                self._polling.cancel()
                self._polling = None

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(BEAT_S):
                await self._changed.wait()
        except TimeoutError:
            return

    def _since(self, turn: int, *, anew: bool = False) -> News:
        changed = [what for what, (_, since) in self._seen.items() if since > turn]
        campaigns = tuple(what.partition(" ")[2] for what in changed if what.startswith("campaign "))
        topics = tuple(what for what in changed if " " not in what)
        return News(f"{self._name}-{self._turn}", campaigns, topics, anew, self._unread)

    async def _poll(self) -> None:
        while True:
            try:
                found, unread = _texts(await self._look()), ""
            except LabwrightError as error:
                found, unread = {what: how for what, (how, _) in self._seen.items()}, str(error)
                log.warning("the stores cannot be followed: %s", error)
            changed = {what for what, how in found.items() if self._seen.get(what, ("", 0))[0] != how}
            if changed or unread != self._unread or not self._turn or self.leaving:
                self._turn += 1
                self._unread = unread
                self._seen |= {what: (found[what], self._turn) for what in changed}
                self._changed.set()
                self._changed = asyncio.Event()
            await asyncio.sleep(POLL_S)


def _texts(standing: Standing) -> dict[str, str]:
    return {**standing.topics, **{f"campaign {key}": place.how for key, place in standing.campaigns.items()}}
