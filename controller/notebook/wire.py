"""One connection to a daemon's HTTP API: JSON in and out, errors as the command line raises them, nothing sent elsewhere.

The standard library's client follows no redirect by itself, so that a token never goes to another host.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from controller import errors
from controller.errors import AccessError, ConflictError, FileFaultsError, LabwrightError, ServerError
from controller.verbs.wholefiles import whole_file

TOKEN_VARIABLE: Final = "LABWRIGHT_TOKEN"
"""Environment variable that holds the token: in a notebook's cells it would be saved with them."""
_KEPT: Final = 64
"""Answers whose ETags are remembered."""
_LEAST_PAUSE_S: Final = 0.05
"""Before a server is asked again, whatever it says [s]."""
_PART: Final = 2**18
_MOST: Final = 512 * 2**20
"""Longest answer that is taken into memory [bytes]."""


class Wire:
    """Asks one server; may be shared by threads.

    Args:
        url: `http://127.0.0.1:8765` or `https://host:port`.
        token: Who asks; `$LABWRIGHT_TOKEN` where nothing is said.
        certificate: File with the certificate of the authority that signed the server's, where the system does not know it.
        insecure: Send the token unencrypted to another machine.
        patience_s: For one answer [real s].

    Raises:
        ConflictError: If the address is none, or the token would travel unencrypted.
    """

    def __init__(
        self, url: str, token: str | None, *, certificate: str | Path | None, insecure: bool, patience_s: float
    ) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.path.strip("/") or parts.query:
            raise ConflictError(f"{url!r} is no address of a daemon; write for example http://127.0.0.1:8765")
        if parts.scheme == "http" and not _is_here(parts.hostname) and not insecure:
            raise ConflictError(f"{url}: the token would travel unencrypted; use https, or say insecure=True")
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._token = token or os.environ.get(TOKEN_VARIABLE) or ""
        self._host, self._port, self._patience_s = parts.hostname, port, patience_s
        self._context = ssl.create_default_context(cafile=certificate and str(certificate)) if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self._known: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, *place: str, **query: Any) -> dict[str, Any]:
        """Return what a route tells; an answer that has not changed since the last time is not sent again."""
        path = _path(place, query)
        with self._turn:
            known = self._known.get(path)
            answer = self._ask("GET", path, None, {"If-None-Match": known[0]} if known else {})
            if answer.status == 304 and known is not None:
                self._read(answer, _PART)
                self._known.move_to_end(path)
                return known[1]
            content = self._content(answer)
            if tag := answer.headers.get("ETag"):
                self._known[path] = (tag, content)
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            return content

    def post(self, *place: str, body: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Have something done and return what became of it."""
        with self._turn:
            return self._content(self._ask("POST", _path(place, query), {} if body is None else body, {}))

    def fetch(self, target: Path, *place: str, **query: Any) -> None:
        """Write what a route answers into a file, whole or not at all, part by part."""
        with self._turn:
            answer = self._ask("GET", _path(place, query), None, {})
            with whole_file(target) as draft, draft.open("wb") as out:
                wanted, size = answer.headers.get("Content-Length"), 0
                while part := self._read(answer, _PART):
                    size += out.write(part)
                if wanted is not None and size != int(wanted):
                    self._drop()
                    raise ServerError(f"{self.url} ended its answer after {size} of {wanted} bytes; ask again")

    def close(self) -> None:
        """End the connection."""
        with self._turn:
            self._drop()

    def __del__(self) -> None:
        if (connection := getattr(self, "_connection", None)) is not None:  # in a notebook nobody closes anything
            connection.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Return the answer to a request, an error raised where it is one.

        What only looks is asked again where a kept connection has ended meanwhile, or the server says when to.
        """
        deadline = time.monotonic() + self._patience_s
        text = None if body is None else json.dumps(body, allow_nan=False).encode()
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "*/*", **headers} if self._token else dict(headers)
        if text is not None:
            sent["Content-Type"] = "application/json"
        while True:
            kept = self._connection is not None
            try:
                connection = self._connected()
                connection.request(method, path, text, sent)
                answer = connection.getresponse()
            except (http.client.HTTPException, OSError) as error:
                self._drop()
                if kept and method == "GET":
                    continue  # the server ends connections that are idle
                raise ServerError(_unreachable(self.url, error)) from error
            if answer.status < 400:
                if answer.status >= 300 and answer.status != 304:
                    self._drop()
                    raise ServerError(f"{self.url} sends elsewhere, which a daemon never does; check the address")
                return answer
            problem = self._problem(answer)
            wait_s = _seconds(answer.headers.get("Retry-After"))
            if method == "GET" and answer.status in (429, 503) and wait_s is not None and time.monotonic() + wait_s < deadline:
                time.sleep(max(wait_s, _LEAST_PAUSE_S))
                continue
            raise _error_of(answer.status, problem)

    def _read(self, answer: http.client.HTTPResponse, most: int) -> bytes:
        """Return the next bytes of an answer; none at its end."""
        try:
            return answer.read(most)
        except (http.client.HTTPException, OSError) as error:
            self._drop()
            raise ServerError(_unreachable(self.url, error)) from error

    def _content(self, answer: http.client.HTTPResponse) -> dict[str, Any]:
        body = self._read(answer, _MOST + 1)
        if len(body) > _MOST:
            self._drop()
            raise ServerError(f"the answer is longer than {_MOST >> 20} MiB; export to a file instead")
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or not content:
            raise ServerError(f"what {self.url} answers is no JSON of a daemon of Labwright; check the address")
        return content

    def _problem(self, answer: http.client.HTTPResponse) -> dict[str, Any]:
        """Return what an answer says is wrong."""
        try:
            found = json.loads(self._read(answer, _PART))
        except (ValueError, RecursionError, ServerError):
            found = None
        if not answer.isclosed():  # more of it than any problem has
            self._drop()
        return found if isinstance(found, dict) else {"detail": f"HTTP status {answer.status}; is there a daemon of Labwright?"}

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._context is None:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._patience_s)
            else:
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._patience_s, context=self._context
                )
        return self._connection


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path(place: tuple[str, ...], query: Mapping[str, Any]) -> str:
    said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items() if value is not None}
    return "/".join(["/v1", *(quote(part, safe="") for part in place)]) + (f"?{urlencode(said)}" if said else "")


def _error_of(status: int, problem: Mapping[str, Any]) -> LabwrightError:
    """Return the error that a problem is, as the command line would raise it."""
    text = str(problem.get("detail", f"HTTP status {status}"))
    if status in (401, 403):
        return AccessError(text)
    kind = getattr(errors, str(problem.get("error")), None)
    if kind is FileFaultsError:
        return FileFaultsError([str(fault) for fault in problem.get("faults") or [text]])
    if isinstance(kind, type) and issubclass(kind, LabwrightError) and kind is not errors.MissingExtraError:
        return kind(text)
    if status == 422 and problem.get("faults"):
        return ConflictError("; ".join(map(str, problem["faults"])))
    return ConflictError(text) if status in (400, 409, 413, 422) else ServerError(text)


def _unreachable(url: str, error: Exception) -> str:
    why = str(error) or type(error).__name__
    return f"{url} cannot be reached ({why}); is a daemon at work there (labwright daemon start --http …)?"


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
