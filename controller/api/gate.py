"""Who speaks: a token presented in the Authorization header becomes a person, by the list in the store."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from controller.api.problems import RefusedError
from controller.domain.access import Role
from controller.domain.token import AccessToken, token_of
from controller.errors import StoreError
from controller.store.reading import iso, open_reader
from controller.store.tokens import access_token
from instruments.ratelimit import RateLimitedLog

FRESH_S = 0.25
"""A list read earlier than this is read again before anybody is let in [real s]."""
PATIENCE_S = 0.5
"""So long a request waits for that; then the list last read holds, so that a stop does not wait for a store [real s]."""

log = RateLimitedLog(logging.getLogger(__name__), per_minute=5)


@dataclass(frozen=True)
class Person:
    """Who speaks, and what they may do."""

    name: str
    role: Role
    token: str
    """Id of the token."""
    expires_at: float
    """Real time [s since 1970-01-01 UTC]."""

    @property
    def by(self) -> str:
        """What the books say of who asked."""
        return f"{self.name} over HTTP"


class Gate:
    """Knows the tokens of a store, never older than `FRESH_S` while the store can be read.

    Args:
        url: The store.
    """

    def __init__(self, url: str) -> None:
        self._reader = open_reader(url)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tokens")
        self._tokens: list[AccessToken] | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Future[list[AccessToken]] | None = None

    async def admit(self, header: str | None) -> Person:
        """Return who speaks.

        Args:
            header: The Authorization header.

        Raises:
            RefusedError: With status 401, if it is no valid token.
            StoreError: If the list has never been read, and cannot be now.
        """
        scheme, _, text = (header or "").partition(" ")
        if not header:
            raise _refused("this needs a token, as the header 'Authorization: Bearer TOKEN'; whoever administers the lab makes "
                           "one: labwright tokens new NAME --role look")  # fmt: skip
        known = await self._list()
        token = token_of(text.strip(), known) if scheme.lower() == "bearer" else None
        if token is None:
            raise _refused("this token is not on the list; another is made with labwright tokens new NAME", invalid=True)
        status = token.status(time.time())
        if status != "valid":
            at = iso(token.revoked_at if status == "revoked" else token.expires_at)
            word = "was revoked" if status == "revoked" else "expired"
            raise _refused(f"the token {token.name!r} {word} at {at}; another: labwright tokens new {token.name}", invalid=True)
        return Person(token.name, token.role, token.id, token.expires_at)

    def forget(self) -> None:
        """Let nobody in by a list that was read, or begun to be read, before now: it has been changed here."""
        self._read_at, self._reading = float("-inf"), None

    def close(self) -> None:
        """Read no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _list(self) -> list[AccessToken]:
        if self._tokens is not None and time.monotonic() - self._read_at < FRESH_S:
            return self._tokens
        if self._reading is None:
            self._reading = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(self._thread, self._read))
            self._reading.add_done_callback(self._take)
        reading = self._reading
        try:
            return await asyncio.wait_for(asyncio.shield(reading), PATIENCE_S if self._tokens is not None else 10.0)
        except (TimeoutError, StoreError) as error:
            if self._tokens is None:
                raise StoreError(f"the list of tokens cannot be read: {error or 'the store does not answer'}") from None
            log.warning("the list of tokens cannot be read, the one last read holds: %s", error or "the store does not answer")
            return self._tokens

    def _read(self) -> list[AccessToken]:
        return [access_token(row) for row in self._reader.access_token_rows()]

    def _take(self, reading: asyncio.Future[list[AccessToken]]) -> None:
        failed = reading.cancelled() or reading.exception() is not None  # asked in any case, or asyncio would complain
        if reading is not self._reading:
            return
        self._reading = None
        if not failed:
            self._tokens, self._read_at = reading.result(), time.monotonic()


def _refused(detail: str, *, invalid: bool = False) -> RefusedError:
    challenge = 'Bearer realm="labwright"' + (', error="invalid_token"' if invalid else "")
    return RefusedError(401, detail, {"WWW-Authenticate": challenge})
