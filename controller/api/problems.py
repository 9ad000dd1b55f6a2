"""What cannot be done, told as RFC 9457 has it (`application/problem+json`), in the words of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from controller.errors import (
    CampaignLockedError,
    ConflictError,
    FaultsError,
    IllegalTransitionError,
    LabwrightError,
    SettingError,
    SpaceExhaustedError,
    StoreError,
    UnknownNameError,
)
from instruments.errors import InstrumentError

MEDIA_TYPE = "application/problem+json"
SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "What its status code means."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do, as the command line says it."},
        "error": {"type": "string", "description": "The kind of the error."},
        "faults": {"type": "array", "items": {"type": "string"}, "description": "One line for each fault."},
    },
}
"""JSON Schema of every problem."""

_STATUS: Mapping[type[Exception], int] = {
    UnknownNameError: 404,
    ConflictError: 409,
    IllegalTransitionError: 409,
    SpaceExhaustedError: 409,
    CampaignLockedError: 423,
    FaultsError: 422,
    SettingError: 422,
    StoreError: 503,
    LabwrightError: 500,
    InstrumentError: 502,
}
"""Kind of error -> status; the first that fits counts."""


class RefusedError(Exception):
    """A request is refused for what it is, not for what it asks; becomes a problem with `status` and `headers`."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


def problem(
    status: int, detail: str, *, error: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Return a problem as a response.

    Args:
        status: HTTP status code.
        detail: What is wrong and what to do.
        error: The kind of the error.
        headers: Further headers.
        more: Further members.
    """
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if error is not None:
        content["error"] = error
    body = json.dumps({**content, **more}, ensure_ascii=False, default=str)
    return Response(body.encode("utf-8", "replace"), status, {**(headers or {})}, MEDIA_TYPE)


def problem_of(error: Exception) -> Response:
    """Return the problem that an error raised on purpose is; what was not raised on purpose is told without its text."""
    if isinstance(error, RefusedError):
        return problem(error.status, str(error), headers=error.headers)
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            faults = getattr(error, "faults", None)
            headers = {"Retry-After": "5"} if status == 503 else None
            more = {"faults": list(faults)} if faults else {}
            return problem(status, str(error), error=type(error).__name__, headers=headers, **more)
    return problem(500, "the request could not be carried out; the daemon's log says why", error=type(error).__name__)
