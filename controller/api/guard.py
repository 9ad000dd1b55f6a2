"""What every request passes before anything reads it: its host, its size, its rate, its token. And what every answer carries."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from controller.api.gate import Gate, Person
from controller.api.limits import (
    AT_ONCE,
    FILES_AT_ONCE,
    MOST_BODY,
    MOST_FILE,
    PAGE_AT_ONCE,
    PAGE_PER_SECOND,
    PER_SECOND,
    STRANGERS_AT_ONCE,
    STRANGERS_PER_SECOND,
    Bucket,
)
from controller.api.problems import RefusedError, problem_of
from controller.domain.access import Role
from controller.errors import LabwrightError
from instruments.ratelimit import RateLimitedLog

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?", re.ASCII)
PUBLIC = frozenset({"/v1/health", "/v1/openapi.json"})
"""What may be looked at without a token: that the daemon lives, and what can be asked of any."""
PAGE = ("/", "/page/")
"""The page, and what its files begin with: everybody may have them, for they hold nothing of any lab."""
FILES = re.compile(r"/v1/(tasks/[^/]{1,64}/files|campaigns/[^/]{1,200}/(plan|import))")
"""Where files are sent to."""
LINK = "/v1/tokens/from-link"
"""Asked by those who are to be given a token."""
STOP = "/v1/instruments/stop"
"""Never too often."""
HEADERS = (
    (b"cache-control", b"private, no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)

audit = logging.getLogger(__name__)
log = RateLimitedLog(audit, per_minute=5)


class _GoneError(Exception):
    """The client went away."""


class Guard:
    """Lets requests through to an application, and puts who speaks into their state as `person` (None for what is public).

    Args:
        app: The application.
        gate: Knows the tokens.
        names: By which clients may call this machine, besides any number. A page that a stranger's name server has made
            point at this machine calls it by the stranger's name (DNS rebinding).
    """

    def __init__(self, app: App, gate: Gate, names: frozenset[str]) -> None:
        self._app, self._gate, self._names = app, gate, names
        self._strangers = Bucket(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE)
        self._readers_of_pages = Bucket(PAGE_PER_SECOND, PAGE_AT_ONCE)
        self._buckets: dict[str, Bucket] = {}
        self._files = 0
        """How many files are being taken."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] != "http":
            return
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = [*message.get("headers", ())]
                names = {name.lower() for name, _ in said}
                message["headers"] = [*said, *(header for header in HEADERS if header[0] not in names)]
            await send(message)

        scope.setdefault("state", {})["person"] = None
        try:
            await self._guarded(scope, receive, answer)
        except _GoneError:
            return
        except (RefusedError, LabwrightError) as error:
            if isinstance(error, RefusedError) and error.status in (401, 403):
                log.warning("a request from %s is refused: %s", _client(scope), error)
            if not status:
                await problem_of(error)(scope, receive, answer)
        except Exception as error:  # whatever went wrong, it is this request's alone
            log.exception("a request (%s) could not be carried out", scope["method"])
            if not status:
                await problem_of(error)(scope, receive, answer)
        finally:
            self._note(scope, status)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        self._check_place(headers)
        path, looks = scope["path"], scope["method"] in ("GET", "HEAD")
        person, page = None, looks and (path == PAGE[0] or path.startswith(PAGE[1]))
        if not (page or (looks and path in PUBLIC) or (path == LINK and scope["method"] == "POST")):
            try:
                person = await self._gate.admit(headers.get(b"authorization"))
            except RefusedError:
                self._check_rate(self._strangers)
                raise
        if person is None:
            self._check_rate(self._readers_of_pages if page else self._strangers)
        elif path != STOP:
            self._check_rate(self._buckets.setdefault(person.token, Bucket(PER_SECOND, AT_ONCE)))
        scope["state"]["person"] = person
        if person is None or FILES.fullmatch(path) is None or not person.role.includes(Role.OPERATE):
            body = await _read(headers, receive, MOST_BODY)
            await self._app(scope, _again(body, receive), send)
            return
        if self._files >= FILES_AT_ONCE:
            raise RefusedError(503, "other files are being taken at this moment; send it again", {"Retry-After": "5"})
        self._files += 1
        try:
            body = await _read(headers, receive, MOST_FILE)
            await self._app(scope, _again(body, receive), send)
        finally:
            self._files -= 1

    def _check_place(self, headers: dict[bytes, str]) -> None:
        host = headers.get(b"host", "")
        if not self._ours(host):
            raise RefusedError(
                421, f"host {host[:100]!r} is not a name of this machine; call it by number, or let the daemon know the name: "
                "labwright daemon start --http-name NAME"
            )  # fmt: skip
        origin = headers.get(b"origin")
        if origin is not None and _place_of(origin) != host.lower():
            raise RefusedError(403, "a page of another site may not ask anything here")

    def _ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        name = "" if found is None else found[1].strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True

    @staticmethod
    def _check_rate(bucket: Bucket) -> None:
        if wait := bucket.wait_s():
            raise RefusedError(429, f"too many requests; ask again in {wait:.1f} s", {"Retry-After": str(int(wait) + 1)})

    @staticmethod
    def _note(scope: Scope, status: int) -> None:
        """Write down who changed, or tried to change, what; of what they sent only what the route notes of it."""
        person: Person | None = scope["state"]["person"]
        route = scope.get("route")
        if person is not None and scope["method"] not in ("GET", "HEAD", "OPTIONS") and route is not None:
            names = " ".join(f"{k}={str(v)[:100]!r}" for k, v in scope.get("path_params", {}).items())
            done = " ".join(filter(None, (scope["method"], route.path, names, scope["state"].get("note"))))
            audit.info("%s (%s) from %s: %s -> %d", person.name, person.role, _client(scope), done, status)


def _place_of(origin: str) -> str:
    """Return host and port of an Origin header; nothing where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def _read(headers: dict[bytes, str], receive: Receive, most: int) -> bytes:
    """Return the body of a request, of `most` bytes at most."""
    too_long = RefusedError(413, f"the body is longer than {most} bytes", {"Connection": "close"})
    length = headers.get(b"content-length", "0")
    if length.isdecimal() and int(length) > most:
        raise too_long
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        body += message.get("body", b"")
        if len(body) > most:
            raise too_long
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "somebody"
